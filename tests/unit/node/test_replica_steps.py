"""Which step a replica takes next: every place in its life, and whatever can happen there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from replica_lives import (
    CREATED,
    EXEC,
    RUNNING,
    asked,
    assignment,
    away,
    container,
    dead,
    done,
    ended,
    failed,
    finding,
    found,
    looked,
    making,
    pulling,
    recorded,
    running,
    serving,
    starting,
    stopping,
    told,
    what,
)

from orca.errors import ContainerError, DockerUnavailable, ImageError, NotFound
from orca.model.replica import Desired, ReplicaState
from orca.node.replica.messages import Dismiss, DockerAway, DockerBack, Look, Want
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Slot
from orca.node.runtime import Container, ContainerEvent

BUSY = ContainerError("the device is busy")
HOPELESS = ContainerError("there is no such command", permanent=True)
LOST = DockerUnavailable("the connection broke")

OUTCOMES: dict[str, object] = {
    "Pull": "web@sha256:1",
    "Make": CREATED,
    "Start": RUNNING,
    "Interrupt": ended(),
}


def sick() -> Situation:
    """Its liveness probe has failed too often."""
    situation = running(assignment(liveness=replace(EXEC, failure_threshold=1)))
    return asked(situation, "exit code 1", slot=Slot.LIVENESS)


def backing_off() -> Situation:
    """It has died twice in a row."""
    first = done(dead(), replace(RUNNING, started_at=4001.0, finished_at=4000.5))
    return looked(first, ended(ran=1.5))


PLACES: dict[str, Callable[[], Situation]] = {
    "finding": finding,
    "pulling": pulling,
    "making": making,
    "starting": starting,
    "running": running,
    "serving": serving,
    "looking": lambda: told(serving(), Look()),
    "interrupting": sick,
    "restarting": dead,
    "backing-off": backing_off,
    "pull-failed": lambda: failed(pulling(), ImageError("the registry is away")),
    "start-failed": lambda: failed(starting(), BUSY),
    "recorded": lambda: found(recorded(), None),
    "blocked": lambda: found(finding(assignment(blocked="a secret is missing")), None),
    "given-up": lambda: dead(assignment(max_restarts=0)),
    "draining": lambda: serving(assignment(desired=Desired.DRAIN)),
    "drained": lambda: dead(assignment(desired=Desired.DRAIN)),
    "stopping": stopping,
    "stop-failed": lambda: failed(stopping(), BUSY),
    "gone": lambda: done(stopping()),
    "outage": lambda: away(serving()),
    "outage-pull": lambda: away(pulling()),
}


def event(action: str, of: Container = RUNNING) -> Look:
    return Look(ContainerEvent(container=of.id, action=action))


def ends(situation: Situation) -> Situation:
    """The step ends well and shows nothing new."""
    step = what(situation)
    if step in ("Find", "Inspect"):
        return found(situation, situation.container)
    return situation if step == "-" else done(situation, OUTCOMES.get(step))


def fails(error: Exception) -> Callable[[Situation], Situation]:
    def fail(situation: Situation) -> Situation:
        return situation if what(situation) in ("-", "Pause") else failed(situation, error)  # type: ignore[arg-type]

    return fail


HAPPENINGS: dict[str, Callable[[Situation], Situation]] = {
    "done": ends,
    "busy": fails(BUSY),
    "hopeless": fails(HOPELESS),
    "lost": fails(LOST),
    "missing": fails(NotFound("no such container")),
    "want": lambda situation: told(situation, Want(assignment())),
    "stop": lambda situation: told(situation, Want(assignment(desired=Desired.STOP))),
    "dismiss": lambda situation: told(situation, Dismiss("no longer wanted")),
    "event": lambda situation: told(situation, event("rename")),
    "die": lambda situation: told(situation, event("die")),
    "away": lambda situation: told(situation, DockerAway("Docker does not answer")),
    "back": lambda situation: told(situation, DockerBack()),
}

# `.` is the same task as before, `-` is nothing.
TABLE = """
place        done    busy  hopeless lost missing want stop dismiss event   die     away back
finding      Pull    Pause -        -    Find    .    Halt Halt    .       .       -    .
pulling      Make    Pause -        -    Find    .    Halt Halt    .       .       -    .
making       Start   Pause -        -    Find    .    Halt Halt    .       .       -    .
starting     -       Pause -        -    Inspect .    Halt Halt    .       .       -    .
running      -       -     -        -    -       -    Halt Halt    Inspect Inspect -    Inspect
serving      -       -     -        -    -       -    Halt Halt    Inspect Inspect -    Inspect
looking      -       Pause -        -    Inspect .    Halt Halt    .       .       -    .
interrupting Start   Pause -        -    Inspect .    Halt Halt    .       .       -    .
restarting   -       Pause -        -    Inspect .    Halt Halt    .       .       -    .
backing-off  Start   .     .        .    .       .    Halt Halt    .       .       .    .
pull-failed  Find    .     .        .    .       .    Halt Halt    .       .       .    .
start-failed Inspect .     .        .    .       .    Halt Halt    .       .       .    .
recorded     -       -     -        -    -       Pull Halt Halt    Find    Find    -    Find
blocked      -       -     -        -    -       Pull Halt Halt    Find    Find    -    Find
given-up     -       -     -        -    -       -    Halt Halt    -       -       -    -
draining     -       -     -        -    -       -    Halt Halt    Inspect Inspect -    Inspect
drained      -       -     -        -    -       -    Halt Halt    -       -       -    -
stopping     -       Pause Pause    -    Halt    .    .    .       .       .       -    .
stop-failed  Halt    .     .        .    .       Halt Halt Halt    .       .       .    .
gone         -       -     -        -    -       -    -    -       -       -       -    -
outage       -       -     -        -    -       -    -    -       -       -       -    Inspect
outage-pull  -       -     -        -    -       -    -    -       -       -       -    Find
"""


def cells() -> Iterator[tuple[str, str, str]]:
    head, *rows = TABLE.strip().splitlines()
    for row in rows:
        place, *steps = row.split()
        for happening, step in zip(head.split()[1:], steps, strict=True):
            yield place, happening, step


@pytest.mark.parametrize(("place", "happening", "step"), list(cells()))
def test_next_step_follows_from_the_place_and_what_happens(
    place: str, happening: str, step: str
) -> None:
    before = PLACES[place]()
    after = HAPPENINGS[happening](before)
    same = after.tasks.get(Slot.STEP) == before.tasks.get(Slot.STEP)
    assert ("." if same and what(before) != "-" else what(after)) == step


def test_table_has_every_place_and_every_happening() -> None:
    found = list(cells())
    assert {place for place, _, _ in found} == set(PLACES)
    assert {happening for _, happening, _ in found} == set(HAPPENINGS)


@pytest.mark.parametrize(
    ("place", "state"),
    [
        ("finding", ReplicaState.ASSIGNED),
        ("pulling", ReplicaState.PULLING),
        ("making", ReplicaState.CREATING),
        ("starting", ReplicaState.STARTING),
        ("running", ReplicaState.RUNNING),
        ("serving", ReplicaState.RUNNING),
        ("interrupting", ReplicaState.RUNNING),
        ("restarting", ReplicaState.STARTING),
        ("backing-off", ReplicaState.STARTING),
        ("recorded", ReplicaState.ASSIGNED),
        ("given-up", ReplicaState.FAILED),
        ("drained", ReplicaState.STOPPED),
        ("stopping", ReplicaState.STOPPING),
        ("gone", ReplicaState.STOPPED),
        ("outage", ReplicaState.RUNNING),
    ],
)
def test_place_is_reported_as_a_state(place: str, state: ReplicaState) -> None:
    situation = PLACES[place]()
    assert situation.report.state is state
    assert situation.report.ready is (place in ("serving", "outage"))


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        (None, "Pull"),
        (CREATED, "Start"),
        (RUNNING, "-"),
        (ended(), "Start"),
        (container(oom_killed=True), "-"),
    ],
)
def test_container_that_is_found_decides_where_life_begins(
    seen: Container | None, step: str
) -> None:
    assert what(found(finding(), seen)) == step
