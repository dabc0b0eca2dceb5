"""Checks MLflow: host name, version, login and files; and compares its stages and aliases with the record."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

from registrar.doctor import DoctorContext, Finding, fail, mlflow_servers, ok, warn
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

_COPY = re.compile(r"models:/.+/\d+")  # the source of a version that MLflow copied from another model
_CLIENTS = {  # by the scheme of an artifact URI: the module that reads it
    "s3": "boto3",
    "gs": "google.cloud.storage",
    "wasbs": "azure.storage.blob",
    "abfss": "azure.storage.filedatalake",
}


def check(context: DoctorContext) -> Iterator[Finding]:
    yield from _report_disputes(context.settings.ledger_url)
    uri = context.settings.mlflow_uri
    if urlsplit(uri).scheme not in ("http", "https"):
        advice = "Set it to the server's address, such as http://mlflow:5000; `mlflow server` starts one"
        yield fail("MLFLOW_TRACKING_URI is not the address of a server", advice)
        return
    server = MlflowServer(uri, context.settings.environ)
    try:
        yield from _check_version(server)
        models = server.get(f"{API}/registered-models/search?max_results=1")
        refusal = _refusal(models, server)
        if refusal:
            yield refusal
            return
        yield ok(f"the registry of {server.root} can be read")
        with ThreadPoolExecutor(1) as pool:
            compared = pool.submit(lambda: list(_compare_with_record(server, context.settings.ledger_url)))
            yield from _check_files(server)
            yield from compared.result()
    except Silence as silence:
        yield fail(str(silence), "Is MLflow up, and is MLFLOW_TRACKING_URI right? Tasks are retried for six hours")


def _check_version(server: MlflowServer) -> Iterator[Finding]:
    answer = server.get("/version")
    version = answer.text.strip()[:40]
    if answer.status != 200 or not mlflow_servers.numbers(version):
        yield warn(f"{server.root}/version answers {answer.status} without a version", "Is that an MLflow server?")
    elif found := mlflow_servers.known(version):
        yield ok("; ".join([f"MLflow {version}", *found.falls_back()]))
    else:
        oldest = ".".join(mlflow_servers.KNOWN[0].version.split(".")[:2])
        yield warn(
            f"MLflow {version} is not known to work with Registrar", f"Use version {oldest} or newer, but below 4"
        )


def _refusal(answer: Answer, server: MlflowServer) -> Finding | None:
    """Say why the registry can't be read; None where it can."""
    name, _, port = server.host.partition(":")
    if answer.status == 403 and "Invalid Host header" in answer.text:
        hosts = ",".join([name, *([f"{name}:{port}"] if port else []), "localhost:*", "127.0.0.1:*"])
        advice = f"Start it with --allowed-hosts '{hosts}' (or MLFLOW_SERVER_ALLOWED_HOSTS)"
        return fail(f"MLflow refuses the name {server.host} (403 Invalid Host header)", advice)
    if answer.status == 401:
        problem = "refuses the login" if server.logs_in else "requires a login"
        advice = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, for the worker"
        return fail(f"{server.root} {problem} (401)", advice)
    if answer.status == 403:
        return fail(
            f"{server.root} accepts the login, but not for reading its registry (403)",
            "Give that user the permission, also on registered models that others created",
        )
    if answer.status == 404:
        return fail(f"{server.root} has no registry at this path (404)", "Is the path in MLFLOW_TRACKING_URI right?")
    if answer.status != 200 or not isinstance(answer.json, dict):
        return fail(f"{server.root} answers {answer.status} to a search for models", "See MLflow's log")
    return None


def _check_files(server: MlflowServer) -> Iterator[Finding]:
    """Check that the files of the version that changed last can be listed from here."""
    answer = server.get(f"{API}/model-versions/search?max_results=1&order_by=last_updated_timestamp%20DESC")
    versions = answer.json.get("model_versions", []) if isinstance(answer.json, dict) else []
    if not versions:
        yield ok("it has no version yet, so no files were checked")
        return
    model, version = versions[0]["name"], versions[0]["version"]
    answer = server.get(f"{API}/model-versions/get-download-uri?name={quote(model)}&version={version}")
    uri = str(answer.json.get("artifact_uri", "")) if isinstance(answer.json, dict) else ""
    scheme, _, path = uri.partition(":")
    if scheme == "mlflow-artifacts":
        listed = server.get(f"/api/2.0/mlflow-artifacts/artifacts?path={quote(path.lstrip('/'))}")
        if listed.status != 200:
            advice = "Does MLflow's artifact store answer, and does MLflow run with --serve-artifacts?"
            yield fail(f"the files of {model} version {version} can't be listed ({listed.status})", advice)
        else:
            yield ok(f"the files of {model} version {version} can be listed")
    elif scheme in _CLIENTS and not _installed(_CLIENTS[scheme]):
        advice = f"pip install {_CLIENTS[scheme]} where the worker runs, and give the worker read access there"
        yield warn(f"models are stored on {scheme}://, and {_CLIENTS[scheme]} is not installed here", advice)
    elif scheme in ("file", "") or uri.startswith("/"):
        advice = "Workers on other machines can't read them: start MLflow with --serve-artifacts"
        yield warn(f"models are stored in a folder on MLflow's machine ({uri[:100] or 'unknown'})", advice)
    else:
        yield ok(f"models are stored on {scheme}://, which the worker reads directly")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _compare_with_record(server: MlflowServer, ledger_url: str) -> Iterator[Finding]:
    """Compare stages, aliases, and whether versions are the recorded ones. Raises Silence."""
    try:
        found = differences(ledger_url, server)
        lost = dict(_find_lost_events(ledger_url, found.shown))
    except LedgerNotReadable:
        return
    conflicts = {**lost, **{model: sentences[0] for model, sentences in found.others.items()}}
    for model, sentence in conflicts.items():  # MLflow or the ledger was restored, or this is another registry
        advice = f"`registrar reconcile {model} --plan` shows what would follow from trusting MLflow, or the record"
        yield fail(f"MLflow and the record don't fit together: {sentence}", advice)
    moved = [(model, sentence) for model, all_ in found.moved.items() for sentence in all_ if model not in conflicts]
    if moved:
        seen = "; ".join(sentence for _, sentence in moved[:3]) + (" ..." if len(moved) > 3 else "")
        advice = (
            f"It was changed in MLflow, or restored: `registrar reconcile {moved[0][0]}` applies the policy (drift)"
        )
        yield warn(f"MLflow differs from the record: {seen}", advice)
    if found.at_work:
        names = ", ".join(found.at_work[:3]) + (" ..." if len(found.at_work) > 3 else "")
        yield ok(f"not compared, because tasks are running for it: {names}")
    if found.left:
        advice = "Try again when MLflow is less busy; `registrar audit verify` compares everything"
        yield warn(f"{plural(len(found.left), 'model was', 'models were')} not compared in time", advice)
    if found.holdings and not moved and not conflicts:
        yield ok(f"MLflow agrees with the record about {plural(found.holdings, 'holder')} of stages and aliases")


def _report_disputes(ledger_url: str) -> Iterator[Finding]:
    """Report disputes that are in the ledger and that no operator has settled."""
    try:
        with open_ledger(ledger_url) as ledger, ledger.read() as connection:
            disputes = {model: dispute(connection, model) for model in disputed(connection)}
    except LedgerNotReadable:
        return
    for model, unsettled in disputes.items():
        if unsettled:
            advice = f"`registrar reconcile {model} --plan`, then with --trust mlflow or --trust ledger"
            yield fail(unsettled.why, advice)


def _find_lost_events(ledger_url: str, shown: Mapping[str, ModelSnapshot]) -> Iterator[tuple[str, str]]:
    """Yield a model and a sentence, where a version is tagged with an event that the ledger never had.

    The ledger must be read after MLflow: the event was accepted before its version was registered.
    """
    with open_ledger(ledger_url) as ledger, ledger.read() as connection:
        for model, snapshot in shown.items():
            yield from islice(_lost_events(connection, model, list(snapshot.versions.values())), 1)


def _lost_events(
    connection: Connection, model: str, versions: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Leave out copies from other models, which MLflow makes with the original's tags."""
    own = [version for version in versions if not _COPY.fullmatch(str(version.get("source", "")))]
    tagged = {
        tag["value"]: version
        for version in own
        for tag in version.get("tags", ())
        if tag.get("key") == "registrar.event"
    }
    accepted, recorded = ever_accepted(connection, sorted(tagged)), known(connection, model).values()
    for event in sorted(tagged.keys() - accepted):
        current = incarnation(tagged[event], "")
        if not any(current and created.same(current) for created in recorded):
            number = tagged[event].get("version")
            yield model, f"{model} version {number} was registered by event {event}, which the record lacks"
