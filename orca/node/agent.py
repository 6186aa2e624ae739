"""`NodeAgent`: what this node runs, between the master's word and Docker's.

It keeps one `ReplicaActor` per replica, hands each its assignment, passes their statuses on, and has removed
what nobody wants. It decides nothing about a single container, and little else: what follows from all the
replicas is `roster.py`'s, whom to obey `leader.py`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from orca.actors.actor import Actor, Ref
from orca.model.ids import ReplicaId
from orca.node import errands, naming
from orca.node import session as sessions
from orca.node import watcher as watching
from orca.node.docker_state import DockerState
from orca.node.host import Host
from orca.node.leader import Flush, Leader
from orca.node.record import best_effort
from orca.node.replica import messages as replicas
from orca.node.replica.actor import ReplicaActor
from orca.node.roster import Roster
from orca.node.runtime import ContainerSummary
from orca.node.settings import NodeSettings
from orca.rpc import messages
from orca.rpc.session import Dialer

log = logging.getLogger(__name__)

SURVEY_SECONDS = 2.0
"""Longest wait for the first look at what was running before; then the node says what it knows."""


@dataclass(frozen=True, slots=True)
class _SurveyOver:
    """Dial now, however much is known."""


AgentMessage = (
    replicas.ReplicaNews
    | watching.DockerNews
    | sessions.SessionNews
    | errands.ErrandNews
    | Flush
    | _SurveyOver
)


class NodeAgent(Actor[AgentMessage]):
    """The root of the node's actors."""

    def __init__(
        self, host: Host, dialer: Dialer, settings: NodeSettings, *, jitter: Callable[[], float]
    ) -> None:
        self._host = host
        self._dialer = dialer
        self._settings = settings
        self._jitter = jitter
        self._roster = Roster()
        self._docker = DockerState()
        self._children: dict[ReplicaId, Ref[replicas.ReplicaMessage]] = {}

    # --- life ---

    async def started(self) -> None:
        """Take up what the local record says was running, then look at Docker."""
        self._leader = Leader(self.context, self._host, self._settings, self._make_session)
        self._roster = Roster.recorded(self._host.record.replicas())
        self._errands = errands.Errands(self.context, self._host, self._dialer)
        self._watcher = self.context.spawn("docker", self._make_watcher)
        for replica in self._roster.members:
            self._spawn(replica)
        self.context.after(SURVEY_SECONDS, _SurveyOver(), key="survey")
        log.info("node %s starts with %d replicas", self._host.node, len(self._children))

    def _make_watcher(self) -> watching.DockerWatcher:
        return watching.DockerWatcher(
            self._host.runtime,
            self.context.me,
            labels=naming.ours(cluster=self._host.cluster, node=self._host.node),
            settings=self._settings,
        )

    def _make_session(self) -> sessions.SessionActor:
        return sessions.SessionActor(
            self._dialer, self.context.me, self._settings, jitter=self._jitter
        )

    def _spawn(self, replica: ReplicaId) -> None:
        def build() -> ReplicaActor:
            member = self._roster.members[replica]
            return ReplicaActor(
                self._host,
                self.context.me,
                member.newest_record,
                assignment=member.assignment,
                dismissed=member.dismissed,
                away=self._docker.away,
            )

        self._children[replica] = self.context.spawn(f"replica-{replica}", build)

    async def receive(self, message: AgentMessage) -> None:
        """Handle one message."""
        match message:
            case replicas.Changed():
                self._roster = self._roster.noting(message.status)
                self._leader.report(message.status)
            case replicas.Surveyed():
                self._roster = self._roster.surveying(message.replica)
                self._dial_when_known()
            case replicas.Gone():
                await self._replica_gone(message.replica)
            case replicas.Suspect():
                self._docker = self._docker.doubted()
                self._recheck()
            case watching.DockerUp() | watching.DockerDown() | watching.Happened():
                self._docker_news(message)
            case sessions.Connected() | sessions.Disconnected() | sessions.Said():
                self._session_news(message)
            case _SurveyOver():
                self._leader.dial()
            case Flush():
                self._leader.flush()
            case errands.Answered():
                self._leader.say(message.done, session=message.session)
            case errands.Ended():
                if message.error:
                    log.warning("%s: %s", message.what, message.error)
            case _:
                assert_never(message)

    # --- replicas ---

    async def _replica_gone(self, replica: ReplicaId) -> None:
        self._leader.report_gone(replica)
        member = self._roster.members.get(replica)
        self._roster = self._roster.without(replica)
        self._host.record.forget(replica)
        if (child := self._children.pop(replica, None)) is not None:
            await self.context.stop(child)
        if member is not None and not self._roster.serves(member.record.replica.service.project):
            self._errands.remove_network(member.record.replica.service.project)

    # --- Docker ---

    def _docker_news(self, news: watching.DockerNews) -> None:
        match news:
            case watching.DockerUp():
                self._docker_up(news)
            case watching.DockerDown():
                self._docker_down(news.reason)
            case watching.Happened():
                replica = naming.replica_of(news.event.labels)
                if child := self._children.get(replica):
                    child.tell(replicas.Look(news.event))
            case _:
                assert_never(news)

    def _docker_up(self, up: watching.DockerUp) -> None:
        before, self._docker = self._docker, self._docker.answered(up.facts)
        if before.error or before.engine != up.facts:
            self._leader.tell_facts(self._docker.facts(self._settings))
        everyone = before.error or before.suspected
        for replica in self._children if everyone else self._roster.news_of(up.containers):
            self._children[replica].tell(replicas.DockerBack(), key="look")
        self._remove_orphans(up.containers)
        self._dial_when_known()

    def _docker_down(self, reason: str) -> None:
        before, self._docker = self._docker, self._docker.failed(reason)
        if before.error == reason:
            return
        self._leader.tell_facts(self._docker.facts(self._settings))
        if before.away:
            return
        log.warning("%s", reason)
        for child in self._children.values():
            child.tell(replicas.DockerAway(reason))

    def _remove_orphans(self, containers: tuple[ContainerSummary, ...]) -> None:
        if not self._leader.has_said_everything:
            return
        for orphan in self._roster.orphans(containers):
            if not self._errands.removes(orphan):
                log.warning("removing container %s, which is assigned to nobody", orphan.name)
                self._errands.remove_orphan(orphan)

    def _recheck(self) -> None:
        self._watcher.tell(watching.Recheck(), key="recheck")

    # --- the master ---

    def _dial_when_known(self) -> None:
        """Only now: a hello that does not know yet what runs would look like a disaster."""
        if self._roster.surveyed and self._docker.engine is not None:
            self._leader.dial()

    def _session_news(self, news: sessions.SessionNews) -> None:
        match news:
            case sessions.Connected():
                facts = self._docker.facts(self._settings)
                self._leader.greet(news.session, facts=facts, statuses=self._roster.statuses)
            case sessions.Disconnected():
                self._leader.part()
            case sessions.Said():
                if self._leader.accepts(news):
                    self._heard(news.message, session=news.session)
            case _:
                assert_never(news)

    def _heard(self, message: messages.MasterMessage, *, session: int) -> None:
        match message:
            case messages.Assignments():
                self._assign(message)
            case messages.ResolveImage():
                self._errands.resolve(message, session=session)
            case messages.OpenStream():
                wanted = message.logs or message.exec
                replica = wanted.replica if wanted is not None else ReplicaId("")
                self._errands.serve(message, self._roster.members.get(replica))
            case messages.Welcome():
                self._leader.welcomed(message)
            case messages.HeartbeatAck():
                pass
            case _:
                assert_never(message)

    # --- what the master wants ---

    def _assign(self, wanted: messages.Assignments) -> None:
        for assignment in wanted.assignments:
            self._want(assignment)
        if wanted.complete:
            self._leader.said_everything()
            for replica in self._roster.missing_from(wanted.assignments):
                self._dismiss(replica, "the leader does not know this replica")
            self._recheck()
        for replica in wanted.forgotten:
            self._dismiss(replica, "no longer wanted")

    def _want(self, assignment: messages.Assignment) -> None:
        replica = assignment.replica.id
        self._roster = self._roster.wanting(assignment)
        if child := self._children.get(replica):
            child.tell(replicas.Want(assignment))
            return
        with best_effort():
            self._host.record.keep(self._roster.members[replica].record)
        self._spawn(replica)

    def _dismiss(self, replica: ReplicaId, reason: str) -> None:
        if child := self._children.get(replica):
            self._roster = self._roster.dismissing(replica, reason)
            child.tell(replicas.Dismiss(reason))
