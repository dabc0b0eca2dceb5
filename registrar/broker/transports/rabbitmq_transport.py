"""kombu's RabbitMQ transport with a timeout for every answer.

py-amqp's read_timeout ends no wait: its read goes on after EAGAIN (amqp/transport.py, TCPTransport._read), so that
opening a channel, declaring a queue or awaiting a confirmation over a half-open connection would take for ever.
"""

from typing import Any

from kombu.transport import pyamqp


class Connection(pyamqp.Connection):
    """A connection that waits answer_timeout seconds for each answer."""

    def __init__(self, *, answer_timeout: float, **options: Any) -> None:
        super().__init__(**{"write_timeout": answer_timeout, **options})
        self._answer_timeout = answer_timeout

    def drain_events(self, timeout: float | None = None) -> Any:
        """Wait for an answer. Raises TimeoutError."""
        return super().drain_events(timeout=self._answer_timeout if timeout is None else timeout)


class Transport(pyamqp.Transport):
    """The transport of the schemes amqp and pyamqp (registrar/broker/url.py)."""

    Connection = Connection
    driver_type = "rabbitmq"  # for "amqp" with a quorum queue, Celery declares 28 more queues, for countdowns

    def qos_semantics_matches_spec(self, connection: Any) -> bool:
        """Make Celery limit the messages per consumer, and not per connection: quorum queues know only the former."""
        return True


class SSLTransport(Transport, pyamqp.SSLTransport):
    """The transport of the scheme amqps. Checks that the certificate is of the URL's host, which py-amqp does not."""

    def establish_connection(self) -> Any:
        connection: Any = self.client
        hostname = connection.hostname
        connection.ssl = {"server_hostname": hostname}
        try:
            return super().establish_connection()
        finally:
            connection.hostname = hostname  # kombu replaces localhost by 127.0.0.1, which no certificate need name
