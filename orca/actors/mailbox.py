"""A bounded queue in which a newer message may take an older one's place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from orca.actors.actor import MailboxFull

M = TypeVar("M")


class Mailbox(Generic[M]):
    """First in, first out. Keyed messages keep the place of the one they replace."""

    def __init__(self, owner: str, bound: int) -> None:
        self._owner = owner
        self._bound = bound
        self._messages: OrderedDict[Hashable, M] = OrderedDict()
        self._count = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: M, *, key: Hashable | None = None) -> None:
        """Queue a message; raises `MailboxFull` at the bound unless it replaces a queued one."""
        slot: Hashable = ("key", key) if key is not None else ("seq", self._next())
        if slot not in self._messages and len(self._messages) >= self._bound:
            raise MailboxFull(
                f"{self._owner} has {self._bound} messages waiting and takes no more",
                hint="the part it stands for is overloaded or stuck; see the log",
            )
        self._messages[slot] = message
        self._filled.set()

    def _next(self) -> int:
        self._count += 1
        return self._count

    async def get(self) -> M:
        """Wait for the next message."""
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        return self._messages.popitem(last=False)[1]
