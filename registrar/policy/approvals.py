"""Who must agree before a version may go to a target, whose approvals are missing, and when a request expires."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from registrar.policy.base_model import Strict
from registrar.text.duration import Duration


class Rule(Strict):
    """So many different members of a group must approve."""

    group: str
    required_approvals: Annotated[int, Field(ge=1, le=20)] = 1


class BreakGlass(Strict):
    """Members of a group who may approve alone, at any time, with a reason; it is flagged wherever it shows."""

    group: str


class Escalation(Strict):
    """Channels that are notified when nobody decided for so long."""

    after: Duration
    to: Annotated[list[str], Field(min_length=1, description="channels of this file")]


class Approval(Strict):
    """All rules must be met, and a person counts for one of them.

    exclude: who may not approve: whoever asked for it; whoever trained it, as bound when it was registered, known
    by the account `mlflow` of people.
    """

    rules: Annotated[list[Rule], Field(min_length=1, max_length=10)]
    exclude: list[Literal["requester", "author"]] = []
    reject_reason: Literal["optional", "required"] = "optional"
    expires_after: Annotated[Duration | None, Field(description="then it must be asked for again")] = None
    remind_every: Annotated[Duration | None, Field(description="it is told again while nobody decides")] = None
    escalate: Escalation | None = None
    on_newer_candidate: Annotated[
        Literal["supersede", "keep"], Field(description="what becomes of an open request when a newer version asks")
    ] = "supersede"
    break_glass: BreakGlass | None = None

    @property
    def groups(self) -> list[str]:
        return [rule.group for rule in self.rules]


_Node: TypeAlias = tuple[str, object]
_Room: TypeAlias = defaultdict[_Node, Counter[_Node]]  # how much may still flow from one node to the next
_START, _END = ("start", ""), ("end", "")


def missing_approvals(
    required: Sequence[int], members: Sequence[Collection[str]], agreed: Mapping[str, Collection[str]]
) -> list[int]:
    """Return how many approvals each rule still lacks.

    required: of each rule; members: of each rule's group; agreed: by voter, the members whose seat the vote may take:
    the voter's own, and of those whose delegate the voter is. A seat takes one voter and one member, so that neither
    counts twice: a maximum flow from voters by members to rules, by augmenting paths
    (https://en.wikipedia.org/wiki/Ford%E2%80%93Fulkerson_algorithm; here are a few dozen seats).
    """
    room = _fill(_network(required, members, agreed))
    return [room["rule", rule][_END] for rule in range(len(required))]


@dataclass(frozen=True)
class Seat:
    """A taken seat. rule: its index. member: whose seat the voter has: the voter's own, or a delegating person's."""

    rule: int
    member: str


def taken_seats(
    required: Sequence[int], members: Sequence[Collection[str]], agreed: Mapping[str, Collection[str]]
) -> dict[str, Seat]:
    """Return the seat that each voter takes, by the flow of `missing_approvals`; a voter who takes none is left out."""
    room = _fill(_network(required, members, agreed))
    seats: dict[str, Seat] = {}
    for voter, may in agreed.items():
        for member in sorted(may):
            taken = [rule for rule in range(len(required)) if room["rule", rule]["seat", member] > 0]
            if taken and room["member", member]["voter", voter] > 0:
                seats[voter] = Seat(taken[0], member)
    return seats


def _fill(room: _Room) -> _Room:
    """Let as much flow as can."""
    while path := _augmenting_path(room, _START, set()):
        for one, next_ in pairwise(path):
            room[one][next_] -= 1
            room[next_][one] += 1
    return room


def _network(
    required: Sequence[int], members: Sequence[Collection[str]], agreed: Mapping[str, Collection[str]]
) -> _Room:
    """Build the flow network. A member is two nodes with room for one between them."""
    room: _Room = defaultdict(Counter)
    for voter in sorted(agreed):
        room[_START]["voter", voter] = 1
        for member in sorted(agreed[voter]):
            room["voter", voter]["member", member] = 1
            room["member", member]["seat", member] = 1
            room["seat", member] = Counter(("rule", rule) for rule, group in enumerate(members) if member in group)
    for rule, count in enumerate(required):
        room["rule", rule][_END] = count
    return room


def _augmenting_path(room: _Room, node: _Node, tried: set[_Node]) -> list[_Node]:
    """Return a path with room from a node to the end; [] where there is none."""
    if node == _END:
        return [node]
    tried.add(node)
    for next_ in [other for other, left in room[node].items() if left > 0]:
        if next_ not in tried and (rest := _augmenting_path(room, next_, tried)):
            return [node, *rest]
    return []
