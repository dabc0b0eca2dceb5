"""The states, acts and guards of a version on its way to Production, as rows, which
docs/explanation/promotions.md shows.

`python -m tests.slow.promotions.lifecycle` prints them for the docs.

A small model, worked out without the worker. `ends` says what two acts at once may come to: what they come to one after
the other, in either order, each judged by what its author could see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

FIRST, HOLDER, CANDIDATE = 1, 2, 3  # versions: who held Production earlier, who holds it, who is asked for
AS_IT_WAS = "as it was"
_OPEN = ("waiting", "awaiting approval", "approved")
_ENDED = ("none", "rejected", "cancelled", "expired", "superseded", "failed", "promoted")
_ASIDE = ("None", "Archived")


@dataclass(frozen=True)
class World:
    """promotion, deployment: of the candidate. place: of each version, by the record. request: the number of the
    newest request; agreed: how many approvals it has. policy, shown: which is in force, and which was when it was
    asked for. guest: who is in Production by a hand in MLflow alone. soak, limit: time gates, open once it is late.
    expires: the first request does, once it is late. overdue: the deployment is, once it is late.
    """

    promotion: str
    deployment: str = "none"
    place: tuple[str, ...] = ("Archived", "Production", "Staging")
    quarantined: frozenset[int] = frozenset()
    request: int = 1
    agreed: int = 1
    policy: int = 1
    shown: int = 1
    guest: int | None = None
    glass: bool = False
    late: bool = False
    soak: bool = False
    limit: bool = False
    expires: bool = False
    overdue: bool = False

    @property
    def holder(self) -> int | None:
        return next((number for number, place in enumerate(self.place, 1) if place == "Production"), None)

    @property
    def earlier(self) -> int | None:
        """Whom a rollback goes back to."""
        before = [number for number in (HOLDER, FIRST) if number != self.holder and number not in self.quarantined]
        return before[0] if self.holder and before else None

    def at(self, version: int) -> str:
        return "Production" if self.guest == version else self.place[version - 1]

    def moved(self, version: int, to: str) -> "World":
        """Whoever is there makes room, a hand's guest too."""
        alone = to in ("Staging", "Production")
        place = ["Archived" if alone and was == to else was for was in self.place]
        guest = self.guest if self.guest != version else None
        if guest and to == "Production":
            place[guest - 1], guest = "Archived", None
        place[version - 1] = to
        return replace(self, place=tuple(place), guest=guest)


@dataclass(frozen=True)
class Act:
    """does: its name in the rows. version: whom it is about. outside: it stands in no lane, and may come between two
    steps of another.
    """

    does: str
    version: int = CANDIDATE
    outside: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table. Of those that fit, the first counts; without one, nothing comes of the act.

    of: promotion, holding, quarantine or deployment. state: in which of its states; () is any. when: a name of GUARDS.
    then: what follows by itself, in the same lane, before any other event.
    """

    of: str
    state: tuple[str, ...]
    act: str
    when: str
    becomes: str
    then: tuple[str, ...] = ()


# The world now, and as the act's author saw it.
GUARDS: dict[str, Callable[[World, World, Act], bool]] = {
    "else": lambda now, seen, act: True,
    "it is not the request that its author saw": lambda now, seen, act: now.request != seen.request,
    "it only waited when its author looked": lambda now, seen, act: seen.promotion == "waiting",
    "it waited longer than `expires_after`": lambda now, seen, act: now.expires and now.late and now.request == 1,
    "what it shows has changed": lambda now, seen, act: now.policy != now.shown,
    "others must agree too": lambda now, seen, act: now.agreed < 1,
    "the version is quarantined": lambda now, seen, act: act.version in now.quarantined,
    "the version is there already": lambda now, seen, act: now.at(act.version) == "Production",
    "the version is not in Staging": lambda now, seen, act: now.at(act.version) not in ("Staging", "Production"),
    "the version is not in None or Archived": lambda now, seen, act: now.at(act.version) not in _ASIDE,
    "the version is in None or Archived": lambda now, seen, act: now.at(act.version) in _ASIDE,
    "the version is in Staging": lambda now, seen, act: now.at(act.version) == "Staging",
    "`freeze` or `max_per_day` holds it, and no glass was broken": lambda now, seen, act: (
        now.limit and not (now.late or now.glass)
    ),
    "it is in Staging for less than `soak`": lambda now, seen, act: now.soak and not now.late,
    "its time has come": lambda now, seen, act: now.late,
    "it was not confirmed in time": lambda now, seen, act: now.late and now.overdue,
    "nobody holds it": lambda now, seen, act: now.holder is None,
    "another holds it than its author saw": lambda now, seen, act: now.holder != seen.holder,
    "the version holds it no more": lambda now, seen, act: now.holder != act.version,
    "MLflow shows another there than the record": lambda now, seen, act: now.guest is not None,
    "nobody is left to go back to": lambda now, seen, act: now.earlier is None,
}
_SAW = "it is not the request that its author saw"
_LATE = "it waited longer than `expires_after`"
_CHANGED = "what it shows has changed"
_ASKS = ("waiting", *_ENDED)

ROWS = (
    Row("promotion", _OPEN, "approve", _SAW, AS_IT_WAS),
    Row("promotion", ("awaiting approval",), "approve", "it only waited when its author looked", AS_IT_WAS),
    Row("promotion", ("awaiting approval",), "approve", _LATE, "expired"),
    Row("promotion", ("awaiting approval",), "approve", _CHANGED, "superseded", ("ask",)),
    Row("promotion", ("awaiting approval",), "approve", "others must agree too", AS_IT_WAS, ("count",)),
    Row("promotion", ("awaiting approval",), "approve", "else", "approved", ("move",)),
    Row("promotion", _OPEN, "reject", _SAW, AS_IT_WAS),
    Row("promotion", ("awaiting approval",), "reject", "it only waited when its author looked", AS_IT_WAS),
    Row("promotion", ("awaiting approval",), "reject", _LATE, "expired"),
    Row("promotion", ("awaiting approval",), "reject", "else", "rejected"),
    Row("promotion", _OPEN, "break the glass", _SAW, AS_IT_WAS),
    Row("promotion", _OPEN, "break the glass", "the version is quarantined", AS_IT_WAS),
    Row("promotion", ("awaiting approval",), "break the glass", _LATE, "expired"),
    Row("promotion", _OPEN, "break the glass", _CHANGED, "superseded", ("ask",)),
    Row("promotion", _OPEN, "break the glass", "else", "approved", ("mark", "move")),
    Row("promotion", _OPEN, "cancel", _SAW, AS_IT_WAS),
    Row("promotion", _OPEN, "cancel", "else", "cancelled"),
    Row("promotion", ("waiting",), "clock", "its time has come", AS_IT_WAS, ("ask",)),
    Row("promotion", ("awaiting approval",), "clock", _LATE, "expired"),
    Row("promotion", ("approved",), "clock", "its time has come", AS_IT_WAS, ("move",)),
    Row("promotion", (), "request", "else", AS_IT_WAS, ("ask",)),
    Row("promotion", ("awaiting approval",), "ask", _LATE, "expired", ("ask",)),
    Row("promotion", _ASKS, "ask", "the version is there already", AS_IT_WAS),
    Row("promotion", ("waiting",), "ask", "the version is quarantined", "failed"),
    Row("promotion", ("waiting",), "ask", "the version is not in Staging", "failed"),
    Row("promotion", _ENDED, "ask", "the version is quarantined", AS_IT_WAS),
    Row("promotion", _ENDED, "ask", "the version is not in Staging", AS_IT_WAS),
    Row("promotion", _ASKS, "ask", "it is in Staging for less than `soak`", "waiting"),
    Row("promotion", _ASKS, "ask", "else", "awaiting approval"),
    Row("promotion", ("approved",), "move", "the version is quarantined", "failed"),
    Row("promotion", ("approved",), "move", _CHANGED, "superseded", ("ask",)),
    Row("promotion", ("approved",), "move", "the version is not in Staging", "superseded", ("ask",)),
    Row("promotion", ("approved",), "move", "`freeze` or `max_per_day` holds it, and no glass was broken", AS_IT_WAS),
    Row("promotion", ("approved",), "move", "else", "promoted", ("take the target", "deploy")),
    Row("holding", (), "take the target", "else", "held by the version"),
    Row("holding", (), "roll back", "nobody holds it", AS_IT_WAS),
    Row("holding", (), "roll back", "another holds it than its author saw", AS_IT_WAS),
    Row("holding", (), "roll back", "nobody is left to go back to", AS_IT_WAS),
    Row("holding", (), "roll back", "MLflow shows another there than the record", AS_IT_WAS),
    Row("holding", (), "roll back", "else", AS_IT_WAS, ("quarantine", "go back", "deploy another")),
    Row("holding", (), "deployed in vain", "the version holds it no more", AS_IT_WAS),
    Row("holding", (), "deployed in vain", "nobody is left to go back to", AS_IT_WAS),
    Row("holding", (), "deployed in vain", "MLflow shows another there than the record", AS_IT_WAS),
    Row("holding", (), "deployed in vain", "else", AS_IT_WAS, ("quarantine", "go back", "deploy another")),
    Row("holding", (), "go back", "else", "held by the one before"),
    Row("holding", (), "archive", "else", "the version is in Archived"),
    Row("holding", (), "move to None", "else", "the version is in None"),
    Row("holding", (), "ask for Staging", "the version is quarantined", AS_IT_WAS),
    Row("holding", (), "ask for Staging", "the version is not in None or Archived", AS_IT_WAS),
    Row("holding", (), "ask for Staging", "else", "the version is in Staging", ("ask",)),
    Row("holding", (), "evaluated", "the version is in None or Archived", AS_IT_WAS, ("ask for Staging",)),
    Row("holding", (), "evaluated", "the version is in Staging", AS_IT_WAS, ("ask",)),
    Row("holding", (), "moved by hand", "the version is there already", AS_IT_WAS),
    Row("holding", (), "moved by hand", "else", "shown by MLflow alone"),
    Row("holding", (), "reconcile", "nobody holds it", "recorded as MLflow shows it"),
    Row("holding", (), "reconcile", "else", "put back as the record has it"),
    Row("quarantine", (), "quarantine", "else", "quarantined"),
    Row("quarantine", ("quarantined",), "lift", "else", "free"),
    Row("deployment", (), "deploy", "else", "requested"),
    Row("deployment", ("requested",), "deploy another", "else", "superseded"),
    Row("deployment", ("requested", "failed", "timed out"), "deployment succeeded", "else", "live"),
    Row("deployment", ("requested",), "deployment failed", "else", "failed", ("deployed in vain",)),
    Row("deployment", ("requested",), "clock", "it was not confirmed in time", "timed out", ("deployed in vain",)),
)
THINGS = ("promotion", "holding", "quarantine", "deployment")


@dataclass(frozen=True)
class State:
    """One of those in which every two acts are done at once. late: hours until what the clock waits for has come."""

    world: World
    late: float
    acts: dict[str, Act] = field(default_factory=dict)


_ALWAYS = {
    "roll back": Act("roll back"),
    "evaluation finished": Act("evaluated"),
    "transition to Production": Act("request"),
    "transition to None": Act("move to None"),
    "archive": Act("archive"),
    "describe": Act("describe"),
    "move by hand": Act("moved by hand", outside=True),
    "policy change": Act("policy changes", outside=True),
    "clock": Act("clock"),
}
_OF_OPEN = {**_ALWAYS, "cancel": Act("cancel"), "break the glass": Act("break the glass")}
STATES = {
    "awaiting approval": State(
        World("awaiting approval", expires=True),
        4,
        {
            **_OF_OPEN,
            "approve": Act("approve"),
            "reject": Act("reject"),
            "retry": Act("approve"),
            "replay": Act("approve"),
        },
    ),
    "waiting": State(World("waiting", soak=True, agreed=0), 2.5, {**_OF_OPEN, "retry": Act("break the glass")}),
    "approved": State(World("approved", limit=True), 25, {**_OF_OPEN, "retry": Act("break the glass")}),
    "promoted": State(
        World("promoted", "requested", ("Archived", "Archived", "Production"), overdue=True),
        2,
        {
            **_ALWAYS,
            "move by hand": Act("moved by hand", HOLDER, outside=True),
            "deployment succeeded": Act("deployment succeeded"),
            "deployment failed": Act("deployment failed"),
            "retry": Act("roll back"),
            "replay": Act("approve"),
        },
    ),
    "rolled back": State(
        World("promoted", "failed", ("Archived", "Production", "Archived"), frozenset({CANDIDATE})),
        2,
        {
            **{name: act for name, act in _ALWAYS.items() if name != "transition to None"},
            "transition to Staging": Act("ask for Staging"),
            "lift": Act("lift"),
            "retry": Act("lift"),
            "replay": Act("request"),
        },
    ),
}


def ends(world: World, one: Act, other: Act, *, written_first: bool = False) -> set[World]:
    """What the two may come to, MLflow compared with the record at the end. written_first: both were accepted before
    anything came of either, so that both authors saw the same.
    """
    seen = world if written_first else None
    found = {*_ordered(world, one, other, seen), *_ordered(world, other, one, seen)}
    return {_done(end, Act("reconcile", end.guest or CANDIDATE)) for end in found}


def _ordered(world: World, first: Act, then: Act, seen: World | None) -> Iterator[World]:
    """Else an author may look at any moment before the act's turn; what stands in no lane comes at any moment."""
    for moment, left in _moments(world, first, world):
        if then.outside:
            yield _rest(_done(moment, then), left, first, world)
        else:
            yield _done(_rest(moment, left, first, world), then, seen or moment)


def _moments(world: World, act: Act, seen: World) -> Iterator[tuple[World, tuple[str, ...]]]:
    """The world between the steps of an act, each with the steps that are left."""
    left: tuple[str, ...] = (act.does,)
    yield world, left
    while left:
        world, left = _step(world, left, act, seen)
        yield world, left


def _rest(world: World, left: tuple[str, ...], act: Act, seen: World) -> World:
    while left:
        world, left = _step(world, left, act, seen)
    return world


def _done(world: World, act: Act, seen: World | None = None) -> World:
    return _rest(world, (act.does,), act, seen or world)


_CHANGES: dict[str, Callable[[World], World]] = {
    "policy changes": lambda world: replace(world, policy=world.policy + 1),
    "count": lambda world: replace(world, agreed=world.agreed + 1),
    "mark": lambda world: replace(world, glass=True),
}


def _step(world: World, left: tuple[str, ...], act: Act, seen: World) -> tuple[World, tuple[str, ...]]:
    """One act of the rows, by its name, and what it has follow."""
    name, after = left[0], left[1:]
    if name in _CHANGES:
        return _CHANGES[name](world), after
    now, then = world, list[str]()
    for thing in THINGS:
        if row := _row(now, thing, name, seen, act):
            world = _become(world, row, act)
            then += row.then
    return world, (*then, *after)


def _row(now: World, thing: str, name: str, seen: World, act: Act) -> Row | None:
    states = {"promotion": now.promotion, "deployment": now.deployment}
    state = states.get(thing) or ("quarantined" if act.version in now.quarantined else "free")
    fitting = (row for row in ROWS if row.of == thing and row.act == name and (not row.state or state in row.state))
    return next((row for row in fitting if GUARDS[row.when](now, seen, act)), None)


def _become(world: World, row: Row, act: Act) -> World:
    if row.becomes == AS_IT_WAS:
        return world
    match row.of:
        case "promotion" if row.act == "ask" and row.becomes in ("waiting", "awaiting approval"):
            return _asked(world, row.becomes)
        case "promotion":
            return replace(world, promotion=row.becomes)
        case "deployment":
            return replace(world, deployment=row.becomes, overdue=False)
        case "quarantine":
            left = world.quarantined - {act.version}
            bad = world.quarantined | {world.holder or act.version}
            return replace(world, quarantined=left if row.becomes == "free" else bad)
    return _held(world, row.becomes, act.version)


def _asked(world: World, state: str) -> World:
    """What waited is the same request still; else it is another, which nobody has approved."""
    shown = replace(world, promotion=state, shown=world.policy, glass=False)
    return shown if world.promotion == "waiting" else replace(shown, request=world.request + 1, agreed=0)


def _held(world: World, becomes: str, version: int) -> World:
    match becomes:
        case "held by the version":
            return world.moved(version, "Production")
        case "held by the one before":
            return world.moved(world.earlier, "Production") if world.earlier else world
        case "shown by MLflow alone":
            return replace(world, guest=version)
        case "recorded as MLflow shows it":
            return world.moved(world.guest, "Production") if world.guest else world
        case "put back as the record has it":
            return replace(world, guest=None)
    return world.moved(version, becomes.removeprefix("the version is in "))


def table() -> str:
    """ROWS in Markdown."""
    heads = ("of", "in state", "act", "if", "becomes", "then")
    lines = [heads, ("---",) * len(heads)]
    for row in ROWS:
        state = ", ".join(row.state) or "any"
        lines.append((row.of, state, row.act, row.when, row.becomes, ", ".join(row.then)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(table())
