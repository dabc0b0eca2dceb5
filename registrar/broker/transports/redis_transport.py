"""kombu's Redis transport, with messages forgotten when their acknowledgement fails.

kombu counts a message as taken until Redis confirms its acknowledgement (kombu/transport/redis.py, QoS.ack), and Celery
goes on when that fails. After as many failures as a worker takes messages at once, the worker would ask for no more,
and not notice that its connection is gone: it would be alive, and idle for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """A message that is not acknowledged is delivered again, and then finds no task to claim."""

    def ack(self, delivery_tag: str) -> None:
        with self._forget_on_error(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        with self._forget_on_error(delivery_tag):
            super().reject(delivery_tag, requeue=requeue)

    @contextmanager
    def _forget_on_error(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    """The transport of the schemes redis and rediss (registrar/broker/url.py)."""

    Channel = Channel


class SentinelChannel(redis.SentinelChannel):
    QoS = QoS


class SentinelTransport(redis.SentinelTransport):
    """The transport of the scheme sentinel."""

    Channel = SentinelChannel
