"""The master's composition root: the only place that builds its concrete parts.

Its life is a loop of leaderships: campaign, lead until the lease is lost, begin again. What belongs to
one leadership (the MasterActor, all sessions) is built anew for each; the API and the journal stay.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing

from orca.actors.actor import Ref
from orca.actors.local import LocalEngine
from orca.client import schema
from orca.errors import OrcaError, Unavailable
from orca.master.control_plane import MasterControlPlane, Parts
from orca.master.deployer import Deployer
from orca.master.journal import Journal
from orca.master.leader import (
    LeaderMessage,
    Mandate,
    MasterActor,
    StoreChanged,
    Surroundings,
)
from orca.master.lineage import settle
from orca.master.meter import Meter
from orca.master.move import MoveCommitter
from orca.master.moves import Mover
from orca.master.nodes import NodeSessions
from orca.master.office import Leading, Office
from orca.master.proxies import ProxySessions
from orca.master.publication import Publication
from orca.master.race import race
from orca.master.records import Records
from orca.master.secret_store import SecretStore
from orca.master.settings import MasterSettings
from orca.master.streams import Streams
from orca.master.vault import Vault
from orca.model.ids import Epoch
from orca.rpc.session import ChunkStream, MasterSide, ProxyMasterSide
from orca.secrets import resolve
from orca.secrets.keyring import Keyring
from orca.secrets.value import SecretValue
from orca.store.base import Store
from orca.store.election import Election, Leadership
from orca.store.keys import Keys
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

MAILBOX_MAX = 10_000
PAUSE_SECONDS = 0.5
"""Between two terms: one that fails at once must not spin."""


class MasterApp:
    """One master. `control` serves the API, the app itself accepts gRPC sessions."""

    def __init__(
        self,
        settings: MasterSettings,
        *,
        store: Store,
        election: Election,
        keyring: Keyring,
        clock: Callable[[], float],
        reload: Callable[[], Awaitable[schema.ReloadResponse]],
        not_yet: Callable[[], tuple[str, ...]] = tuple,
        learn: Callable[[Iterable[SecretValue]], None] = lambda _: None,
        chance: random.Random | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`not_yet` names what the cluster's configuration asks for in vain; `learn` gets every secret
        value that is opened, so that logs can hide it; `chance` is the source of ids and jitter.
        """
        self._chance = chance or random.SystemRandom()
        self._settings = settings
        self._meter = meter or Meter()
        self._engine: LocalEngine | None = None
        self._store = store
        self._election = election
        self._clock = clock
        self._records = Records(Keys(settings.cluster))
        self._vault = Vault(keyring, learn=learn)
        self.publication = Publication()
        self.journal = Journal(store, self._records, self.publication)
        self._office = Office(store, self.publication)
        self._streams = Streams(self._office)
        committer = MoveCommitter(self._office, self._records)
        mover = Mover(self._office, committer, clock=clock, chance=self._chance)
        self.control = MasterControlPlane(
            Parts(
                settings=settings,
                store=store,
                office=self._office,
                journal=self.journal,
                deployer=Deployer(self._office, mover, committer, self._vault, not_yet=not_yet),
                mover=mover,
                secrets=SecretStore(self._office, self._records, self._vault, clock=clock),
                streams=self._streams,
                clock=clock,
                reload=reload,
                started_at=clock(),
            )
        )

    def secret_lookup(self) -> resolve.Lookup:
        """Secrets of the cluster as they are now, for the server's own configuration."""
        return self._vault.lookup(self.publication.latest.secrets, project="")

    def mailboxes(self) -> dict[str, int]:
        """Messages waiting, per actor; empty while it does not lead."""
        return self._engine.statistics() if self._engine else {}

    # --- sessions ---

    async def node_session(self, session: MasterSide) -> None:
        """Serve a node. Raises `Unavailable` while this master does not lead."""
        await self._office.require().nodes.serve(session)

    async def proxy_session(self, session: ProxyMasterSide) -> None:
        """Serve a proxy. Raises `Unavailable` while this master does not lead."""
        await self._office.require().proxies.serve(session)

    async def stream(self, stream: ChunkStream) -> None:
        """Serve a bulk stream."""
        await self._streams.accept(stream)

    # --- life ---

    async def run(self) -> None:
        """Campaign and lead, again and again, until cancelled."""
        while True:
            leadership = await self._election.campaign()
            log.info("this master leads", epoch=leadership.epoch)
            try:
                await self._lead(leadership)
            except Unavailable as error:
                log.warning("leadership ended", epoch=leadership.epoch, why=error.message)
            finally:
                await self._resign(leadership)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _resign(self, leadership: Leadership) -> None:
        try:
            async with asyncio.timeout(2.0):
                await leadership.resign()
        except (OrcaError, TimeoutError) as error:
            log.info("could not resign; the lease runs out by itself", why=str(error))

    async def _lead(self, leadership: Leadership) -> None:
        await self.journal.load()
        over = asyncio.Event()
        lineage = await settle(
            self._store,
            self._records.keys,
            fence=leadership.fence,
            fresh=f"{self._chance.getrandbits(128):032x}",
        )

        def report(name: str, error: BaseException, _delay_seconds: float) -> None:
            # Its memory of the cluster is gone with it: only a new term begins from a full list.
            log.error("the leader failed; beginning a new term", actor=name, exc_info=error)
            over.set()

        async with LocalEngine(report=report, seed=self._chance.getrandbits(32)) as engine:
            self._engine = engine
            leading = self._begin(engine, leadership, over, lineage=lineage)
            self._office.take(leading)
            try:
                await race(leadership.run(), over.wait(), self._watch(leading.actor))
            finally:
                self._engine = None
                self._office.leave()
                leading.nodes.close()
                leading.proxies.close()

    async def _watch(self, actor: Ref[LeaderMessage]) -> None:
        async with aclosing(self._store.watch(self._records.keys.root)) as batches:
            async for batch in batches:
                actor.tell(StoreChanged(batch))

    def _begin(
        self,
        engine: LocalEngine,
        leadership: Leadership,
        over: asyncio.Event,
        *,
        lineage: str,
    ) -> Leading:
        """The parts of one leadership."""
        epoch = Epoch(leadership.epoch)
        loop = asyncio.get_running_loop()
        mandate = Mandate(
            epoch=epoch,
            fence=leadership.fence,
            is_valid=lambda: leadership.is_valid(loop.time()),
        )
        refs: list[Ref[LeaderMessage]] = []

        def tell(message: LeaderMessage) -> None:
            refs[0].tell(message)

        heartbeat = self._settings.heartbeat_seconds
        nodes = NodeSessions(
            cluster=self._settings.cluster,
            epoch=epoch,
            heartbeat_seconds=heartbeat,
            tell=tell,
            lineage=lineage,
        )
        proxies = ProxySessions(
            epoch=epoch, heartbeat_seconds=heartbeat, tell=tell, lineage=lineage
        )
        around = Surroundings(
            store=self._store,
            records=self._records,
            vault=self._vault,
            journal=self.journal,
            publication=self.publication,
            nodes=nodes,
            proxies=proxies,
            clock=self._clock,
            fenced=over.set,
            meter=self._meter,
        )
        actor = engine.spawn("master", lambda: MasterActor(mandate, around), mailbox=MAILBOX_MAX)
        refs.append(actor)
        return Leading(mandate=mandate, actor=actor, nodes=nodes, proxies=proxies)
