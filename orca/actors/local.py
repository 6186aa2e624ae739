"""The local engine: each actor is an asyncio task of this process, under a supervisor.

The hard part is ending: a stopped actor finishes the message in hand, its children and its work end
before it does, and no task outlives the engine. Time is the running loop's, so that tests run on virtual
time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from orca.actors.actor import DEFAULT_SUPERVISION, Actor, Ref, Reporter, Supervision
from orca.actors.mailbox import Mailbox
from orca.errors import OrcaError

M = TypeVar("M")
N = TypeVar("N")
T = TypeVar("T")


class LocalEngine:
    """Use as `async with LocalEngine(report=…) as engine`."""

    def __init__(self, *, report: Reporter, seed: int | None = None) -> None:
        self._report = report
        self._random = random.Random(seed)  # noqa: S311  jitter is no secret
        self._cells: dict[str, _Cell[Any]] = {}

    async def __aenter__(self) -> LocalEngine:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for cell in reversed(list(self._cells.values())):
            if "/" not in cell.name:
                await cell.end()

    def spawn(
        self,
        name: str,
        factory: Callable[[], Actor[M]],
        *,
        mailbox: int = 1000,
        supervision: Supervision = DEFAULT_SUPERVISION,
    ) -> Ref[M]:
        """Start a root actor."""
        return self._spawn(name, factory, mailbox=mailbox, supervision=supervision)

    def _spawn(
        self, name: str, factory: Callable[[], Actor[M]], *, mailbox: int, supervision: Supervision
    ) -> _Cell[M]:
        if name in self._cells:
            raise ValueError(f"an actor named {name!r} is already running")
        cell = _Cell(self, name, factory, mailbox, supervision)
        self._cells[name] = cell
        return cell

    async def stop(self, ref: Ref[Any]) -> None:
        """Stop an actor and its children."""
        cell = self._cells.get(ref.name)
        if cell is ref and cell is not None:
            await cell.end()

    def statistics(self) -> dict[str, int]:
        """Messages waiting, per actor."""
        return {name: cell.depth for name, cell in self._cells.items()}


class _Cell(Generic[M]):
    """One actor's task, mailbox, timers, work and children. Is its `Ref` and its `Context`."""

    def __init__(
        self,
        engine: LocalEngine,
        name: str,
        factory: Callable[[], Actor[M]],
        bound: int,
        supervision: Supervision,
    ) -> None:
        self._engine = engine
        self._name = name
        self._factory = factory
        self._supervision = supervision
        self._mailbox: Mailbox[M] = Mailbox(name, bound)
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._work: dict[Hashable, asyncio.Task[None]] = {}
        self._children: list[_Cell[Any]] = []
        self._unnamed = 0
        self._handling = False
        self._ending = False
        self._crash: asyncio.Future[None] | None = None
        self._task = asyncio.get_running_loop().create_task(self._supervise(), name=name)

    def __repr__(self) -> str:
        return f"<actor {self._name} depth={self.depth}>"

    # --- Ref ---

    @property
    def name(self) -> str:
        return self._name

    @property
    def depth(self) -> int:
        return len(self._mailbox)

    def tell(self, message: M, *, key: Hashable | None = None) -> None:
        if not self._ending:
            self._mailbox.put(message, key=key)

    # --- Context ---

    @property
    def me(self) -> Ref[M]:
        return self

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def after(self, seconds: float, message: M, *, key: Hashable | None = None) -> None:
        if key is None:
            self._unnamed += 1
            key = ("after", self._unnamed)
        self.cancel(key)
        self._timers[key] = asyncio.get_running_loop().call_later(
            max(0.0, seconds), self._fire, key, message
        )

    def _fire(self, key: Hashable, message: M) -> None:
        self._timers.pop(key, None)
        self.tell(message, key=("timer", key))

    def every(self, seconds: float, message: M, *, key: Hashable, jitter: float = 0.1) -> None:
        self.cancel(key)

        def fire() -> None:
            period = seconds * (1 + jitter * self._engine._random.uniform(-1, 1))
            self._timers[key] = asyncio.get_running_loop().call_later(period, fire)
            self.tell(message, key=("timer", key))

        first = seconds * (1 + jitter * self._engine._random.uniform(-1, 1))
        self._timers[key] = asyncio.get_running_loop().call_later(first, fire)

    def cancel(self, key: Hashable) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if work := self._work.pop(key, None):
            work.cancel()

    def busy(self, key: Hashable) -> bool:
        return key in self._timers or key in self._work

    def start(
        self,
        work: Coroutine[Any, Any, T],
        *,
        key: Hashable,
        done: Callable[[T], M],
        failed: Callable[[OrcaError], M],
    ) -> None:
        self.cancel(key)

        async def run() -> None:
            try:
                outcome = done(await work)
            except OrcaError as error:
                outcome = failed(error)
            if self._work.get(key) is asyncio.current_task():
                del self._work[key]
            self.tell(outcome)

        task = asyncio.get_running_loop().create_task(run(), name=f"{self._name}:{key}")
        task.add_done_callback(self._work_ended)
        self._work[key] = task

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._crash is not None and not self._crash.done():
            self._crash.set_exception(error)

    def spawn(self, name: str, factory: Callable[[], Actor[N]], *, mailbox: int = 1000) -> Ref[N]:
        child = self._engine._spawn(
            f"{self._name}/{name}", factory, mailbox=mailbox, supervision=self._supervision
        )
        self._children.append(child)
        return child

    async def stop(self, child: Ref[Any]) -> None:
        for cell in self._children:
            if cell is child:
                await cell.end()
                self._children.remove(cell)
                return

    # --- life ---

    async def _supervise(self) -> None:
        backoff = self._supervision.backoff_seconds
        while True:
            began = self.now()
            try:
                await self._live()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  a supervisor is where every failure ends
                if self.now() - began >= self._supervision.healthy_seconds:
                    backoff = self._supervision.backoff_seconds
                reported = self._engine._report(self._name, error, backoff)
                if reported is not None:
                    await reported
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, self._supervision.backoff_seconds_max)

    async def _live(self) -> None:
        self._crash = asyncio.get_running_loop().create_future()
        actor = self._factory()
        actor.context = self
        try:
            await actor.started()
            while True:
                await self._handle(actor, await self._next())
        finally:
            if not self._crash.done():
                self._crash.cancel()
            await self._end_dependents()
            await actor.stopped()

    async def _next(self) -> M:
        """The next message, or the exception that some work of this actor raised."""
        assert self._crash is not None  # noqa: S101  set by _live
        get = asyncio.ensure_future(self._mailbox.get())
        try:
            waiting: set[asyncio.Future[Any]] = {get, self._crash}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._crash.done():
                self._crash.result()
            return get.result()
        finally:
            get.cancel()

    async def _handle(self, actor: Actor[M], message: M) -> None:
        self._handling = True
        try:
            await actor.receive(message)
        finally:
            self._handling = False
            if self._ending:
                self._task.cancel()

    async def _end_dependents(self) -> None:
        for key in [*self._timers, *self._work]:
            if timer := self._timers.pop(key, None):
                timer.cancel()
        pending = list(self._work.values())
        self._work.clear()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for child in reversed(self._children):
            await child.end()
        self._children.clear()

    async def end(self) -> None:
        """Finish the message in hand, then stop; returns when all of it has ended."""
        self._ending = True
        if not self._handling and not self._task.done():
            self._task.cancel()
        if asyncio.current_task() is not self._task:
            await asyncio.wait({self._task})
        self._engine._cells.pop(self._name, None)
