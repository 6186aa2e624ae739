"""What holds for a replica whatever happens to it, and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replica_lives import CREATED, EXEC, HTTP, NOW, RUNNING, assignment, ended, told, what

from orca.errors import ContainerError, DockerUnavailable, ImageError, NotFound, OrcaError
from orca.model.replica import Desired, ReplicaState, can_follow
from orca.node.record import record_of
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

CONTAINERS = (
    CREATED,
    RUNNING,
    replace(RUNNING, started_at=4900.0, finished_at=4899.0),
    ended(),
    ended(ran=60.0, code=0),
    ended(ran=0.001, code=139),
)
WISHES = (
    assignment(),
    assignment(port=0),
    assignment(settled_name=True, liveness=replace(HTTP, failure_threshold=1)),
    assignment(readiness=EXEC, startup=HTTP, max_restarts=1, secret_files={"KEY": "s3cret"}),
)
ERRORS: tuple[OrcaError, ...] = (
    DockerUnavailable("the connection broke"),
    ContainerError("the device is busy"),
    ContainerError("no such command", permanent=True),
    ImageError("the registry is away"),
    NotFound("no such container"),
)
ACTIONS = ("create", "start", "die", "oom", "rename", "destroy")

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- lives --------------------------------------------------------------------------------------


def outcomes(activity: Activity) -> tuple[object, ...]:
    """Whatever the world may answer."""
    match activity:
        case Find() | Inspect():
            looks = [Seen(each, secret_files=True) for each in (None, *CONTAINERS)]
            return (*looks, Seen(ended(), secret_files=False))
        case Make() | Start():
            return CONTAINERS
        case Interrupt():
            return (None, *CONTAINERS)
        case Pull():
            return ("web@sha256:1",)
        case ReadLines():
            return (), ("hello",), ("[FATAL tini (7)] exec /nope failed: No such file",)
        case SettleName():
            return "", "orca-web", activity.container.name
        case Ask():
            return "", "→ 503"
        case Halt() | Pause():
            return (None,)


def endings(task: Task) -> list[ReplicaMessage]:
    """How a task may end."""
    well: list[ReplicaMessage] = [TaskDone(task, each) for each in outcomes(task.activity)]
    if isinstance(task.activity, Pause):
        return well
    return well * 2 + [TaskFailed(task, error) for error in ERRORS]


def wants(situation: Situation) -> list[ReplicaMessage]:
    """What the leader may want now; its wish moves only to the right."""
    wish, order = situation.assignment or assignment(), list(Desired)
    left = order[order.index(situation.replica.desired) :]
    changed = [replace(wish, replica=replace(wish.replica, desired=each)) for each in left]
    return [*map(Want, changed), Dismiss("no longer wanted")]


def happenings(situation: Situation) -> list[ReplicaMessage]:
    """Anything else that may be told in this situation."""
    ended_tasks = [each for task in situation.tasks.values() for each in endings(task)]
    events = [Look(ContainerEvent(container=RUNNING.id, action=each)) for each in ACTIONS]
    return [*ended_tasks, *events, DockerAway("away"), DockerBack(), DockerBack(), Look()]


class Life(list[Situation]):
    """Situations of one replica, one after the other."""

    def __repr__(self) -> str:
        return "\n".join(
            f"{each.report.state.label} {each.report.attempt}, doing {what(each)}" for each in self
        )


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Whatever may become of a replica."""
    wish = draw(st.sampled_from(WISHES))
    known, fickle = draw(st.sampled_from((wish, None))), draw(st.booleans())
    situation = decide(Situation.first(record_of(wish), assignment=known), now=NOW)
    life = Life([situation])
    for _ in range(draw(st.integers(0, 50))):
        messages = happenings(situation) + (wants(situation) if fickle else [])
        situation = told(situation, draw(st.sampled_from(messages)))
        life.append(situation)
    return life


# --- what always holds --------------------------------------------------------------------------


def states_never_go_back(before: Situation, after: Situation) -> bool:
    old, new = before.report, after.report
    if old.state is new.state and old.attempt == new.attempt:
        return True
    return can_follow(old.state, new.state, new_attempt=new.attempt > old.attempt)


def restarts_never_outnumber_attempts(_: Situation, after: Situation) -> bool:
    return after.report.restarts < after.report.attempt


def only_what_runs_is_ready(_: Situation, after: Situation) -> bool:
    runs = after.report.state is ReplicaState.RUNNING and after.run is not None
    return runs or not after.report.ready


def only_a_look_makes_what_is_ready_available(before: Situation, after: Situation) -> bool:
    if not after.report.available:
        return True
    looked = before.run is not None and before.run.ripe and isinstance(before.step, Find | Inspect)
    return after.report.ready and (before.report.available or looked)


def what_runs_is_ended_only_for_its_probes(before: Situation, after: Situation) -> bool:
    begun = after.step if after.step is not before.step else None
    if isinstance(begun, Pull | Make | Start):
        return after.container is None or not after.container.running
    return not isinstance(begun, Interrupt) or "probe failed" in after.report.reason


def what_is_no_more_wanted_is_taken_down(_: Situation, after: Situation) -> bool:
    if not after.stopping or after.gone or after.away:
        return True
    return isinstance(after.step, Halt | Pause) and after.run is None


def docker_is_left_alone_while_it_is_away(_: Situation, after: Situation) -> bool:
    return not after.away or isinstance(after.step, Pause | None)


def nothing_is_idle_without_saying_why(_: Situation, after: Situation) -> bool:
    idle = after.step is None and after.run is None and not after.final and not after.gone
    return not idle or bool(after.report.reason)


def the_final_is_final(before: Situation, after: Situation) -> bool:
    return not before.final or (after.final and not isinstance(after.step, Find | Inspect | Start))


def the_record_outlives_the_agent(_: Situation, after: Situation) -> bool:
    report, again = after.report, Situation.first(after.record).report
    kept = (again.attempt, again.restarts, again.permanent)
    same = kept == (report.attempt, report.restarts, report.permanent)
    return same and (again.state is report.state or not report.state.is_final)


PROMISES = (
    states_never_go_back,
    restarts_never_outnumber_attempts,
    only_what_runs_is_ready,
    only_a_look_makes_what_is_ready_available,
    what_runs_is_ended_only_for_its_probes,
    what_is_no_more_wanted_is_taken_down,
    docker_is_left_alone_while_it_is_away,
    nothing_is_idle_without_saying_why,
    the_final_is_final,
    the_record_outlives_the_agent,
)


@RELAXED
@given(lives())
def test_promises_hold_after_every_message(life: Life) -> None:
    for before, after in pairwise(life):
        broken = [each.__name__ for each in PROMISES if not each(before, after)]
        assert not broken


# --- settling -----------------------------------------------------------------------------------


class Host:
    """A world in which everything works from now on."""

    def __init__(self, container: Container | None) -> None:
        self.container = container

    def answer(self, activity: Activity) -> object:
        match activity:
            case Find() | Inspect():
                return Seen(self.container, secret_files=True)
            case Pull():
                return "web@sha256:1"
            case Make():
                self.container = CREATED
            case Start():
                start = replace(RUNNING, started_at=NOW - 1.0, finished_at=NOW - 2.0)
                self.container = start
            case Interrupt():
                self.container = replace(ended(), finished_at=NOW)
            case SettleName():
                return "orca-web"
            case ReadLines():
                return ()
            case Ask():
                return ""
            case Halt() | Pause():
                return None
        return self.container


@RELAXED
@given(lives())
def test_replica_settles_once_everything_works(life: Life) -> None:
    situation = told(life[-1], DockerBack())
    host = Host(situation.container)
    if situation.assignment is None:
        situation = told(situation, Want(assignment()))
    for _ in range(12):
        for task in tuple(situation.tasks.values()):
            if situation.tasks.get(task.slot) == task:
                situation = told(situation, TaskDone(task, host.answer(task.activity)))
    if situation.stopping:
        assert situation.gone
    else:
        assert situation.final or situation.report.available
    assert Slot.STEP not in situation.tasks
