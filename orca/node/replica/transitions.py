"""`after`: what a message makes of a replica's situation. Pure.

Each message is taken note of, then the next step is decided on. What came of a task that was dropped in
the meantime is no news any more and changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from orca import errors
from orca.model.replica import ReplicaState
from orca.node import naming
from orca.node.record import record_of
from orca.node.replica import endings, pulse
from orca.node.replica.decide import decide
from orca.node.replica.messages import (
    Dismiss,
    DockerAway,
    DockerBack,
    Look,
    ReplicaMessage,
    TaskDone,
    TaskFailed,
    Want,
)
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import (
    Activity,
    Ask,
    Find,
    Halt,
    Inspect,
    Interrupt,
    Make,
    Pause,
    Pull,
    ReadLines,
    Seen,
    SettleName,
    Slot,
    Start,
    Task,
)
from orca.node.runtime import Container, ContainerEvent
from orca.rpc.messages import Assignment

NAME_RETRY_SECONDS = 0.5
"""The old holder of a name is about to leave."""
STRANGER_RETRY_SECONDS = 60.0
"""Strangers hold both names, and nobody says when they leave."""


def after(situation: Situation, message: ReplicaMessage, *, now: float) -> Situation:
    """The situation after a message, the next step begun."""
    return decide(_noted(situation, message, now=now), now=now)


def _noted(situation: Situation, message: ReplicaMessage, *, now: float) -> Situation:
    match message:
        case Want():
            return _wanted(situation, message.assignment, now=now)
        case Dismiss():
            return _drop_step(replace(situation, dismissed=message.reason))
        case Look():
            return _glimpsed(situation, message.event)
        case DockerAway():
            return _docker_left(situation, message.reason)
        case DockerBack():
            return _docker_returned(situation)
        case TaskDone() | TaskFailed():
            return _ended(situation, message, now=now)
        case _:
            assert_never(message)


# --- the wish -----------------------------------------------------------------------------------


def _wanted(situation: Situation, assignment: Assignment, *, now: float) -> Situation:
    known_in_part = situation.assignment is None and assignment.container != situation.spec
    situation = replace(situation, assignment=assignment, wish=record_of(assignment))
    if situation.stopping:
        return _drop_step(situation)
    if known_in_part and situation.run is not None:
        # Exec probes are known only now: begin anew, without doubting what was ready.
        container, ready = situation.run.container, situation.ready
        return pulse.begin(situation, container, now=now, ready=ready)
    return situation


def _drop_step(situation: Situation) -> Situation:
    """Nothing that is going on is wanted any more, unless it already is the taking down."""
    return situation if isinstance(situation.step, Halt) else situation.without(Slot.STEP)


# --- Docker -------------------------------------------------------------------------------------


def _glimpsed(situation: Situation, event: ContainerEvent | None) -> Situation:
    if event is None:
        return replace(situation, doubted=True)
    if situation.container is not None and event.container != situation.container.id:
        return situation
    if event.action == "die" and situation.run is not None:
        # No request may be sent there any more, even if Docker does not live to confirm it.
        situation = replace(situation, run=replace(situation.run, dying=True))
    if _brings_about(situation.step, event.action):
        return situation
    return replace(situation, doubted=True)


def _brings_about(step: Activity | None, action: str) -> bool:
    """Whether the step itself makes such an event, so that it is no reason to look."""
    match step:
        case Make():
            return action == "create"
        case Start():
            return action == "start"
        case Interrupt():
            return action in ("kill", "die", "stop")
        case _:
            return False


def _docker_left(situation: Situation, reason: str) -> Situation:
    if situation.away:
        return situation
    if not isinstance(situation.step, Pause):
        situation = situation.without(Slot.STEP)
    past = replace(situation.past, outage=True)
    return pulse.hurry(replace(situation, away=reason, past=past))


def _docker_returned(situation: Situation) -> Situation:
    if situation.away:
        situation = replace(situation, away="").without(Slot.STEP)
    return replace(situation, doubted=True)


# --- tasks --------------------------------------------------------------------------------------


def _ended(situation: Situation, message: TaskDone | TaskFailed, *, now: float) -> Situation:
    task = message.task
    if situation.tasks.get(task.slot) != task:
        return situation
    situation = situation.without(task.slot)
    if isinstance(message, TaskDone):
        return _done(situation, task, message.outcome, now=now)
    return _failed(situation, task, message.error, now=now)


def _done(situation: Situation, task: Task, outcome: Any, *, now: float) -> Situation:
    match task.activity:
        case Find() | Inspect():
            return _saw(situation, outcome, now=now)
        case Pull():
            return replace(situation, image=outcome)
        case Make():
            return replace(situation, container=outcome, past=situation.past.after_make())
        case Start():
            return replace(situation, container=outcome, past=situation.past.after_start())
        case Interrupt():
            return _shown(situation, outcome, now=now)
        case Halt():
            return _halted(situation)
        case ReadLines():
            return _read(situation, task.slot, outcome)
        case SettleName():
            return _named(situation, task.activity.container, outcome)
        case Ask():
            return pulse.answered(situation, task.slot, outcome)
        case Pause():
            return pulse.due(situation, task.slot)
        case _:
            assert_never(task.activity)


def _saw(situation: Situation, seen: Seen, *, now: float) -> Situation:
    situation = replace(situation, has_secret_files=seen.secret_files)
    if situation.run is not None and not situation.doubted:
        run = replace(situation.run, dying=False, available=situation.run.ripe)
        situation = replace(situation, run=run)
    return _shown(situation, seen.container, now=now)


def _shown(situation: Situation, seen: Container | None, *, now: float) -> Situation:
    """Compare what is there with what was there."""
    before, run = situation.container, situation.run
    situation = replace(situation, container=seen)
    if seen is None:
        return situation if before is None else endings.vanished(situation, now=now)
    if run is not None and seen.running and seen.started_at != run.container.started_at:
        return endings.restarted_by_others(situation)
    return situation


def _halted(situation: Situation) -> Situation:
    return replace(situation, gone=True).saying(state=ReplicaState.STOPPED)


def _read(situation: Situation, slot: Slot, lines: tuple[str, ...]) -> Situation:
    if slot is Slot.LISTENING:
        return pulse.heard(situation, lines)
    death = situation.past.obituary.with_lines(lines)
    situation = replace(situation, past=replace(situation.past, obituary=death))
    return situation.saying(last_lines=lines)


def _named(situation: Situation, of: Container, name: str) -> Situation:
    if not name:
        return situation.doing(Slot.NAME, Pause(NAME_RETRY_SECONDS))
    container = situation.container
    if container is None or container.id != of.id:
        return situation
    situation = replace(situation, container=replace(container, name=name))
    situation = situation.saying(container_name=name)
    if name in naming.settled(situation.replica):
        return situation
    return situation.doing(Slot.NAME, Pause(STRANGER_RETRY_SECONDS))


def _failed(situation: Situation, task: Task, error: errors.OrcaError, *, now: float) -> Situation:
    if isinstance(task.activity, Ask):
        return pulse.answered(situation, task.slot, None)
    if isinstance(error, errors.DockerUnavailable):
        return _docker_left(situation, error.message)
    if isinstance(task.activity, ReadLines):
        return situation
    if isinstance(task.activity, SettleName):
        return situation.doing(Slot.NAME, Pause(NAME_RETRY_SECONDS))
    return _step_failed(situation, task.activity, error, now=now)


def _step_failed(
    situation: Situation, step: Activity, error: errors.OrcaError, *, now: float
) -> Situation:
    situation = replace(situation, doubted=True)
    if isinstance(error, errors.NotFound):
        return situation
    if isinstance(error, errors.ImageError) and isinstance(step, Make):
        situation = replace(situation, image="")
    reason = f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, errors.Failed) and error.permanent and not isinstance(step, Halt):
        return endings.give_up(situation, reason, permanent=True)
    past = situation.past.after_failure(of_start=isinstance(step, Start))
    wait = past.patience_seconds
    situation = replace(situation, past=past).saying(reason=reason)
    if not isinstance(step, Halt):
        situation = situation.saying(next_restart_at=now + wait)
    return situation.doing(Slot.STEP, Pause(wait))
