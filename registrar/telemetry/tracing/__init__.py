"""OpenTelemetry spans, from a sender's request to the calls to MLflow.

No trace ids are stored: the ids of an event's trace and of its first span are computed from the event's id, so that
every process that works on the event adds to the same trace. OpenTelemetry is imported only where start() finds an OTLP
address in the settings.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from typing import Protocol, cast

from registrar.config.settings import Settings
from registrar.errors import UserError

Attributes = Mapping[str, str | int | float | bool]


class TracingUnavailable(UserError, RuntimeError):
    """An OTLP address is set, and OpenTelemetry is not installed."""

    exit_code = 2


class Tracer(Protocol):
    """began, ended: nanoseconds since 1970. sender: the request's traceparent, which the event's trace is linked to."""

    def accepted(
        self, name: str, event_id: str, attributes: Attributes, *, began: int, ended: int, sender: str | None
    ) -> None: ...
    def task(self, name: str, event_id: str, attributes: Attributes) -> AbstractContextManager[None]: ...
    def call(self, name: str) -> AbstractContextManager[None]: ...
    def stop(self) -> None: ...


class _Process:
    """Holds the tracer of the process; None: tracing is off."""

    tracer: Tracer | None = None


def start(settings: Settings, part: str) -> None:
    """Start tracing, if an OTLP address is set. part: receiver or worker. Raises TracingUnavailable."""
    if not settings.watching.tracing or _Process.tracer:
        return
    try:
        opened = importlib.import_module("registrar.telemetry.tracing.otel")
    except ModuleNotFoundError as error:
        raise TracingUnavailable(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is not installed: "
            'pip install "mlflow-registrar[tracing]", or set OTEL_SDK_DISABLED=true'
        ) from None
    _Process.tracer = cast("Tracer", opened.Spans(part))


def stop() -> None:
    """Send the remaining spans, for some seconds at most, and stop tracing."""
    tracer, _Process.tracer = _Process.tracer, None
    if tracer:
        tracer.stop()


def on() -> bool:
    return _Process.tracer is not None


def trace_of(event_id: str) -> str | None:
    """Return the id of an event's trace, 32 hexadecimal digits; None: tracing is off."""
    return ids(event_id)[0] if _Process.tracer else None


def ids(event_id: str) -> tuple[str, str]:
    """Return the ids of an event's trace and of its first span, as 32 and 16 hexadecimal digits."""
    digest = sha256(event_id.encode()).hexdigest()
    return digest[:32], digest[32:48]


def accepted(
    name: str, event_ids: Sequence[str], attributes: Attributes, *, began: int, ended: int, sender: str | None = None
) -> None:
    """Record an accepted request: the first span of each event's trace."""
    if _Process.tracer:
        for event_id in event_ids:
            _Process.tracer.accepted(
                name, event_id, {**attributes, "registrar.event": event_id}, began=began, ended=ended, sender=sender
            )


def task(name: str, event_id: str, attributes: Attributes) -> AbstractContextManager[None]:
    """Trace the block as an attempt at a task of an event; calls within belong to it."""
    return _Process.tracer.task(name, event_id, attributes) if _Process.tracer else nullcontext()


@contextmanager
def call(name: str) -> Iterator[None]:
    """Trace the block as a call to another system. Without effect outside of a task."""
    if _Process.tracer is None:
        yield
        return
    with _Process.tracer.call(name):
        yield
