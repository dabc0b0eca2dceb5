"""The frame's arithmetic and its page: what all benches rely on."""

import json
import sys
from pathlib import Path

import pytest

from tests.bench import machine, report, run
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table, Target
from tests.bench.rounds import alternate, medians, ratio

MACHINE = {
    "date": "2026-11-27T12:00:00+00:00",
    "commit": "c0ffee",
    "cores": 2,
    "cpu": "a CPU",
    "python": "3.11.7",
    "kernel": "6.1",
    "file_system": "ext4",
    "fsync_ms": 0.16,
    "load": 0.1,
}
RESULT = Result(
    Table(["peer", "requests/s", "p50 ms"], [["ours", 2270.4, 1.234], ["theirs", 510.0, None]]),
    targets=[Target("ours against theirs", 4.45, at_least=3), Target("p99", 120.0, at_most=100, unit="ms")],
    plots=[Plot("both", "requests/s", ["1", "16"], {"ours": [1.0, 2.0], "theirs": [1.0, None]})],
    rounds={"ours": [{"requests/s": 2270.4}]},
)


def test_peers_take_turns_and_each_round_begins_with_another_one():
    asked: list[str] = []

    def measure(peer: str) -> dict[str, float]:
        asked.append(peer)
        return {"n": float(len(asked))}

    found = alternate(["a", "b", "c"], 3, measure)
    assert "".join(asked) == "abcbcacab"
    assert [[one["n"] for one in each] for each in found] == [[1, 6, 8], [2, 4, 9], [3, 5, 7]]


def test_medians_are_of_each_figure_by_itself():
    assert medians([{"a": 1, "b": 9}, {"a": 5, "b": 7}, {"a": 2, "b": 8}]) == {"a": 2, "b": 8}


def test_a_ratio_is_the_median_of_the_rounds_own():
    ours = [{"x": 10.0}, {"x": 40.0}, {"x": 90.0}]
    theirs = [{"x": 5.0}, {"x": 10.0}, {"x": 30.0}]
    assert ratio(ours, theirs, "x") == 3  # of 2, 4, 3; the ratio of the medians would be 4


@pytest.mark.parametrize(
    ("bounds", "figure", "reached"),
    [
        ({"at_least": 3}, 3, True),
        ({"at_least": 3}, 2.99, False),
        ({"at_most": 100}, 100, True),
        ({"at_most": 100}, 100.1, False),
    ],
)
def test_a_bound_itself_is_reached(bounds, figure, reached):
    assert Target("it", figure, **bounds).reached is reached


def test_the_page_says_what_is_short():
    said = report.text(RESULT, MACHINE, note="not quiet").splitlines()
    assert said[0].endswith("load before the run 0.1. **not quiet**")
    assert said[2:6] == [
        "| peer   | requests/s | p50 ms |",
        "|--------|------------|--------|",
        "| ours   | 2,270      | 1.23   |",
        "| theirs | 510        | -      |",
    ]
    assert said[-2].split(" | ")[1:] == ["at least 3 times", "4.45    ", "reached   |"]
    assert said[-1].split(" | ")[1:] == ["at most 100 ms  ", "120     ", "**short** |"]


def test_what_is_written_replaces_the_benchs_own_block(tmp_path: Path):
    page = tmp_path / "performance.md"
    page.write_text(
        "# Speed\n<!-- bench: other -->\nkept\n<!-- end -->\n<!-- bench: it -->\nold\n<!-- end -->\nbelow\n"
    )
    report.write("it", "It", RESULT, MACHINE, Options(rounds=1), note="", out=tmp_path)
    written = page.read_text()
    assert "kept" in written
    assert "old" not in written
    assert written.endswith("![It](performance/it.png)\n<!-- end -->\nbelow\n")
    assert (tmp_path / "performance/it.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((tmp_path / "performance/it.json").read_text())
    assert kept["targets"][1]["reached"] is False
    assert kept["rounds"]["ours"][0]["requests/s"] == 2270.4
    assert kept["machine"]["fsync_ms"] == 0.16


def test_the_machines_facts_hold_what_the_page_names():
    assert machine.facts().keys() >= MACHINE.keys()


def test_a_bench_is_found_by_its_title(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "nap.py").write_text('"""A bench."""\n\nTITLE = "Nap"\n')
    (tmp_path / "bed.py").write_text('"""What benches share."""\n')
    monkeypatch.setattr(run, "HERE", tmp_path)
    assert run.names() == ["nap"]


def test_a_bench_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["run", "accept-that"])
    with pytest.raises(SystemExit):
        run.main()
    assert "there is no bench accept-that" in capsys.readouterr().err
