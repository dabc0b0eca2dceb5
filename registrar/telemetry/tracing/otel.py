"""OpenTelemetry behind registrar.telemetry.tracing: loaded where an OTLP address is set, and nowhere else.

It reads OTEL_EXPORTER_OTLP_ENDPOINT and all the others of its own variables itself:
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

from registrar.telemetry.tracing import Said, ids

_GIVEN: ContextVar[tuple[int, int] | None] = ContextVar("given", default=None)


class _Ids(RandomIdGenerator):
    """Of an event's first span: as given. Of all others: by chance."""

    def generate_trace_id(self) -> int:
        given = _GIVEN.get()
        return given[0] if given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        given = _GIVEN.get()
        return given[1] if given else super().generate_span_id()


class Spans:
    """registrar.telemetry.tracing.Tracer. exporter: where they go; by default over HTTP, where the environment says."""

    def __init__(self, part: str, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create()  # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are in there
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: f"registrar-{part}"}))
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("registrar")

    def accepted(self, name: str, event_id: str, said: Said, *, began: int, ended: int, sender: str | None) -> None:
        token = _GIVEN.set(_numbers(event_id))
        try:
            span = self._tracer.start_span(
                name,
                context=Context(),
                kind=SpanKind.SERVER,
                attributes=dict(said),
                links=_links(sender),
                start_time=began,
            )
        finally:
            _GIVEN.reset(token)
        span.end(ended)

    @contextmanager
    def task(self, name: str, event_id: str, said: Said) -> Iterator[None]:
        first = self._first(event_id)
        with _named_error(self._started(name, SpanKind.CONSUMER, first, said)):
            yield

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        if not get_current_span().get_span_context().is_valid:
            yield
            return
        with _named_error(self._started(name, SpanKind.CLIENT)):
            yield

    def _started(
        self, name: str, kind: SpanKind, within: Context | None = None, said: Said | None = None
    ) -> AbstractContextManager[Span]:
        return self._tracer.start_as_current_span(
            name, within, kind, dict(said or {}), record_exception=False, set_status_on_exception=False
        )

    def stop(self) -> None:
        self._provider.force_flush(3000)
        self._provider.shutdown()

    def _first(self, event_id: str) -> Context:
        """The span that the receiver made, or left away: whoever decides by the trace's id decides the same here."""
        trace, span = _numbers(event_id)
        decided = self._provider.sampler.should_sample(None, trace, "").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decided is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
        return set_span_in_context(NonRecordingSpan(SpanContext(trace, span, is_remote=True, trace_flags=flags)))


@contextmanager
def _named_error(started: AbstractContextManager[Span]) -> Iterator[None]:
    """An error is told by its kind alone: what it says may quote what is not to be told."""
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
    """Not its parent: an event may come again, from somewhere else, and is worked on long after the request."""
    if sender is None:
        return []
    heard = TraceContextTextMapPropagator().extract({"traceparent": sender}, Context(), DefaultGetter())
    context = get_current_span(heard).get_span_context()
    return [Link(context)] if context.is_valid else []
