"""Who counts for which rule, when nobody may count for two."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

_Node: TypeAlias = tuple[str, object]
_Room: TypeAlias = defaultdict[_Node, Counter[_Node]]  # how much may still flow from one node to the next
_START, _END = ("start", ""), ("end", "")


def unfilled(
    required: Sequence[int], members: Sequence[Collection[str]], agreed: Mapping[str, Collection[str]]
) -> list[int]:
    """How many approvals each rule still lacks.

    required: of each rule; members: of each rule's group; agreed: by voter, the members whose seat the vote may take:
    the voter's own, and of those whose delegate the voter is. A seat takes one voter and one member, so that neither
    counts twice: a maximum flow from voters by members to rules, by augmenting paths
    (https://en.wikipedia.org/wiki/Ford%E2%80%93Fulkerson_algorithm; here are a few dozen seats).
    """
    room = _network(required, members, agreed)
    while path := _path(room, _START, set()):
        for one, next_ in pairwise(path):
            room[one][next_] -= 1
            room[next_][one] += 1
    return [room["rule", rule][_END] for rule in range(len(required))]


def _network(
    required: Sequence[int], members: Sequence[Collection[str]], agreed: Mapping[str, Collection[str]]
) -> _Room:
    """A member is two nodes with room for one between them."""
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


def _path(room: _Room, node: _Node, tried: set[_Node]) -> list[_Node]:
    """From a node to the end, where there is room; [] where there is none."""
    if node == _END:
        return [node]
    tried.add(node)
    for next_ in [other for other, left in room[node].items() if left > 0]:
        if next_ not in tried and (rest := _path(room, next_, tried)):
            return [node, *rest]
    return []
