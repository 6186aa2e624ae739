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
from dataclasses import dataclass, replace
from typing import Any, assert_never

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.container import Probe, ProbeKind
from orca.model.ids import ReplicaId
from orca.model.replica import Desired, ReplicaState, ReplicaStatus, can_follow
from orca.node import naming, probe_state, steps
from orca.node.host import Host
from orca.node.obituary import Obituary
from orca.node.probe_state import Health
from orca.node.record import ReplicaRecord, record_of
from orca.node.runtime import Container, ContainerEvent, ContainerState
from orca.plan.restart import GiveUp, backoff_seconds, next_restart
from orca.rpc.messages import Assignment

log = logging.getLogger(__name__)

SETTLE_RETRY_SECONDS = 0.5
AWAY_PACE_SECONDS = 1.0
"""Probes go on at least this often while Docker does not answer: they are all that is known."""

_EXPECTED = {"make": ("create",), "start": ("start",)}
"""Events that a step brings about itself: no reason to look again."""

# --- what it is told ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Want:
    """What the leader wants now."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Dismiss:
    """The leader knows this replica no more: take it down."""

    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the container again; `event` is what made somebody think so."""

    event: ContainerEvent | None = None


@dataclass(frozen=True, slots=True)
class DockerAway:
    """Docker does not answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class DockerBack:
    """Docker answers."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A step ended well."""

    step: str
    outcome: Any


@dataclass(frozen=True, slots=True)
class _Failed:
    """A step ended with an error."""

    step: str
    error: errors.OrcaError


@dataclass(frozen=True, slots=True)
class _Due:
    """It is time for something: `probe:<name>`, `retry`, `settled`, `name`."""

    what: str
    attempt: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """A probe was answered; `error` when nothing was learned."""

    name: str
    attempt: int
    reason: str = ""
    error: errors.OrcaError | None = None


ReplicaMessage = Want | Dismiss | Look | DockerAway | DockerBack | _Done | _Failed | _Due | _Answer

# --- what it tells ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """Its status changed."""

    status: ReplicaStatus


@dataclass(frozen=True, slots=True)
class Surveyed:
    """It knows where it stands since it was started: its status may be believed."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of it is left on this host."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Suspect:
    """Docker did not answer it."""

    reason: str


ReplicaNews = Changed | Surveyed | Gone | Suspect


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
        self._outage = bool(away)
        """Docker was away since the container was last seen running."""
        self._container: Container | None = None
        self._image = ""
        self._looked = False
        self._surveyed = False
        self._step = ""
        self._waiting = False
        self._gone = False
        self._row = 0
        self._troubles = 0
        self._health: Health | None = None
        self._death = Obituary()
        self._buried = ("", 0.0)
        self._unstarted = False
        """The last start failed: that the container does not run is no death."""
        self._status = ReplicaStatus(
            replica=record.replica.id,
            state=ReplicaState.ASSIGNED,
            attempt=record.attempt,
            restarts=record.restarts,
            port=record.container.port,
        )

    @property
    def _id(self) -> ReplicaId:
        return self._record.replica.id

    async def started(self) -> None:
        """Report once, then look for a container to adopt."""
        self._say(reason=self._away)
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
            case _Done():
                self._done(message.step, message.outcome)
            case _Failed():
                self._failed(message.step, message.error)
            case _Due():
                self._due(message)
            case _Answer():
                self._answered(message)
            case _:
                assert_never(message)
        self._advance()

    # --- the next step ---

    @property
    def _stopping(self) -> bool:
        return bool(self._dismissed) or self._record.replica.desired is Desired.STOP

    def _advance(self) -> None:
        if self._step or self._gone or self._away:
            return
        if self._stopping:
            self._take_down()
        elif self._waiting or self._status.state.is_final:
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
            done=lambda outcome: _Done(step, outcome),
            failed=lambda error: _Failed(step, error),
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
        if not self._image:
            self._say(state=ReplicaState.PULLING)
            self._do("pull", steps.pull(self._host, self._assignment))
        else:
            self._say(state=ReplicaState.CREATING)
            self._do("make", steps.make(self._host, self._assignment, self._image))

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
        self._do("start", steps.begin(self._host, self._id, container.id, secret_files=files))

    def _run(self, container: Container) -> None:
        """The container runs: probe it, and let it have its name."""
        self._outage = self._unstarted = False
        if self._health is not None:
            return
        self._troubles = 0
        age = max(0.0, self._host.now() - container.started_at)
        self._health = Health.begin(self._record.container, age_seconds=age)
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
        self._schedule_probes()
        if not self._health.settled:
            self._after(probe_state.SETTLE_SECONDS - age, "settled")
        if self._health.readiness is None or age < probe_state.SETTLE_SECONDS:
            self._survey()
        self._settle_name()

    # --- ends of runs ---

    def _died(self, container: Container) -> None:
        self._quiet()
        self._buried = (container.id, container.finished_at)
        self._say(ready=False, address="")
        if self._outage:
            self._restart_uncounted()
            return
        self._mourn(container)
        if self._record.replica.desired is Desired.DRAIN:
            self._say(state=ReplicaState.STOPPED, reason=self._death.reason)
            self._survey()
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

    def _mourn(self, container: Container) -> None:
        """Keep why it died; its last lines come later, a restart does not wait for them."""
        self._death = self._death.of(container)
        self._say(
            exit_code=container.exit_code,
            oom_killed=container.oom_killed,
            reason=self._death.reason,
            last_lines=(),
        )
        self.context.start(
            steps.last_lines(self._host, container),
            key="mourn",
            done=lambda lines: _Done("mourn", lines),
            failed=lambda error: _Failed("mourn", error),
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
        self._health = None
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
        self._quiet()
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
        self._survey()

    def _quiet(self) -> None:
        """Ask no more probes of a run that is over."""
        self._health = None
        for name in ("startup", "readiness", "liveness"):
            self.context.cancel(f"probe:{name}")
            self.context.cancel(f"ask:{name}")
        self.context.cancel("settled")
        self.context.cancel("name")

    def _take_down(self) -> None:
        self._quiet()
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
        self._looked = True
        if seen is None and before is not None:
            self._vanished()
        elif seen is not None and seen.running and self._was_restarted_by_others(before, seen):
            self._quiet()
            self._new_attempt(restarts=self._status.restarts + 1)

    def _was_restarted_by_others(self, before: Container | None, seen: Container) -> bool:
        return (
            self._health is not None and before is not None and before.started_at != seen.started_at
        )

    def _vanished(self) -> None:
        """Somebody removed the container: that is a death without a body."""
        self._quiet()
        if self._record.replica.desired is Desired.DRAIN:
            self._say(state=ReplicaState.STOPPED, ready=False, reason="its container was removed")
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
            self._step = "" if step not in ("mourn", "name") else self._step
            self._docker_left(error.message)
            self._agent.tell(Suspect(error.message))
            return
        if step == "mourn":
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
        self._assignment = assignment
        fresh = record_of(assignment)
        self._keep(replace(fresh, attempt=self._record.attempt, restarts=self._record.restarts))
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
        if event is not None and event.action == "die" and self._health is not None:
            # No request may be sent there any more, whatever the look will show.
            self._say(ready=False)
        if event is None or event.action not in _EXPECTED.get(self._step, ()):
            self._looked = False

    def _docker_left(self, reason: str) -> None:
        if self._away:
            return
        self._away = reason
        self._outage = True
        if self._step:
            self.context.cancel("step")
            self._step = ""
        self._say(ready=self._ready, reason=reason)
        self._survey()
        self._ask_soon()

    def _docker_returned(self) -> None:
        if self._away:
            self._away = ""
            self.context.cancel("retry")
            self._waiting = False
            self._say(ready=self._ready, reason=self._running_reason)
        self._looked = False

    def _due(self, due: _Due) -> None:
        if due.what == "retry":
            self._waiting = False
            return
        if due.attempt != self._status.attempt or self._health is None:
            return
        if due.what == "settled":
            self._health = replace(self._health, settled=True)
            self._report_health()
        elif due.what == "name":
            self._settle_name()
        else:
            self._ask(due.what.removeprefix("probe:"))

    def _after(self, seconds: float, what: str) -> None:
        self.context.after(seconds, _Due(what, self._status.attempt), key=what)

    # --- health ---

    @property
    def _ready(self) -> bool:
        """Without Docker only what the network shows counts."""
        if self._health is None:
            return False
        readiness = self._health.readiness
        by_network = readiness is not None and readiness.probe.kind is not ProbeKind.EXEC
        return self._health.ready and (by_network or not self._away)

    @property
    def _running_reason(self) -> str:
        if self._away:
            return self._away
        if self._health is None:
            return self._status.reason
        return self._health.reason

    def _report_health(self) -> None:
        self._say(ready=self._ready, reason=self._running_reason)

    def _schedule_probes(self) -> None:
        if self._health is None:
            return
        for name in self._health.due:
            if not self.context.busy(f"probe:{name}") and not self.context.busy(f"ask:{name}"):
                gauge: probe_state.Gauge = getattr(self._health, name)
                pace = gauge.pace_seconds
                self._after(min(pace, AWAY_PACE_SECONDS) if self._away else pace, f"probe:{name}")

    def _ask_soon(self) -> None:
        if self._health is not None and "readiness" in self._health.due and self._health.readiness:
            self._after(0.0, "probe:readiness")

    def _ask(self, name: str) -> None:
        gauge: probe_state.Gauge | None = getattr(self._health, name)
        if gauge is None or self._container is None:
            return
        attempt = self._status.attempt
        self.context.start(
            self._question(gauge.probe, self._container),
            key=f"ask:{name}",
            done=lambda reason: _Answer(name, attempt, reason=reason),
            failed=lambda error: _Answer(name, attempt, error=error),
        )

    def _question(self, probe: Probe, container: Container) -> Coroutine[Any, Any, str]:
        return self._host.prober.ask(
            probe,
            container=container.id,
            address=container.address,
            port=self._record.container.port,
        )

    def _answered(self, answer: _Answer) -> None:
        if self._health is None or answer.attempt != self._status.attempt:
            return
        if answer.error is not None:
            if isinstance(answer.error, errors.DockerUnavailable):
                self._agent.tell(Suspect(answer.error.message))
        else:
            self._health = self._health.observe(
                answer.name, ok=not answer.reason, reason=answer.reason
            )
        self._report_health()
        if answer.name in ("readiness", "startup"):
            self._survey()
        if (fatal := self._health.fatal) and not self._step and not self._away:
            self._end_run(fatal)
        else:
            self._schedule_probes()

    def _end_run(self, reason: str) -> None:
        """A container that lives and does not work is ended; its death is then a death like any."""
        if self._container is None:
            return
        self._quiet()
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
            done=lambda name: _Done("name", name),
            failed=lambda error: _Failed("name", error),
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
