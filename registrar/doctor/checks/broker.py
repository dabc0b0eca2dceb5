"""Checks the broker: that it answers, keeps messages, and that workers keep up with its queue."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import redis
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from registrar.broker.celery_app import QUEUE, celery_app
from registrar.broker.url import VISIBILITY_TIMEOUT, Broker, BrokerUrlError
from registrar.config.credentials import without_login
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.http.probe import PATIENCE
from registrar.text.wording import plural

_OLDEST = (6, 2)  # release of Redis that is still maintained
_LONG = 1000  # messages; a worker takes dozens a second
_ADVICE = "Is it up, and is REGISTRAR_BROKER_URL right? Events are kept meanwhile, and processed when it is back"


def check(context: DoctorContext) -> Iterator[Finding]:
    url = context.settings.broker_url
    where = without_login(url)
    try:
        broker = Broker.parse(url)
        if broker.kind == "amqp":
            yield from _check_rabbitmq(url)
            return
        client = connect(url)
        client.ping()
        info: dict[str, Any] = client.info()
    except BrokerUrlError as error:
        yield fail(f"REGISTRAR_BROKER_URL: {error}", "Correct REGISTRAR_BROKER_URL")
        return
    except redis.AuthenticationError:
        yield fail(
            f"{where} refuses the password",
            "Put Redis' requirepass into REGISTRAR_BROKER_URL: redis://:PASSWORD@HOST/0",
        )
        return
    except redis.ResponseError as error:
        yield fail(
            f"{where} answers: {str(error)[:200]}", "Give Registrar's user the rights, or wait while Redis is loading"
        )
        return
    except (redis.RedisError, OSError, ValueError) as error:
        yield fail(f"{where} does not answer ({str(error)[:200]})", _ADVICE)
        return
    yield from _check_version(where, str(info.get("redis_version", "?")))
    yield from _check_durability(where, info)
    yield from _check_queue(client)


def connect(url: str) -> redis.Redis:
    """Return a client of Redis, or of Sentinels' current master, that tries once and waits at most PATIENCE.

    Raises ValueError for any other address.
    """
    broker = Broker.parse(url)
    limits: dict[str, Any] = {
        "socket_timeout": PATIENCE,
        "socket_connect_timeout": PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    if broker.master_name and broker.rate_url:
        addresses = urlsplit(broker.rate_url).netloc.split(",")
        hosts = [(host, int(port)) for host, _, port in (address.rpartition(":") for address in addresses)]
        sentinels: Any = Sentinel(hosts, sentinel_kwargs=limits)  # type: ignore[no-untyped-call]
        master: redis.Redis = sentinels.master_for(broker.master_name, **limits, **broker.rate_options)
        return master
    client: redis.Redis = redis.Redis.from_url(url.replace("redis+socket://", "unix://", 1), **limits)
    return client


def _check_rabbitmq(url: str) -> Iterator[Finding]:
    """Check only that RabbitMQ answers."""
    try:
        with celery_app(url, timeout=PATIENCE, patient=False).connection_for_write() as connection:
            connection.ensure_connection(max_retries=0, timeout=int(PATIENCE))
    except (OperationalError, OSError, ValueError, KeyError) as error:
        yield fail(f"{without_login(url)} does not answer ({type(error).__name__})", _ADVICE)
        return
    yield ok(f"{without_login(url)} answers")


def _check_version(where: str, version: str) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        yield warn(f"Redis {version} is no longer maintained", "Upgrade to 7.2 or newer")
    yield ok(f"{where} answers, Redis {version}")


def _check_durability(where: str, info: dict[str, Any]) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        advice = "CONFIG SET maxmemory-policy noeviction, and set it in redis.conf too"
        yield warn(f"maxmemory-policy is {policy}: Redis may drop task messages", advice)
    if not info.get("aof_enabled"):
        advice = "Set appendonly yes in redis.conf; without it the sweep must publish lost messages again"
        yield warn("appendonly is off: a restart of Redis loses task messages", advice)
    elif info.get("aof_last_write_status", "ok") != "ok":
        yield fail("Redis can't write its append-only file", "Is its disk full? See its log")
    if info.get("role") == "slave":
        yield fail(f"{where} is a replica, which takes no writes", "Name the primary in REGISTRAR_BROKER_URL")


def _check_queue(client: redis.Redis) -> Iterator[Finding]:
    try:
        waiting, taken = int(client.llen(QUEUE)), int(client.hlen("unacked"))
    except (redis.RedisError, OSError) as error:
        yield warn(f"the queue can't be read ({str(error)[:100]})", "Give Registrar's user the rights to its keys")
        return
    messages = plural(waiting, "task message waits", "task messages wait")
    seen = f"{messages}, {taken} with workers (delivered again after {VISIBILITY_TIMEOUT} s)"
    if waiting > _LONG:
        yield warn(seen, "Workers don't keep up: is a worker up? docs/how-to/operations.md says how to add more")
    else:
        yield ok(seen)
