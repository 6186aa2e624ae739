"""Situations of one replica, reached as in life: by what it is told and by what its tasks show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orca.errors import OrcaError
from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica
from orca.node.record import record_of
from orca.node.replica.decide import decide
from orca.node.replica.messages import (
    Dismiss,
    DockerAway,
    Look,
    ReplicaMessage,
    TaskDone,
    TaskFailed,
    Want,
)
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Seen, Slot
from orca.node.replica.transitions import after
from orca.node.runtime import Container, ContainerState
from orca.rpc.messages import Assignment

NOW = 5000.0
STARTED = 4000.0
EXEC = Probe(kind=ProbeKind.EXEC, command=("ask", "s3cret"))
HTTP = Probe(kind=ProbeKind.HTTP, path="/health")
REPLICA = Replica(
    id=ReplicaId("r-000001"),
    service=ServiceId.parse("shop/web"),
    revision=RevisionNumber(1),
    generation=1,
    slot=0,
    node=NodeId("one"),
    epoch=Epoch(5),
)


def assignment(
    *,
    desired: Desired = Desired.RUN,
    secret_files: dict[str, str] | None = None,
    settled_name: bool = False,
    blocked: str = "",
    **spec: Any,
) -> Assignment:
    files = secret_files or {}
    return Assignment(
        replica=replace(REPLICA, desired=desired, reason="asked to"),
        container=ContainerSpec(
            image="web", **{"port": 8080, "secret_files": tuple(files), **spec}
        ),
        spec_hash="0123456789abcdef",
        secret_files=files,
        settled_name=settled_name,
        blocked=blocked,
        trace="00-trace",
    )


def container(state: ContainerState = ContainerState.RUNNING, **changes: Any) -> Container:
    """The replica's container; it has run from `STARTED` on unless it is only created."""
    found = Container(
        id="c1",
        name="orca-web-0-r1-000001",
        labels={},
        state=state,
        started_at=0.0 if state is ContainerState.CREATED else STARTED,
        address="10.0.0.2" if state is ContainerState.RUNNING else "",
    )
    return replace(found, **changes)


CREATED = container(ContainerState.CREATED)
RUNNING = container()


def ended(*, ran: float = 0.5, code: int = 1, **changes: Any) -> Container:
    """The container after a run of `ran` seconds."""
    end = STARTED + ran
    return container(ContainerState.EXITED, exit_code=code, finished_at=end, **changes)


# --- what happens -------------------------------------------------------------------------------


def told(situation: Situation, *messages: ReplicaMessage, now: float = NOW) -> Situation:
    for message in messages:
        situation = after(situation, message, now=now)
    return situation


def done(
    situation: Situation, outcome: Any = None, *, slot: Slot = Slot.STEP, now: float = NOW
) -> Situation:
    """The task in the slot ends well."""
    return told(situation, TaskDone(situation.tasks[slot], outcome), now=now)


def failed(
    situation: Situation, error: OrcaError, *, slot: Slot = Slot.STEP, now: float = NOW
) -> Situation:
    """The task in the slot fails."""
    return told(situation, TaskFailed(situation.tasks[slot], error), now=now)


def asked(situation: Situation, reason: str = "", *, slot: Slot = Slot.READINESS) -> Situation:
    """The time for a probe comes, and it is answered; an empty reason is a success."""
    return done(done(situation, slot=slot), reason, slot=slot)


def what(situation: Situation, slot: Slot = Slot.STEP) -> str:
    """What goes on in a slot, in one word."""
    task = situation.tasks.get(slot)
    return "-" if task is None else type(task.activity).__name__


# --- where it can stand -------------------------------------------------------------------------


def finding(wish: Assignment | None = None) -> Situation:
    wish = wish or assignment()
    return decide(Situation.first(record_of(wish), assignment=wish), now=NOW)


def recorded(wish: Assignment | None = None, **record: Any) -> Situation:
    """The agent was started again, and knows only what it wrote down."""
    known = replace(record_of(wish or assignment()), **record)
    return decide(Situation.first(known), now=NOW)


def found(situation: Situation, seen: Container | None, *, secret_files: bool = True) -> Situation:
    """A look shows this."""
    return done(situation, Seen(seen, secret_files=secret_files))


def pulling(wish: Assignment | None = None) -> Situation:
    return found(finding(wish), None)


def making(wish: Assignment | None = None) -> Situation:
    return done(pulling(wish), "web@sha256:1")


def starting(wish: Assignment | None = None) -> Situation:
    return done(making(wish), CREATED)


def running(wish: Assignment | None = None) -> Situation:
    return done(starting(wish), RUNNING)


def serving(wish: Assignment | None = None) -> Situation:
    return asked(running(wish))


def looked(situation: Situation, seen: Container | None) -> Situation:
    """Something made it look, and it sees this."""
    return found(told(situation, Look()), seen)


def dead(wish: Assignment | None = None, **end: Any) -> Situation:
    """It has died and is being started again."""
    return looked(serving(wish), ended(**end))


def stopping(wish: Assignment | None = None) -> Situation:
    return told(serving(wish), Dismiss("no longer wanted"))


def away(situation: Situation) -> Situation:
    return told(situation, DockerAway("Docker does not answer"))


def wanted_stopped(situation: Situation) -> Situation:
    return told(situation, Want(assignment(desired=Desired.STOP)))
