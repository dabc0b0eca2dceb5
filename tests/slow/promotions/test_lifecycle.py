"""The table of docs/explanation/promotions.md is the model of tests for pairs of acts; the model is whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.slow.promotions.lifecycle import GUARDS, ROWS, STATES, THINGS, Act, ends, table

DOCS = Path(__file__).parents[3] / "docs" / "explanation" / "promotions.md"


def test_the_docs_show_the_rows():
    assert table() in DOCS.read_text(), "run `python -m tests.slow.promotions.lifecycle`, and put it into the docs"


def test_each_guard_is_used_and_each_row_has_one():
    assert {row.when for row in ROWS} == set(GUARDS)


def test_nothing_is_said_of_what_there_is_not():
    assert {row.of for row in ROWS} == set(THINGS)


@pytest.mark.parametrize("state", STATES)
def test_what_follows_an_act_has_rows(state):
    names = {row.act for row in ROWS} | {"count", "mark"}
    assert {step for row in ROWS for step in row.then} <= names
    assert {act.does for act in STATES[state].acts.values()} <= names | {"describe", "policy changes"}


def test_a_rollback_from_what_came_meanwhile_changes_nothing():
    state = STATES["awaiting approval"]
    found = ends(state.world, Act("approve"), Act("roll back"))
    assert {(end.holder, end.quarantined) for end in found} == {
        (3, frozenset()),  # approved first: who asked to go back saw version 2 there
        (2, frozenset({3})),  # or looked again
        (3, frozenset({2})),  # gone back first: the approval is for what it was
    }


def test_an_approval_of_what_a_policy_changed_is_void():
    state = STATES["awaiting approval"]
    found = ends(state.world, Act("approve"), Act("policy changes", outside=True))
    assert {(end.promotion, end.request) for end in found} == {("promoted", 1), ("awaiting approval", 2)}


def test_at_once_is_not_more_than_one_after_the_other():
    state = STATES["promoted"]
    world = replace(state.world, late=True)
    assert {end.deployment for end in ends(world, Act("clock"), Act("deployment failed"))} == {"failed", "timed out"}
