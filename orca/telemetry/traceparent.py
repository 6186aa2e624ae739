"""The name of a place in a trace, as W3C Trace Context writes it.

A `traceparent` travels as a plain string in our own messages, in stored revisions and in HTTP headers.
This module only reads and writes that string; it imports nothing heavy, so that a command that traces
nothing pays nothing. Spans are made in `traces.py`.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_VERSION_NOW, _VERSION_INVALID = "00", "ff"
_SAMPLED = 0x01

current: ContextVar[TraceParent | None] = ContextVar("orca_traceparent", default=None)
"""Where the running task is in which trace; set by `traces.span`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceParent:
    """A span of a trace, both ids in lower-case hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"{_VERSION_NOW}-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    @classmethod
    def new(cls) -> TraceParent:
        """The root of a new trace."""
        return cls(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))


def parse(text: str | None) -> TraceParent | None:
    """Read a `traceparent`; None for an empty or a malformed one, which starts a new trace.

    Later versions of the format are read as far as this one goes, as the recommendation demands.
    """
    found = _FORMAT.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == _VERSION_INVALID or (version == _VERSION_NOW and rest):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceParent(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & _SAMPLED))
