"""Seats are filled as well as they can be, and by nobody twice."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.reading.quorum import unfilled

LEADS, RISK = ["ada", "bob"], ["bob", "eve"]


@pytest.mark.parametrize(
    ("required", "agreed", "lacking"),
    [
        ([1, 1], [], [1, 1]),
        ([1, 1], ["bob"], [0, 1]),
        ([1, 1], ["ada", "bob"], [0, 0]),
        ([1, 1], ["bob", "eve"], [0, 0]),
        ([1, 1], ["ada", "zoe"], [0, 1]),
        ([2, 1], ["ada", "bob", "eve"], [0, 0]),
        ([2, 1], ["ada", "bob"], [0, 1]),
    ],
)
def test_one_person_counts_for_one_rule(required, agreed, lacking):
    assert unfilled(required, [LEADS, RISK], agreed) == lacking


people = st.sets(st.sampled_from("abcd"), max_size=3)


@given(rules=st.lists(st.tuples(st.integers(1, 2), people), min_size=1, max_size=2), agreed=people)
def test_no_other_seating_fills_more(rules, agreed):
    required, members = [count for count, _ in rules], [who for _, who in rules]
    seats = [rule for rule, count in enumerate(required) for _ in range(count)]
    crowd = [*agreed, *[None] * len(seats)]
    best = max(
        sum(person in members[rule] for person, rule in zip(seating, seats, strict=True) if person)
        for seating in permutations(crowd, len(seats))
    )
    assert sum(unfilled(required, members, agreed)) == len(seats) - best
