"""The trace of one deploy, which begins here and ends where a container starts.

Without a collector it is an id that everything on the way writes down, and costs nothing to make; with
one (`[observability] otlp_endpoint`) this end's span is sent as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orca.telemetry import traceparent

SPAN = "orca deploy"
PROGRAM = "orca-cli"


@contextmanager
def deployment(endpoint: str, services: tuple[str, ...]) -> Iterator[str]:
    """Trace the block; yields its `traceparent`. Raises `errors.UserError` for a bad endpoint."""
    if endpoint:
        with _sent(endpoint, services) as name:
            yield name
        return
    here = traceparent.TraceParent.new()
    token = traceparent.current.set(here)
    try:
        yield str(here)
    finally:
        traceparent.current.reset(token)


@contextmanager
def _sent(endpoint: str, services: tuple[str, ...]) -> Iterator[str]:
    from orca.telemetry import traces  # OpenTelemetry: only for those who collect

    traces.configure(traces.TraceSettings(program=PROGRAM, endpoint=endpoint))
    try:
        with traces.span(SPAN, attributes={"orca.services": ",".join(services)}) as span:
            yield str(span.traceparent)
    finally:
        traces.shutdown()
