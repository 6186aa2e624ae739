"""Stories of single replicas, told without actors, Docker or time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from replica_lives import (
    CREATED,
    EXEC,
    HTTP,
    NOW,
    RUNNING,
    STARTED,
    asked,
    assignment,
    away,
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

from orca.errors import ContainerError, DockerUnavailable, ImageError
from orca.model.replica import Desired, ReplicaState
from orca.node.replica.messages import (
    Dismiss,
    DockerAway,
    DockerBack,
    Look,
    TaskDone,
    Want,
)
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Find, Interrupt, Make, Pause, Pull, ReadLines, Slot, Start
from orca.node.runtime import ContainerEvent

BUSY = ContainerError("port 80 is taken", hint="free it")
DIE = Look(ContainerEvent(container="c1", action="die"))


def pause(situation: Situation, slot: Slot = Slot.STEP) -> float:
    """Seconds the slot waits."""
    activity = situation.tasks[slot].activity
    assert isinstance(activity, Pause)
    return activity.seconds


def failed_twice(situation: Situation) -> Situation:
    """The step fails, and what is tried next fails as well."""
    situation = failed(done(failed(situation, BUSY)), BUSY)
    assert pause(situation) == 2.0
    return situation


def again(situation: Situation, run: int, *, ran: float = 0.5) -> Situation:
    """It is started for run number `run`, which ends after `ran` seconds."""
    start = STARTED + 100 * run
    alive = replace(RUNNING, started_at=start, finished_at=start - 1)
    situation = done(situation) if what(situation) == "Pause" else situation
    return looked(
        done(situation, alive), replace(ended(), started_at=start, finished_at=start + ran)
    )


# --- restarts -----------------------------------------------------------------------------------


def test_crash_is_answered_at_once_and_its_last_words_are_read_beside() -> None:
    situation = dead(ran=20.0, code=3)
    report = situation.report
    assert what(situation) == "Start"
    assert (report.attempt, report.restarts, report.exit_code) == (2, 1, 3)
    assert report.reason == "exited with code 3"
    words = situation.tasks[Slot.LAST_WORDS].activity
    assert words == ReadLines(ended(ran=20.0, code=3), since=0.0)
    situation = done(situation, ("no database",), slot=Slot.LAST_WORDS)
    assert situation.report.last_lines == ("no database",)
    assert what(situation) == "Start"


def test_last_words_begin_where_the_run_before_ended() -> None:
    first = dead()
    second = again(first, 1)
    words = second.tasks[Slot.LAST_WORDS].activity
    assert isinstance(words, ReadLines)
    assert words.since == STARTED + 100 - 1


def test_crashes_in_a_row_wait_longer_and_longer() -> None:
    situation, waits = dead(), []
    for run in range(1, 10):
        situation = again(situation, run)
        waits.append(pause(situation))
        assert situation.report.next_restart_at == NOW + waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert situation.report.restarts == 10


def test_good_run_ends_the_row() -> None:
    situation = dead()
    for run in range(1, 5):
        situation = again(situation, run)
    assert what(situation) == "Pause"
    assert what(again(situation, 5, ran=10.0)) == "Start"


def test_restarts_are_used_up() -> None:
    situation = dead(assignment(max_restarts=1), code=9)
    assert not situation.final
    situation = again(situation, 1)
    report = situation.report
    assert report.state is ReplicaState.FAILED
    assert report.reason == "exited with code 1; restarted once without staying up for 10 s"
    assert not report.permanent
    assert situation.record.final is ReplicaState.FAILED


def test_command_that_only_the_init_misses_is_given_up_at_its_second_death() -> None:
    line = "[FATAL tini (7)] exec /nope failed: No such file or directory"
    situation = done(dead(code=127), (line,), slot=Slot.LAST_WORDS)
    situation = again(situation, 1)
    assert situation.report.state is ReplicaState.FAILED
    assert situation.report.permanent
    assert "/nope cannot be run" in situation.report.reason


def test_one_death_is_counted_once_however_often_it_is_looked_at() -> None:
    situation = told(again(dead(), 1), Look(), DockerBack())
    restarts = situation.report.restarts
    situation = found(done(situation), situation.container)
    assert what(situation) == "Start"
    assert situation.report.restarts == restarts


def test_container_that_dies_before_it_was_seen_to_run_has_crashed() -> None:
    situation = done(starting(), ended(ran=0.001))
    assert situation.report.restarts == 1
    assert situation.report.reason == "exited with code 1"


def test_start_that_works_after_one_that_failed_can_be_followed_by_a_crash() -> None:
    situation = found(done(failed(starting(), BUSY)), CREATED)
    situation = done(situation, ended(ran=0.001))
    assert situation.report.restarts == 1


def test_container_started_by_others_is_a_new_attempt_with_nothing_shown() -> None:
    situation = looked(serving(), replace(RUNNING, started_at=4900.0, finished_at=4899.0))
    report = situation.report
    assert (report.state, report.attempt, report.restarts) == (ReplicaState.RUNNING, 2, 1)
    assert not report.ready
    assert report.started_at == 4900.0
    assert what(situation) == "-"


def test_vanished_container_is_made_again_and_counts() -> None:
    situation = looked(serving(), None)
    report = situation.report
    assert what(situation) == "Make"
    assert (report.state, report.attempt, report.restarts) == (ReplicaState.CREATING, 2, 1)
    assert report.reason == "its container was removed by somebody else"
    assert report.address == ""


def test_container_that_vanishes_again_and_again_is_made_ever_later() -> None:
    situation = looked(serving(), None)
    situation = looked(done(done(situation, CREATED), RUNNING), None)
    assert pause(situation) == 1.0


@pytest.mark.parametrize("seen", [None, ended(ran=50.0, code=0)])
def test_draining_replica_that_ends_is_done(seen: object) -> None:
    situation = looked(serving(assignment(desired=Desired.DRAIN)), seen)  # type: ignore[arg-type]
    assert situation.report.state is ReplicaState.STOPPED
    assert situation.record.final is ReplicaState.STOPPED
    assert what(situation) == "-"


def test_restart_that_works_is_announced_no_more() -> None:
    situation = again(dead(), 1)
    assert situation.report.next_restart_at > 0
    situation = done(done(situation), replace(RUNNING, started_at=4200.0, finished_at=4199.0))
    assert situation.report.next_restart_at == 0.0


# --- steps that fail ----------------------------------------------------------------------------


def test_step_that_fails_is_tried_again_later_and_says_why() -> None:
    situation = failed(starting(), BUSY)
    assert situation.report.reason == "port 80 is taken (free it)"
    assert situation.report.next_restart_at == NOW + 1
    waits = []
    for _ in range(3):
        waits.append(pause(situation))
        situation = failed(found(done(situation), CREATED), BUSY)
    assert waits == [1, 2, 4]
    assert situation.report.restarts == 0


def test_patience_is_new_once_a_container_was_made() -> None:
    situation = done(failed_twice(pulling()))
    situation = done(done(found(situation, None), "web@sha256:1"), CREATED)
    assert pause(failed(situation, BUSY)) == 1.0


def test_patience_is_new_once_a_container_has_run() -> None:
    situation = found(done(failed_twice(starting())), CREATED)
    situation = done(situation, RUNNING)
    assert pause(failed(told(situation, Look()), BUSY)) == 1.0


def test_start_after_one_that_failed_mends_what_it_needs() -> None:
    situation = found(done(failed(starting(), BUSY)), ended())
    start = situation.tasks[Slot.STEP].activity
    assert isinstance(start, Start)
    assert start.again
    assert situation.report.attempt == 1


def test_start_that_failed_is_remembered_while_looking_fails_too() -> None:
    situation = failed(done(failed(starting(), BUSY)), BUSY)
    situation = found(done(situation), ended())
    assert what(situation) == "Start"
    assert situation.report.attempt == 1


def test_image_that_was_lost_is_pulled_again() -> None:
    situation = failed(making(), ImageError("no such image"))
    assert what(found(done(situation), None)) == "Pull"


def test_image_that_is_there_is_not_pulled_again() -> None:
    situation = failed(making(), BUSY)
    assert what(found(done(situation), None)) == "Make"


def test_look_that_fails_withdraws_nothing_that_is_well() -> None:
    situation = failed(told(serving(), Look()), BUSY)
    assert what(situation) == "Pause"
    assert situation.report.ready
    assert what(done(situation)) == "Inspect"


def test_stop_that_fails_says_why_and_announces_no_restart() -> None:
    situation = failed(stopping(), BUSY)
    assert situation.report.state is ReplicaState.STOPPING
    assert situation.report.reason == "port 80 is taken (free it)"
    assert situation.report.next_restart_at == 0.0


# --- what is no more wanted ---------------------------------------------------------------------


@pytest.mark.parametrize("begin", [finding, pulling, making, starting, running, serving, dead])
def test_dismissed_replica_is_taken_down_whatever_it_was_doing(begin: object) -> None:
    before: Situation = begin()  # type: ignore[operator]
    situation = told(before, Dismiss("no longer wanted"))
    assert what(situation) == "Halt"
    assert set(situation.tasks) <= {Slot.STEP, Slot.NAME}
    assert situation.report.state is ReplicaState.STOPPING
    assert situation.report.reason == "no longer wanted"
    situation = done(situation)
    assert situation.gone
    assert situation.report.state is ReplicaState.STOPPED


def test_outcome_of_a_task_that_was_dropped_changes_nothing() -> None:
    before = pulling()
    situation = told(before, Dismiss("no longer wanted"))
    assert told(situation, TaskDone(before.tasks[Slot.STEP], "web@sha256:1")) == situation


def test_failed_replica_stays_failed_while_it_is_taken_down() -> None:
    situation = told(dead(assignment(max_restarts=0)), Dismiss("no longer wanted"))
    assert what(situation) == "Halt"
    assert situation.report.state is ReplicaState.FAILED
    assert done(situation).gone


def test_replica_dismissed_during_an_outage_is_taken_down_afterwards() -> None:
    situation = told(away(serving()), Dismiss("no longer wanted"))
    assert what(situation) == "-"
    assert what(told(situation, DockerBack())) == "Halt"


# --- outages ------------------------------------------------------------------------------------


def test_outage_is_the_reason_while_it_lasts_and_no_longer() -> None:
    situation = away(pulling())
    assert situation.report.reason == "Docker does not answer"
    situation = found(told(situation, DockerBack()), None)
    assert what(situation) == "Pull"
    assert situation.report.reason == ""


def test_outage_hides_no_reason_of_what_is_final() -> None:
    situation = dead(assignment(max_restarts=0))
    reason = situation.report.reason
    assert away(situation).report.reason == reason
    assert told(away(situation), DockerBack()).report.reason == reason


def test_outage_asks_the_network_at_once_and_more_often() -> None:
    situation = away(serving(assignment(readiness=replace(HTTP, interval_seconds=30.0))))
    assert pause(situation, Slot.READINESS) == 0.0
    situation = asked(situation)
    assert pause(situation, Slot.READINESS) == 1.0
    assert situation.report.ready


def test_outage_withdraws_what_only_docker_can_tell() -> None:
    situation = serving(assignment(readiness=EXEC))
    assert situation.report.ready
    assert not away(situation).report.ready


def test_end_during_an_outage_is_no_crash() -> None:
    situation = told(away(serving(assignment(max_restarts=0))), DockerBack())
    situation = found(situation, ended(ran=50.0))
    report = situation.report
    assert what(situation) == "Start"
    assert (report.attempt, report.restarts) == (2, 0)


def test_end_during_an_outage_has_none_of_the_reasons_there_were_before() -> None:
    situation = asked(done(dead(), replace(RUNNING, started_at=4001.0, finished_at=4000.5)))
    situation = found(told(away(situation), DockerBack()), ended(ran=50.0))
    assert what(situation) == "Start"
    assert situation.report.reason == ""


def test_return_of_docker_ends_every_wait() -> None:
    situation = told(away(failed(starting(), BUSY)), DockerBack())
    assert what(situation) == "Inspect"


def test_step_that_loses_docker_waits_for_it() -> None:
    situation = failed(starting(), DockerUnavailable("the connection broke"))
    assert what(situation) == "-"
    assert situation.report.reason == "the connection broke"
    assert situation.report.next_restart_at == 0.0


# --- looking ------------------------------------------------------------------------------------


def test_death_takes_the_traffic_before_docker_was_asked() -> None:
    situation = told(serving(), DIE)
    assert not situation.report.ready
    assert what(situation) == "Inspect"
    assert found(situation, RUNNING).report.ready


def test_event_during_a_look_leads_to_another_one() -> None:
    situation = found(told(serving(), Look(), DIE), RUNNING)
    assert what(situation) == "Inspect"
    assert not situation.report.ready
    assert found(situation, ended(ran=50.0)).report.restarts == 1


@pytest.mark.parametrize(
    ("situation", "action"),
    [(making(), "create"), (starting(), "start")],
    ids=("make", "start"),
)
def test_event_that_the_step_brings_about_is_no_reason_to_look(
    situation: Situation, action: str
) -> None:
    event = ContainerEvent(container="c1", action=action)
    assert not told(situation, Look(event)).doubted
    other = ContainerEvent(container="c1", action="oom")
    assert told(situation, Look(other)).doubted


def test_event_of_another_container_is_none_of_its_business() -> None:
    situation = serving()
    event = ContainerEvent(container="c0", action="die")
    assert told(situation, Look(event)) == situation


# --- probes -------------------------------------------------------------------------------------


def test_run_is_ready_once_its_probe_has_passed() -> None:
    situation = running(assignment(readiness=HTTP))
    assert situation.report.reason == "waiting for its first probe"
    situation = asked(situation, "→ 503")
    assert situation.report.reason == "→ 503"
    situation = asked(situation)
    assert (situation.report.ready, situation.report.reason) == (True, "")


def test_run_without_anything_to_ask_is_ready_when_it_has_stayed_up() -> None:
    young = replace(RUNNING, started_at=NOW - 0.25)
    situation = done(starting(assignment(port=0)), young)
    assert pause(situation, Slot.SETTLING) == 0.75
    assert not situation.report.ready
    assert done(situation, slot=Slot.SETTLING).report.ready


def test_sick_run_is_ended_with_its_own_grace_and_its_end_counts() -> None:
    probe = replace(HTTP, failure_threshold=1)
    situation = running(assignment(liveness=probe, stop_grace_seconds=90.0))
    situation = asked(situation, "→ 503", slot=Slot.LIVENESS)
    assert situation.tasks[Slot.STEP].activity == Interrupt("c1", grace_seconds=90.0)
    assert situation.report.reason.startswith("being restarted: its liveness probe failed")
    situation = done(situation, ended(ran=50.0, code=137))
    assert what(situation) == "Start"
    assert situation.report.restarts == 1
    assert situation.report.reason == "its liveness probe failed once: → 503"


def test_run_is_not_ended_while_docker_is_away() -> None:
    situation = away(running(assignment(liveness=replace(HTTP, failure_threshold=1))))
    situation = asked(situation, "→ 503", slot=Slot.LIVENESS)
    assert what(situation) == "-"
    assert what(found(told(situation, DockerBack()), RUNNING)) == "Interrupt"


def test_run_that_is_not_ready_is_listened_to() -> None:
    situation = asked(running(), "connection refused")
    assert pause(situation, Slot.LISTENING) == 1.0
    situation = done(situation, slot=Slot.LISTENING)
    assert situation.tasks[Slot.LISTENING].activity == ReadLines(RUNNING, since=0.0)
    situation = done(situation, ("waiting for a lock",), slot=Slot.LISTENING)
    assert situation.report.last_lines == ("waiting for a lock",)


def test_reason_of_the_last_death_is_kept_until_the_next_run_is_ready() -> None:
    situation = done(dead(), replace(RUNNING, started_at=4001.0, finished_at=4000.5))
    assert situation.report.reason == "waiting for its first probe; its last run exited with code 1"
    assert asked(situation).report.reason == ""


# --- names --------------------------------------------------------------------------------------


def test_run_takes_its_slots_name_when_the_leader_says_so() -> None:
    situation = serving()
    assert what(situation, Slot.NAME) == "-"
    situation = told(situation, Want(assignment(settled_name=True)))
    assert what(situation, Slot.NAME) == "SettleName"
    situation = done(situation, "orca-web", slot=Slot.NAME)
    assert situation.report.container_name == "orca-web"
    assert what(situation, Slot.NAME) == "-"


def test_name_that_is_not_free_yet_is_asked_for_again() -> None:
    situation = done(serving(assignment(settled_name=True)), "", slot=Slot.NAME)
    assert pause(situation, Slot.NAME) == 0.5
    assert what(done(situation, slot=Slot.NAME), Slot.NAME) == "SettleName"


def test_name_held_by_strangers_is_asked_for_rarely() -> None:
    held = serving(assignment(settled_name=True))
    situation = done(held, RUNNING.name, slot=Slot.NAME)
    assert pause(situation, Slot.NAME) == 60.0


def test_name_that_was_lost_with_docker_is_settled_afterwards() -> None:
    situation = serving(assignment(settled_name=True))
    situation = failed(situation, DockerUnavailable("the connection broke"), slot=Slot.NAME)
    assert what(situation, Slot.NAME) == "-"
    situation = found(told(situation, DockerBack()), RUNNING)
    assert what(situation, Slot.NAME) == "SettleName"


def test_name_of_a_container_that_is_gone_is_forgotten() -> None:
    situation = serving(assignment(settled_name=True))
    situation = done(looked(situation, None), "orca-web", slot=Slot.NAME)
    assert situation.report.container_name == RUNNING.name
    assert situation.container is None


# --- without a master ---------------------------------------------------------------------------


def test_agent_that_starts_again_adopts_what_runs() -> None:
    situation = recorded(assignment(liveness=HTTP), attempt=3, restarts=2)
    assert not situation.surveyed
    situation = found(situation, RUNNING)
    assert not situation.surveyed
    assert not asked(situation, slot=Slot.LIVENESS).surveyed
    situation = asked(situation)
    assert situation.surveyed
    report = situation.report
    assert (report.ready, report.attempt, report.restarts) == (True, 3, 2)
    assert what(situation) == "-"


def test_end_while_the_agent_was_away_is_no_crash() -> None:
    situation = found(recorded(assignment(max_restarts=0)), ended())
    assert what(situation) == "Start"
    assert (situation.report.attempt, situation.report.restarts) == (2, 0)


def test_container_that_is_gone_waits_for_a_master() -> None:
    situation = found(recorded(), None)
    assert situation.surveyed
    assert situation.report.reason.endswith("waiting for a master to make another")
    assert what(told(situation, Want(assignment()))) == "Pull"


def test_container_whose_secret_files_are_gone_waits_for_a_master() -> None:
    wish = assignment(secret_files={"KEY": "s3cret"})
    situation = found(recorded(wish), ended(), secret_files=False)
    assert what(situation) == "-"
    assert situation.surveyed
    assert situation.report.reason == "its secret files are gone; waiting for a master to send them"
    start = told(situation, Want(wish)).tasks[Slot.STEP].activity
    assert isinstance(start, Start)
    assert start.secret_files == {"KEY": "s3cret"}


def test_container_whose_secret_files_are_there_needs_no_master() -> None:
    wish = assignment(secret_files={"KEY": "s3cret"})
    assert what(found(recorded(wish), ended(), secret_files=True)) == "Start"


@pytest.mark.parametrize("final", [ReplicaState.FAILED, ReplicaState.STOPPED])
def test_what_was_final_is_not_taken_up_again(final: ReplicaState) -> None:
    situation = recorded(final=final, permanent=True)
    assert situation.surveyed
    assert situation.report.state is final
    assert situation.report.permanent
    assert what(told(situation, Want(assignment()), Look(), DockerBack())) == "-"
    assert what(told(situation, Dismiss("no longer wanted"))) == "Halt"


def test_probe_that_is_known_only_now_does_not_doubt_what_was_ready() -> None:
    wish = assignment(readiness=EXEC)
    situation = asked(found(recorded(wish), RUNNING))
    assert situation.report.ready
    situation = told(situation, Want(wish))
    assert situation.report.ready
    assert situation.run is not None
    assert situation.run.health.readiness is not None
    assert situation.run.health.readiness.probe == EXEC


# --- blocked, traced, kept secret ---------------------------------------------------------------


def test_blocked_replica_makes_no_container_and_keeps_the_one_it_has() -> None:
    blocked = assignment(blocked="the secret KEY cannot be opened")
    situation = found(finding(blocked), None)
    assert what(situation) == "-"
    assert situation.report.reason == "the secret KEY cannot be opened"
    assert what(told(situation, Want(assignment()))) == "Pull"
    assert told(serving(), Want(blocked)).report.ready


def test_only_the_first_attempt_belongs_to_the_deploys_trace() -> None:
    pull, start = (begin().tasks[Slot.STEP].activity for begin in (pulling, starting))
    assert isinstance(pull, Pull)
    assert isinstance(start, Start)
    assert pull.trace == start.trace == "00-trace"
    restart = dead().tasks[Slot.STEP].activity
    assert isinstance(restart, Start)
    assert restart.trace == ""


def test_situation_shows_no_secret() -> None:
    wish = assignment(
        env={"A": "s3cret"}, readiness=EXEC, secret_files={"KEY": "s3cret"}, labels={"b": "s3cret"}
    )
    probing = done(running(wish), slot=Slot.READINESS)
    assert what(probing, Slot.READINESS) == "Ask"
    for situation in (pulling(wish), making(wish), starting(wish), probing, dead(wish)):
        assert "s3cret" not in repr(situation)


def test_tasks_that_look_alike_are_told_apart() -> None:
    first = finding().tasks[Slot.STEP]
    second = told(finding(), DockerAway("away"), DockerBack()).tasks[Slot.STEP]
    assert isinstance(second.activity, Find)
    assert first.activity == second.activity
    assert first != second


def test_make_uses_the_image_that_was_pulled() -> None:
    make = making().tasks[Slot.STEP].activity
    assert isinstance(make, Make)
    assert make.image == "web@sha256:1"
