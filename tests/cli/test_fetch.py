"""`registrar fetch`: files come whole, are what their manifest says, and overwrite nothing; here and elsewhere."""

import hashlib
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from registrar.queries.fetched_artifacts import MANIFEST, is_safe
from tests.cli.setting import House, elsewhere, living
from tests.cli.test_promotions import POLICY

FILES = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"0123456789" * 20_000, "empty": b""}


@pytest.fixture
def house(tmp_path, ledger, ledger_url, monkeypatch) -> Iterator[House]:
    """The worker and the receiver share a folder. taxi has two versions, and run r1 has files."""
    monkeypatch.setenv("REGISTRAR_ARTIFACTS", str(tmp_path / "artifacts"))
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        for number in (1, 2):
            house.harness.registry.trained(f"r{number}", rmse=5.0)
            house.run("send", "training_run.finished", "model=taxi", f"run_id=r{number}", "--json")
            house.harness.work()
            house.harness.registry.files[f"models/taxi/{number}"] = dict(FILES)
        house.harness.registry.files["runs/r1/extra"] = {"plot.txt": b"plot"}
        with house.working():
            yield house


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def fetched(house: House) -> Path:
    return house.data / "artifacts" / "models" / "taxi" / "1"


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_the_files_of_a_version_come_with_their_manifest(house: House, tmp_path: Path, where: str):
    goal = tmp_path / "got" / "taxi-1"
    line = ("fetch", "taxi", "1", "--to", str(goal), "--json")
    done = house.run(*line) if where == "here" else elsewhere(house, *line)
    assert done.exit_code == 0, done.output
    assert content(goal) == FILES
    shown = json.loads(done.stdout)
    assert shown["origin"] == "taxi version 1"
    for name, entry in json.loads((goal / MANIFEST).read_text())["files"].items():
        assert entry == shown["files"][name]
        assert entry["sha256"] == hashlib.sha256(FILES[name]).hexdigest()
    assert sorted(path.name for path in goal.parent.iterdir()) == ["taxi-1"]


def test_a_part_of_a_run_comes_too(house: House, tmp_path: Path):
    done = elsewhere(house, "fetch", "--run", "r1", "--path", "extra", "--to", str(tmp_path / "extra here"))
    assert (done.exit_code, "run r1, extra: 1 files, 4 bytes" in done.output) == (0, True), done.output
    assert content(tmp_path / "extra here") == {"plot.txt": b"plot"}


def test_what_is_there_and_the_same_is_left_and_what_differs_is_never_overwritten(house: House, tmp_path: Path):
    goal = tmp_path / "goal"
    (goal / "data").mkdir(parents=True)
    (goal / "MLmodel").write_bytes(FILES["MLmodel"])
    (goal / "mine.txt").write_text("mine")
    line = ("fetch", "taxi", "1", "--to", str(goal))
    assert house.run(*line).exit_code == 0
    assert content(goal) == {**FILES, "mine.txt": b"mine"}
    assert house.run(*line).exit_code == 0
    (goal / "data" / "weights.bin").write_text("other")
    before = content(goal)
    refused = house.run(*line)
    assert (refused.exit_code, "has other content under data/weights.bin" in refused.stderr) == (2, True)
    assert content(goal) == before
    (goal / "data" / "weights.bin").unlink()
    (goal / "data" / "weights.bin").symlink_to(tmp_path / "nowhere")
    assert house.run(*line).exit_code == 2
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("harm", ["changed", "longer", "shorter", "gone", "link"])
def test_a_file_that_is_not_what_the_manifest_says_leaves_nothing(house: House, tmp_path: Path, harm: str):
    assert house.run("fetch", "taxi", "1", "--to", str(tmp_path / "first")).exit_code == 0
    weights = fetched(house) / "data" / "weights.bin"
    match harm:
        case "changed":
            weights.write_bytes(FILES["data/weights.bin"][::-1])
        case "longer":
            weights.write_bytes(FILES["data/weights.bin"] + b"x" * 1_000_000)
        case "shorter":
            weights.write_bytes(b"0")
        case _:
            weights.unlink()
    if harm == "link":
        weights.symlink_to(tmp_path / "first" / "data" / "weights.bin")
    refused = house.run("fetch", "taxi", "1", "--to", str(tmp_path / "second"))
    assert (refused.exit_code, "weights.bin did not come" in refused.stderr or "lost a file" in refused.stderr) == (
        1,
        True,
    ), refused.output
    assert not (tmp_path / "second").exists()
    assert not list(tmp_path.glob(".second-*"))


@pytest.mark.parametrize("name", ["../../../registrar.yml", "/etc/passwd", "data/../MLmodel", "data", "", "data\\x"])
def test_no_name_leads_out_of_the_folder(house: House, name: str):
    assert house.run("fetch", "taxi", "1", "--to", str(house.data / "x")).exit_code == 0
    answer = requests.get(
        f"{house.url}/v1/artifacts/file", params={"model": "taxi", "version": "1", "name": name}, timeout=10
    )
    assert answer.status_code == 404
    assert b"root:" not in answer.content


@pytest.mark.parametrize(
    "query",
    [
        {"model": "..", "version": "1"},
        {"model": "../../x", "version": "1"},
        {"run_id": "../x"},
        {"run_id": "r1", "path": "../.."},
        {"run_id": "r1", "path": "/etc"},
        {"run_id": "r1", "model": "taxi", "version": "1"},
        {},
    ],
)
def test_no_query_leads_out_of_the_folder(house: House, query: dict[str, str]):
    answer = requests.get(f"{house.url}/v1/artifacts", params=query, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


def test_a_manifest_with_names_elsewhere_is_believed_by_nobody():
    entry = {"bytes": 1, "sha256": "0" * 64}
    assert is_safe({"files": {"a/b.txt": entry}})
    for name in ("../a", "/a", "a/../b", "a//b", "", "a\\b", "a\0"):
        assert not is_safe({"files": {name: entry}}), name
    for wrong in ({"bytes": "1", "sha256": "0" * 64}, {"bytes": 1, "sha256": "../x"}, None):
        assert not is_safe({"files": {"a": wrong}})


def test_a_stranger_reads_nothing_and_a_viewer_orders_nothing(house: House, tmp_path: Path):
    line = ("fetch", "taxi", "1", "--to", str(tmp_path / "x"))
    assert elsewhere(house, *line, token="reg_" + "x" * 40).exit_code == 1
    viewer = house.run("token", "create", "wall", "--role", "viewer").stdout.strip()
    assert elsewhere(house, *line, token=viewer).exit_code == 1
    assert not (tmp_path / "x").exists()


def test_a_receiver_that_does_not_see_the_folder_says_so(tmp_path, ledger, ledger_url, monkeypatch):
    monkeypatch.setenv("REGISTRAR_ARTIFACTS", str(tmp_path / "not mounted"))
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house, house.working():
        house.harness.registry.trained("r1", rmse=5.0)
        house.harness.registry.files["runs/r1/"] = {"plot.txt": b"plot"}
        blind = house.run("fetch", "--run", "r1", "--to", str(tmp_path / "x"))
    assert (blind.exit_code, "give both the same REGISTRAR_ARTIFACTS" in blind.stderr) == (1, True), blind.output


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fetch --to x", "say what: MODEL VERSION, or --run ID"),
        ("fetch taxi 1 --run r1 --to x", "say what"),
        ("fetch taxi 1 --path model --to x", "path goes with run_id"),
    ],
)
def test_what_can_not_be_meant_is_a_sentence(house: House, line: str, says: str):
    refused = house.run(*line.split())
    assert (refused.exit_code, says in refused.stderr) == (2, True), refused.output


def test_what_could_not_be_fetched_is_said(house: House, tmp_path: Path):
    failed = house.run("fetch", "taxi", "9", "--to", str(tmp_path / "x"))
    assert (failed.exit_code, "no version 9 of taxi: it has" in failed.output) == (1, True), failed.output


EVIL = {"origin": "x", "files": {f"{'../' * 30}etc/passwd": {"bytes": 1, "sha256": "0" * 64}}}


@pytest.mark.parametrize("forged", [EVIL, {}, [], {"files": 3}, None, {"files": {"": {}}}])
def test_a_manifest_among_a_runs_own_files_is_a_file_like_others(house: House, tmp_path: Path, forged: object):
    """It was believed where the folder that has it is asked for, and led to any file of the receiver's machine."""
    files = {"sub/registrar-manifest.json": json.dumps(forged).encode(), "sub/a": b"1"}
    house.harness.registry.files["runs/r1/"] = files
    assert house.run("fetch", "--run", "r1", "--to", str(tmp_path / "whole")).exit_code == 0
    assert (tmp_path / "whole" / "sub" / MANIFEST).read_bytes() == files["sub/registrar-manifest.json"]
    sub = {"run_id": "r1", "path": "sub"}
    assert requests.get(f"{house.url}/v1/artifacts", params=sub, timeout=10).status_code == 404
    for name in ("a", next(iter(EVIL["files"])), "/etc/passwd", ""):
        asked = requests.get(f"{house.url}/v1/artifacts/file", params={**sub, "name": name}, timeout=10)
        assert asked.status_code == 404, asked.text


def test_a_model_that_has_a_file_of_the_manifests_name_comes_with_it(house: House, tmp_path: Path):
    files = {"MLmodel": b"flavors: {}\n", MANIFEST: b"{}"}
    house.harness.registry.files["models/taxi/1"] = dict(files)
    for _ in range(2):
        done = house.run("fetch", "taxi", "1", "--to", str(tmp_path / "goal"))
        assert done.exit_code == 0, done.output
    assert (tmp_path / "goal" / MANIFEST).read_bytes() == b"{}"


def test_files_come_into_a_folder_that_is_there_without_one_beside_it(house: House, tmp_path: Path, monkeypatch):
    """It may be mounted: a link from beside it is refused then, as that is another file system."""
    made, mkdtemp = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **how: made.append(how["dir"]) or mkdtemp(**how))
    (goal := tmp_path / "goal").mkdir()
    done = house.run("fetch", "taxi", "1", "--to", str(goal))
    assert done.exit_code == 0, done.output
    assert (content(goal), goal in made, tmp_path in made) == (FILES, True, False)
    assert sorted(path.name for path in goal.iterdir()) == ["MLmodel", "data", "empty", MANIFEST]


def test_a_link_among_the_folders_that_are_there_is_not_followed(house: House, tmp_path: Path):
    (goal := tmp_path / "goal").mkdir()
    (out := tmp_path / "out").mkdir()
    (goal / "data").symlink_to(out)
    done = house.run("fetch", "taxi", "1", "--to", str(goal))
    assert (done.exit_code, "data in" in done.stderr and "is a link to elsewhere" in done.stderr) == (2, True)
    assert (list(out.iterdir()), [path.name for path in goal.iterdir()]) == ([], ["data"])


@pytest.mark.parametrize("name", ["a\nb", "a\r\nX-Evil: 1", "\u202eb", 'a;b="c"', "#?&+", "a%2fb"])
def test_files_of_any_name_come(house: House, tmp_path: Path, name: str):
    """A line break in a name was a 500, and took one of the person's two downloads for good."""
    files = {"MLmodel": b"flavors: {}\n", f"d/{name}": b"12", f"e/{name}": b"3", f"f/{name}": b"4"}
    house.harness.registry.files["models/taxi/1"] = dict(files)
    done = house.run("fetch", "taxi", "1", "--to", str(tmp_path / "goal"))
    assert (done.exit_code, content(tmp_path / "goal")) == (0, files), done.output


def test_who_has_two_downloads_under_way_waits_for_one(house: House, tmp_path: Path):
    house.harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}\n", "big": b"1" * 40_000_000}
    assert house.run("fetch", "taxi", "1", "--to", str(tmp_path / "first")).exit_code == 0
    query = {"model": "taxi", "version": "1", "name": "big"}
    held = [requests.get(f"{house.url}/v1/artifacts/file", params=query, stream=True, timeout=10) for _ in range(2)]
    refused = requests.get(f"{house.url}/v1/artifacts/file", params=query, timeout=10)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    ends = threading.Timer(3, held[0].close)
    ends.start()
    done = house.run("fetch", "taxi", "1", "--to", str(tmp_path / "second"))
    ends.join()
    held[1].close()
    assert done.exit_code == 0, done.output


def test_a_model_with_a_long_name_of_other_letters_is_fetched(house: House, tmp_path: Path):
    name = "\u9700\u6c42\u9884\u6d4b" * 60
    house.harness.registry.trained("r9", rmse=5.0)
    house.run("send", "training_run.finished", f"model={name}", "run_id=r9", "--json", "--wait")
    house.harness.registry.files[f"models/{name}/1"] = dict(FILES)
    done = house.run("fetch", name, "1", "--to", str(tmp_path / "goal"), "--timeout", "20")
    assert (done.exit_code, content(tmp_path / "goal")) == (0, FILES), done.output


def test_a_part_of_a_run_whose_place_a_file_has_is_refused(house: House, tmp_path: Path):
    house.harness.registry.files["runs/r1/"] = {"a": b"1"}
    assert house.run("fetch", "--run", "r1", "--to", str(tmp_path / "whole")).exit_code == 0
    house.harness.registry.files["runs/r1/a/b"] = {"x": b"1"}
    done = house.run("fetch", "--run", "r1", "--path", "a/b", "--to", str(tmp_path / "part"), "--timeout", "20")
    assert (done.exit_code, "runs/r1/a in the artifacts folder is a file" in done.output) == (1, True), done.output
