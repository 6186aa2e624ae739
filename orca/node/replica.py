"""`ReplicaActor`: brings one replica to what the leader wants, and says where it stands.

Level-triggered: whatever happens, `_advance` looks at the wish and at the container as last seen and
takes the one next step (`steps.py`); its outcome comes back as a message and leads to `_advance` again.
Nothing is remembered that a look at Docker would not show, except why the last run ended.

The hard parts: a healthy container is never touched, whoever of agent, master and dockerd was restarted;
a death is answered within milliseconds, but one that came with the daemon's own end is no crash; and a
replica that is no more wanted is taken down whatever it was in the middle of.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, assert_never

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.container import ContainerSpec
from orca.model.ids import ReplicaId
from orca.model.replica import Desired, ReplicaState, ReplicaStatus, can_follow
from orca.node import naming, steps
from orca.node.host import Host
from orca.node.obituary import Obituary
from orca.node.pulse import Pulse
from orca.node.record import ReplicaRecord, record_of
from orca.node.replica_messages import (
    Answer,
    Changed,
    Dismiss,
    DockerAway,
    DockerBack,
    Due,
    Gone,
    Look,
    ReplicaMessage,
    ReplicaNews,
    StepDone,
    StepFailed,
    Surveyed,
    Suspect,
    Want,
)
from orca.node.runtime import Container, ContainerEvent, ContainerState
from orca.plan.restart import GiveUp, backoff_seconds, next_restart
from orca.rpc.messages import Assignment

log = logging.getLogger(__name__)

SETTLE_RETRY_SECONDS = 0.5
LISTEN_SECONDS = 1.0
"""How often the output of a run that is not ready is read."""
_BESIDES = ("mourn", "name", "listen")
"""Steps that go on beside the one step."""

_EXPECTED = {"make": ("create",), "start": ("start",)}
"""Events that a step brings about itself: no reason to look again."""


class ReplicaActor(Actor[ReplicaMessage]):
    """One replica on this node."""

    def __init__(
        self,
        host: Host,
        agent: Ref[ReplicaNews],
        record: ReplicaRecord,
        *,
        assignment: Assignment | None = None,
        dismissed: str = "",
        away: str = "",
    ) -> None:
        self._host = host
        self._agent = agent
        self._record = record
        self._assignment = assignment
        """With secrets; None while only the record is known."""
        self._dismissed = dismissed
        self._away = away
        self._outage = True
        """Docker or this agent was away since the container was last seen running."""
        self._container: Container | None = None
        self._image = ""
        self._looked = False
        self._surveyed = False
        self._step = ""
        self._waiting = False
        self._gone = False
        self._row = 0
        self._troubles = 0
        self._death = Obituary()
        self._buried = ("", 0.0)
        self._seen_to_die = False
        """An event said that it died; no look has shown it yet."""
        self._unstarted = False
        """The last start failed: that the container does not run is no death."""
        self._status = ReplicaStatus(
            replica=record.replica.id,
            state=record.final,
            permanent=record.permanent,
            attempt=record.attempt,
            restarts=record.restarts,
            port=record.container.port,
            reason="it had ended before this agent started" if record.final.is_final else "",
        )

    @property
    def _id(self) -> ReplicaId:
        return self._record.replica.id

    async def started(self) -> None:
        """Report once, then look for a container to adopt."""
        self._pulse = Pulse(self.context, self._host.prober)
        if self._away:
            self._pulse.docker_left()
        self._say()
        self._advance()

    async def receive(self, message: ReplicaMessage) -> None:
        """Take note, then take the next step."""
        match message:
            case Want():
                self._wanted(message.assignment)
            case Dismiss():
                self._dismissed = message.reason
                self._drop_work()
            case Look():
                self._glimpsed(message.event)
            case DockerAway():
                self._docker_left(message.reason)
            case DockerBack():
                self._docker_returned()
            case StepDone():
                self._done(message.step, message.outcome)
            case StepFailed():
                self._failed(message.step, message.error)
            case Due():
                self._due(message)
            case Answer():
                self._answered(message)
            case _:
                assert_never(message)
        self._advance()

    # --- the next step ---

    @property
    def _spec(self) -> ContainerSpec:
        """The whole spec; without a master only what the record holds of it."""
        return self._record.container if self._assignment is None else self._assignment.container

    @property
    def _trace(self) -> str:
        """The deploy's, as long as it is the deploy that starts the container and not a restart."""
        if self._assignment is None or self._status.attempt > 1:
            return ""
        return self._assignment.trace

    @property
    def _stopping(self) -> bool:
        return bool(self._dismissed) or self._record.replica.desired is Desired.STOP

    def _advance(self) -> None:
        if self._step or self._gone or self._away:
            return
        if self._stopping:
            self._take_down()
        elif self._status.state.is_final:
            self._survey()
        elif self._waiting:
            return
        elif not self._looked:
            self._look()
        elif self._container is None:
            self._make()
        else:
            self._tend(self._container)

    def _tend(self, container: Container) -> None:
        match container.state:
            case ContainerState.RUNNING:
                self._run(container)
            case ContainerState.CREATED:
                self._start(container)
            case ContainerState.EXITED if self._unstarted or self._is_buried(container):
                self._start(container)
            case ContainerState.EXITED:
                self._died(container)

    def _is_buried(self, container: Container) -> bool:
        """Whether this very death has been dealt with already."""
        return self._buried == (container.id, container.finished_at)

    def _do(self, step: str, work: Coroutine[Any, Any, Any]) -> None:
        self._step = step
        self.context.start(
            work,
            key="step",
            done=lambda outcome: StepDone(step, outcome),
            failed=lambda error: StepFailed(step, error),
        )

    def _drop_work(self) -> None:
        """Forget what was going on, unless it already is the taking down."""
        if self._step != "halt":
            self.context.cancel("step")
            self._step = ""
        self.context.cancel("retry")
        self._waiting = False

    def _look(self) -> None:
        if self._container is None:
            self._do("look", steps.find(self._host, self._id))
        else:
            self._do("look", steps.look(self._host, self._container.id))

    def _make(self) -> None:
        if self._assignment is None:
            self._say(reason="its container is gone; waiting for a master to make another")
            self._survey()
            return
        self._survey()
        if self._assignment.blocked:
            self._say(reason=self._assignment.blocked)
            return
        if not self._image:
            self._say(state=ReplicaState.PULLING)
            self._do("pull", steps.pull(self._host, self._assignment, trace=self._trace))
        else:
            self._say(state=ReplicaState.CREATING)
            work = steps.make(self._host, self._assignment, self._image, trace=self._trace)
            self._do("make", work)

    def _start(self, container: Container) -> None:
        self._say(
            state=ReplicaState.STARTING,
            container_id=container.id,
            container_name=container.name,
        )
        self._survey()
        files = {} if self._assignment is None else self._assignment.secret_files
        if (
            self._record.container.secret_files
            and not files
            and not self._host.secrets.exist(self._id)
        ):
            self._say(reason="its secret files are gone; waiting for a master to send them")
            return
        work = steps.begin(
            self._host,
            self._record,
            container.id,
            secret_files=files,
            again=self._unstarted,
            trace=self._trace,
        )
        self._do("start", work)

    def _run(self, container: Container) -> None:
        """The container runs: probe it, and let it have its name."""
        self._outage = self._unstarted = False
        self._buried = (container.id, container.finished_at)
        if self._pulse.beats:
            return
        self._troubles = 0
        age = max(0.0, self._host.now() - container.started_at)
        self._pulse.begin(
            container,
            self._spec,
            age_seconds=age,
            attempt=self._status.attempt,
            ready=self._status.ready,
        )
        self._say(
            state=ReplicaState.RUNNING,
            container_id=container.id,
            container_name=container.name,
            address=container.address,
            started_at=container.started_at,
            next_restart_at=0.0,
            ready=self._ready,
            reason=self._running_reason,
        )
        if self._pulse.tells_at_once:
            self._survey()
        self._settle_name()

    # --- ends of runs ---

    def _died(self, container: Container) -> None:
        self._pulse.end()
        since = self._buried[1]
        self._buried = (container.id, container.finished_at)
        self._say(ready=False, address="")
        if self._outage:
            self._restart_uncounted()
            return
        self._mourn(container, since=since)
        if self._record.replica.desired is Desired.DRAIN:
            self._say(state=ReplicaState.STOPPED, reason=self._death.reason)
            self._end_for_good()
            return
        if self._death.hopeless:
            self._give_up(self._death.reason, permanent=True)
            return
        ran = max(0.0, container.finished_at - container.started_at)
        verdict = next_restart(
            row=self._row, ran_seconds=ran, max_restarts=self._record.container.max_restarts
        )
        if isinstance(verdict, GiveUp):
            self._give_up(f"{self._death.reason}; {verdict.reason}", permanent=False)
            return
        self._row = verdict.row
        self._restart(delay_seconds=verdict.delay_seconds)

    def _mourn(self, container: Container, *, since: float) -> None:
        """Keep why it died; its last lines come later, a restart does not wait for them."""
        self._death = self._death.of(container)
        self._say(
            exit_code=container.exit_code,
            oom_killed=container.oom_killed,
            reason=self._death.reason,
            last_lines=(),
        )
        self.context.start(
            steps.last_lines(self._host, container, since=since),
            key="mourn",
            done=lambda lines: StepDone("mourn", lines),
            failed=lambda error: StepFailed("mourn", error),
        )

    def _restart(self, *, delay_seconds: float) -> None:
        if delay_seconds:
            self._say(next_restart_at=self._host.now() + delay_seconds)
            self._survey()
            self._waiting = True
            self._after(delay_seconds, "retry")
        self._new_attempt(restarts=self._status.restarts + 1)

    def _restart_uncounted(self) -> None:
        """It ended because the daemon did: nothing is wrong with it."""
        self._new_attempt(restarts=self._status.restarts)

    def _new_attempt(self, *, restarts: int) -> None:
        state = ReplicaState.STARTING if self._container else ReplicaState.PULLING
        self._pulse.end()
        self._say(
            state=state,
            attempt=self._status.attempt + 1,
            restarts=restarts,
            ready=False,
            address="",
        )
        self._keep(
            replace(self._record, attempt=self._status.attempt, restarts=self._status.restarts)
        )
        if not self._waiting:
            self._advance()

    def _give_up(self, reason: str, *, permanent: bool) -> None:
        self._pulse.end()
        log.warning(
            "replica %s of %s has failed: %s", self._id, self._record.replica.service, reason
        )
        self._say(
            state=ReplicaState.FAILED,
            ready=False,
            reason=reason,
            permanent=permanent,
            next_restart_at=0.0,
        )
        self._end_for_good()

    def _end_for_good(self) -> None:
        permanent = self._status.permanent
        self._keep(replace(self._record, final=self._status.state, permanent=permanent))
        self._survey()

    def _take_down(self) -> None:
        self._pulse.end()
        self.context.cancel("mourn")
        self._say(
            state=ReplicaState.STOPPING,
            ready=False,
            reason=self._dismissed or self._record.replica.reason,
            next_restart_at=0.0,
        )
        self._survey()
        if not self._waiting:
            self._do("halt", steps.halt(self._host, self._record))

    # --- what came back ---

    def _done(self, step: str, outcome: Any) -> None:
        if step == "mourn":
            self._read_last_lines(outcome)
            return
        if step == "name":
            self._named(outcome)
            return
        if step == "listen":
            self._heard(outcome)
            return
        self._step = ""
        self._troubles = 0 if step in ("make", "start") else self._troubles
        match step:
            case "look":
                self._saw(outcome)
            case "pull":
                self._image = outcome
            case "make":
                self._container = outcome
            case "start":
                self._container = outcome
            case "interrupt":
                self._saw(outcome)
            case "halt":
                self._ended()

    def _saw(self, seen: Container | None) -> None:
        """Compare what is there with what was there."""
        before, self._container = self._container, seen
        self._looked, self._seen_to_die = True, False
        if seen is None and before is not None:
            self._vanished()
        elif seen is not None and seen.running and self._was_restarted_by_others(before, seen):
            self._pulse.end()
            self._say(ready=False)
            self._new_attempt(restarts=self._status.restarts + 1)

    def _was_restarted_by_others(self, before: Container | None, seen: Container) -> bool:
        return self._pulse.beats and before is not None and before.started_at != seen.started_at

    def _vanished(self) -> None:
        """Somebody removed the container: that is a death without a body."""
        self._pulse.end()
        if self._record.replica.desired is Desired.DRAIN:
            self._say(state=ReplicaState.STOPPED, ready=False, reason="its container was removed")
            self._end_for_good()
            return
        self._say(reason="its container was removed by somebody else")
        delay = backoff_seconds(self._row)
        self._row += 1
        self._restart(delay_seconds=delay)

    def _ended(self) -> None:
        self._gone = True
        self._say(state=ReplicaState.STOPPED)
        self._agent.tell(Gone(self._id))

    def _read_last_lines(self, lines: tuple[str, ...]) -> None:
        self._death = self._death.with_lines(lines)
        self._say(last_lines=lines)

    def _failed(self, step: str, error: errors.OrcaError) -> None:
        if isinstance(error, errors.DockerUnavailable):
            self._step = "" if step not in _BESIDES else self._step
            self._docker_left(error.message)
            self._agent.tell(Suspect(error.message))
            return
        if step in ("mourn", "listen"):
            return
        if step == "name":
            self._after(SETTLE_RETRY_SECONDS, "name")
            return
        self._step = ""
        self._looked = False
        if isinstance(error, errors.NotFound):
            return
        self._unstarted = step == "start"
        if isinstance(error, errors.ImageError) and step == "make":
            self._image = ""
        self._retry_later(step, error)

    def _retry_later(self, step: str, error: errors.OrcaError) -> None:
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        if isinstance(error, errors.Failed) and error.permanent and step != "halt":
            self._give_up(reason, permanent=True)
            return
        self._troubles += 1
        delay = backoff_seconds(self._troubles)
        log.info("replica %s: %s failed, again in %.0f s: %s", self._id, step, delay, reason)
        self._say(ready=False, reason=reason, next_restart_at=self._host.now() + delay)
        self._survey()
        self._waiting = True
        self._after(delay, "retry")

    # --- what others saw ---

    def _wanted(self, assignment: Assignment) -> None:
        if self._assignment is None and assignment.container != self._record.container:
            # Exec probes are known only now: begin anew, without doubting what was ready.
            self._pulse.end()
        self._assignment = assignment
        self._keep(record_of(assignment, self._record))
        if self._stopping:
            self._drop_work()
        elif self._status.state is ReplicaState.RUNNING:
            self._settle_name()

    def _keep(self, record: ReplicaRecord) -> None:
        if record == self._record:
            return
        self._record = record
        try:
            self._host.record.keep(record)
        except errors.Failed as error:
            # The replica matters more than the note about it.
            log.error("%s", error.message)

    def _glimpsed(self, event: ContainerEvent | None) -> None:
        mine = self._container is not None and event is not None
        if mine and event and self._container and event.container != self._container.id:
            return
        if event is not None and event.action == "die" and self._pulse.beats:
            # No request may be sent there any more, even if Docker does not live to confirm it.
            self._seen_to_die = True
            self._say(ready=False)
        if event is None or event.action not in _EXPECTED.get(self._step, ()):
            self._looked = False

    def _docker_left(self, reason: str) -> None:
        if self._away:
            return
        self._away = reason
        self._outage = True
        self._pulse.docker_left()
        if self._step:
            self.context.cancel("step")
            self._step = ""
        self._say(ready=self._ready, reason=reason)
        self._survey()

    def _docker_returned(self) -> None:
        if self._away:
            self._away = ""
            self._pulse.docker_returned()
            self.context.cancel("retry")
            self._waiting = False
            self._say(ready=self._ready, reason=self._running_reason)
        self._looked = False

    def _due(self, due: Due) -> None:
        if due.what == "retry":
            self._waiting = False
            return
        if due.attempt != self._status.attempt:
            return
        if due.what == "name":
            self._settle_name()
        elif due.what == "listen":
            self._listen()
        elif self._pulse.beats:
            self._pulse.due(due.what)
            self._say(ready=self._ready, reason=self._running_reason)

    def _after(self, seconds: float, what: str) -> None:
        self.context.after(seconds, Due(what, self._status.attempt), key=what)

    # --- health ---

    @property
    def _ready(self) -> bool:
        return self._pulse.ready and not self._seen_to_die

    @property
    def _running_reason(self) -> str:
        if self._away:
            return self._away
        if not self._pulse.beats:
            return self._status.reason
        if not self._pulse.reason or not self._death.reason:
            return self._pulse.reason
        return f"{self._pulse.reason}; its last run {self._death.reason}"

    def _answered(self, answer: Answer) -> None:
        if not self._pulse.beats or answer.attempt != self._status.attempt:
            return
        if isinstance(answer.error, errors.DockerUnavailable):
            self._agent.tell(Suspect(answer.error.message))
        self._pulse.answered(answer)
        self._say(ready=self._ready, reason=self._running_reason)
        if answer.name != "liveness":
            self._survey()
        if not self._ready and not self.context.busy("listening"):
            self.context.after(LISTEN_SECONDS, Due("listen", self._status.attempt), key="listening")
        if self._pulse.fatal and not self._step and not self._away:
            self._end_run(self._pulse.fatal)

    def _listen(self) -> None:
        """A run that lives and is not ready may be saying why."""
        if self._ready or not self._pulse.beats or self._container is None:
            return
        self.context.start(
            steps.last_lines(self._host, self._container, since=self._buried[1]),
            key="listen",
            done=lambda lines: StepDone("listen", lines),
            failed=lambda error: StepFailed("listen", error),
        )

    def _heard(self, lines: tuple[str, ...]) -> None:
        if lines and self._pulse.beats and not self._ready:
            self._say(last_lines=lines)

    def _end_run(self, reason: str) -> None:
        """A container that lives and does not work is ended; its death is then a death like any."""
        if self._container is None:
            return
        self._pulse.end()
        self._death = self._death.because(reason)
        self._say(ready=False, reason=f"being restarted: {reason}")
        grace = self._record.container.stop_grace_seconds
        work = steps.interrupt(self._host, self._container.id, grace_seconds=grace)
        self._do("interrupt", work)

    # --- name ---

    def _settle_name(self) -> None:
        container = self._container
        if container is None or not self._record.settled_name or self.context.busy("naming"):
            return
        if self._status.container_name in naming.settled(self._record.replica):
            return
        self.context.start(
            steps.settle_name(self._host, self._record.replica, container),
            key="naming",
            done=lambda name: StepDone("name", name),
            failed=lambda error: StepFailed("name", error),
        )

    def _named(self, name: str) -> None:
        if not name:
            self._after(SETTLE_RETRY_SECONDS, "name")
            return
        if self._container is not None:
            self._container = replace(self._container, name=name)
        self._say(container_name=name)

    # --- telling ---

    def _survey(self) -> None:
        if not self._surveyed:
            self._surveyed = True
            self._agent.tell(Surveyed(self._id))

    def _say(self, **changes: Any) -> None:
        before = self._status
        after = replace(before, **changes)
        new_attempt = after.attempt != before.attempt
        if not can_follow(before.state, after.state, new_attempt=new_attempt):
            after = replace(after, state=before.state)
        if after != before or not before.changed_at:
            self._status = replace(after, changed_at=self._host.now())
            self._agent.tell(Changed(self._status))
