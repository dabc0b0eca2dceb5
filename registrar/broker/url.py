"""The broker's URL, and what Celery and the rate limiter each make of it: Redis, Redis behind Sentinel, or RabbitMQ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from registrar.errors import UserError

VISIBILITY_TIMEOUT = 60  # seconds
HEARTBEAT = 6  # seconds; RabbitMQ and worker each miss two, and take the link for dead. Below 5 is false alarm
SENTINEL_PORT = 26379
_REDIS = {"redis": "redis", "rediss": "rediss", "redis+socket": "redis+unix"}  # kombu's scheme: that of `limits`
_AMQP = frozenset({"amqp", "amqps", "pyamqp"})
# kombu's by a URL's scheme, ours in their places. Not by Celery's `broker_transport`: of several hosts, kombu takes the
# next one's from its URL.
TRANSPORTS = {
    "amqp": "registrar.broker.transports.rabbitmq_transport:Transport",
    "pyamqp": "registrar.broker.transports.rabbitmq_transport:Transport",
    "amqps": "registrar.broker.transports.rabbitmq_transport:SSLTransport",
    "redis": "registrar.broker.transports.redis_transport:Transport",
    "rediss": "registrar.broker.transports.redis_transport:Transport",
    "sentinel": "registrar.broker.transports.redis_transport:SentinelTransport",
}
_PAUSES = ("interval_start", "interval_step", "interval_max")
_IN_PROCESS = "memory"  # for tests in one process
_SENTINEL = "sentinel://HOST:26379;sentinel://HOST2:26379/0?master_name=NAME"


class BrokerUrlError(UserError, ValueError):
    """The URL names no broker that we can use; the message says what one looks like."""

    exit_code = 2


@dataclass(frozen=True)
class Broker:
    """kind: redis, sentinel, amqp or memory. url: for kombu, several are joined by `;`.

    rate_url: for `limits`, with rate_options; None where there is no Redis.
    """

    kind: str
    url: str = field(repr=False)
    rate_url: str | None = field(default=None, repr=False)
    rate_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    master_name: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises BrokerUrlError."""
        scheme = url.partition("://")[0]
        if scheme in _REDIS:
            verified = ";".join(_verified(part) for part in url.split(";"))
            return cls("redis", verified, f"{_REDIS[scheme]}://{url.partition(';')[0].partition('://')[2]}")
        if scheme in _AMQP:
            return cls("amqp", url)
        if scheme == _IN_PROCESS:
            return cls(scheme, url)
        if scheme == "sentinel":
            return cls._sentinel([urlsplit(part) for part in url.split(";")])
        shapes = f"redis://HOST:6379/0, {_SENTINEL}, amqp://USER:PASSWORD@HOST:5672//"
        raise BrokerUrlError(f"no broker is spoken to by {scheme[:20]!r}; a broker's URL is such as {shapes}")

    @classmethod
    def _sentinel(cls, parts: list[SplitResult]) -> Self:
        """The first one's login and the last one's database count for all: kombu asks each Sentinel with its own."""
        query = dict(parse_qsl(parts[-1].query))
        master = query.pop("master_name", "")
        database = parts[-1].path.strip("/") or "0"
        hosts = [_host(part) for part in parts if part.scheme == "sentinel"]
        if not master or not database.isdecimal() or None in hosts or len(hosts) < len(parts):
            raise BrokerUrlError(
                f"each Sentinel has its scheme, the last one a database's number and the master's name: {_SENTINEL}"
            )
        login = parts[0].netloc.rpartition("@")[0]
        front, tail = f"sentinel://{login}@" if login else "sentinel://", f"?{urlencode(query)}" if query else ""
        return cls(
            "sentinel",
            ";".join(f"{front}{host}/{database}{tail}" for host in hosts),
            f"redis+sentinel://{','.join(map(str, hosts))}/{master}",
            {
                "db": int(database),
                "username": unquote(parts[0].username or "") or None,
                "password": unquote(parts[0].password or "") or None,
            },
            master,
        )

    def settings(self, *, timeout: float, patient: bool) -> dict[str, Any]:
        """Celery's, as far as they depend on the broker. timeout: seconds that it may keep us waiting for an answer.

        patient False: one try to connect, for those who have somebody waiting. Else kombu tries for 6 s.
        """
        tries = {} if patient else {"max_retries": 0}
        if self.kind == "amqp":
            # What is published over a dead link takes three waits: for the confirmation, and for two connections.
            return self._amqp(timeout if patient else timeout / 2, heartbeat=HEARTBEAT if patient else 0, tries=tries)
        # Without socket timeouts a half-open link hangs both sides for ever; without the short restore interval a
        # message of a killed worker comes back after 60 + 100 s.
        options = {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_keepalive": True,
            "health_check_interval": 5,  # a worker leaves a link on which its BRPOP was not answered for 6 to 11 s
            "priority_steps": [0],
            **patience(timeout),
        }
        if self.master_name:
            # redis-py asks a Sentinel that is down eleven times, with pauses, before it turns to the next.
            asking = {**patience(timeout), "retry": None}
            options |= {"master_name": self.master_name, "sentinel_kwargs": asking}
        return {"task_publish_retry": False, "broker_transport_options": options | tries}

    def _amqp(self, timeout: float, *, heartbeat: int, tries: Mapping[str, int]) -> dict[str, Any]:
        return {
            "broker_connection_timeout": timeout,
            "broker_heartbeat": heartbeat,
            "broker_transport_options": {"confirm_publish": True, "answer_timeout": timeout, **tries},
            # RabbitMQ hangs up on a connection that was silent for long, and we learn of it when we speak.
            "task_publish_retry": True,
            "task_publish_retry_policy": {"max_retries": 1, **dict.fromkeys(_PAUSES, 0)},
            "task_default_queue_type": "quorum",  # in a cluster such a queue outlives any one node
        }


def patience(timeout: float) -> dict[str, float]:
    """redis-py's. timeout: seconds."""
    return {"socket_timeout": timeout, "socket_connect_timeout": min(timeout, 2.0)}


def _verified(url: str) -> str:
    """kombu looks at no certificate where nothing is said of it; redis-py does, for the rate limiter."""
    if not url.startswith("rediss:") or "ssl_" in urlsplit(url).query:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def _host(part: SplitResult) -> str | None:
    """HOST:PORT; None where it is none."""
    place = part.netloc.rpartition("@")[2]
    try:
        return f"{place}:{SENTINEL_PORT}" if part.hostname and part.port is None else place or None
    except ValueError:
        return None
