"""The word that was meant."""

import pytest

from registrar.text.wording import did_you_mean, nearest, ranges


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("=<", ("<", "<=", ">", ">="), "<="),
        ("LEADS", ("leads", "risk"), "leads"),
        ("promotion.aproved", ("promotion.approved", "promotion.void"), "promotion.approved"),
        ("qqq", ("leads", "risk"), None),
        ("", ("leads",), None),
        ("leads", (), None),
    ],
)
def test_the_nearest_word(word, known, near):
    assert nearest(word, known) == near


def test_where_none_is_near_all_are_listed_and_not_too_many():
    assert did_you_mean("qqq", ["a1", "b2"]) == "; known: a1, b2"
    assert did_you_mean("qqq", ["a1"]) == "; did you mean a1?"
    assert did_you_mean("qqq", []) == ""
    assert did_you_mean("qqq", [f"a{n}" for n in range(20)]).endswith("a13, a14 and 5 more")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], "it has none"),
        ([4], "it has version 4"),
        ([3, 2, 1, 2], "it has versions 1 to 3"),
        ([1, 3, 4, 9], "it has versions 1, 3 to 4 and 9"),
        (range(1, 100, 2), "it has versions ..., 91, 93, 95, 97 and 99"),
    ],
)
def test_the_versions_that_there_are(numbers, words):
    assert ranges(numbers) == words
