import math

import pytest

from registrar.policy import Gate
from worker.gates import evaluate

LIMIT = Gate(metric="rmse", op="<", threshold=7)


@pytest.mark.parametrize(
    ("value", "passed", "reason"),
    [
        (5.123456, True, "rmse 5.123 is < 7"),
        (7.0, False, "rmse 7 is not < 7"),
        (6.99996, True, "rmse 6.99996 is < 7"),
        (7.00001, False, "rmse 7.00001 is not < 7"),
        (9.5, False, "rmse 9.5 is not < 7"),
        (math.inf, False, "rmse inf is not < 7"),
        (-math.inf, True, "rmse -inf is < 7"),
        (math.nan, False, "rmse is NaN; rmse < 7 is required"),
        (None, False, "rmse was not logged; rmse < 7 is required"),
    ],
)
def test_a_verdict_says_what_it_saw(value, passed, reason):
    [verdict] = evaluate([LIMIT], {} if value is None else {"rmse": value})
    assert (verdict.passed, verdict.reason) == (passed, reason)


@pytest.mark.parametrize(("op", "at"), [("<", False), ("<=", True), (">", False), (">=", True)])
def test_the_operators_mean_what_they_say_on_the_threshold(op, at):
    [verdict] = evaluate([Gate(metric="auc", op=op, threshold=0.5)], {"auc": 0.5})
    assert verdict.passed is at
