"""Reading server-sent events and NDJSON, also from servers that write them another way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orca import errors
from orca.client import schema, streams

DONE = b'{"message":"hi"}'
PROBLEM = b'{"type":"conflict","title":"t","status":409,"error":"t"}'


def error_of(problem: schema.Problem) -> errors.OrcaError:
    return errors.from_kind(problem.type, problem.title)


async def lines(*given: bytes) -> AsyncIterator[bytes]:
    for line in given:
        yield line


async def test_events_are_put_together_from_their_fields() -> None:
    given = lines(b": comment", b"id: 3", b"event: x\r", b"data:" + DONE, b"", b"data: ", b"")
    found = [body async for body in streams.events(given, schema.Done, error_of=error_of)]
    assert found == [schema.Done(message="hi")]


async def test_event_that_is_cut_off_is_no_event() -> None:
    given = lines(b"data: " + DONE)
    assert [b async for b in streams.events(given, schema.Done, error_of=error_of)] == []


async def test_problem_event_is_raised() -> None:
    given = lines(b"event: problem", b"data: " + PROBLEM, b"")
    with pytest.raises(errors.Conflict):
        await anext(streams.events(given, schema.Done, error_of=error_of))


async def test_lines_skip_heartbeats_and_end_in_a_problem() -> None:
    read = streams.ndjson(lines(b"", DONE, b"", PROBLEM), schema.Done, error_of=error_of)
    assert await anext(read) == schema.Done(message="hi")
    with pytest.raises(errors.Conflict):
        await anext(read)


@pytest.mark.parametrize("data", [b"{", b'{"message":3}'])
async def test_what_this_version_cannot_read_is_said(data: bytes) -> None:
    with pytest.raises(errors.Unavailable, match="cannot read"):
        await anext(streams.ndjson(lines(data), schema.Done, error_of=error_of))
