"""MLflow: reachable by this name, of a version that is known to work, open to our login, its files too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.doctor.registry_snapshot import ModelSnapshot, incarnation
from registrar.doctor.target_differences import differences
from registrar.http.mlflow_server import API, MlflowServer
from registrar.http.probe import Answer, Silence
from registrar.ledger import Connection
from registrar.ledger.disputes import dispute, disputed
from registrar.ledger.incarnations import known
from registrar.ledger.queries.find import ever_accepted
from registrar.text.wording import plural

_OLDEST, _TOO_NEW = (3, 4), (4,)  # pyproject.toml: mlflow-skinny>=3.4,<4
_COPY = re.compile(r"models:/.+/\d+")  # where MLflow's own copies come from
_NEEDED = {
    "s3": "boto3",
    "gs": "google.cloud.storage",
    "wasbs": "azure.storage.blob",
    "abfss": "azure.storage.filedatalake",
}


def look(site: DoctorContext) -> Iterator[Finding]:
    yield from _disputes(site.settings.ledger_url)
    uri = site.settings.mlflow_uri
    if urlsplit(uri).scheme not in ("http", "https"):
        advice = "Its server's, such as http://mlflow:5000; for one beside it without a login see `mlflow server`"
        yield fail("MLFLOW_TRACKING_URI is no server's address", advice)
        return
    server = MlflowServer(uri, site.settings.environ)
    try:
        yield from _version(server)
        models = server.get(f"{API}/registered-models/search?max_results=1")
        refused = _refusal(models, server)
        if refused:
            yield refused
            return
        yield ok(f"{server.root} lets us read its registry")
        with ThreadPoolExecutor(1) as pool:
            compared = pool.submit(lambda: list(_stages_and_aliases(server, site.settings.ledger_url)))
            yield from _files(server)
            yield from compared.result()
    except Silence as silence:
        yield fail(str(silence), "Is MLflow up, and MLFLOW_TRACKING_URI right? Work waits for it for six hours")


def _version(server: MlflowServer) -> Iterator[Finding]:
    said = server.get("/version")
    version = said.text.strip()[:40]
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if said.status != 200 or not numbers:
        yield warn(f"{server.root}/version answers {said.status} and no version", "Is that an MLflow server?")
    elif not _OLDEST <= numbers < _TOO_NEW:
        yield warn(f"MLflow {version} is none of those that are known to work", "Use a server of 3.4 or newer, below 4")
    else:
        yield ok(f"MLflow {version}")


def _refusal(said: Answer, server: MlflowServer) -> Finding | None:
    """Describe what keeps us from the registry; None where it answers."""
    name, _, port = server.host.partition(":")
    if said.status == 403 and "Invalid Host header" in said.text:
        hosts = ",".join([name, *([f"{name}:{port}"] if port else []), "localhost:*", "127.0.0.1:*"])
        advice = f"Start it with --allowed-hosts '{hosts}' (or MLFLOW_SERVER_ALLOWED_HOSTS); /health is answered anyway"
        return fail(f"MLflow refuses the name {server.host} (403 Invalid Host header)", advice)
    if said.status == 401:
        whose = "the login it is given" if server.logs_in else "whoever does not log in"
        advice = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, for the worker"
        return fail(f"{server.root} refuses {whose} (401)", advice)
    if said.status == 403:
        return fail(
            f"{server.root} knows us, and does not let us read its registry (403)",
            "Give that user the permission, on the registered models too that others made",
        )
    if said.status == 404:
        return fail(f"{server.root} has no registry there (404)", "Is the path in MLFLOW_TRACKING_URI right?")
    if said.status != 200 or not isinstance(said.json, dict):
        return fail(f"{server.root} answers {said.status} to a question for its models", "Look into MLflow's log")
    return None


def _files(server: MlflowServer) -> Iterator[Finding]:
    """Of the newest version that there is: can its files be listed from here?"""
    said = server.get(f"{API}/model-versions/search?max_results=1&order_by=last_updated_timestamp%20DESC")
    versions = said.json.get("model_versions", []) if isinstance(said.json, dict) else []
    if not versions:
        yield ok("it has no version yet, so no artifacts were looked at")
        return
    model, version = versions[0]["name"], versions[0]["version"]
    where = f"{API}/model-versions/get-download-uri?name={quote(model)}&version={version}"
    answer = server.get(where)
    place = str(answer.json.get("artifact_uri", "")) if isinstance(answer.json, dict) else ""
    scheme, _, path = place.partition(":")
    if scheme == "mlflow-artifacts":
        listed = server.get(f"/api/2.0/mlflow-artifacts/artifacts?path={quote(path.lstrip('/'))}")
        if listed.status != 200:
            advice = "Does MLflow's artifact store answer, and is --serve-artifacts on (--no-serve-artifacts is not)?"
            yield fail(f"the files of {model} version {version} can't be listed ({listed.status})", advice)
        else:
            yield ok(f"the files of {model} version {version} can be listed")
    elif scheme in _NEEDED and not _installed(_NEEDED[scheme]):
        advice = f"pip install {_NEEDED[scheme]} where the worker runs, with the rights to read there"
        yield warn(f"models lie on {scheme}://, and {_NEEDED[scheme]} is not installed here", advice)
    elif scheme in ("file", "") or place.startswith("/"):
        advice = "Workers on other machines can't read them: start MLflow with --serve-artifacts"
        yield warn(f"models lie in a folder of MLflow's machine ({place[:100] or 'unknown'})", advice)
    else:
        yield ok(f"models lie on {scheme}://, which the worker reads by itself")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _stages_and_aliases(server: MlflowServer, ledger_url: str) -> Iterator[Finding]:
    """Whether MLflow's are those of the record, and their versions the same. Raises Silence."""
    try:
        found = differences(ledger_url, server)
        lost = dict(_unknown(ledger_url, found.shown))
    except LedgerNotReadable:
        return
    others = {model: texts[0] for model, texts in found.others.items()}
    yield from _two_pasts({**lost, **others})
    moved = [(model, text) for model, texts in found.moved.items() for text in texts if model not in {**lost, **others}]
    if moved:
        seen = "; ".join(text for _, text in moved[:3]) + (" ..." if len(moved) > 3 else "")
        which = f"`registrar reconcile {moved[0][0]}` says which, by the policy (drift)"
        advice = f"Moved by hand, deleted, or restored? {which}"
        yield warn(f"MLflow differs from the record: {seen}", advice)
    if found.at_work:
        names = ", ".join(found.at_work[:3]) + (" ..." if len(found.at_work) > 3 else "")
        yield ok(f"work is under way at {names}: not compared")
    if found.left:
        advice = "Ask again when MLflow is less busy; `registrar audit verify` compares everything"
        yield warn(f"{plural(len(found.left), 'model was', 'models were')} not compared in time", advice)
    if found.places and not moved and not others and not lost:
        holders = plural(found.places, "holder")
        yield ok(f"MLflow agrees with the record about {holders} of stages and aliases")


def _two_pasts(signs: Mapping[str, str]) -> Iterator[Finding]:
    """signs: by model, that one of the two was restored, or another registry is asked."""
    for model, text in signs.items():
        advice = f"`registrar reconcile {model} --plan` shows what it means to trust MLflow, or the record"
        yield fail(f"MLflow and the record don't fit together: {text}", advice)


def _disputes(ledger_url: str) -> Iterator[Finding]:
    """What was found already, and no operator has settled yet: MLflow need not be asked for it."""
    try:
        with open_ledger(ledger_url) as ledger, ledger.read() as connection:
            unsettled = {model: dispute(connection, model) for model in disputed(connection)}
    except LedgerNotReadable:
        return
    for model, found in unsettled.items():
        if found:
            yield fail(found.why, f"`registrar reconcile {model} --plan`, then with --trust mlflow or --trust ledger")


def _unknown(ledger_url: str, shown: Mapping[str, ModelSnapshot]) -> Iterator[tuple[str, str]]:
    """Models whose versions carry the mark of an event that the ledger never had. It is read after MLflow: the event of
    a version that is registered was accepted before.
    """
    with open_ledger(ledger_url) as ledger, ledger.read() as connection:
        for model, seen in shown.items():
            yield from islice(_marked(connection, model, list(seen.versions.values())), 1)


def _marked(connection: Connection, model: str, found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What MLflow copied from another model has that one's marks."""
    own = [one for one in found if not _COPY.fullmatch(str(one.get("source", "")))]
    marks = {tag["value"]: one for one in own for tag in one.get("tags", ()) if tag.get("key") == "registrar.event"}
    accepted, noted = ever_accepted(connection, sorted(marks)), known(connection, model).values()
    for event in sorted(marks.keys() - accepted):
        which = incarnation(marks[event], "")
        if not any(which and each.same(which) for each in noted):
            version = marks[event].get("version")
            yield model, f"{model} version {version} was registered by event {event}, which the record lacks"
