"""`Leader`: the agent's dealings with the master: the session, whom it obeys, and what it reports.

Whose word counts is `allegiance.py`'s to say, and carrying messages `session.py`'s. Reports of one moment
travel together; what was not said in a session need not be said in the next, whose hello holds everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orca import errors
from orca.actors.actor import Context, Ref
from orca.model.ids import ReplicaId
from orca.model.node import NodeFacts
from orca.model.replica import ReplicaStatus
from orca.node import session as sessions
from orca.node.allegiance import Allegiance, Verdict
from orca.node.host import Host
from orca.node.record import best_effort
from orca.node.settings import NodeSettings
from orca.rpc import messages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flush:
    """Send the statuses that changed."""


class Leader:
    """The master that this node follows, whichever that is; lives in the agent's context."""

    def __init__(
        self,
        context: Context[Any],
        host: Host,
        settings: NodeSettings,
        make_session: Callable[[], sessions.SessionActor],
    ) -> None:
        self._context = context
        self._host = host
        self._settings = settings
        self._make_session = make_session
        self._allegiance = Allegiance(epoch=host.record.identity().epoch)
        self._session: Ref[sessions.SessionMessage] | None = None
        self._changed: dict[ReplicaId, ReplicaStatus] = {}
        """Statuses it does not know yet."""
        self._gone: list[ReplicaId] = []
        """Replicas it does not know to be gone."""

    # --- the session ---

    def dial(self) -> None:
        """Begin to look for it."""
        if self._session is None:
            self._session = self._context.spawn("session", self._make_session)

    def greet(self, session: int, *, facts: NodeFacts, statuses: tuple[ReplicaStatus, ...]) -> None:
        """A session stands: say who this node is and all that it runs."""
        self._allegiance = self._allegiance.greeted(session)
        self._forget_reports()
        hello = messages.NodeHello(
            node=self._host.node,
            name=self._settings.name,
            epoch=self._allegiance.epoch,
            lineage=self._host.record.identity().lineage,
            facts=facts,
            statuses=statuses,
        )
        self.say(hello, session=session)

    def part(self) -> None:
        """The session is over."""
        self._allegiance = self._allegiance.parted()

    # --- whom to obey ---

    @property
    def has_said_everything(self) -> bool:
        """Whether this session has said all that this node is to run."""
        return self._allegiance.complete

    def said_everything(self) -> None:
        """A complete set was heard."""
        self._allegiance = self._allegiance.completed()

    def accepts(self, said: sessions.Said) -> bool:
        """Whether a message counts; refuses it where the sender should know that it does not."""
        epoch, before = said.message.epoch, self._allegiance
        self._allegiance = before.heard(epoch)
        if self._allegiance != before:
            with best_effort():
                self._host.record.saw_epoch(epoch)
        verdict = self._allegiance.judge(epoch, session=said.session)
        if verdict is Verdict.REFUSE:
            self._refuse(said)
        return verdict is Verdict.OBEY

    def welcomed(self, welcome: messages.Welcome) -> None:
        """It greets: remember whose orders are followed."""
        log.info("welcomed by the leader of epoch %d", welcome.epoch)
        if welcome.lineage != self._host.record.identity().lineage:
            with best_effort():
                self._host.record.saw_lineage(welcome.lineage)

    def _refuse(self, said: sessions.Said) -> None:
        newest = self._allegiance.epoch
        log.warning(
            "refused %s of epoch %d: the leader of epoch %d has been here",
            type(said.message).__name__,
            said.message.epoch,
            newest,
        )
        match said.message:
            case messages.ResolveImage():
                done = messages.CommandDone(
                    command=said.message.command,
                    error_kind=errors.Fenced.kind,
                    error=f"this node follows the leader of epoch {newest}",
                )
                self.say(done, session=said.session)
            case messages.Welcome() | messages.HeartbeatAck():
                if self._session is not None:
                    self._session.tell(sessions.HangUp("that leader has been replaced"))

    # --- what it is told ---

    def say(self, message: messages.NodeMessage, *, session: int) -> None:
        """Say something in this session; it is dropped when that is over."""
        if self._session is not None:
            self._session.tell(sessions.Say(session, message))

    def tell_facts(self, facts: NodeFacts) -> None:
        """Say at once how this host is."""
        session = self._allegiance.session
        if self._session is not None and session:
            self._session.tell(sessions.SayFacts(session, facts))

    def report(self, status: ReplicaStatus) -> None:
        """Say soon where a replica stands."""
        self._changed[status.replica] = status
        self._flush_soon()

    def report_gone(self, replica: ReplicaId) -> None:
        """Say soon that nothing is left of a replica."""
        self._gone.append(replica)
        self._flush_soon()

    def flush(self) -> None:
        """Say now what is to be reported."""
        session = self._allegiance.session
        if session and (self._changed or self._gone):
            statuses, gone = tuple(self._changed.values()), tuple(self._gone)
            self.say(messages.StatusReport(statuses=statuses, gone=gone), session=session)
        self._forget_reports()

    def _flush_soon(self) -> None:
        if not self._context.busy("flush"):
            self._context.after(self._settings.report_seconds, Flush(), key="flush")

    def _forget_reports(self) -> None:
        self._changed.clear()
        self._gone.clear()
