"""RabbitMQ's protocol with an end to all waiting.

py-amqp's read_timeout ends no wait: its read goes on after EAGAIN (amqp/transport.py, TCPTransport._read), so opening a
channel, declaring a queue or awaiting a confirmation over a half-open link would take for ever.
"""

from typing import Any

from kombu.transport import pyamqp


class Connection(pyamqp.Connection):
    """answer_timeout: seconds."""

    def __init__(self, *, answer_timeout: float, **options: Any) -> None:
        super().__init__(**{"write_timeout": answer_timeout, **options})
        self._answer_timeout = answer_timeout

    def drain_events(self, timeout: float | None = None) -> Any:
        """Raises TimeoutError."""
        return super().drain_events(timeout=self._answer_timeout if timeout is None else timeout)


class Transport(pyamqp.Transport):
    """Of the schemes amqp and pyamqp (registrar/broker/url.py)."""

    Connection = Connection
    driver_type = "rabbitmq"  # of "amqp" with a quorum queue Celery declares 28 more, for countdowns

    def qos_semantics_matches_spec(self, connection: Any) -> bool:
        """So Celery bounds what a consumer holds, not what all of a connection do: quorum queues know only that."""
        return True


class SSLTransport(Transport, pyamqp.SSLTransport):
    """Of the scheme amqps. Whoever answers must be the host of the URL: py-amqp alone believes any name."""

    def establish_connection(self) -> Any:
        connection: Any = self.client
        named = connection.hostname
        connection.ssl = {"server_hostname": named}
        try:
            return super().establish_connection()
        finally:
            connection.hostname = named  # kombu has 127.0.0.1 for localhost, of which its certificate need not be
