"""Spans: how they hang together, what they show, and that a collector receives them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from orca import errors
from orca.telemetry import traceparent, traces
from orca.telemetry.span_queue import SpanQueue
from orca.telemetry.traces import TraceSettings, Tracing

SETTINGS = TraceSettings(program="orca-test")


class Recorded:
    """A tracing whose finished spans can be looked at."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracing = Tracing(
            SETTINGS,
            redact=lambda text: text.replace("hunter2", "***"),
            processor=SimpleSpanProcessor(self._exporter),
        )

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    made = Recorded()
    yield made
    made.tracing.shutdown()


@pytest.fixture(autouse=True)
def _nothing_active() -> Iterator[None]:
    yield
    traces.shutdown()


# -- how spans hang together -------------------------------------------------------------------


def test_span_inside_another_is_its_child(recorded: Recorded) -> None:
    with recorded.tracing.span("outer") as outer, recorded.tracing.span("inner") as inner:
        assert inner.trace_id == outer.trace_id
    inner_parent = recorded.spans()["inner"].parent
    assert inner_parent is not None
    assert f"{inner_parent.span_id:016x}" == outer.traceparent.span_id
    assert recorded.spans()["outer"].parent is None


def test_span_continues_the_trace_that_came_with_a_message(recorded: Recorded) -> None:
    with recorded.tracing.span("cli"):
        message = traces.inject()
    with recorded.tracing.span("server", parent=message):
        pass
    cli, server = recorded.spans()["cli"], recorded.spans()["server"]
    assert cli.context is not None
    assert server.parent is not None
    assert server.parent.span_id == cli.context.span_id
    assert server.parent.is_remote


@pytest.mark.parametrize("parent", ["", "garbage"])
def test_span_with_a_malformed_parent_begins_a_new_trace(recorded: Recorded, parent: str) -> None:
    with (
        recorded.tracing.span("outer") as outer,
        recorded.tracing.span("other", parent=parent) as other,
    ):
        assert other.trace_id != outer.trace_id
    assert recorded.spans()["other"].parent is None


async def test_tasks_side_by_side_do_not_mix_their_spans(recorded: Recorded) -> None:
    both_open = asyncio.Barrier(2)

    async def work(name: str) -> tuple[str, str]:
        with recorded.tracing.span(name) as opened:
            await both_open.wait()
            return opened.trace_id, traces.inject()

    (first, injected_first), (second, injected_second) = await asyncio.gather(work("a"), work("b"))
    assert first != second
    assert first in injected_first
    assert second in injected_second


def test_nothing_is_injected_outside_of_a_span(recorded: Recorded) -> None:
    assert traces.inject() == ""
    with recorded.tracing.span("x") as opened:
        assert traces.inject() == str(opened.traceparent)
    assert traceparent.current.get() is None


def test_deploy_has_a_trace_id_even_when_nothing_was_configured() -> None:
    with traces.span("deploy") as opened:
        found = traceparent.parse(traces.inject())
    assert found is not None
    assert found.trace_id == opened.trace_id
    assert found.sampled


# -- what spans show ---------------------------------------------------------------------------


def test_exception_fails_the_span_with_its_kind_and_goes_on(recorded: Recorded) -> None:
    with pytest.raises(errors.ImageError), recorded.tracing.span("pull"):
        raise errors.ImageError("no such image; password hunter2")
    status = recorded.spans()["pull"].status
    assert status.status_code is StatusCode.ERROR
    assert status.description == "image: no such image; password ***"
    assert traceparent.current.get() is None


async def test_cancelled_span_says_so(recorded: Recorded) -> None:
    with pytest.raises(asyncio.CancelledError), recorded.tracing.span("wait"):
        raise asyncio.CancelledError
    assert (recorded.spans()["wait"].status.description or "").startswith("CancelledError")


def test_attributes_and_events_are_kept_without_secrets(recorded: Recorded) -> None:
    with recorded.tracing.span("s", attributes={"url": "x:hunter2@y", "replicas": 3}) as opened:
        opened.set({"image": "app:1"})
        opened.event("retry", {"why": "hunter2"})
    span = recorded.spans()["s"]
    assert dict(span.attributes or {}) == {"url": "x:***@y", "replicas": 3, "image": "app:1"}
    assert dict(span.events[0].attributes or {}) == {"why": "***"}


# -- configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:4317", ("localhost:4317", False)),
        ("https://otel.example.com", ("otel.example.com:4317", True)),
        ("collector:9999", ("collector:9999", False)),
        ("http://[::1]:4317/", ("[::1]:4317", False)),
    ],
)
def test_endpoint_is_read(text: str, expected: tuple[str, bool]) -> None:
    assert traces.parse_endpoint(text) == expected


@pytest.mark.parametrize(
    "text", ["ftp://x:1", "http://", "http://h:port", "http://h:4318/v1/traces"]
)
def test_endpoint_that_is_none_is_refused_and_changes_nothing(text: str) -> None:
    before = traces.active()
    with pytest.raises(errors.UserError, match="not an OTLP endpoint"):
        traces.configure(TraceSettings(program="x", endpoint=text))
    assert traces.active() is before


# -- the queue ---------------------------------------------------------------------------------


class GatedExporter(SpanExporter):
    """Holds every export until its gate is opened, then answers as told."""

    def __init__(self, *, result: SpanExportResult | Exception = SpanExportResult.SUCCESS) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.received: list[str] = []
        self._result = result

    def export(self, spans: object) -> SpanExportResult:
        self.entered.set()
        self.gate.wait(20)
        if isinstance(self._result, Exception):
            raise self._result
        self.received += [span.name for span in spans]  # type: ignore[attr-defined]
        return self._result

    def shutdown(self) -> None:
        self.gate.set()


def make_spans(queue: SpanQueue, count: int) -> None:
    tracing = Tracing(SETTINGS, processor=queue)
    for number in range(count):
        with tracing.span(f"s{number}"):
            pass


def test_queue_that_is_full_drops_and_counts_without_waiting() -> None:
    exporter = GatedExporter()
    queue = SpanQueue(exporter, spans_max=10, delay_seconds=0.001)
    make_spans(queue, 1)
    assert exporter.entered.wait(10)  # from here on the exporter takes nothing
    make_spans(queue, 25)
    assert queue.statistics() == {"waiting": 11, "exported": 0, "dropped": 15}
    exporter.gate.set()
    assert queue.force_flush(10_000)
    assert queue.statistics() == {"waiting": 0, "exported": 11, "dropped": 15}
    queue.shutdown()


def test_spans_refused_by_the_collector_are_counted() -> None:
    exporter = GatedExporter(result=SpanExportResult.FAILURE)
    exporter.gate.set()
    queue = SpanQueue(exporter)
    make_spans(queue, 3)
    assert queue.force_flush(10_000)
    assert queue.dropped == 3
    queue.shutdown()


def test_exporter_that_raises_is_logged_and_does_not_end_the_queue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = GatedExporter(result=RuntimeError("broken"))
    exporter.gate.set()
    queue = SpanQueue(exporter)
    for _ in range(2):
        make_spans(queue, 1)
        assert queue.force_flush(10_000)
    assert queue.dropped == 2
    assert "exporter failed" in caplog.text
    queue.shutdown()


def test_shutdown_sends_what_waits() -> None:
    exporter = GatedExporter()
    exporter.gate.set()
    queue = SpanQueue(exporter, delay_seconds=3600)
    make_spans(queue, 3)
    queue.shutdown()
    assert exporter.received == ["s0", "s1", "s2"]
    make_spans(queue, 1)
    assert queue.statistics() == {"waiting": 0, "exported": 3, "dropped": 1}


def test_shutdown_with_a_hanging_collector_is_bounded_and_counts() -> None:
    exporter = GatedExporter(result=SpanExportResult.FAILURE)
    queue = SpanQueue(exporter, delay_seconds=0.001, shutdown_seconds=0.05)
    make_spans(queue, 1)
    assert exporter.entered.wait(10)
    make_spans(queue, 2)
    begin = time.monotonic()
    queue.shutdown()
    assert time.monotonic() - begin < 10
    assert queue.dropped == 3


def test_flush_with_a_hanging_collector_says_that_it_failed() -> None:
    exporter = GatedExporter()
    queue = SpanQueue(exporter)
    make_spans(queue, 1)
    assert not queue.force_flush(10)
    exporter.gate.set()
    queue.shutdown()


# -- end to end --------------------------------------------------------------------------------


class Collector(services.TraceServiceServicer):
    """An OTLP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[WireSpan] = []
        self.programs: set[str] = set()

    def Export(
        self, request: messages.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> messages.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            self.programs |= {
                item.value.string_value
                for item in resource.resource.attributes
                if item.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return messages.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    servicer = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    services.add_TraceServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def test_collector_receives_one_trace_from_two_programs(collector: tuple[Collector, str]) -> None:
    servicer, endpoint = collector
    cli = Tracing(TraceSettings(program="orca-cli", endpoint=endpoint))
    server = Tracing(TraceSettings(program="orca-server", endpoint=endpoint))
    with cli.span("deploy", attributes={"service": "web/app"}):
        message = traces.inject()
    with server.span("start container", parent=message):
        pass
    assert cli.flush(10)
    assert server.flush(10)
    cli.shutdown()
    server.shutdown()
    spans = {span.name: span for span in servicer.spans}
    assert servicer.programs == {"orca-cli", "orca-server"}
    assert spans["start container"].trace_id == spans["deploy"].trace_id
    assert spans["start container"].parent_span_id == spans["deploy"].span_id
    assert cli.spans_dropped == server.spans_dropped == 0


def test_collector_that_is_gone_costs_spans_and_little_time() -> None:
    # Bound but not listening: nobody else can take the port meanwhile.
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        tracing = Tracing(TraceSettings(program="orca-test", endpoint=endpoint))
        with tracing.span("deploy"):
            pass
        begin = time.monotonic()
        tracing.shutdown()
    assert time.monotonic() - begin < 10
    assert tracing.spans_dropped == 1
