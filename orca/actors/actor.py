"""What an actor is, and what it may do.

An actor owns its state, handles one message at a time and talks to others only by messages, which are
frozen dataclasses. Slow work does not belong into `receive`: `Context.start` runs it beside the mailbox
and delivers its outcome as one more message.

Which engine runs the actor is not its business: `local.py` runs it as an asyncio task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from orca.errors import OrcaError, Unavailable

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
N = TypeVar("N")
T = TypeVar("T")


class MailboxFull(Unavailable):
    """The receiver is so far behind that its mailbox takes no more."""

    kind = "mailbox_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What happens when an actor raises: it is reported, built anew and goes on with its mailbox."""

    backoff_seconds: float = 0.1
    backoff_seconds_max: float = 30.0
    healthy_seconds: float = 60.0
    """After this long without a failure the backoff starts over."""


DEFAULT_SUPERVISION = Supervision()


class Ref(Protocol[M_contra]):
    """The address of an actor."""

    @property
    def name(self) -> str:
        """Path of the actor: parents first, joined by `/`."""
        ...

    def tell(self, message: M_contra, *, key: Hashable | None = None) -> None:
        """Put a message into the mailbox and return at once.

        A queued message told with the same `key` is replaced: for messages that say "look again".
        Raises `MailboxFull` when the mailbox is at its bound. Telling a stopped actor does nothing.
        """
        ...

    @property
    def depth(self) -> int:
        """Messages waiting."""
        ...


class Context(Protocol[M]):  # type: ignore[misc]  # `me` gives M out, in a contravariant place
    """What an actor may do besides computing."""

    @property
    def me(self) -> Ref[M]:
        """The actor's own address."""
        ...

    def now(self) -> float:
        """The engine's clock in seconds; only differences mean anything."""
        ...

    def after(self, seconds: float, message: M, *, key: Hashable | None = None) -> None:
        """Tell myself `message` after a delay. A timer with the same key is replaced."""
        ...

    def every(self, seconds: float, message: M, *, key: Hashable, jitter: float = 0.1) -> None:
        """Tell myself `message` again and again; each period varies by ± `jitter` of its length."""
        ...

    def cancel(self, key: Hashable) -> None:
        """Forget a timer or stop work started with this key; unknown keys are fine."""
        ...

    def start(
        self,
        work: Coroutine[Any, Any, T],
        *,
        key: Hashable,
        done: Callable[[T], M],
        failed: Callable[[OrcaError], M],
    ) -> None:
        """Run `work` beside the mailbox; its result or its `OrcaError` comes back as a message.

        Work under the same key that is still going is cancelled first. Any other exception is a bug
        and fails the actor.
        """
        ...

    def busy(self, key: Hashable) -> bool:
        """Whether work or a timer under this key is pending."""
        ...

    def spawn(self, name: str, factory: Callable[[], Actor[N]], *, mailbox: int = 1000) -> Ref[N]:
        """Start a child; it stops with its parent. A name in use raises `ValueError`."""
        ...

    async def stop(self, child: Ref[Any]) -> None:
        """Stop a child after the message it is handling."""
        ...


class Actor(Generic[M]):
    """Base of all actors. `context` is set before `started` is called."""

    context: Context[M]

    async def started(self) -> None:
        """Called before the first message, and again after each restart."""

    async def receive(self, message: M) -> None:
        """Handle one message."""
        raise NotImplementedError

    async def stopped(self) -> None:
        """Called once when the actor ends or is about to be built anew."""


class Engine(Protocol):
    """Where actors live."""

    def spawn(
        self,
        name: str,
        factory: Callable[[], Actor[M]],
        *,
        mailbox: int = 1000,
        supervision: Supervision = DEFAULT_SUPERVISION,
    ) -> Ref[M]:
        """Start a root actor. A name in use raises `ValueError`."""
        ...

    async def stop(self, ref: Ref[Any]) -> None:
        """Stop an actor and its children after the messages they are handling."""
        ...


Reporter = Callable[[str, BaseException, float], Awaitable[None] | None]
"""Called with the actor's name, what it raised, and the seconds until it is built anew."""
