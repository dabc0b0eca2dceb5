"""Seats are filled as well as they can be, and by nobody twice."""

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.policy.approvals import missing_approvals, taken_seats

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
    assert missing_approvals(required, [LEADS, RISK], {who: {who} for who in agreed}) == lacking


@pytest.mark.parametrize(
    ("agreed", "lacking"),
    [
        ({"ada": {"ada"}, "zoe": {"zoe", "ada"}}, [1, 0]),
        ({"ada": {"ada"}, "zoe": {"zoe", "ada", "bob"}}, [0, 0]),
        ({"zoe": {"zoe", "ada", "bob"}}, [1, 0]),
        ({"yan": {"yan", "ada"}, "zoe": {"zoe", "ada"}}, [1, 0]),
    ],
)
def test_a_delegate_and_whom_they_stand_in_for_fill_one_seat(agreed, lacking):
    assert missing_approvals([2, 0], [LEADS, RISK], agreed) == lacking


people = st.sets(st.sampled_from("abcd"), max_size=3)


@given(
    rules=st.lists(st.tuples(st.integers(1, 2), people), min_size=1, max_size=2),
    agreed=st.dictionaries(
        st.sampled_from("abcd"), st.sets(st.sampled_from("abcd"), min_size=1, max_size=2), max_size=3
    ),
)
def test_no_other_seating_fills_more(rules, agreed):
    """Each voter sits for one of the members that they may speak for, or stays away; no member sits twice."""
    required, members = [count for count, _ in rules], [who for _, who in rules]
    seats = [rule for rule, count in enumerate(required) for _ in range(count)]
    choices = product(*[[None, *sorted(whom)] for whom in agreed.values()])
    best = max(_seated([one for one in chosen if one], members, seats) for chosen in choices)
    assert sum(missing_approvals(required, members, agreed)) == len(seats) - best


@settings(deadline=None)
@given(
    rules=st.lists(st.tuples(st.integers(1, 2), people), min_size=1, max_size=2),
    agreed=st.dictionaries(
        st.sampled_from("abcd"), st.sets(st.sampled_from("abcd"), min_size=1, max_size=2), max_size=3
    ),
)
def test_who_takes_which_seat_is_what_the_rules_do_not_lack(rules, agreed):
    required, members = [count for count, _ in rules], [who for _, who in rules]
    taken, missing = taken_seats(required, members, agreed), missing_approvals(required, members, agreed)
    filled = [sum(seat.rule == rule for seat in taken.values()) for rule in range(len(required))]
    assert filled == [count - lacks for count, lacks in zip(required, missing, strict=True)]
    assert all(seat.member in agreed[who] and seat.member in members[seat.rule] for who, seat in taken.items())
    assert len({seat.member for seat in taken.values()}) == len(taken)


def _seated(spoken_for, members, seats) -> int:
    if len(set(spoken_for)) < len(spoken_for):
        return 0
    crowd = [*spoken_for, *[None] * len(seats)]
    return max(
        sum(member in members[rule] for member, rule in zip(seating, seats, strict=True) if member)
        for seating in permutations(crowd, len(seats))
    )
