"""`NodeAgent`: what this node runs, between the master's word and Docker's.

It keeps one `ReplicaActor` per replica, hands each its assignment, gathers their statuses into reports,
and removes what nobody wants. It decides nothing about a single container.

The hard parts: the epoch (a leader that was replaced must not be obeyed, whatever it still sends) and
orphans (only a complete set of the present session may condemn a container, and only one that carries
this cluster's and this node's labels).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.ids import CommandId, Epoch, ReplicaId
from orca.model.node import NodeFacts
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.node import naming, steps, streams
from orca.node import replica_messages as replicas
from orca.node import session as sessions
from orca.node import watcher as watching
from orca.node.host import Host
from orca.node.record import ReplicaRecord, record_of
from orca.node.replica import ReplicaActor
from orca.node.runtime import ContainerSummary, EngineFacts
from orca.node.settings import NodeSettings
from orca.rpc import messages
from orca.rpc.session import Dialer

log = logging.getLogger(__name__)

SURVEY_SECONDS = 2.0
"""Longest wait for the first look at what was running before; then the node says what it knows."""


@dataclass(frozen=True, slots=True)
class _Flush:
    """Send the statuses that changed."""


@dataclass(frozen=True, slots=True)
class _SurveyOver:
    """Dial now, however much is known."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """A command ended."""

    session: int
    done: messages.CommandDone


@dataclass(frozen=True, slots=True)
class _Ended:
    """Background work ended; `error` in words when it failed."""

    what: str
    error: str = ""


AgentMessage = (
    replicas.ReplicaNews
    | watching.DockerNews
    | sessions.SessionNews
    | _Flush
    | _SurveyOver
    | _Answered
    | _Ended
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
        self._records: dict[ReplicaId, ReplicaRecord] = {}
        self._assignments: dict[ReplicaId, messages.Assignment] = {}
        self._dismissed: dict[ReplicaId, str] = {}
        self._children: dict[ReplicaId, Ref[replicas.ReplicaMessage]] = {}
        self._statuses: dict[ReplicaId, ReplicaStatus] = {}
        self._changed: dict[ReplicaId, ReplicaStatus] = {}
        self._gone: list[ReplicaId] = []
        self._unsurveyed: set[ReplicaId] = set()
        self._docker_error = "Docker has not answered yet"
        self._engine: EngineFacts | None = None
        self._suspected = False
        """Some replica got no answer from Docker since the last list."""
        self._epoch = Epoch(0)
        self._session: Ref[sessions.SessionMessage] | None = None
        self._watcher: Ref[watching.WatcherMessage] | None = None
        self._current = 0
        """The session that was greeted; 0 is none."""
        self._complete = False
        """Whether this session has said everything this node is to run."""

    # --- life ---

    async def started(self) -> None:
        """Take up what the local record says was running, then look at Docker."""
        self._epoch = self._host.record.identity().epoch
        self._records = self._host.record.replicas()
        self._unsurveyed = set(self._records)
        self._watcher = self.context.spawn("docker", self._make_watcher)
        for replica in self._records:
            self._spawn(replica)
        self.context.after(SURVEY_SECONDS, _SurveyOver(), key="survey")
        log.info("node %s starts with %d replicas", self._host.node, len(self._records))

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
            return ReplicaActor(
                self._host,
                self.context.me,
                self._records[replica],
                assignment=self._assignments.get(replica),
                dismissed=self._dismissed.get(replica, ""),
                away="" if self._engine is None else self._docker_error,
            )

        self._children[replica] = self.context.spawn(f"replica-{replica}", build)

    async def receive(self, message: AgentMessage) -> None:
        """Handle one message."""
        match message:
            case replicas.Changed():
                self._status_changed(message.status)
            case replicas.Surveyed():
                self._surveyed(message.replica)
            case replicas.Gone():
                await self._replica_gone(message.replica)
            case replicas.Suspect():
                self._suspect()
            case watching.DockerUp() | watching.DockerDown() | watching.Happened():
                self._docker_news(message)
            case sessions.Connected() | sessions.Disconnected() | sessions.Said():
                await self._session_news(message)
            case _SurveyOver():
                self._dial()
            case _Flush():
                self._flush()
            case _Answered():
                self._say(message.done, session=message.session)
            case _Ended():
                if message.error:
                    log.warning("%s: %s", message.what, message.error)
            case _:
                assert_never(message)

    # --- replicas ---

    def _status_changed(self, status: ReplicaStatus) -> None:
        self._statuses[status.replica] = status
        self._changed[status.replica] = status
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        if not self.context.busy("flush"):
            self.context.after(self._settings.report_seconds, _Flush(), key="flush")

    def _flush(self) -> None:
        if self._current and (self._changed or self._gone):
            statuses, gone = tuple(self._changed.values()), tuple(self._gone)
            self._say(messages.StatusReport(statuses=statuses, gone=gone), session=self._current)
        self._changed.clear()
        self._gone.clear()

    def _surveyed(self, replica: ReplicaId) -> None:
        self._unsurveyed.discard(replica)
        if not self._unsurveyed and self._engine is not None:
            self._dial()

    def _dial(self) -> None:
        """Only now: a hello that does not know yet what runs would look like a disaster."""
        if self._session is None:
            self._session = self.context.spawn("session", self._make_session)

    async def _replica_gone(self, replica: ReplicaId) -> None:
        self._gone.append(replica)
        self._schedule_flush()
        await self._drop(replica)

    async def _drop(self, replica: ReplicaId) -> None:
        """Forget a replica of which nothing is left."""
        record = self._records.pop(replica, None)
        self._assignments.pop(replica, None)
        self._dismissed.pop(replica, None)
        self._statuses.pop(replica, None)
        self._unsurveyed.discard(replica)
        self._host.record.forget(replica)
        if (child := self._children.pop(replica, None)) is not None:
            await self.context.stop(child)
        if record is not None:
            self._remove_network(record)

    def _remove_network(self, record: ReplicaRecord) -> None:
        project = record.replica.service.project
        if any(each.replica.service.project == project for each in self._records.values()):
            return
        owner = naming.owner(cluster=self._host.cluster, project=project)
        name = naming.project_network(project)
        self.context.start(
            self._host.runtime.remove_network_if_unused(name, labels=owner),
            key=("network", project),
            done=lambda _: _Ended(f"removing network {name}"),
            failed=lambda error: _Ended(f"removing network {name}", error.message),
        )

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
        returned = bool(self._docker_error)
        changed = returned or up.facts != self._engine
        self._docker_error, self._engine = "", up.facts
        if changed:
            self._tell_facts()
        listed = {naming.replica_of(each.labels): each for each in up.containers}
        for replica, child in self._children.items():
            # What the replica knows already needs no look; most lists show nothing new.
            if returned or self._is_news(replica, listed.get(replica)):
                child.tell(replicas.DockerBack(), key="look")
        self._suspected = False
        self._remove_orphans(up.containers)
        if not self._unsurveyed:
            self._dial()

    def _is_news(self, replica: ReplicaId, listed: ContainerSummary | None) -> bool:
        status = self._statuses.get(replica)
        if status is None or self._suspected:
            return True
        if listed is None:
            return bool(status.container_id) and not status.state.is_final
        runs = status.state is ReplicaState.RUNNING
        return listed.id != status.container_id or listed.running != runs

    def _docker_down(self, reason: str) -> None:
        if self._docker_error == reason:
            return
        first = not self._docker_error or self._engine is None
        self._docker_error = reason
        self._tell_facts()
        if not first:
            return
        log.warning("%s", reason)
        for child in self._children.values():
            child.tell(replicas.DockerAway(reason))

    def _suspect(self) -> None:
        self._suspected = True
        if self._watcher is not None:
            self._watcher.tell(watching.Recheck(), key="recheck")

    def _remove_orphans(self, containers: tuple[ContainerSummary, ...]) -> None:
        if not self._complete:
            return
        for each in containers:
            if naming.replica_of(each.labels) in self._records or self.context.busy(each.id):
                continue
            log.warning("removing container %s, which is assigned to nobody", each.name)
            self.context.start(
                steps.remove_orphan(self._host, each.id),
                key=each.id,
                done=lambda _, name=each.name: _Ended(f"removing orphan {name}"),  # type: ignore[misc]
                failed=lambda error, name=each.name: _Ended(  # type: ignore[misc]
                    f"removing orphan {name}", error.message
                ),
            )

    # --- the session ---

    async def _session_news(self, news: sessions.SessionNews) -> None:
        match news:
            case sessions.Connected():
                self._greet(news.session)
            case sessions.Disconnected():
                self._current = 0
                self._complete = False
            case sessions.Said():
                if self._obeys(news):
                    self._heard(news.message, session=news.session)
            case _:
                assert_never(news)

    def _greet(self, session: int) -> None:
        self._current = session
        self._complete = False
        self._changed.clear()
        self._gone.clear()
        hello = messages.NodeHello(
            node=self._host.node,
            name=self._settings.name,
            epoch=self._epoch,
            lineage=self._host.record.identity().lineage,
            facts=self._facts(),
            statuses=tuple(self._statuses.values()),
        )
        self._say(hello, session=session)

    def _obeys(self, said: sessions.Said) -> bool:
        """Whether the sender is the newest leader this node has heard of."""
        epoch = said.message.epoch
        if epoch < self._epoch:
            log.warning(
                "refused %s of epoch %d: the leader of epoch %d has been here",
                type(said.message).__name__,
                epoch,
                self._epoch,
            )
            self._refuse(said)
            return False
        if epoch > self._epoch:
            self._epoch = epoch
            try:
                self._host.record.saw_epoch(epoch)
            except errors.Failed as error:
                log.error("%s", error.message)
        return said.session == self._current

    def _refuse(self, said: sessions.Said) -> None:
        match said.message:
            case messages.ResolveImage():
                done = messages.CommandDone(
                    command=said.message.command,
                    error_kind=errors.Fenced.kind,
                    error=f"this node follows the leader of epoch {self._epoch}",
                )
                self._say(done, session=said.session)
            case messages.Welcome() | messages.HeartbeatAck():
                if self._session is not None:
                    self._session.tell(sessions.HangUp("that leader has been replaced"))

    def _heard(self, message: messages.MasterMessage, *, session: int) -> None:
        match message:
            case messages.Assignments():
                self._assign(message)
            case messages.ResolveImage():
                self._resolve(message, session=session)
            case messages.OpenStream():
                self._open_stream(message)
            case messages.Welcome():
                log.info("welcomed by the leader of epoch %d", message.epoch)
                self._follow(message.lineage)
            case messages.HeartbeatAck():
                pass
            case _:
                assert_never(message)

    def _follow(self, lineage: str) -> None:
        if lineage == self._host.record.identity().lineage:
            return
        try:
            self._host.record.saw_lineage(lineage)
        except errors.Failed as error:
            log.error("%s", error.message)

    def _say(self, message: messages.NodeMessage, *, session: int) -> None:
        if self._session is not None:
            self._session.tell(sessions.Say(session, message))

    def _tell_facts(self) -> None:
        if self._session is not None and self._current:
            self._session.tell(sessions.SayFacts(self._current, self._facts()))

    def _facts(self) -> NodeFacts:
        engine = self._engine or EngineFacts(version="")
        return NodeFacts(
            hostname=engine.hostname or self._settings.name,
            version=self._settings.version,
            docker_version=engine.version,
            docker_error=self._docker_error,
            cpus=engine.cpus,
            memory_bytes=engine.memory_bytes,
            labels=self._settings.labels,
        )

    # --- what the master wants ---

    def _assign(self, wanted: messages.Assignments) -> None:
        for assignment in wanted.assignments:
            self._want(assignment)
        if wanted.complete:
            self._complete = True
            named = {assignment.replica.id for assignment in wanted.assignments}
            for replica in [each for each in self._children if each not in named]:
                self._dismiss(replica, "the leader does not know this replica")
            if self._watcher is not None:
                self._watcher.tell(watching.Recheck(), key="recheck")
        for replica in wanted.forgotten:
            self._dismiss(replica, "no longer wanted")

    def _want(self, assignment: messages.Assignment) -> None:
        replica = assignment.replica.id
        self._assignments[replica] = assignment
        self._dismissed.pop(replica, None)
        if replica in self._children:
            self._records[replica] = record_of(assignment, self._records[replica])
            self._children[replica].tell(replicas.Want(assignment))
            return
        self._records[replica] = record_of(assignment)
        try:
            self._host.record.keep(self._records[replica])
        except errors.Failed as error:
            log.error("%s", error.message)
        self._spawn(replica)

    def _dismiss(self, replica: ReplicaId, reason: str) -> None:
        if child := self._children.get(replica):
            self._dismissed[replica] = reason
            child.tell(replicas.Dismiss(reason))

    def _resolve(self, command: messages.ResolveImage, *, session: int) -> None:
        self.context.start(
            steps.resolve(self._host, command),
            key=("command", command.command),
            done=lambda image: _Answered(
                session, messages.CommandDone(command=command.command, image_id=image)
            ),
            failed=lambda error: _Answered(session, _failure(command.command, error)),
        )

    def _open_stream(self, request: messages.OpenStream) -> None:
        wanted = request.logs or request.exec
        replica = wanted.replica if wanted is not None else ReplicaId("")
        record = self._records.get(replica)
        self.context.start(
            streams.serve(
                request,
                host=self._host,
                dialer=self._dialer,
                replica=record.replica if record is not None else None,
                status=self._statuses.get(replica),
            ),
            key=("stream", request.stream),
            done=lambda _: _Ended("a stream"),
            failed=lambda error: _Ended("a stream", error.message),
        )


def _failure(command: CommandId, error: errors.OrcaError) -> messages.CommandDone:
    return messages.CommandDone(
        command=command, error_kind=error.kind, error=error.message, hint=error.hint
    )
