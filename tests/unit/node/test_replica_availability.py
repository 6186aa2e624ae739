"""When another replica may be given up for this one: ready long enough, and then seen to run."""

from __future__ import annotations

from dataclasses import replace

from replica_lives import (
    RUNNING,
    asked,
    assignment,
    away,
    done,
    ended,
    found,
    recorded,
    serving,
    told,
    what,
)

from orca.node.replica.messages import DockerBack, Look, Want
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Pause, Slot

WISH = replace(assignment(), min_ready_seconds=2.0)


def ripe() -> Situation:
    """It has been ready for long enough, and is being looked at."""
    return done(serving(WISH), slot=Slot.AVAILABILITY)


def available() -> Situation:
    return found(ripe(), RUNNING)


def test_ready_replica_becomes_available_after_its_time_and_a_look() -> None:
    situation = serving(WISH)
    assert situation.report.ready
    assert situation.tasks[Slot.AVAILABILITY].activity == Pause(2.0)
    situation = done(situation, slot=Slot.AVAILABILITY)
    assert what(situation) == "Inspect"
    assert not situation.report.available
    assert found(situation, RUNNING).report.available


def test_replica_that_died_unheard_never_becomes_available() -> None:
    situation = found(ripe(), ended())
    assert not situation.report.available
    assert situation.report.attempt == 2


def test_replica_that_was_restarted_unheard_begins_anew() -> None:
    situation = found(ripe(), replace(RUNNING, started_at=RUNNING.started_at + 1))
    assert not situation.report.available
    assert situation.report.attempt == 2


def test_look_that_began_before_the_time_was_over_does_not_count() -> None:
    looking = told(serving(WISH), Look())
    situation = found(done(looking, slot=Slot.AVAILABILITY), RUNNING)
    assert not situation.report.available
    assert what(situation) == "Inspect"
    assert found(situation, RUNNING).report.available


def test_replica_that_is_not_ready_is_not_available_and_its_time_begins_anew() -> None:
    situation = available()
    while situation.report.ready:
        situation = asked(situation, "→ 503")
    assert not situation.report.available
    assert what(situation, Slot.AVAILABILITY) == "-"
    situation = asked(situation)
    assert situation.report.ready
    assert not situation.report.available
    assert what(situation, Slot.AVAILABILITY) == "Pause"


def test_docker_that_is_away_takes_nothing_back_and_gives_nothing() -> None:
    assert away(available()).report.available
    situation = done(away(serving(WISH)), slot=Slot.AVAILABILITY)
    assert not situation.report.available
    assert found(told(situation, DockerBack()), RUNNING).report.available


def test_agent_that_was_started_again_waits_for_the_leader_to_say_how_long() -> None:
    situation = asked(found(recorded(WISH), RUNNING))
    assert situation.report.ready
    assert what(situation, Slot.AVAILABILITY) == "-"
    assert what(told(situation, Want(WISH)), Slot.AVAILABILITY) == "Pause"
