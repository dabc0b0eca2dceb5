"""Each way for a broker not to be well has its line, on a real Redis."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from registrar.broker.celery_app import QUEUE
from tests import sentinels
from tests.doctor.conftest import SiteOf, looked, troubles


@pytest.fixture
def broker(redis_port: int) -> Iterator[redis.Redis]:
    """Put right again at the end of a test."""
    client = redis.Redis(port=redis_port)
    yield client
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("appendonly", "yes")
    client.replicaof("NO", "ONE")
    client.flushall()


def url(client: redis.Redis) -> str:
    return f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0"


def test_one_that_is_well_has_no_trouble(site: SiteOf, broker: redis.Redis):
    assert troubles("broker", site(REGISTRAR_BROKER_URL=url(broker))) == []
    assert "answers, Redis " in looked("broker", site(REGISTRAR_BROKER_URL=url(broker)))[0].seen


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        (lambda r: r.config_set("maxmemory-policy", "allkeys-lru"), ("warn", "is allkeys-lru", "noeviction")),
        (lambda r: r.config_set("appendonly", "no"), ("warn", "appendonly is off", "appendonly yes")),
        (lambda r: r.replicaof("127.0.0.1", "1"), ("FAIL", "is a replica, which takes no writes", "the primary")),
        (lambda r: r.rpush(QUEUE, *range(1001)), ("warn", "1,001 task messages wait", "is a worker up?")),
    ],
)
def test_what_is_wrong_with_it_is_said(site: SiteOf, broker: redis.Redis, broken, finding: tuple[str, str, str]):
    broken(broker)
    [found] = troubles("broker", site(REGISTRAR_BROKER_URL=url(broker)))
    assert [part in said for part, said in zip(finding, found, strict=True)] == [True, True, True]


def test_a_wrong_password_is_told_from_none(site: SiteOf, broker: redis.Redis):
    with_one = url(broker).replace("//", "//:the-password@")
    broker.config_set("requirepass", "another")
    try:
        for given in (with_one, url(broker)):
            [(level, seen, do)] = troubles("broker", site(REGISTRAR_BROKER_URL=given))
            assert (level, "refuses the password" in seen, "requirepass" in do) == ("FAIL", True, True)
            assert "the-password" not in seen + do
    finally:
        own = redis.Redis(port=broker.connection_pool.connection_kwargs["port"], password="another")
        own.config_set("requirepass", "")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_one_that_is_not_there_is_said(site: SiteOf, scheme: str):
    [(level, seen, do)] = troubles("broker", site(REGISTRAR_BROKER_URL=f"{scheme}://u:the-password@127.0.0.1:1/"))
    assert (level, "does not answer" in seen, "REGISTRAR_BROKER_URL" in do) == ("FAIL", True, True)
    assert "the-password" not in seen + do


def test_behind_sentinel_the_master_is_looked_at(site: SiteOf, tmp_path: Path):
    with sentinels.serve(tmp_path) as watched:
        [(level, seen, _)] = troubles("broker", site(REGISTRAR_BROKER_URL=watched.url))
        assert (level, "appendonly is off" in seen) == ("warn", True)
        watched.client().config_set("appendonly", "yes")
        found = looked("broker", site(REGISTRAR_BROKER_URL=watched.url))
        assert [one.level for one in found] == ["ok", "ok"]
        assert "p@ss" not in str(found)
        assert "p%40ss" not in str(found)
        unknown = watched.url.replace(sentinels.NAME, "another")
        [(level, seen, _)] = troubles("broker", site(REGISTRAR_BROKER_URL=unknown))
        assert (level, "No master found for 'another'" in seen) == ("FAIL", True)


def test_an_address_of_no_broker_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("broker", site(REGISTRAR_BROKER_URL="https://u:the-password@h"))
    assert (level, "a broker's URL is such as redis://" in seen) == ("FAIL", True)
    assert "the-password" not in seen


def test_one_that_takes_connections_and_is_silent_is_not_waited_for(site: SiteOf):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        [(level, seen, _)] = troubles(
            "broker", site(REGISTRAR_BROKER_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        )
    assert (level, "does not answer" in seen) == ("FAIL", True)
