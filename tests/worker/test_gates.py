import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from registrar.policy.gates import Comparison, Evaluated, MaxAge, RequiredTags, Signature, Threshold
from worker.promotions.gates import Baseline, Evaluation, GateInputs, evaluate
from worker.registry import conversion

LARGEST = 1.7976931348623157e308  # what MLflow's database keeps of inf
NEVER_FINITE = [math.inf, -math.inf, math.nan, LARGEST, -LARGEST]
LIMIT = Threshold(metric="rmse", op="<", threshold=7)


@pytest.mark.parametrize(
    ("value", "threshold", "reason"),
    [
        (0.69996, 0.7, "auc 0.69996 is not >= 0.7"),
        (0.949999, 0.95, "auc 0.949999 is not >= 0.95"),
        (0.7 - 1e-13, 0.7, "auc 0.6999999999998999 is not >= 0.7"),
        (0.12346, 0.1234567, "auc 0.1235 is >= 0.1234567"),
        (12345.6, 7, "auc 12345.6 is >= 7"),
    ],
)
def test_a_number_is_shown_on_its_side_of_the_threshold(value, threshold, reason):
    [verdict] = evaluate([Threshold(metric="auc", op=">=", threshold=threshold)], GateInputs({"auc": value}))
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("value", "passed", "reason"),
    [
        (5.123456, True, "rmse 5.123 is < 7"),
        (7.0, False, "rmse 7 is not < 7"),
        (6.99996, True, "rmse 6.99996 is < 7"),
        (7.00001, False, "rmse 7.00001 is not < 7"),
        (9.5, False, "rmse 9.5 is not < 7"),
        (math.inf, False, "rmse is inf; rmse < 7 is required"),
        (-math.inf, False, "rmse is -inf; rmse < 7 is required"),
        (-LARGEST, False, "rmse is -inf; rmse < 7 is required"),
        (math.nan, False, "rmse is NaN; rmse < 7 is required"),
        (None, False, "rmse was not logged; rmse < 7 is required"),
    ],
)
def test_a_verdict_says_what_it_saw(value, passed, reason):
    [verdict] = evaluate([LIMIT], GateInputs({} if value is None else {"rmse": value}))
    assert (verdict.passed, verdict.reason) == (passed, reason)


@pytest.mark.parametrize(("op", "at"), [("<", False), ("<=", True), (">", False), (">=", True)])
def test_the_operators_mean_what_they_say_on_the_threshold(op, at):
    [verdict] = evaluate([Threshold(metric="auc", op=op, threshold=0.5)], GateInputs({"auc": 0.5}))
    assert verdict.passed is at


@pytest.mark.parametrize("value", NEVER_FINITE)
@pytest.mark.parametrize("of", ["training", "evaluation"])
@pytest.mark.parametrize("op", ["<", "<=", ">", ">="])
def test_what_is_not_finite_fails_whatever_is_asked_of_it(value, of, op):
    seen = GateInputs({"m": value}, evaluation=Evaluation("e1", None, {"m": value}))
    gates = [Threshold(metric="m", of=of, op=op, threshold=limit) for limit in (0, LARGEST, -LARGEST)]
    gates += [
        Comparison(metric="m", of=of, baseline="@champion", greater_is_better=greater, when_no_baseline="pass")
        for greater in (True, False)
    ]
    baselines = {"@champion": Baseline(1, {"m": 1.0}, {"m": 1.0})}
    for verdict in [*evaluate(gates, seen), *evaluate(gates, replace(seen, baselines=baselines))]:
        assert (verdict.passed, verdict.value) == (False, None)
        assert verdict.reason.endswith("is required")


BEATS = Comparison(metric="rmse", baseline="@champion", greater_is_better=False, min_relative_change=0.01)

ASKED = "rmse better than @champion's by 1 % is required"


def compared(gate: Comparison, value: float, base: float | None) -> tuple[bool, str]:
    metrics = {} if base is None else {"rmse": base}
    [verdict] = evaluate([gate], GateInputs({"rmse": value}, baselines={"@champion": Baseline(3, metrics)}))
    return verdict.passed, verdict.reason


@pytest.mark.parametrize(
    ("value", "base", "passed", "reason"),
    [
        (5.0, 6.0, True, "rmse 5 is better than 6 of @champion (version 3) by 16.67 %"),
        (5.97, 6.0, False, f"rmse 5.97 is better than 6 of @champion (version 3) by 0.5 %; {ASKED}"),
        (5.94, 6.0, True, "rmse 5.94 is better than 6 of @champion (version 3) by 1 %"),
        (6.06, 6.0, False, f"rmse 6.06 is worse than 6 of @champion (version 3) by 1 %; {ASKED}"),
        (5.940001, 6.0, False, f"rmse 5.94 is better than 6 of @champion (version 3) by 0.9999833333 %; {ASKED}"),
        (6.0, 6.0, False, f"rmse 6 is no better than 6 of @champion (version 3); {ASKED}"),
        (7.5, 6.0, False, f"rmse 7.5 is worse than 6 of @champion (version 3) by 25 %; {ASKED}"),
        (-1.0, 0.0, True, "rmse -1 is better than 0 of @champion (version 3)"),
        (5.0, None, False, "rmse 5 can't be compared: @champion (version 3) has none"),
        (5.0, math.nan, False, "rmse 5 can't be compared: @champion (version 3) has NaN"),
        (math.nan, 6.0, False, f"rmse is NaN; {ASKED}"),
        (-math.inf, 6.0, False, f"rmse is -inf; {ASKED}"),
        (-LARGEST, 6.0, False, f"rmse is -inf; {ASKED}"),
        (5.0, LARGEST, False, "rmse 5 can't be compared: @champion (version 3) has inf"),
    ],
)
def test_a_comparison_says_how_much_better_or_worse(value, base, passed, reason):
    assert compared(BEATS, value, base) == (passed, reason)


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        ({"greater_is_better": True}, 6.1, True),
        ({"greater_is_better": True}, 5.9, False),
        ({"greater_is_better": False}, 5.9, True),
        ({"greater_is_better": True, "min_absolute_change": 0.1}, 6.1, True),
        ({"greater_is_better": False, "min_absolute_change": 0.5}, 5.6, False),
        ({"greater_is_better": False, "min_absolute_change": 0.5}, 5.5, True),
        ({"greater_is_better": False, "min_absolute_change": 0.5, "min_relative_change": 0.5}, 5.0, False),
    ],
)
def test_each_key_of_a_comparison_changes_the_outcome(gate, value, passed):
    assert compared(Comparison(metric="rmse", baseline="@champion", **gate), value, 6.0)[0] is passed


def test_how_much_better_is_shown_on_its_side_of_what_is_required():
    gate = BEATS.model_copy(update={"min_relative_change": 0.015})
    passed, reason = compared(gate, 5.9100024, 6.0)
    assert (passed, " by 1.49996 %; " in reason) == (False, True)


@pytest.mark.parametrize(("when", "passed"), [("pass", True), ("fail", False)])
def test_the_first_version_has_nothing_to_be_compared_with(when, passed):
    gate = Comparison(metric="rmse", baseline="@champion", greater_is_better=False, when_no_baseline=when)
    [verdict] = evaluate([gate], GateInputs({"rmse": 5.0}))
    assert (verdict.passed, verdict.reason) == (passed, "rmse 5: nothing holds @champion to compare with")


@pytest.mark.parametrize(
    ("tags", "passed", "reason"),
    [
        ({"a": "1", "b": "2"}, True, "it is tagged a, b"),
        ({"a": "1", "b": " "}, False, "the tag b is missing on the version and on its run"),
        ({}, False, "the tag a and b is missing on the version and on its run"),
    ],
)
def test_required_tags_are_there_and_say_something(tags, passed, reason):
    [verdict] = evaluate([RequiredTags(tags=["a", "b"])], GateInputs({}, tags=tags))
    assert (verdict.passed, verdict.reason) == (passed, reason)


@pytest.mark.parametrize(
    ("max_age", "passed", "reason"),
    [
        ("24h", True, "it was trained on 2026-11-22 12:00 UTC, within 24h"),
        ("1d", True, "it was trained on 2026-11-22 12:00 UTC, within 1d"),
        ("23h", False, "it was trained on 2026-11-22 12:00 UTC; trained within 23h is required"),
        ("90m", False, "it was trained on 2026-11-22 12:00 UTC; trained within 90m is required"),
    ],
)
def test_a_run_that_began_too_long_ago_fails(max_age, passed, reason):
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    [verdict] = evaluate([MaxAge(max_age=max_age)], GateInputs({}, trained_at=at, now=at + timedelta(days=1)))
    assert (verdict.passed, verdict.reason) == (passed, reason)
    [verdict] = evaluate([MaxAge(max_age=max_age)], GateInputs({}, now=at))
    assert (verdict.passed, "is not known" in verdict.reason) == (False, True)


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("within", "passed", "reason"),
    [
        ("24h", True, "it was evaluated on 2026-11-22 12:00 UTC (run e1), within 24h"),
        ("23h", False, "it was evaluated on 2026-11-22 12:00 UTC (run e1); evaluated within 23h is required"),
    ],
)
def test_an_evaluation_that_began_too_long_ago_fails(within, passed, reason):
    seen = GateInputs({}, now=NOON + timedelta(days=1), evaluation=Evaluation("e1", NOON, {}))
    [verdict] = evaluate([Evaluated(evaluated_within=within)], seen)
    assert (verdict.passed, verdict.reason) == (passed, reason)
    [verdict] = evaluate([Evaluated(evaluated_within=within)], GateInputs({}, now=NOON))
    assert (verdict.passed, verdict.reason) == (False, f"it was not evaluated; evaluated within {within} is required")


def test_a_metric_may_be_that_of_the_evaluation():
    gate = Threshold(metric="rmse", of="evaluation", op="<", threshold=7)
    seen = GateInputs({"rmse": 1.0}, evaluation=Evaluation("e1", NOON, {"rmse": 8.0}))
    assert [v.reason for v in evaluate([gate], seen)] == ["rmse (evaluation) 8 is not < 7"]
    assert [v.reason for v in evaluate([gate], GateInputs({"rmse": 1.0}))] == [
        "it was not evaluated; rmse (evaluation) < 7 is required"
    ]


def test_an_evaluation_is_compared_with_the_holders_own():
    gate = Comparison(metric="rmse", of="evaluation", baseline="@champion", greater_is_better=False)
    holder = Baseline(3, {"rmse": 1.0}, {"rmse": 6.0})
    seen = GateInputs({"rmse": 9.0}, evaluation=Evaluation("e1", NOON, {"rmse": 5.0}), baselines={"@champion": holder})
    [verdict] = evaluate([gate], seen)
    assert verdict.reason.startswith("rmse (evaluation) 5 is better than 6 of @champion (version 3)")


@pytest.mark.parametrize("signed", [True, False])
def test_a_model_has_a_signature_or_fails(signed):
    [verdict] = evaluate([Signature(signature="required")], GateInputs({}, signature=signed))
    assert verdict.passed is signed


AHEAD = [timedelta(minutes=2), timedelta(hours=1), timedelta(days=27_000)]


@pytest.mark.parametrize("ahead", AHEAD, ids=str)
@pytest.mark.parametrize("within", ["1m", "7d", "400d"])
def test_a_run_that_begins_in_the_future_is_not_young_but_wrong(ahead, within):
    seen = GateInputs({}, trained_at=NOON + ahead, now=NOON, evaluation=Evaluation("e1", NOON + ahead, {}))
    for verdict in evaluate([MaxAge(max_age=within), Evaluated(evaluated_within=within)], seen):
        assert not verdict.passed
        assert "which is in the future" in verdict.reason
        assert verdict.reason.endswith(f"within {within} is required")


def test_the_clocks_of_two_machines_may_differ_by_a_minute():
    seen = GateInputs({}, trained_at=NOON + timedelta(seconds=59), now=NOON)
    assert [verdict.passed for verdict in evaluate([MaxAge(max_age="7d")], seen)] == [True]


@pytest.mark.parametrize("milliseconds", [10**15, 10**18, -(10**18), 0, None])
def test_a_time_of_no_calendar_is_not_known_and_so_fails(milliseconds):
    found = conversion.to_experiment(
        SimpleNamespace(
            experiment_id="1", name="", artifact_location="", creation_time=milliseconds, lifecycle_stage="active"
        )
    )
    [verdict] = evaluate([MaxAge(max_age="7d")], GateInputs({}, trained_at=found.created_at, now=NOON))
    assert (verdict.passed, "is not known" in verdict.reason) == (False, True)
