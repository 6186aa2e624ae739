"""`decide`: the next step of a replica's life. Pure.

Level-triggered: it looks at the wish and at the container as last seen, and at nothing that led there.
So an interrupted step needs no undoing: what it left is found by label and used, or removed.
"""

from __future__ import annotations

from dataclasses import replace

from orca.model.replica import ReplicaState
from orca.node import naming
from orca.node.replica import endings, pulse
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Find, Halt, Inspect, Make, Pull, SettleName, Slot, Start, Step
from orca.node.runtime import Container, ContainerState


def decide(situation: Situation, *, now: float) -> Situation:
    """Begin what is to be done now; the same situation when that is nothing."""
    return _settle_name(pulse.ripen(_step(situation, now=now)))


def _step(situation: Situation, *, now: float) -> Situation:
    if situation.step is not None or situation.gone or situation.away:
        return situation
    if situation.stopping:
        return _take_down(situation)
    if situation.final:
        return situation
    if situation.doubted:
        return _look(situation)
    if situation.container is None:
        return _make(situation)
    return _tend(situation, situation.container, now=now)


def _take_down(situation: Situation) -> Situation:
    return (
        pulse.end(situation)
        .without(Slot.LAST_WORDS)
        .saying(
            state=ReplicaState.STOPPING,
            reason=situation.dismissed or situation.replica.reason,
            next_restart_at=0.0,
        )
        .doing(Slot.STEP, Halt(situation.record))
    )


def _look(situation: Situation) -> Situation:
    replica, container = situation.replica.id, situation.container
    step: Step = Find(replica) if container is None else Inspect(replica, container.id)
    # What happens from here on is not seen by this look, so the doubt ends where it begins.
    return replace(situation, doubted=False).doing(Slot.STEP, step)


def _make(situation: Situation) -> Situation:
    assignment = situation.assignment
    if assignment is None:
        return situation.saying(
            reason="its container is gone; waiting for a master to make another"
        )
    if assignment.blocked:
        return situation.saying(reason=assignment.blocked)
    if not situation.image:
        pull = Pull(assignment, trace=situation.trace)
        return situation.saying(state=ReplicaState.PULLING).doing(Slot.STEP, pull)
    make = Make(assignment, situation.image, trace=situation.trace)
    return situation.saying(state=ReplicaState.CREATING).doing(Slot.STEP, make)


def _tend(situation: Situation, container: Container, *, now: float) -> Situation:
    match container.state:
        case ContainerState.RUNNING:
            return _run(situation, container, now=now)
        case ContainerState.CREATED:
            return _start(situation, container)
        case ContainerState.EXITED if situation.past.knows_end_of(container):
            return _start(situation, container)
        case ContainerState.EXITED:
            return _step(endings.died(situation, container, now=now), now=now)


def _start(situation: Situation, container: Container) -> Situation:
    situation = situation.saying(
        state=ReplicaState.STARTING, container_id=container.id, container_name=container.name
    )
    files = {} if situation.assignment is None else situation.assignment.secret_files
    if situation.wish.container.secret_files and not files and not situation.has_secret_files:
        return situation.saying(
            reason="its secret files are gone; waiting for a master to send them"
        )
    start = Start(
        record=situation.record,
        container=container.id,
        secret_files=files,
        again=situation.past.unstarted,
        trace=situation.trace,
    )
    return situation.doing(Slot.STEP, start)


def _run(situation: Situation, container: Container, *, now: float) -> Situation:
    """It runs, and is never touched as long as it lives."""
    past = situation.past.after_start().bury(container)
    situation = replace(situation, past=past)
    if situation.run is None:
        return pulse.begin(situation, container, now=now).saying(
            state=ReplicaState.RUNNING,
            container_id=container.id,
            container_name=container.name,
            address=container.address,
            started_at=container.started_at,
            next_restart_at=0.0,
            reason="",
        )
    if situation.run.fatal:
        return endings.interrupt(situation, container, situation.run.fatal)
    return situation


def _settle_name(situation: Situation) -> Situation:
    """A run takes its slot's name once the leader says so."""
    run, container = situation.run, situation.container
    if run is None or container is None or situation.away or Slot.NAME in situation.tasks:
        return situation
    settled = situation.status.container_name in naming.settled(situation.replica)
    if settled or not situation.wish.settled_name:
        return situation
    return situation.doing(Slot.NAME, SettleName(situation.replica, container))
