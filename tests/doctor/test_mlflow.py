"""Each way for MLflow not to be usable has its line."""

import base64
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient

from registrar.ledger import Ledger
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
        (401, "refuses whoever does not log in (401)", "MLFLOW_TRACKING_USERNAME"),
        (403, "knows us, and does not let us read its registry (403)", "the permission"),
        (404, "has no registry there", "MLFLOW_TRACKING_URI"),
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
    assert "refuses the login it is given (401)" in seen
    basic = "Basic " + base64.b64encode(b"ada:p@ss").decode()
    assert server.heard[-1]["Authorization"] == ("Bearer the-token" if how == "token" else basic)
    assert "p@ss" not in seen


@pytest.mark.parametrize(
    ("version", "level"), [("2.22.0", "warn"), ("3.3.9", "warn"), ("4.0.0", "warn"), ("3.4.0", "ok")]
)
def test_a_version_that_is_not_known_to_work_is_said(site: SiteOf, server: Pages, version: str, level: str):
    server.say("/version", version)
    assert (looked("mlflow", site(MLFLOW_TRACKING_URI=server.root))[0].level) == level


@pytest.mark.parametrize(
    ("place", "level", "says"),
    [
        ("s3://bucket/x", "warn", "boto3 is not installed here"),
        ("/srv/mlruns/1", "warn", "in a folder of MLflow's machine"),
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


@pytest.mark.parametrize(("uri", "says"), [(NOWHERE, "nothing listens there"), ("./mlruns", "is no server's address")])
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
