"""What the agent concludes from all of its replicas, from its engine and from who speaks to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from replica_lives import REPLICA, assignment

from orca.model.ids import Epoch, ReplicaId, ServiceId
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.node import naming
from orca.node.allegiance import Allegiance, Verdict
from orca.node.docker_state import DockerState
from orca.node.record import record_of
from orca.node.roster import Member, Roster
from orca.node.runtime import ContainerSummary, EngineFacts
from orca.node.settings import NodeSettings
from orca.rpc.messages import Assignment

FIRST, SECOND = REPLICA.id, ReplicaId("r-000002")
OTHER = ServiceId.parse("blog/web")


def wish(replica: ReplicaId = FIRST, service: ServiceId = REPLICA.service) -> Assignment:
    found = assignment()
    return replace(found, replica=replace(found.replica, id=replica, service=service))


def status(state: ReplicaState, container: str = "c1", **changes: object) -> ReplicaStatus:
    found = ReplicaStatus(replica=FIRST, state=state, container_id=container)
    return replace(found, **changes)  # type: ignore[arg-type]


def summary(replica: str, *, id: str = "c1", running: bool = True) -> ContainerSummary:
    labels = {naming.REPLICA: replica}
    return ContainerSummary(id=id, name="orca-web", labels=labels, running=running)


# --- replicas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "listed", "news"),
    [
        (None, None, True),
        (status(ReplicaState.RUNNING), summary(FIRST), False),
        (status(ReplicaState.RUNNING), summary(FIRST, running=False), True),
        (status(ReplicaState.RUNNING), summary(FIRST, id="c2"), True),
        (status(ReplicaState.RUNNING), None, True),
        (status(ReplicaState.STARTING), summary(FIRST, running=False), False),
        (status(ReplicaState.STARTING), summary(FIRST), True),
        (status(ReplicaState.PULLING, container=""), None, False),
        (status(ReplicaState.FAILED), summary(FIRST, running=False), False),
        (status(ReplicaState.FAILED), None, False),
    ],
)
def test_list_is_news_where_it_differs_from_the_status(
    said: ReplicaStatus | None, listed: ContainerSummary | None, news: bool
) -> None:
    roster = Roster().wanting(wish())
    roster = roster if said is None else roster.noting(said)
    assert list(roster.news_of([listed] if listed else [])) == ([FIRST] if news else [])


def test_orphans_are_what_no_replica_has() -> None:
    roster = Roster().wanting(wish())
    containers = [summary(FIRST), summary("r-unknown"), summary("")]
    assert list(roster.orphans(containers)) == containers[1:]


def test_replicas_that_a_complete_set_does_not_name_are_missing_from_it() -> None:
    roster = Roster().wanting(wish()).wanting(wish(SECOND))
    assert roster.missing_from([wish(SECOND)]) == [FIRST]
    assert roster.missing_from([wish(), wish(SECOND)]) == []


def test_network_is_needed_as_long_as_the_project_has_replicas() -> None:
    roster = Roster().wanting(wish()).wanting(wish(SECOND, OTHER))
    assert roster.serves("shop")
    assert not roster.without(FIRST).serves("shop")
    assert roster.without(FIRST).serves("blog")


def test_what_was_recorded_is_surveyed_one_by_one_and_what_is_new_need_not_be() -> None:
    roster = Roster.recorded({each: record_of(wish(each)) for each in (FIRST, SECOND)})
    assert not roster.surveying(FIRST).surveyed
    assert roster.surveying(FIRST).surveying(SECOND).surveyed
    assert roster.surveying(FIRST).without(SECOND).surveyed
    assert Roster().wanting(wish()).surveyed


def test_replica_that_is_wanted_again_is_dismissed_no_more() -> None:
    roster = Roster().wanting(wish()).dismissing(FIRST, "no longer wanted")
    assert roster.members[FIRST].dismissed == "no longer wanted"
    assert roster.wanting(wish()).members[FIRST].dismissed == ""


def test_news_of_a_replica_that_is_gone_change_nothing() -> None:
    roster = Roster()
    assert roster.noting(status(ReplicaState.STOPPED)) == roster
    assert roster.surveying(FIRST) == roster


def test_newest_record_says_what_became_of_the_replica() -> None:
    member = Member(record=record_of(wish()))
    assert member.newest_record == member.record
    said = status(ReplicaState.FAILED, attempt=4, restarts=3, permanent=True)
    record = replace(member, status=said).newest_record
    assert (record.attempt, record.restarts, record.final) == (4, 3, ReplicaState.FAILED)
    assert record.permanent


def test_roster_shows_no_secret() -> None:
    found = wish()
    hidden = replace(found, container=replace(found.container, env={"A": "s3cret"}))
    assert "s3cret" not in repr(Roster().wanting(hidden))


# --- whom to obey -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "session", "verdict"),
    [
        (5, 1, Verdict.OBEY),
        (6, 1, Verdict.OBEY),
        (4, 1, Verdict.REFUSE),
        (4, 2, Verdict.REFUSE),
        (5, 2, Verdict.IGNORE),
        (6, 0, Verdict.IGNORE),
    ],
)
def test_newest_leader_is_obeyed_in_the_present_session(
    epoch: int, session: int, verdict: Verdict
) -> None:
    allegiance = Allegiance(epoch=Epoch(5)).greeted(1)
    assert allegiance.judge(Epoch(epoch), session=session) is verdict


def test_epoch_that_was_heard_of_is_never_forgotten() -> None:
    allegiance = Allegiance(epoch=Epoch(5)).heard(Epoch(7)).heard(Epoch(6)).parted().greeted(2)
    assert allegiance.epoch == 7
    assert allegiance.judge(Epoch(6), session=2) is Verdict.REFUSE


def test_what_a_session_said_ends_with_it() -> None:
    allegiance = Allegiance(epoch=Epoch(5)).greeted(1).completed()
    assert allegiance.complete
    assert not allegiance.parted().complete
    assert not allegiance.greeted(2).complete


# --- the engine ---------------------------------------------------------------------------------


def test_engine_that_has_not_answered_yet_is_worth_a_try() -> None:
    fresh = DockerState()
    assert fresh.away == ""
    assert fresh.failed("no such socket").away == ""
    answered = fresh.answered(EngineFacts(version="28"))
    assert (answered.error, answered.away) == ("", "")
    assert answered.failed("gone").away == "gone"


def test_engine_that_has_left_is_still_described() -> None:
    settings = NodeSettings(home=Path("/nowhere"), cluster="test", name="two")
    state = DockerState().answered(EngineFacts(version="28", hostname="one", cpus=4.0))
    facts = state.failed("gone").facts(settings)
    assert (facts.hostname, facts.docker_version, facts.cpus) == ("one", "28", 4.0)
    assert facts.docker_error == "gone"
    assert DockerState().facts(settings).hostname == "two"


def test_suspicion_lasts_until_the_next_list() -> None:
    state = DockerState().answered(EngineFacts(version="28")).doubted()
    assert state.suspected
    assert not state.answered(EngineFacts(version="28")).suspected
