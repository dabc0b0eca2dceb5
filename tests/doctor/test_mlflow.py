"""Each way for MLflow not to be usable has its line."""

import base64
import uuid
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from sqlalchemy import select, update

from registrar.doctor import target_differences
from registrar.doctor.target_differences import differences
from registrar.events.event import Actor, Event
from registrar.events.outcome import Cause
from registrar.events.types import parse
from registrar.http import probe
from registrar.http.mlflow_server import MlflowServer
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.disputes import Disputed
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from registrar.ledger.tables import events, tasks
from tests.cli.conftest import NOON, approve
from tests.doctor.conftest import NOWHERE, Pages, SiteOf, looked, troubles
from tests.mlflow_server import train

API = "/api/2.0/mlflow"


@pytest.fixture
def server(pages: Pages) -> Pages:
    """What a real server says, as far as it is asked; that this is so, the real one shows below."""
    pages.say("/version", "3.17.2")
    pages.say(f"{API}/registered-models/search", {"registered_models": []})
    pages.say(f"{API}/model-versions/search", {"model_versions": [{"name": "taxi", "version": "1"}]})
    pages.say(f"{API}/model-versions/get-download-uri", {"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"})
    pages.say("/api/2.0/mlflow-artifacts/artifacts", {"files": []})
    return pages


def test_a_real_one_that_is_well_has_no_trouble(site: SiteOf, mlflow_address: str):
    client = MlflowClient(mlflow_address)
    run = client.get_run(train(client))
    if not client.search_registered_models("name = 'looked-at'"):
        client.create_registered_model("looked-at")
    client.create_model_version("looked-at", f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    found = looked("mlflow", site(MLFLOW_TRACKING_URI=mlflow_address))
    assert [one.level for one in found] == ["ok"] * len(found), found
    assert "the files of looked-at version 1 can be listed" in [one.seen for one in found]


def test_a_real_one_that_does_not_know_the_name_it_is_called_by_is_told_how(site: SiteOf, mlflow_address: str):
    """127.1 is the same machine, and none of the names that MLflow allows by itself."""
    port = urlsplit(mlflow_address).port
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=f"http://127.1:{port}"))
    assert (level, seen) == ("FAIL", f"MLflow refuses the name 127.1:{port} (403 Invalid Host header)")
    assert f"--allowed-hosts '127.1,127.1:{port},localhost:*,127.0.0.1:*'" in do


def test_a_stand_in_that_is_well_has_no_trouble(site: SiteOf, server: Pages):
    assert troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root)) == []


@pytest.mark.parametrize(
    ("status", "says", "do"),
    [
        (401, "requires a login (401)", "MLFLOW_TRACKING_USERNAME"),
        (403, "accepts the login, but not for reading its registry (403)", "the permission"),
        (404, "has no registry at this path", "MLFLOW_TRACKING_URI"),
        (500, "answers 500", "MLflow's log"),
    ],
)
def test_refusals_are_told_apart(site: SiteOf, server: Pages, status: int, says: str, do: str):
    server.say(f"{API}/registered-models/search", {"error_code": "X"}, status=status)
    [(level, seen, advice)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, says in seen, do in advice) == ("FAIL", True, True)


@pytest.mark.parametrize("how", ["address", "environment", "token"])
def test_it_is_asked_with_the_workers_login(site: SiteOf, server: Pages, how: str):
    given = {
        "address": {"MLFLOW_TRACKING_URI": server.root.replace("//", "//ada:p%40ss@")},
        "environment": {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "p@ss"},
        "token": {"MLFLOW_TRACKING_TOKEN": "the-token"},
    }[how]
    server.say(f"{API}/registered-models/search", {}, status=401)
    [(_, seen, _)] = troubles("mlflow", site(**{"MLFLOW_TRACKING_URI": server.root, **given}))
    assert "refuses the login (401)" in seen
    basic = "Basic " + base64.b64encode(b"ada:p@ss").decode()
    assert server.heard[-1]["Authorization"] == ("Bearer the-token" if how == "token" else basic)
    assert "p@ss" not in seen


@pytest.mark.parametrize(
    ("version", "level", "says"),
    [
        ("2.8.1", "warn", "is not known to work"),
        ("4.0.0", "warn", "is not known to work"),
        ("2.9.0", "ok", "MLflow 2.9.0; no webhooks, poll_every asks it what changed; no logged models"),
        ("2.22.5", "ok", "MLflow 2.22.5; no webhooks"),
        ("3.4.0", "ok", "MLflow 3.4.0; an alias stays with a version that was deleted"),
        ("3.18.0.dev1", "ok", "MLflow 3.18.0.dev1"),
        ("<html>", "warn", "without a version"),
    ],
)
def test_what_its_version_lacks_is_said(site: SiteOf, server: Pages, version: str, level: str, says: str):
    server.say("/version", version)
    found = looked("mlflow", site(MLFLOW_TRACKING_URI=server.root))[0]
    assert (found.level, says in found.seen) == (level, True), found


@pytest.mark.parametrize(
    ("place", "level", "says"),
    [
        ("s3://bucket/x", "warn", "boto3 is not installed here"),
        ("/srv/mlruns/1", "warn", "in a folder on MLflow's machine"),
        ("hdfs://x/y", "ok", ""),
    ],
)
def test_where_the_models_lie_is_said(site: SiteOf, server: Pages, place: str, level: str, says: str):
    server.say(f"{API}/model-versions/get-download-uri", {"artifact_uri": place})
    found = looked("mlflow", site(MLFLOW_TRACKING_URI=server.root))[-1]
    assert (found.level, says in found.seen) == (level, True)


def test_files_that_can_not_be_listed_are_said(site: SiteOf, server: Pages):
    server.say("/api/2.0/mlflow-artifacts/artifacts", {}, status=503)
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, "can't be listed (503)" in seen, "--serve-artifacts" in do) == ("FAIL", True, True)


def test_what_was_moved_by_hand_is_said(site: SiteOf, server: Pages, ledger: Ledger):
    approve(ledger, 4, NOON)
    held = {"aliases": ["champion"], "current_stage": "Production"}
    server.say(f"{API}/model-versions/get", {"model_version": held})
    assert troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root)) == []
    server.say(f"{API}/model-versions/get", {"model_version": {**held, "aliases": []}})
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, "taxi version 4 is not @champion" in seen) == ("warn", True)
    assert "`registrar reconcile taxi`" in do


@pytest.mark.parametrize(
    ("uri", "says"), [(NOWHERE, "nothing listens there"), ("./mlruns", "is not the address of a server")]
)
def test_one_that_is_not_there_is_said(site: SiteOf, uri: str, says: str):
    [(level, seen, _)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=uri))
    assert (level, says in seen) == ("FAIL", True)


def test_a_version_that_is_another_than_the_records_is_said(site: SiteOf, server: Pages, ledger: Ledger):
    approve(ledger, 4, NOON)
    held = {"name": "taxi", "version": "4", "aliases": ["champion"], "current_stage": "Production", "run_id": "r1"}
    made = int(NOON.timestamp() * 1000)
    server.say(f"{API}/model-versions/get", {"model_version": {**held, "creation_timestamp": made - 60_000}})
    assert troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root)) == []
    server.say(f"{API}/model-versions/get", {"model_version": {**held, "creation_timestamp": made + 86_400_000}})
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, "is another one than the record has as" in seen) == ("FAIL", True)
    assert "registrar reconcile taxi --plan" in do


def test_that_the_record_is_older_than_mlflow_is_said(site: SiteOf, server: Pages, ledger: Ledger):
    """It was restored from a backup."""
    approve(ledger, 4, NOON)
    server.say(f"{API}/model-versions/get", {"model_version": {"aliases": ["champion"], "current_stage": "Production"}})
    tags = [{"key": "registrar.event", "value": "evt_lost"}]
    late = {"name": "taxi", "version": "5", "source": "models:/m-5", "tags": tags}
    server.say(f"{API}/model-versions/search", {"model_versions": [late]})
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, "version 5 was registered by event evt_lost, which the record lacks" in seen) == ("FAIL", True)
    assert "registrar reconcile taxi --plan" in do


# What differs, and what only seems to.
PRODUCTION = {"name": "taxi", "version": "4", "aliases": ["champion"], "current_stage": "Production"}


def beside(version: str) -> dict[str, str]:
    return {"name": "taxi", "version": version, "current_stage": "Production"}


@pytest.mark.parametrize("version", ["2", "5"])
def test_a_second_version_in_an_exclusive_stage_is_said(site: SiteOf, server: Pages, ledger: Ledger, version: str):
    """A hand put it there, below the holder's number or above it."""
    approve(ledger, 4, NOON)
    server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})
    server.say(f"{API}/model-versions/search", {"model_versions": [PRODUCTION, beside(version)]})
    [(level, seen, do)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    said = f"MLflow differs from the record: taxi version {version} is in Production, where the record has version 4"
    assert (level, seen, "`registrar reconcile taxi`" in do) == ("warn", said, True)


def test_what_is_archived_by_hand_is_no_trouble(site: SiteOf, server: Pages, ledger: Ledger):
    approve(ledger, 4, NOON)
    server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})
    archived = {"name": "taxi", "version": "3", "current_stage": "Archived"}
    server.say(f"{API}/model-versions/search", {"model_versions": [archived]})
    assert troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root)) == []


def differing(server: Pages, ledger: Ledger) -> None:
    """What a look sees between a worker's writes to MLflow and to the ledger."""
    approve(ledger, 4, NOON)
    server.say(f"{API}/model-versions/get", {"model_version": {**PRODUCTION, "aliases": []}})


def test_what_is_right_when_it_is_looked_at_again_is_no_trouble(server: Pages, ledger: Ledger):
    """The record, or MLflow, was written between the two looks."""
    differing(server, ledger)
    url = ledger.engine.url.render_as_string(hide_password=False)

    def meanwhile(_: float) -> None:
        server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})

    found = differences(url, MlflowServer(server.root, {}), sleep=meanwhile)
    assert (found.moved, found.others, found.at_work) == ({}, {}, [])
    server.say(f"{API}/model-versions/get", {"model_version": {**PRODUCTION, "aliases": []}})
    found = differences(url, MlflowServer(server.root, {}), sleep=lambda _: None)
    assert found.moved == {"taxi": ["taxi version 4 is not @champion"]}


@pytest.mark.parametrize("begun", [{"state": "running"}, {"state": "queued", "attempts": 1}])
def test_what_is_being_worked_on_is_not_accused(site: SiteOf, server: Pages, ledger: Ledger, begun: dict):
    differing(server, ledger)
    with ledger.write() as connection:
        one = select(tasks.c.seq).limit(1).scalar_subquery()
        connection.execute(update(tasks).where(tasks.c.seq == one).values(lane="model:taxi", **begun))
    found = looked("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert {one.level for one in found} == {"ok"}
    assert "not compared, because tasks are running for it: taxi" in [one.seen for one in found]


def test_a_version_that_is_registered_between_the_looks_is_no_lost_one(site: SiteOf, server: Pages, ledger: Ledger):
    """Its event was accepted after the ledger was read first, and before MLflow was."""
    approve(ledger, 4, NOON)
    event = Event(parse("experiment.create", {"name": "x"}), Actor("ada", "Ada"), NOON)
    with ledger.write() as connection:
        [(event_id, _)] = accept(connection, Delivery("ci", "late", "a" * 64), [event], at=NOON).events
    late = {"name": "taxi", "version": "5", "tags": [{"key": "registrar.event", "value": event_id}]}
    server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})
    server.say(f"{API}/model-versions/search", {"model_versions": [late]})
    assert troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root)) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_dispute_is_said_at_once_and_only_once(site: SiteOf, server: Pages, ledger: Ledger, there: bool):
    """Whatever else of that model does not fit, and whether MLflow answers or not."""
    differing(server, ledger)
    why = "MLflow and the record of taxi don't fit together: MLflow has an older one"
    with ledger.write() as connection:
        event = connection.execute(select(events.c.id).limit(1)).scalar_one()
        Disputed("taxi", why).apply(connection, Cause(event, "ada", "Ada", NOON))
    found = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root if there else NOWHERE))
    assert found[0][:2] == ("FAIL", why)
    assert "`registrar reconcile taxi --plan`" in found[0][2]
    assert [seen for _, seen, _ in found if "taxi" in seen] == [why]
    assert len(found) == (1 if there else 2)


def test_fifty_models_are_asked_for_by_two_questions(
    server: Pages, ledger: Ledger, ledger_url: str, monkeypatch: pytest.MonkeyPatch
):
    """However many versions they have. Limits of time are long here: past one it asks by model."""
    monkeypatch.setattr(probe, "PATIENCE", 60.0)
    monkeypatch.setattr(target_differences, "SECONDS", 60.0)
    models = []
    for number in range(1, 51):
        approve(ledger, number, NOON, model=(name := f"taxi-{number}"))
        newest = {"name": name, "version": str(number), "current_stage": "Production"}
        aliases = [{"alias": "champion", "version": str(number)}]
        models.append({"name": name, "latest_versions": [newest], "aliases": aliases})
    server.say(f"{API}/registered-models/search", {"registered_models": models})
    server.say(f"{API}/model-versions/search", {"model_versions": []})
    found = differences(ledger_url, MlflowServer(server.root, {}))
    assert (len(server.heard), found.holdings, found.moved, found.left) == (2, 100, {}, [])


def test_a_registry_that_takes_too_long_for_all_at_once_is_asked_model_by_model(server: Pages, ledger: Ledger):
    """A registry with very long models, or one that is busy: it answers, so nobody says that it does not."""
    approve(ledger, 4, NOON)
    server.say(f"{API}/registered-models/search", {}, status=504)
    server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})
    url = ledger.engine.url.render_as_string(hide_password=False)
    found = differences(url, MlflowServer(server.root, {}))
    assert (found.holdings, found.moved, found.left) == (2, {}, [])


def test_a_second_version_that_was_moved_long_ago_is_found_in_the_second_look_too(server: Pages, ledger: Ledger):
    """It is the newest in its stage, and no longer among those that changed last."""
    approve(ledger, 4, NOON)
    aliases = [{"alias": "champion", "version": "4"}]
    told = {"name": "taxi", "latest_versions": [beside("5")], "aliases": aliases}
    server.say(f"{API}/registered-models/search", {"registered_models": [told]})
    server.say(f"{API}/model-versions/search", {"model_versions": []})
    server.say(f"{API}/model-versions/get", {"model_version": PRODUCTION})
    url = ledger.engine.url.render_as_string(hide_password=False)
    found = differences(url, MlflowServer(server.root, {}), sleep=lambda _: None)
    assert "taxi version 5 is in Production, where the record has version 4" in found.moved["taxi"]


def test_a_real_registry_is_compared_with_the_record(site: SiteOf, ledger: Ledger, mlflow_address: str):
    """Its searches tell of stages and aliases as is expected of them here."""
    client, name = MlflowClient(mlflow_address), f"compared-{uuid.uuid4().hex[:8]}"
    run = client.get_run(train(client))
    client.create_registered_model(name)
    for _ in range(3):
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    client.transition_model_version_stage(name, "2", "Production")
    client.set_registered_model_alias(name, "champion", "2")
    approve(ledger, 2, now(), model=name)
    here = site(MLFLOW_TRACKING_URI=mlflow_address)
    assert troubles("mlflow", here) == []
    for moved in ("1", "3"):
        client.transition_model_version_stage(name, moved, "Production")
        [(_, seen, _)] = troubles("mlflow", here)
        assert f"{name} version {moved} is in Production, where the record has version 2" in seen
        client.transition_model_version_stage(name, moved, "Archived")
    client.set_registered_model_alias(name, "champion", "1")
    [(_, seen, _)] = troubles("mlflow", here)
    assert seen == f"MLflow differs from the record: {name} version 2 is not @champion"


def test_a_slow_mlflow_leaves_models_out_and_that_is_said(site: SiteOf, server: Pages, ledger: Ledger, monkeypatch):
    monkeypatch.setattr(target_differences, "SECONDS", -1.0)
    approve(ledger, 4, NOON)
    [(level, seen, _)] = troubles("mlflow", site(MLFLOW_TRACKING_URI=server.root))
    assert (level, seen) == ("warn", "1 model was not compared in time")
