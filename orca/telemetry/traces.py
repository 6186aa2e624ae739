"""Spans, and how they hang together across processes.

One deploy is one trace: the CLI starts it, and every message on the way to the container carries the
`traceparent` of the span it belongs to. Nothing is instrumented behind anybody's back; a span is where
`span(…)` stands in the code.

Without an endpoint nothing is sent, but ids are made all the same, so that the log lines, events and
revision of one deploy can be found by its trace id. Spans of a deploy are few: there is no sampling.

Importing this module imports OpenTelemetry (0.1 s): commands that trace nothing use `traceparent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from orca import errors
from orca.telemetry import traceparent
from orca.telemetry.span_queue import SpanQueue
from orca.telemetry.traceparent import TraceParent

Attribute = str | bool | int | float
Redact = Callable[[str], str]

EXPORT_TIMEOUT_SECONDS = 5.0
OTLP_PORT = 4317


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Who traces, and where to."""

    program: str
    """`orca-server`, `orca-node`, `orca-cli`: OpenTelemetry's `service.name`."""
    endpoint: str = ""
    """OTLP over gRPC: `http://host:4317`, or `https://…` for TLS; empty sends nothing."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further facts about the process: cluster, node, version."""


class ActiveSpan:
    """A span while its `with` block runs."""

    def __init__(self, span: Span, *, redact: Redact) -> None:
        self._span = span
        self._redact = redact
        context = span.get_span_context()
        self.traceparent = TraceParent(
            trace_id=f"{context.trace_id:032x}",
            span_id=f"{context.span_id:016x}",
            sampled=bool(context.trace_flags.sampled),
        )

    @property
    def trace_id(self) -> str:
        return self.traceparent.trace_id

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Add facts that were not known at its beginning."""
        self._span.set_attributes(self._clean(attributes))

    def event(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> None:
        """Mark a moment within the span."""
        self._span.add_event(name, self._clean(attributes or {}))

    def fail(self, error: BaseException) -> None:
        """Mark the span as failed; a `with` block left by an exception does it by itself."""
        kind = error.kind if isinstance(error, errors.OrcaError) else type(error).__name__
        self._span.set_status(Status(StatusCode.ERROR, self._redact(f"{kind}: {error}")))

    def _clean(self, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        return {
            key: self._redact(value) if isinstance(value, str) else value
            for key, value in attributes.items()
        }


class Tracing:
    """Makes spans for one process and sends them where its settings say."""

    def __init__(
        self,
        settings: TraceSettings,
        *,
        redact: Redact = str,
        processor: SpanProcessor | None = None,
    ) -> None:
        """`processor` takes the finished spans instead of the endpoint's queue.

        Raises `errors.UserError` for an endpoint that is none.
        """
        self._redact = redact
        self._queue = _queue_to(settings.endpoint) if settings.endpoint else None
        resource = Resource({"service.name": settings.program, **dict(settings.attributes)})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False
        )
        taker = processor or self._queue
        if taker is not None:
            self._provider.add_span_processor(taker)
        self._tracer = self._provider.get_tracer("orca")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[ActiveSpan]:
        """A span around the `with` block, failed when an exception leaves it.

        `parent` is a `traceparent` that came with a message; without one the span of the running task
        is the parent. A malformed parent begins a new trace: what a stranger sends stops no deploy.
        """
        above = traceparent.current.get() if parent is None else traceparent.parse(parent)
        span = self._tracer.start_span(name, context=_context(above), kind=kind)
        active = ActiveSpan(span, redact=self._redact)
        active.set(attributes or {})
        token = traceparent.current.set(active.traceparent)
        try:
            yield active
        except BaseException as error:
            active.fail(error)
            raise
        finally:
            traceparent.current.reset(token)
            span.end()

    @property
    def spans_dropped(self) -> int:
        """Spans that were made and could not be sent."""
        return self._queue.dropped if self._queue else 0

    def statistics(self) -> dict[str, int]:
        return self._queue.statistics() if self._queue else {}

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until finished spans were sent; False when that took too long."""
        return self._provider.force_flush(int(timeout_seconds * 1000))

    def shutdown(self) -> None:
        """Send what is left, within `span_queue.SHUTDOWN_SECONDS`, and stop."""
        self._provider.shutdown()


_active: Tracing | None = None


def configure(settings: TraceSettings, *, redact: Redact = str) -> Tracing:
    """Make `span` of this module use new settings; what was active before is shut down.

    Raises `errors.UserError` for an endpoint that is none; then nothing has changed.
    """
    global _active
    fresh = Tracing(settings, redact=redact)
    before, _active = _active, fresh
    if before is not None:
        before.shutdown()
    return fresh


def active() -> Tracing:
    """The process's tracing; one that sends nothing until `configure` was called."""
    global _active
    if _active is None:
        _active = Tracing(TraceSettings(program="orca"))
    return _active


def shutdown() -> None:
    """Send what is left and forget the settings; bounded in time, and safe to call twice."""
    global _active
    before, _active = _active, None
    if before is not None:
        before.shutdown()


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    attributes: Mapping[str, Attribute] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[ActiveSpan]:
    """`Tracing.span` of the process's active tracing."""
    with active().span(name, parent=parent, attributes=attributes, kind=kind) as opened:
        yield opened


def inject() -> str:
    """The `traceparent` to send along with a message; empty outside of any span."""
    here = traceparent.current.get()
    return str(here) if here else ""


def _context(above: TraceParent | None) -> Context:
    """A context with `above` as the parent; an empty one, not the ambient one, for a new trace."""
    if above is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if above.sampled else TraceFlags.DEFAULT)
    remote = SpanContext(
        trace_id=int(above.trace_id, 16),
        span_id=int(above.span_id, 16),
        is_remote=True,
        trace_flags=flags,
    )
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _queue_to(endpoint: str) -> SpanQueue:
    target, secure = parse_endpoint(endpoint)
    # Imported here: it costs 0.2 s, which only those pay who send spans.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(
        endpoint=target, insecure=not secure, timeout=EXPORT_TIMEOUT_SECONDS
    )
    return SpanQueue(exporter)


def parse_endpoint(endpoint: str) -> tuple[str, bool]:
    """`host:port` and whether to use TLS. Raises `errors.UserError` for what is no endpoint."""
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/"):
        raise errors.UserError(
            f"{endpoint!r} is not an OTLP endpoint",
            hint="Write http://host:4317, or https://host:4317 for TLS; it must speak gRPC.",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or OTLP_PORT}", parts.scheme == "https"
