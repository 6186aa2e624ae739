"""The local engine keeps its promises: order, bounds, supervision, timers, endings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from orca.actors.actor import Actor, MailboxFull, Supervision
from orca.actors.local import LocalEngine
from orca.errors import OrcaError, StoreUnavailable
from orca.testing import virtual_time

Failures = list[tuple[str, str, float]]


class Recorder(Actor[Any]):
    """Writes down what it is told, with the time; acts on a few words."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    async def started(self) -> None:
        self.log.append("started")

    async def receive(self, message: Any) -> None:
        if message == "crash":
            raise RuntimeError("boom")
        if message == "slow":
            await asyncio.sleep(5)
        if callable(message):
            message(self.context)
            return
        self.log.append((message, round(self.context.now(), 3)))

    async def stopped(self) -> None:
        self.log.append("stopped")


def scenario(
    script: Callable[[LocalEngine, Any, list[Any]], Awaitable[None]], *, mailbox: int = 1000
) -> tuple[list[Any], Failures]:
    log: list[Any] = []
    failures: Failures = []

    def report(name: str, error: BaseException, delay: float) -> None:
        failures.append((name, str(error), delay))

    async def main() -> None:
        async with LocalEngine(report=report, seed=1) as engine:
            ref = engine.spawn(
                "one", lambda: Recorder(log), mailbox=mailbox, supervision=Supervision()
            )
            await script(engine, ref, log)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(main())
    return log, failures


def test_messages_are_handled_one_at_a_time_in_order() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell("slow")
        ref.tell("a")
        await asyncio.sleep(10)

    log, _ = scenario(script)
    assert log == ["started", ("slow", 5.0), ("a", 5.0), "stopped"]


def test_keyed_message_replaces_the_queued_one() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell("slow")
        await asyncio.sleep(1)
        for n in range(100):
            ref.tell(n, key="look")
        assert ref.depth == 1
        await asyncio.sleep(10)

    log, _ = scenario(script, mailbox=2)
    assert log[-2] == (99, 5.0)


def test_full_mailbox_refuses_by_name() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell("a")
        with pytest.raises(MailboxFull, match="one has 1 messages waiting"):
            ref.tell("b")

    scenario(script, mailbox=1)


def test_crashed_actor_is_reported_and_built_anew_with_growing_backoff() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        for _ in range(3):
            ref.tell("crash")
        ref.tell("after")
        await asyncio.sleep(10)

    log, failures = scenario(script)
    assert [delay for _, _, delay in failures] == [0.1, 0.2, 0.4]
    assert log.count("started") == 4
    assert ("after", 0.7) in log


def test_backoff_starts_over_after_a_healthy_minute() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell("crash")
        await asyncio.sleep(100)
        ref.tell("crash")
        await asyncio.sleep(1)

    _, failures = scenario(script)
    assert [delay for _, _, delay in failures] == [0.1, 0.1]


def test_timers_fire_in_virtual_time_and_can_be_cancelled() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(lambda ctx: ctx.after(3600, "late", key="t"))
        ref.tell(lambda ctx: ctx.after(10, "never", key="u"))
        ref.tell(lambda ctx: ctx.cancel("u"))
        await asyncio.sleep(4000)

    log, _ = scenario(script)
    assert log == ["started", ("late", 3600.0), "stopped"]


def test_periodic_timer_keeps_its_jitter_within_bounds() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(lambda ctx: ctx.every(10, "tick", key="t", jitter=0.1))
        await asyncio.sleep(100)

    log, _ = scenario(script)
    times = [0.0] + [entry[1] for entry in log if entry[0] == "tick"]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert 9 <= len(gaps) <= 11
    assert all(9 <= gap <= 11 for gap in gaps)
    assert len(set(gaps)) > 1


async def _answer() -> str:
    await asyncio.sleep(2)
    return "result"


async def _refuse() -> str:
    raise StoreUnavailable("etcd is away")


async def _explode() -> str:
    raise KeyError("a bug")


def _begin(work: Callable[[], Any]) -> Callable[[Any], None]:
    def begin(ctx: Any) -> None:
        ctx.start(work(), key="w", done=lambda r: ("done", r), failed=_as_failure)

    return begin


def _as_failure(error: OrcaError) -> tuple[str, str]:
    return ("failed", error.kind)


def test_work_runs_beside_the_mailbox_and_its_outcome_is_a_message() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(_begin(_answer))
        ref.tell("meanwhile")
        await asyncio.sleep(3)

    log, _ = scenario(script)
    assert log[1:3] == [("meanwhile", 0.0), (("done", "result"), 2.0)]


def test_work_that_fails_as_declared_is_a_message() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(_begin(_refuse))
        await asyncio.sleep(1)

    log, failures = scenario(script)
    assert (("failed", "store_unavailable"), 0.0) in log
    assert failures == []


def test_work_with_a_bug_fails_its_actor() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(_begin(_explode))
        await asyncio.sleep(1)

    log, failures = scenario(script)
    assert [text for _, text, _ in failures] == ["'a bug'"]
    assert log.count("started") == 2


def test_cancelled_work_says_nothing() -> None:
    async def script(_engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell(_begin(_answer))
        ref.tell(lambda ctx: ctx.cancel("w"))
        await asyncio.sleep(5)

    log, _ = scenario(script)
    assert log == ["started", "stopped"]


def test_children_stop_before_their_parent() -> None:
    async def script(_engine: LocalEngine, ref: Any, log: list[Any]) -> None:
        class Child(Recorder):
            async def stopped(self) -> None:
                log.append("child stopped")

        ref.tell(lambda ctx: ctx.spawn("kid", lambda: Child([])))
        await asyncio.sleep(1)

    log, _ = scenario(script)
    assert log == ["started", "child stopped", "stopped"]


def test_stopping_actor_finishes_the_message_in_hand() -> None:
    async def script(engine: LocalEngine, ref: Any, _log: list[Any]) -> None:
        ref.tell("slow")
        ref.tell("never handled")
        await asyncio.sleep(1)
        await engine.stop(ref)

    log, _ = scenario(script)
    assert log == ["started", ("slow", 5.0), "stopped"]


def test_name_in_use_is_refused() -> None:
    async def script(engine: LocalEngine, _ref: Any, log: list[Any]) -> None:
        with pytest.raises(ValueError, match="already running"):
            engine.spawn("one", lambda: Recorder(log))

    scenario(script)
