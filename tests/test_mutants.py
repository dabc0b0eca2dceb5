"""What `make mutants` says of a change: the line with what was and what became, and whether only words differ."""

import pytest

from tests.mutants import Mutant, report, shortened


@pytest.mark.parametrize(
    ("diff", "says"),
    [
        (["-    if a < b:", "+    if a <= b:"], "if a <[ -> =] b:"),
        (["     call(", "-        one, two", "+        one, None"], "one, [two -> None]"),
        (["-    x = f(a)", "-    y = 2", "+    x = None", "+    y = 2"], "x = [f(a) -> None] y = 2"),
        (["-    f(a, b)", "+    f(a, )"], "f(a, [b -> ])"),
    ],
)
def test_a_change_is_one_line(diff: list[str], says: str):
    assert shortened(diff) == says


@pytest.mark.parametrize(
    ("change", "wording"),
    [
        ('raise ValueError("[it is not there -> XXit is not thereXX]")', True),
        ('raise ValueError("it is [NOT -> not] there")', True),
        ('raise ValueError(["it is not there" -> None])', False),
        ('yield at[:-3], "[it is not there -> XXit is not thereXX]"', True),
        ('open("[a b -> XXa bXX]")', False),
        ('headers.get("[content -> CONTENT]-type")', False),
        ("if one <[ -> =] two:", False),
    ],
)
def test_only_the_letters_of_a_sentence_are_its_wording(change: str, wording: bool):
    assert Mutant("module.function", change, 0).wording is wording


def test_a_survivor_that_is_not_listed_fails_the_run(capsys):
    found = [Mutant("a.f", "x [1 -> 2]", 0), Mutant("a.f", "", 1), Mutant("a.g", "", 37), Mutant("a.h", "", 36)]
    assert report("a", found, {"a.f: x [1 -> 2]": "why"}) == 0
    assert report("a", found, {}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a: 4 mutants, 3 noticed (75.0 %; 1 by mypy), 0 only in wording, 1 equal, 0 new, 0 not run",
        "a: 4 mutants, 3 noticed (75.0 %; 1 by mypy), 0 only in wording, 0 equal, 1 new, 0 not run",
        "  a.f: x [1 -> 2]",
    ]


def test_a_run_that_was_broken_off_is_not_taken_for_a_good_one():
    assert report("a", [Mutant("a.f", "", None), Mutant("a.f", "", 1)], {}) == 1
