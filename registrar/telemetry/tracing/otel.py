"""The Tracer of registrar.telemetry.tracing by OpenTelemetry's SDK, imported only where an OTLP address is set.

The SDK reads OTEL_EXPORTER_OTLP_ENDPOINT and its other variables itself:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import DefaultGetter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from registrar.telemetry.tracing import Attributes, ids

_FIRST_SPAN: ContextVar[tuple[int, int] | None] = ContextVar("given", default=None)


class _Ids(RandomIdGenerator):
    """Generate random ids, except for an event's first span."""

    def generate_trace_id(self) -> int:
        first = _FIRST_SPAN.get()
        return first[0] if first else super().generate_trace_id()

    def generate_span_id(self) -> int:
        first = _FIRST_SPAN.get()
        return first[1] if first else super().generate_span_id()


class Spans:
    """Implements Tracer. exporter: by default OTLP over HTTP, to the address in the environment."""

    def __init__(self, part: str, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create()  # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are in there
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: f"registrar-{part}"}))
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("registrar")

    def accepted(
        self, name: str, event_id: str, attributes: Attributes, *, began: int, ended: int, sender: str | None
    ) -> None:
        token = _FIRST_SPAN.set(_numbers(event_id))
        try:
            span = self._tracer.start_span(
                name,
                context=Context(),
                kind=SpanKind.SERVER,
                attributes=dict(attributes),
                links=_links(sender),
                start_time=began,
            )
        finally:
            _FIRST_SPAN.reset(token)
        span.end(ended)

    @contextmanager
    def task(self, name: str, event_id: str, attributes: Attributes) -> Iterator[None]:
        first = self._first(event_id)
        with _named_error(self._started(name, SpanKind.CONSUMER, first, attributes)):
            yield

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        if not get_current_span().get_span_context().is_valid:
            yield
            return
        with _named_error(self._started(name, SpanKind.CLIENT)):
            yield

    def _started(
        self, name: str, kind: SpanKind, within: Context | None = None, attributes: Attributes | None = None
    ) -> AbstractContextManager[Span]:
        return self._tracer.start_as_current_span(
            name, within, kind, dict(attributes or {}), record_exception=False, set_status_on_exception=False
        )

    def stop(self) -> None:
        self._provider.force_flush(3000)
        self._provider.shutdown()

    def _first(self, event_id: str) -> Context:
        """Return the context of the receiver's span. A sampler that goes by trace ids decides the same here."""
        trace, span = _numbers(event_id)
        decided = self._provider.sampler.should_sample(None, trace, "").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decided is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
        return set_span_in_context(NonRecordingSpan(SpanContext(trace, span, is_remote=True, trace_flags=flags)))


@contextmanager
def _named_error(started: AbstractContextManager[Span]) -> Iterator[None]:
    """Record the class of an error, and not its message, which may quote secrets."""
    with started as span:
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _numbers(event_id: str) -> tuple[int, int]:
    trace, span = ids(event_id)
    return int(trace, 16), int(span, 16)


def _links(sender: str | None) -> list[Link]:
    """Link to the sender's span. It is no parent: the event may be sent again, and tasks run long after the request."""
    if sender is None:
        return []
    extracted = TraceContextTextMapPropagator().extract({"traceparent": sender}, Context(), DefaultGetter())
    context = get_current_span(extracted).get_span_context()
    return [Link(context)] if context.is_valid else []
