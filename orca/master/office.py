"""Who leads now, and how everything else reaches the leader of the moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from orca.actors.actor import Ref
from orca.errors import Conflict, Unavailable
from orca.master.leader import LeaderMessage, Mandate, Written
from orca.master.nodes import NodeSessions
from orca.master.proxies import ProxySessions
from orca.master.publication import Edition, Publication
from orca.model.event import Event
from orca.store.base import Condition, Store, Transaction, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Leading:
    """One leadership of this process."""

    mandate: Mandate
    actor: Ref[LeaderMessage]
    nodes: NodeSessions
    proxies: ProxySessions


class Office:
    """The seat of the leader; empty while another master, or nobody, leads."""

    def __init__(self, store: Store, publication: Publication) -> None:
        self._store = store
        self.publication = publication
        self._leading: Leading | None = None
        self._taken = asyncio.Event()

    @property
    def leading(self) -> Leading | None:
        """The present leadership of this process, if any."""
        return self._leading

    def take(self, leading: Leading) -> None:
        """This process leads."""
        self._leading = leading
        self._taken.set()

    def leave(self) -> None:
        """It does not any more: what it knew last is no longer to be taken for how things are."""
        self._leading = None
        self._taken.clear()
        last = self.publication.latest
        if last.number:
            problem = "this master does not lead any more"
            self.publication.publish(replace(last, number=last.number + 1, problem=problem))

    def require(self) -> Leading:
        """The leadership. Raises `Unavailable` while there is none."""
        if self._leading is None or not self._leading.mandate.is_valid():
            raise Unavailable(
                "this master does not lead at the moment, because etcd has not confirmed it",
                hint="wait a few seconds; `orca status` tells when it does",
            )
        return self._leading

    def edition(self) -> Edition:
        """What the leader last published. Raises `Unavailable` before the first edition."""
        edition = self.publication.latest
        if edition.number == 0:
            raise Unavailable("the master is still starting", hint="try again in a few seconds")
        return edition

    async def write(
        self,
        conditions: tuple[Condition, ...],
        writes: tuple[Write, ...],
        *,
        events: tuple[Event, ...] = (),
    ) -> Edition:
        """Commit what a user asked for, and return the first edition that includes it.

        Raises `Conflict` when a condition fails: somebody else changed the same thing.
        """
        leading = self.require()
        transaction = Transaction(conditions=conditions, writes=writes)
        try:
            done = await self._store.commit(transaction)
        except Conflict as error:
            raise Conflict(
                "somebody else changed the same thing at the same time",
                hint="look at `orca status`, then try again",
            ) from error
        leading.actor.tell(Written(writes, done.revision, events))
        return await self.publication.including(done.revision)
