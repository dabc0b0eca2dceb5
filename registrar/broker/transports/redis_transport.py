"""Redis's transport, of which a worker's hands become free where an acknowledgement fails.

To kombu a message is in a worker's hands until Redis was told that it is done (kombu/transport/redis.py, QoS.ack), and
Celery goes on where Redis can't be told. Once that was so of as many as a worker takes at once, it asked for no more;
and as nobody listens on its link then, it did not see that this is gone: it lived, and did nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """What Redis was not told comes again: a bell that finds nothing to claim."""

    def ack(self, delivery_tag: str) -> None:
        with self._out_of_hand(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        with self._out_of_hand(delivery_tag):
            super().reject(delivery_tag, requeue=requeue)

    @contextmanager
    def _out_of_hand(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    """Of the schemes redis and rediss (registrar/broker/url.py)."""

    Channel = Channel


class SentinelChannel(redis.SentinelChannel):
    QoS = QoS


class SentinelTransport(redis.SentinelTransport):
    """Of the scheme sentinel."""

    Channel = SentinelChannel
