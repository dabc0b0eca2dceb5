"""`{tags: [...], by: SOURCE}`: those tags count that an event of that source gave the version, and no others."""

import pytest

from registrar.events.event import Actor
from registrar.ledger.version_state import given_tags, states
from tests.policies import gate_on_staging
from tests.worker.harness import CI, WorkerHarness

pytestmark = pytest.mark.both_ledgers
TWO = gate_on_staging("{tags: [bias_report], by: evals}").replace(
    "people:",
    "  evals: {kind: standard, secrets: [env:EVALS]}\n  other: {kind: standard, secrets: [env:OTHER]}\npeople:",
)
LONG = "t" * 250


def train(harness: WorkerHarness, **tags: str) -> None:
    harness.policy(TWO)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1", tags=tags)


def describe(harness: WorkerHarness, source: str, **tags: str) -> None:
    who = Actor(f"source:{source}", source)
    harness.post("model_version.describe", by=who, via=source, model="taxi", version=1, tags=tags)


def ask(harness: WorkerHarness) -> str:
    harness.post("promotion.request", by=CI, model="taxi", version=1, target="Staging")
    return harness.fact("model_version.held_back") if harness.stages() == {1: "None"} else "passed"


def test_what_that_source_set_counts_and_is_told(harness):
    train(harness)
    assert "the tag bias_report is missing on the version; tagged bias_report by evals is required" in ask(harness)
    describe(harness, "evals", bias_report="fair")
    assert ask(harness) == "passed"
    assert "it is tagged bias_report, by evals" in str(gates(harness))


def gates(harness: WorkerHarness) -> object:
    with harness.ledger.read() as connection:
        return connection.exec_driver_sql("SELECT evidence FROM promotions WHERE target = 'Staging'").scalar_one()


def test_what_ci_says_of_its_own_model_does_not(harness):
    train(harness, bias_report="fair")
    assert "the tag bias_report was set by ci; tagged bias_report by evals is required" in ask(harness)
    describe(harness, "other", bias_report="very fair")
    assert "the tag bias_report was set by other" in ask(harness)


def test_what_the_run_or_a_hand_says_does_not(harness):
    train(harness)
    harness.registry.set_tag("taxi", 1, "bias_report", "fair")
    assert "no recorded event set the tag bias_report to this value" in ask(harness)


def test_nor_what_a_hand_made_of_it(harness):
    train(harness)
    describe(harness, "evals", bias_report="unfair")
    harness.registry.set_tag("taxi", 1, "bias_report", "fair")
    assert "no recorded event set" in ask(harness)
    harness.registry.drop_tag("taxi", 1, "bias_report")
    assert "is missing on the version" in ask(harness)


def test_who_says_the_same_again_takes_nothing_away(harness):
    train(harness, bias_report="fair")
    describe(harness, "evals", bias_report="fair")
    describe(harness, "ci", bias_report="fair")
    assert ask(harness) == "passed"


def test_what_another_source_changed_and_changed_back_is_no_more_the_firsts(harness):
    train(harness)
    for source, value in (("evals", "fair"), ("ci", "unfair"), ("ci", "fair")):
        describe(harness, source, bias_report=value)
    assert "was set by ci" in ask(harness)


def test_of_several_sources_any_will_do(harness):
    train(harness)
    harness.policy(TWO.replace("by: evals", "by: [evals, other]"))
    describe(harness, "other", bias_report="fair")
    assert ask(harness) == "passed"


def test_without_by_whoever_set_it_counts(harness):
    train(harness, bias_report="fair")
    harness.policy(TWO.replace(", by: evals", ""))
    assert ask(harness) == "passed"


def test_the_record_has_what_each_event_set_also_by_a_long_name(harness):
    train(harness, team="taxi", **{LONG: "x"})
    made = harness.registry.version("taxi", 1)
    with harness.ledger.read() as connection:
        found = given_tags(states(connection, "taxi"), 1, made.created_at)
    assert {name: (tag.value, tag.sources) for name, tag in found.items()} == {
        "team": ("taxi", {"ci"}),
        LONG: ("x", {"ci"}),
    }
    assert given_tags([], 1, made.created_at) == {}


def test_an_event_can_not_forge_a_state_by_a_tags_name(harness):
    train(harness, **{"tag:bias_report": "fair"})
    assert "is missing on the version" in ask(harness)
