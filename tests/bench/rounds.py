"""Comparisons within one run: all peers in turns, round after round, and the medians of the rounds."""

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

Peer = TypeVar("Peer")
Figures = Mapping[str, float]


def alternate(peers: Sequence[Peer], rounds: int, measure: Callable[[Peer], Figures]) -> list[list[Figures]]:
    """The figures of each peer, a list per peer, one entry per round. Each round begins with another peer: what the
    one before leaves behind (a hot cache, a full disk queue) meets all of them. How far it is, it says on stderr.
    """
    found: list[list[Figures]] = [[] for _ in peers]
    for number in range(rounds):
        for place in range(len(peers)):
            at = (place + number) % len(peers)
            found[at].append(measure(peers[at]))
            sys.stderr.write(f"\r{number * len(peers) + place + 1} of {rounds * len(peers)} ")
    sys.stderr.write("\n")
    return found


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """Of each figure by itself. All rounds have the same names."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    """The median of what each round says: ours in times of theirs. Round by round, as a machine that slows down slows
    both.
    """
    return median(one[name] / other[name] for one, other in zip(ours, theirs, strict=True))
