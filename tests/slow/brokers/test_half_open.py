"""A broker that falls silent hangs nobody: not who sends, not who works."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links import Link
from tests.slow.brokers.conftest import Site, accepted, installation


@pytest.fixture(params=["redis", "rabbitmq"])
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    with Link(request.getfixturevalue(f"{request.param}_port")) as between:
        yield between


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path, link: Link) -> Iterator[Site]:
    """An installation that reaches its broker over the link."""
    redis = "redis" in request.node.callspec.id
    url = link.url_of("redis", "/0") if redis else link.url_of("amqp", "//")
    with installation(tmp_path / "site", url) as running:
        yield running
        link.mode = "pass"


def test_events_are_accepted_while_the_broker_is_silent_and_applied_after(site: Site, link: Link):
    assert site.states(site.post_all(4)) == {"succeeded"}
    link.mode = "silent"
    waiting = [accepted(site.post()) for _ in range(3)]
    link.mode = "pass"
    assert site.states(waiting) == {"succeeded"}


def test_a_worker_survives_a_partition_that_ends_in_a_reset(site: Site, link: Link):
    waiting = site.post_all(20)
    for _ in range(3):
        link.mode = "hold"
        waiting += site.post_all(5)
        time.sleep(0.2)
        link.mode = "cut"
        waiting += site.post_all(5)
        link.mode = "pass"
        waiting += site.post_all(5)
    assert site.states(waiting) == {"succeeded"}
