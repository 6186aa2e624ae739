"""The `traceparent` string of W3C Trace Context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.telemetry import traceparent
from orca.telemetry.traceparent import TraceParent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_new_trace_reads_back() -> None:
    made = TraceParent.new()
    assert traceparent.parse(str(made)) == made
    assert TraceParent.new().trace_id != made.trace_id


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_valid_text_is_read(text: str, sampled: bool) -> None:
    assert traceparent.parse(text) == TraceParent(trace_id=TRACE, span_id=SPAN, sampled=sampled)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_malformed_text_is_no_parent(text: str | None) -> None:
    assert traceparent.parse(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    traceparent.parse(text)
