"""The broker: it answers, forgets nothing by itself, and its queue is emptied."""

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

_OLDEST = (6, 2)
_LONG = 1000  # messages; a worker takes them by the dozen a second
_ADVICE = "Is it up, and REGISTRAR_BROKER_URL right? What is accepted meanwhile is kept, and done when it is back"


def look(site: DoctorContext) -> Iterator[Finding]:
    url = site.settings.broker_url
    where = without_login(url)
    try:
        broker = Broker.parse(url)
        if broker.kind == "amqp":
            yield from _rabbitmq(url)
            return
        client = connect(url)
        client.ping()
        said: dict[str, Any] = client.info()
    except BrokerUrlError as error:
        yield fail(f"REGISTRAR_BROKER_URL: {error}", "Correct it")
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
    yield from _version(where, str(said.get("redis_version", "?")))
    yield from _durability(said, client)
    yield from _queue(client)


def connect(url: str) -> redis.Redis:
    """A client of Redis, or of the master that Sentinels name, that waits for PATIENCE and tries once.

    Raises ValueError for what is no address of either.
    """
    broker = Broker.parse(url)
    patient: dict[str, Any] = {
        "socket_timeout": PATIENCE,
        "socket_connect_timeout": PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    if broker.master_name and broker.rate_url:
        places = urlsplit(broker.rate_url).netloc.split(",")
        hosts = [(host, int(port)) for host, _, port in (place.rpartition(":") for place in places)]
        sentinels: Any = Sentinel(hosts, sentinel_kwargs=patient)  # type: ignore[no-untyped-call]
        master: redis.Redis = sentinels.master_for(broker.master_name, **patient, **broker.rate_options)
        return master
    client: redis.Redis = redis.Redis.from_url(url.replace("redis+socket://", "unix://", 1), **patient)
    return client


def _rabbitmq(url: str) -> Iterator[Finding]:
    """Whether it answers is all that is asked."""
    try:
        with celery_app(url, timeout=PATIENCE, patient=False).connection_for_write() as connection:
            connection.ensure_connection(max_retries=0, timeout=int(PATIENCE))
    except (OperationalError, OSError, ValueError, KeyError) as error:
        yield fail(f"{without_login(url)} does not answer ({type(error).__name__})", _ADVICE)
        return
    yield ok(f"{without_login(url)} answers")


def _version(where: str, version: str) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        yield warn(f"Redis {version} gets no repairs any more", "Upgrade to 7.2 or newer")
    yield ok(f"{where} answers, Redis {version}")


def _durability(said: dict[str, Any], client: redis.Redis) -> Iterator[Finding]:
    policy = said.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        advice = "CONFIG SET maxmemory-policy noeviction, and in redis.conf: a full Redis should say so"
        yield warn(f"maxmemory-policy is {policy}: Redis may drop task messages", advice)
    if not said.get("aof_enabled"):
        advice = (
            "appendonly yes in redis.conf; without it a restart of Redis loses messages, and the sweep sends them again"
        )
        yield warn("appendonly is off: a restart forgets the queue", advice)
    elif said.get("aof_last_write_status", "ok") != "ok":
        yield fail("Redis can't write its append-only file", "Is its disk full? Look into its log")
    if said.get("role") == "slave":
        yield fail("it is a replica, which takes no writes", "Name the primary in REGISTRAR_BROKER_URL")


def _queue(client: redis.Redis) -> Iterator[Finding]:
    try:
        waiting, taken = int(client.llen(QUEUE)), int(client.hlen("unacked"))
    except (redis.RedisError, OSError) as error:
        yield warn(f"the queue can't be looked at ({str(error)[:100]})", "Give Registrar's user the rights to its keys")
        return
    messages = plural(waiting, "task message waits", "task messages wait")
    seen = f"{messages}, {taken} with workers (delivered again after {VISIBILITY_TIMEOUT} s)"
    if waiting > _LONG:
        yield warn(seen, "Nobody empties the queue fast enough: is a worker up? More: see docs/how-to/operations.md")
    else:
        yield ok(seen)
