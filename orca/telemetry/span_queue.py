"""Finished spans on their way to the collector: a bounded queue and one thread.

OpenTelemetry's own batch processor is not used because it drops without a count that we can show, and
its flush has no bound. Here a collector that is slow or gone costs spans, which are counted, and never
memory, never the caller's time, and at the end never more than the bound given.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

SPANS_MAX = 4096
BATCH_SPANS_MAX = 512
DELAY_SECONDS = 1.0
SHUTDOWN_SECONDS = 3.0

_log = logging.getLogger(__name__)


class SpanQueue(SpanProcessor):
    """Hands finished spans to `exporter` in batches, from a thread of its own."""

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        spans_max: int = SPANS_MAX,
        delay_seconds: float = DELAY_SECONDS,
        shutdown_seconds: float = SHUTDOWN_SECONDS,
    ) -> None:
        self._exporter = exporter
        self._spans_max = spans_max
        self._delay_seconds = delay_seconds
        self._shutdown_seconds = shutdown_seconds
        self._changed = threading.Condition()
        self._waiting: deque[ReadableSpan] = deque()
        self._exporting = 0
        self._flushing = 0
        self._closing = False
        self._exported = 0
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="orca-spans", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Spans that no collector will see: refused by it, or by the full queue."""
        return self._dropped

    def statistics(self) -> dict[str, int]:
        with self._changed:
            return {
                "waiting": len(self._waiting) + self._exporting,
                "exported": self._exported,
                "dropped": self._dropped,
            }

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do: only finished spans are sent."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue `span`, or count it as dropped; never waits."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._changed:
            if self._closing or len(self._waiting) >= self._spans_max:
                self._dropped += 1
                return
            self._waiting.append(span)
            if len(self._waiting) >= BATCH_SPANS_MAX:
                self._changed.notify_all()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all spans queued so far were offered to the collector; False is: not in time."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(self._is_idle, timeout_millis / 1000)
            finally:
                self._flushing -= 1

    def shutdown(self) -> None:
        """Send what is left and stop, within `shutdown_seconds`; what is left then is dropped."""
        deadline = time.monotonic() + self._shutdown_seconds
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._shutdown_seconds)
        self._exporter.shutdown()  # ends an export that is still waiting for its collector
        self._thread.join(max(0.1, deadline - time.monotonic()))
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()

    def _is_idle(self) -> bool:
        return not self._waiting and not self._exporting

    def _is_due(self) -> bool:
        full = len(self._waiting) >= BATCH_SPANS_MAX
        return full or self._closing or (bool(self._waiting) and self._flushing > 0)

    def _run(self) -> None:
        while batch := self._next_batch():
            delivered = self._export(batch)
            with self._changed:
                self._exporting = 0
                if delivered:
                    self._exported += len(batch)
                else:
                    self._dropped += len(batch)
                self._changed.notify_all()

    def _next_batch(self) -> list[ReadableSpan]:
        """Wait for spans; an empty answer is the end."""
        with self._changed:
            while not self._closing:
                due = self._changed.wait_for(self._is_due, self._delay_seconds)
                if self._waiting or due:
                    break
            count = min(len(self._waiting), BATCH_SPANS_MAX)
            self._exporting = count
            return [self._waiting.popleft() for _ in range(count)]

    def _export(self, batch: list[ReadableSpan]) -> bool:
        try:
            return self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - this loop supervises foreign code and must outlive it
            _log.exception("the span exporter failed")
            return False
