"""Processes that are not: many programs in one loop, each of which can be frozen, suspended or killed.

Whatever runs in the context of a `Process` belongs to it, and so does everything it starts: tasks,
callbacks, timers. While the process is frozen none of them runs, as under SIGSTOP; after a suspension,
as of a virtual machine, its clock has stood still too. A killed one is frozen for ever: no `finally`
gets a last word.

The hard part is what does not belong to a process although it runs on its behalf: a packet on its way,
the daemon's work, the store's clock. Such work starts in `outside()`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, Unpack

from orca.testing.virtual_time import VirtualTimeLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_EPSILON_SECONDS = 1e-6
"""Far above the loop's own resolution: a timer that the loop takes for due has to be."""

_AHEAD_SECONDS = 1e-7
"""How far a process's clock is ahead: one that wakes at a deadline must see that it has passed, whatever
the rounding."""

_current: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Process:
    """One program on one host."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.slept_seconds = 0.0
        """How far its clock is behind: the sum of its suspensions."""
        self._held: list[_Guard] = []
        self._frozen_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<process {self.name} alive={self.alive} frozen={self.frozen}>"

    def start(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a program in this process."""
        context = contextvars.Context()
        context.run(_current.set, self)
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(main, name=self.name, context=context)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something more in this process, as its event loop would."""
        context = contextvars.Context()
        context.run(_current.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    @property
    def failure(self) -> BaseException | None:
        """What the program died of by itself."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    def freeze(self) -> None:
        """As SIGSTOP does."""
        if not self.frozen:
            self.frozen = True
            self._frozen_at = asyncio.get_running_loop().time()

    def thaw(self, *, slept: bool = False) -> None:
        """Go on; `slept` as a suspended machine whose clock stood still meanwhile."""
        if not self.frozen or not self.alive:
            return
        self._release(slept=slept)

    def _release(self, *, slept: bool) -> None:
        self.frozen = False
        if slept:
            self.slept_seconds += asyncio.get_running_loop().time() - self._frozen_at
        held, self._held = self._held, []
        for guard in held:
            guard.again()

    def kill(self) -> None:
        """As SIGKILL does: nothing of it ever runs again."""
        self.freeze()
        self.alive = False

    async def terminate(self) -> None:
        """As SIGTERM does: let it end in order."""
        if self._task is not None and not self._task.done():
            self.thaw()
            self._task.cancel()
            await asyncio.wait({self._task})

    def bury(self) -> None:
        """At the end of a simulation: let what is left of it be cancelled."""
        self._release(slept=False)

    def hold(self, guard: _Guard) -> None:
        """Keep a callback for when the process goes on."""
        self._held.append(guard)


class _Guard:
    """A callback of a process: runs, or waits until its process does."""

    __slots__ = ("_args", "_callback", "_context", "_due", "_loop", "_process", "handle")

    def __init__(
        self,
        loop: SimLoop,
        process: Process,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        *,
        context: contextvars.Context | None,
        due: float | None = None,
    ) -> None:
        self._loop = loop
        self._process = process
        self._callback = callback
        self._args = args
        self._context = context or contextvars.copy_context()
        self._due = due
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if self.handle is not None and self.handle.cancelled():
            return
        if self._process.frozen:
            self._process.hold(self)
        elif self._due is not None and not self._is_due(self._due):
            self._loop.defer(self._due + self._process.slept_seconds, self, self._context)
        else:
            self._callback(*self._args)

    def _is_due(self, due: float) -> bool:
        own_time = self._loop.true_time() - self._process.slept_seconds
        return own_time >= due - _EPSILON_SECONDS

    def again(self) -> None:
        """Its process goes on."""
        self._loop.defer(0.0, self, self._context)


class SimLoop(VirtualTimeLoop):
    """Virtual time, as each process sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.strays: set[asyncio.Task[Any]] = set()
        """Work that belongs to nobody: asyncio alone would forget it when it waits for ever."""

    def true_time(self) -> float:
        """Virtual seconds since the beginning, whoever asks."""
        return super().time()

    def time(self) -> float:
        process = _current.get()
        if process is None:
            return super().time()
        return super().time() - process.slept_seconds + _AHEAD_SECONDS

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        process = _owner(context)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        guard = _Guard(self, process, callback, args, context=context)
        guard.handle = super().call_soon(guard, context=context)
        return guard.handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        process = _owner(context)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        guard = _Guard(self, process, callback, args, context=context, due=when)
        guard.handle = handle = super().call_at(
            when + process.slept_seconds, guard, context=context
        )
        return handle

    def defer(self, when: float, guard: _Guard, context: contextvars.Context) -> None:
        """Run a guard at a true time, or soon when that has passed."""
        if when > self.true_time():
            super().call_at(when, guard, context=context)
        else:
            super().call_soon(guard, context=context)


def _owner(context: contextvars.Context | None) -> Process | None:
    return _current.get() if context is None else context.get(_current)


def outside(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run something that belongs to no process."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work, context=contextvars.Context())
    if isinstance(loop, SimLoop):
        loop.strays.add(task)
        task.add_done_callback(loop.strays.discard)
    return task


def call_outside(function: Callable[..., T], *args: Any) -> T:
    """Call something whose timers belong to no process."""
    return contextvars.Context().run(function, *args)


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Wait for something that goes on when who waits is cancelled, frozen or killed."""
    task = outside(work)
    task.add_done_callback(_retrieve)
    return await asyncio.shield(task)


def _retrieve(task: asyncio.Task[Any]) -> None:
    """That nobody waits for the outcome any more is no bug."""
    if not task.cancelled():
        task.exception()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a simulation to its end."""
    with asyncio.Runner(loop_factory=SimLoop) as runner:
        return runner.run(main)
