"""Find what a text stands for: models, versions, people, runs, commits, promotions and events, by their beginning."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from registrar.ledger import Connection
from registrar.ledger.queries import prefix_search as records
from registrar.ledger.queries.find import find_record
from registrar.ledger.queries.prefix_search import FoundVersion
from registrar.policy import Policy
from registrar.text.sanitize import is_visible
from registrar.text.wording import nearest

MOST = 8  # of each kind
_LONGEST = 300  # characters
_LARGEST_VERSION = 2**31 - 1
_SHORTEST_ID = 8  # hexadecimal digits of an id without its prefix: fewer are in too many
_WHOLE_ID = 36  # characters
_NAMES = 500  # models that a misspelt name is compared with
_VERSION = re.compile(r"(?P<model>.+?)(?:\s*[/:#@]\s*|\s+)(?:version\s*|v)?(?P<version>[0-9]{1,10})", re.IGNORECASE)
_ID = re.compile(r"(?P<kind>(?:evt|tsk|prm)_)?(?P<digits>[0-9a-f]{0,32})…?")
# Hexadecimal, as MLflow's runs and git's commits are; or another id, which has a digit in it.
_RUN_OR_COMMIT = re.compile(r"[0-9a-f]{4,64}|(?=.*[0-9])(?=.*[^0-9a-f])[A-Za-z0-9._-]{2,64}")


class Kind(StrEnum):
    """What can be found."""

    MODEL = "model"
    VERSION = "version"
    PERSON = "person"
    RUN = "run"
    COMMIT = "commit"
    PROMOTION = "promotion"
    EVENT = "event"


@dataclass(frozen=True)
class Hit:
    """What was found. id: of an event, a promotion or a person; else "". about: a line for people.

    exact: the text names all of it.
    """

    kind: Kind
    id: str
    about: str
    model: str = ""
    version: int = 0
    exact: bool = False

    @property
    def place(self) -> tuple[str, str, int]:
        return self.id, self.model, self.version


@dataclass(frozen=True)
class Findings:
    """hits: by kind, the most likely first. near: names of models and ids of people like the text, where none was."""

    hits: Sequence[Hit]
    near: Sequence[Hit] = ()

    @property
    def only(self) -> Hit | None:
        """Return the one place that is meant: the only exact hit, else the only one."""
        exact = [hit for hit in self.hits if hit.exact]
        places = {hit.place: hit for hit in reversed(exact or self.hits)}
        return next(iter(places.values())) if len(places) == 1 else None


def find(connection: Connection, policy: Policy, text: str) -> Findings:
    """Find by a text that a person typed. The number of statements is bounded, and so is each one's work."""
    text = text.strip()
    if not text or len(text) > _LONGEST or not is_visible(text):
        return Findings(())
    hits = [*_models(connection, text), *_versions(connection, text), *_people(connection, policy, text)]
    hits += [*_runs_and_commits(connection, text), *_by_id(connection, text)]
    if not hits and (record := find_record(connection, text)):  # an id of another form
        hits = [_of_record(*record)]
    return Findings(hits) if hits else Findings((), near(connection, policy, text))


def near(connection: Connection, policy: Policy, text: str) -> list[Hit]:
    """Return the model and the person whose name is most like a misspelt one, if any is."""
    model = nearest(text, records.model_names(connection, "", limit=_NAMES))
    people = {name: id_ for id_, person in policy.people.items() for name in (person.name, id_)}
    person = nearest(text, people)
    hits = [Hit(Kind.MODEL, "", model, model)] if model else []
    return hits + ([_person(policy, people[person])] if person else [])


def _of_record(kind: str, id_: str) -> Hit:
    is_model = kind == Kind.MODEL
    return Hit(Kind(kind), "" if is_model else id_, id_, id_ if is_model else "", exact=True)


def _models(connection: Connection, text: str) -> Iterator[Hit]:
    for name in records.model_names(connection, text, limit=MOST):
        yield Hit(Kind.MODEL, "", name, name, exact=name == text)


def _versions(connection: Connection, text: str) -> Iterator[Hit]:
    """Yield versions of "taxi 7", "taxi/7", "taxi v7": of models with that name, or with it in theirs."""
    parts = _VERSION.fullmatch(text)
    if parts is None or not 0 < (number := int(parts["version"])) <= _LARGEST_VERSION:
        return
    models = records.model_names(connection, parts["model"], limit=MOST)
    for found in records.versions_of(connection, models, number):
        yield _version(Kind.VERSION, found, exact=found.model == parts["model"])


def _people(connection: Connection, policy: Policy, text: str) -> Iterator[Hit]:
    """Yield people of registrar.yml by name, id or account, then others who sent events: source:ci, token:laptop."""
    wanted, shown = text.casefold(), set[str]()
    for id_, person in policy.people.items():
        words = (id_, person.name, *person.name.split(), *person.accounts.values())
        if any(word.casefold().startswith(wanted) for word in words):
            shown.add(id_)
            yield _person(policy, id_, exact=wanted in (id_.casefold(), person.name.casefold()))
        if len(shown) == MOST:
            return
    for actor in records.actors(connection, text, limit=MOST):
        if actor not in shown:
            yield Hit(Kind.PERSON, actor, actor, exact=actor == text)


def _person(policy: Policy, id_: str, *, exact: bool = False) -> Hit:
    return Hit(Kind.PERSON, id_, f"{policy.people[id_].name} ({id_})", exact=exact)


def _runs_and_commits(connection: Connection, text: str) -> Iterator[Hit]:
    """Yield versions by their run, then by the commit that they were trained from. A word is neither."""
    if not _RUN_OR_COMMIT.fullmatch(text):
        return
    shown = set[tuple[str, int]]()
    for read in (records.versions_of_run, records.registered_from):
        for one in read(connection, text, limit=MOST):
            if (one.model, one.version) not in shown:
                shown.add((one.model, one.version))
                yield _version(Kind.RUN if one.is_run else Kind.COMMIT, one, exact=one.key == text)


def _by_id(connection: Connection, text: str) -> Iterator[Hit]:
    parts = _ID.fullmatch(text.casefold())
    if parts is None or (not parts["kind"] and len(parts["digits"]) < _SHORTEST_ID):
        return
    for prefix in [parts["kind"]] if parts["kind"] else ["prm_", "evt_", "tsk_"]:
        yield from _of_kind(connection, prefix, f"{prefix}{parts['digits']}")


def _of_kind(connection: Connection, prefix: str, id_: str) -> Iterator[Hit]:
    if prefix == "prm_":
        for promotion in records.promotions_by_id(connection, id_, limit=MOST):
            about = f"{promotion.model} version {promotion.version} to {promotion.target}, {_words(promotion.state)}"
            yield Hit(Kind.PROMOTION, promotion.id, about, exact=promotion.id == id_)
        return
    read = records.events_by_id if prefix == "evt_" else records.events_of_tasks
    for event in read(connection, id_, limit=MOST):
        about = f"{event.type} of {event.model}" if event.model else event.type
        yield Hit(Kind.EVENT, event.id, about, exact=len(id_) == _WHOLE_ID)


def _version(kind: Kind, found: FoundVersion, *, exact: bool) -> Hit:
    key = f", {kind} {found.key}" if found.key else ""
    return Hit(kind, "", f"{found.model} version {found.version}{key}", found.model, found.version, exact)


def _words(state: str) -> str:
    return state.replace("_", " ")
