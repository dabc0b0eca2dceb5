"""What MLflow shows otherwise than the record: who holds stages and aliases, versions that are gone or were made anew.

The record may be true nevertheless: somebody moved what it put there. Only what it tells of is looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select

from registrar.http.mlflow_server import API, MlflowServer
from registrar.http.probe import Answer, Silence
from registrar.ledger.tables import holders, version_states

PAGE = 200  # versions of one answer
_MOST = 20_000_000  # bytes of one: a version's description and tags are long
CLOCKS = timedelta(minutes=5)  # MLflow's may be so far ahead of the ledger's
_Place = tuple[str, str]  # kind and key


@dataclass
class Shown:
    """A model as MLflow has it. made: when each version was; where: which versions hold a place."""

    made: dict[int, datetime] = field(default_factory=dict)
    where: defaultdict[_Place, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, version: Mapping[str, Any]) -> None:
        number = int(version["version"])
        self.made[number] = datetime.fromtimestamp(int(version["creation_timestamp"]) / 1000, UTC)
        self.where["stage", version["current_stage"]].add(number)


def otherwise(connection: Connection, server: MlflowServer) -> Iterator[str]:
    """A sentence for each difference, model by model. Raises Silence where MLflow does not answer."""
    for model in connection.execute(select(holders.c.model).distinct().order_by(holders.c.model)).scalars().all():
        rows = connection.execute(select(holders).where(holders.c.model == model).order_by(holders.c.seq)).all()
        yield from _of(connection, server, model, rows)


def _of(connection: Connection, server: MlflowServer, model: str, rows: Sequence[Any]) -> Iterator[str]:
    held = [row for row in rows if row.until is None]
    shown = _shown(server, model, {row.version for row in held})
    yield from _gone(model, held, shown)
    yield from _made_anew(connection, model, held, shown)
    for place in sorted({(row.kind, row.key) for row in rows}):
        by_record = {row.version for row in held if (row.kind, row.key) == place and row.version in shown.made}
        by_mlflow = shown.where[place]
        # Whatever was archived before there was a record, or beside it, is no holder of anything.
        if by_record - by_mlflow or (place != ("stage", "Archived") and by_mlflow - by_record):
            name = f"@{place[1]}" if place[0] == "alias" else place[1]
            yield f"{model}: {name} is {_versions(by_record)} by the record; MLflow shows {_versions(by_mlflow)}"


def _gone(model: str, held: Sequence[Any], shown: Shown) -> Iterator[str]:
    for version in sorted({row.version for row in held} - set(shown.made)):
        places = ", ".join(f"@{row.key}" if row.kind == "alias" else row.key for row in held if row.version == version)
        yield f"{model} version {version} has {places} by the record; MLflow has no such version"


def _made_anew(connection: Connection, model: str, held: Sequence[Any], shown: Shown) -> Iterator[str]:
    """Numbers begin anew in a model that was deleted and made again."""
    for version in sorted({row.version for row in held} & set(shown.made)):
        made, since = shown.made[version], min(row.since for row in held if row.version == version)
        same = (version_states.c.model == model, version_states.c.version == version)
        noted = connection.execute(
            select(version_states.c.version_created_at).where(*same).order_by(version_states.c.seq.desc()).limit(1)
        ).scalar()
        if made > since + CLOCKS or (noted is not None and noted != made):
            yield (
                f"{model} version {version} was made anew in MLflow, {made:%Y-%m-%d %H:%M:%S} UTC: the record, since "
                f"{since:%Y-%m-%d %H:%M:%S} UTC, is about another one"
            )


def _versions(numbers: set[int]) -> str:
    return "nothing" if not numbers else "version " + " and ".join(map(str, sorted(numbers)))


def _shown(server: MlflowServer, model: str, known: set[int]) -> Shown:
    """known: versions that are asked for by themselves where no search shows them: MLflow leaves some out."""
    shown = Shown()
    for version in _searched(server, model):
        shown.add(version)
    for number in sorted(known - set(shown.made)):
        if found := _asked(server, f"model-versions/get?name={quote(model, safe='')}&version={number}"):
            shown.add(found["model_version"])
    found = _asked(server, f"registered-models/get?name={quote(model, safe='')}") or {}
    for alias in found.get("registered_model", {}).get("aliases") or ():
        shown.where["alias", alias["alias"]].add(int(alias["version"]))
    return shown


def _searched(server: MlflowServer, model: str) -> Iterator[Mapping[str, Any]]:
    which = quote("name='{}'".format(model.replace("'", "''")), safe="")
    page = ""
    while True:
        found = _asked(server, f"model-versions/search?filter={which}&max_results={PAGE}{page}") or {}
        yield from found.get("model_versions") or ()
        if not (token := found.get("next_page_token")):
            return
        page = f"&page_token={quote(token, safe='')}"


def _asked(server: MlflowServer, path: str) -> Mapping[str, Any] | None:
    """None: there is no such thing. Raises Silence for any other refusal."""
    said: Answer = server.get(f"{API}/{path}", most=_MOST)
    if said.status == 200 and isinstance(said.json, dict):
        return said.json
    if isinstance(said.json, dict) and said.json.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return None
    raise Silence(f"{server.root} answers {said.status} to a question for its versions")
