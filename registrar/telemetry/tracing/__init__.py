"""Spans of what is done, by OpenTelemetry, from a sender's request to the call to MLflow.

Nothing is kept for it: an event's trace and its first span have ids that are made of the event's own, so whoever works
on the event, wherever and whenever, adds to the same trace. Off, and nothing of OpenTelemetry is imported, until
start() finds an OTLP address in the settings.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from typing import Protocol, cast

from registrar.config.settings import Settings
from registrar.errors import UserError

Said = Mapping[str, str | int | float | bool]


class TracingUnavailable(UserError, RuntimeError):
    """An OTLP address is set, and OpenTelemetry is not installed."""

    exit_code = 2


class Tracer(Protocol):
    """began, ended: nanoseconds since 1970. sender: the request's traceparent, which the event's trace is linked to."""

    def accepted(self, name: str, event_id: str, said: Said, *, began: int, ended: int, sender: str | None) -> None: ...
    def task(self, name: str, event_id: str, said: Said) -> AbstractContextManager[None]: ...
    def call(self, name: str) -> AbstractContextManager[None]: ...
    def stop(self) -> None: ...


class _Holder:
    """Of the process; what takes part in a trace is told of nothing else."""

    tracer: Tracer | None = None


def start(settings: Settings, part: str) -> None:
    """part: receiver or worker. Raises TracingUnavailable."""
    if not settings.watching.tracing or _Holder.tracer:
        return
    try:
        opened = importlib.import_module("registrar.telemetry.tracing.otel")
    except ModuleNotFoundError as error:
        raise TracingUnavailable(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is not installed: "
            'pip install "mlflow-registrar[tracing]", or set OTEL_SDK_DISABLED=true'
        ) from None
    _Holder.tracer = cast("Tracer", opened.Spans(part))


def stop() -> None:
    """What was not sent yet is sent, for some seconds at most."""
    tracer, _Holder.tracer = _Holder.tracer, None
    if tracer:
        tracer.stop()


def on() -> bool:
    return _Holder.tracer is not None


def trace_of(event_id: str) -> str | None:
    """The id of an event's trace, 32 hexadecimal digits; None while there is none."""
    return ids(event_id)[0] if _Holder.tracer else None


def ids(event_id: str) -> tuple[str, str]:
    """Of the trace, and of its first span, as hexadecimal digits: 32 and 16."""
    digest = sha256(event_id.encode()).hexdigest()
    return digest[:32], digest[32:48]


def accepted(
    name: str, event_ids: Sequence[str], said: Said, *, began: int, ended: int, sender: str | None = None
) -> None:
    """A request was accepted: the first span of each event's trace."""
    if _Holder.tracer:
        for event_id in event_ids:
            _Holder.tracer.accepted(
                name, event_id, {**said, "registrar.event": event_id}, began=began, ended=ended, sender=sender
            )


def task(name: str, event_id: str, said: Said) -> AbstractContextManager[None]:
    """An attempt at a task of an event: what is called within is part of it."""
    return _Holder.tracer.task(name, event_id, said) if _Holder.tracer else nullcontext()


@contextmanager
def call(name: str) -> Iterator[None]:
    """A call to another system, within a task; elsewhere it is none's."""
    if _Holder.tracer is None:
        yield
        return
    with _Holder.tracer.call(name):
        yield
