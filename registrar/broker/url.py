"""Parse the broker's URL into settings of Celery and of the rate limiter: Redis, Redis with Sentinel, or RabbitMQ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from registrar.errors import UserError

VISIBILITY_TIMEOUT = 60  # seconds
HEARTBEAT = 6  # seconds; after two missed ones, RabbitMQ and worker drop the connection. Below 5 come false alarms
SENTINEL_PORT = 26379
_REDIS = {"redis": "redis", "rediss": "rediss", "redis+socket": "redis+unix"}  # kombu's scheme: that of `limits`
_AMQP = frozenset({"amqp", "amqps", "pyamqp"})
# Replacements for kombu's transports, by a URL's scheme. Celery's `broker_transport` would not do: with several hosts,
# kombu takes the transport of each from its URL.
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
    """The URL is no supported broker's; the message shows what one looks like."""

    exit_code = 2


@dataclass(frozen=True)
class Broker:
    """kind: redis, sentinel, amqp or memory. url: kombu's; several are joined by `;`.

    rate_url: the URL for `limits`, with rate_options; None: there is no Redis.
    """

    kind: str
    url: str = field(repr=False)
    rate_url: str | None = field(default=None, repr=False)
    rate_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    master_name: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL. Raises BrokerUrlError."""
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
        """Give all hosts the first one's login and the last one's database: kombu takes them from each URL."""
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
        """Return the Celery settings that depend on the broker. timeout: seconds to wait for an answer of the broker.

        patient False: try to connect once, as somebody waits; else kombu tries for 6 s.
        """
        retries = {} if patient else {"max_retries": 0}
        if self.kind == "amqp":
            # Publishing over a dead connection waits three times: for the confirmation, and for two connections.
            return self._amqp(
                timeout if patient else timeout / 2, heartbeat=HEARTBEAT if patient else 0, retries=retries
            )
        # Without socket timeouts a half-open connection hangs both sides for ever; without the short restore interval
        # a message of a killed worker is delivered again only after 60 + 100 s.
        options = {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_keepalive": True,
            "health_check_interval": 5,  # a worker reconnects when its BRPOP was not answered for 6 to 11 s
            "priority_steps": [0],
            **patience(timeout),
        }
        if self.master_name:
            # Without this, redis-py asks a Sentinel that is down eleven times, with pauses, before the next one.
            sentinel_options = {**patience(timeout), "retry": None}
            options |= {"master_name": self.master_name, "sentinel_kwargs": sentinel_options}
        return {"task_publish_retry": False, "broker_transport_options": options | retries}

    def _amqp(self, timeout: float, *, heartbeat: int, retries: Mapping[str, int]) -> dict[str, Any]:
        return {
            "broker_connection_timeout": timeout,
            "broker_heartbeat": heartbeat,
            "broker_transport_options": {"confirm_publish": True, "answer_timeout": timeout, **retries},
            # RabbitMQ closes idle connections, which shows only when the next message is published.
            "task_publish_retry": True,
            "task_publish_retry_policy": {"max_retries": 1, **dict.fromkeys(_PAUSES, 0)},
            "task_default_queue_type": "quorum",  # in a cluster such a queue outlives any one node
        }


def patience(timeout: float) -> dict[str, float]:
    """Return redis-py's timeouts. timeout: seconds."""
    return {"socket_timeout": timeout, "socket_connect_timeout": min(timeout, 2.0)}


def _verified(url: str) -> str:
    """Make kombu verify certificates, which it does not by default; redis-py does, for the rate limiter."""
    if not url.startswith("rediss:") or "ssl_" in urlsplit(url).query:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def _host(part: SplitResult) -> str | None:
    """Return HOST:PORT; None: it has no valid one."""
    address = part.netloc.rpartition("@")[2]
    try:
        return f"{address}:{SENTINEL_PORT}" if part.hostname and part.port is None else address or None
    except ValueError:
        return None
