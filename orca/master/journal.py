"""The event journal: the leader's outbox of what happened, bounded, in the store.

Events are written after the change they tell of, in their own transactions: they are for people and
bridges, no decision reads them. Numbers never repeat within a cluster; readers resume by number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable

from orca.errors import Unavailable
from orca.master.publication import Publication
from orca.master.records import Records, StoredEvent
from orca.model.event import Event, Level
from orca.store.base import Delete, Fence, Store
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

KEPT_MAX = 5_000
"""Events kept in the store and in memory."""
TRIM_EVERY = 100


class Journal:
    """Appends under one leader's fence. Reading needs no leadership."""

    def __init__(self, store: Store, records: Records, publication: Publication) -> None:
        self._store = store
        self._records = records
        self._publication = publication
        self._events: deque[StoredEvent] = deque(maxlen=KEPT_MAX)
        self._unwritten: deque[StoredEvent] = deque(maxlen=KEPT_MAX)
        self._next = 1
        self._first_stored = 1

    async def load(self) -> None:
        """Read what earlier leaders wrote; numbers go on from there.

        What an earlier term of this master could not store gets new numbers: its own are given away.
        """
        listing = await self._store.range(self._records.keys.events())
        stored = [self._records.decode_event(item) for item in listing.items]
        known = set(stored)
        left = [each.event for each in self._unwritten if each not in known]
        self._events.clear()
        self._unwritten.clear()
        self._events.extend(stored)
        if stored:
            self._first_stored = stored[0].sequence
            self._next = stored[-1].sequence + 1
        for event in left:
            self._note(event)

    def append(self, events: Iterable[Event]) -> None:
        """Note events; `flush` stores them."""
        for event in events:
            self._note(event)
            _log(event)

    def _note(self, event: Event) -> None:
        stored = StoredEvent(sequence=self._next, event=event)
        self._next += 1
        self._events.append(stored)
        self._unwritten.append(stored)

    async def flush(self, fence: Fence) -> None:
        """Store what was noted. What cannot be stored now stays noted. Raises `Fenced`."""
        batch = tuple(self._unwritten)
        if not batch:
            return
        try:
            await self._store.commit_all((self._records.put(e) for e in batch), fence=fence)
        except Unavailable as error:
            log.warning("events wait for the store", waiting=len(batch), why=error.message)
            return
        for _ in batch:
            self._unwritten.popleft()
        await self._trim(fence)

    async def _trim(self, fence: Fence) -> None:
        surplus = self._next - self._first_stored - KEPT_MAX
        if surplus < TRIM_EVERY:
            return
        last = self._first_stored + surplus
        keys = (self._records.keys.event(n) for n in range(self._first_stored, last))
        await self._store.commit_all((Delete(key) for key in keys), fence=fence)
        self._first_stored = last

    def read(self, *, after: int, service: str = "", limit: int = KEPT_MAX) -> list[StoredEvent]:
        """The newest events after a number, oldest first; `service` is `project/name`."""
        found = [
            e
            for e in self._events
            if e.sequence > after and (not service or str(e.event.service) == service)
        ]
        return found[-limit:] if limit else []

    async def follow(self, *, after: int, service: str = "") -> AsyncIterator[StoredEvent]:
        """Events after a number, then new ones as they are noted."""
        while True:
            for event in self.read(after=after, service=service):
                yield event
                after = event.sequence
            after = max(after, self._next - 1)
            await self._publication.next()


def _log(event: Event) -> None:
    write = {Level.INFO: log.info, Level.WARNING: log.warning, Level.ERROR: log.error}[event.level]
    write(
        event.message,
        kind=event.kind,
        service=str(event.service or ""),
        replica=event.replica,
        node=event.node,
        rollout=event.rollout,
        trace=event.trace,
    )
