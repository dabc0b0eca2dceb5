"""worker.deployed: what became of a deployment is told, and the registry is left alone."""

import pytest
from pydantic import ValidationError

from registrar.vocabulary import parse

ONE = {"model": "taxi", "version": 3, "environment": "production"}


def test_a_deployment_is_told_and_changes_nothing(office):
    event = office.post("deployment.succeeded", **ONE, url="https://taxi.example", commit="c0ffee")
    assert office.fact("deployment.succeeded") == "taxi version 3 was deployed to production"
    assert office.registry.writes == []
    assert office.tasks_of(event) == [("deployed", "succeeded")]


def test_a_failed_deployment_is_told(office):
    office.post("deployment.failed", **ONE)
    assert office.fact("deployment.failed") == "the deployment of taxi version 3 to production failed"
    assert office.registry.writes == []


@pytest.mark.parametrize("type_", ["deployment.succeeded", "deployment.failed"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": None},
        {"environment": "a\nb"},
        {"version": "latest"},
        {"url": "javascript:alert(1)"},
        {"url": "https://good.example@evil.example/"},
        {"url": "https://x/<!channel>"},
        {"url": "https://x/\n"},
        {"command": "rm"},
    ],
)
def test_what_is_wrong_is_refused(type_, wrong):
    with pytest.raises(ValidationError):
        parse(type_, {**ONE, **wrong})
