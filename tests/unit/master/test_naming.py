"""What a person means by a name."""

from __future__ import annotations

import pytest

from orca.errors import NotFound, UserError
from orca.master.naming import find_project, find_replica, find_service
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Replica, ReplicaState, ReplicaStatus

KNOWN = [ServiceId("shop", "web"), ServiceId("shop", "db"), ServiceId("blog", "db")]


def test_bare_name_is_enough_when_it_is_unique() -> None:
    assert find_service(KNOWN, "web") == ServiceId("shop", "web")
    assert find_service(KNOWN, "blog/db") == ServiceId("blog", "db")


def test_ambiguous_name_lists_its_owners() -> None:
    with pytest.raises(UserError) as raised:
        find_service(KNOWN, "db")
    assert raised.value.hint == "write one of blog/db, shop/db"


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(NotFound) as raised:
        find_service(KNOWN, "wbe")
    assert raised.value.hint == "did you mean 'web'?"
    with pytest.raises(NotFound, match="no project 'shpo'"):
        find_project(KNOWN, "shpo")


def replica(id: str, slot: int, created_at: float) -> Replica:
    return Replica(
        id=ReplicaId(id),
        service=KNOWN[0],
        revision=RevisionNumber(1),
        generation=1,
        slot=slot,
        node=NodeId("n"),
        epoch=Epoch(1),
        created_at=created_at,
    )


REPLICAS = [replica("abc123", 0, 1.0), replica("7ef246", 0, 2.0), replica("7ef279", 1, 3.0)]


def test_replica_is_found_by_slot_container_or_begin_of_its_id() -> None:
    status = ReplicaStatus(
        replica=ReplicaId("7ef279"), state=ReplicaState.RUNNING, container_name="orca-web-1"
    )
    statuses = {status.replica: status}
    assert find_replica(REPLICAS, statuses, "0").id == "7ef246", "the newest of a slot"
    assert find_replica(REPLICAS, statuses, "abc1").id == "abc123"
    assert find_replica(REPLICAS, statuses, "orca-web-1").id == "7ef279"


def test_slot_that_does_not_exist_is_not_taken_for_an_id() -> None:
    with pytest.raises(NotFound, match="no replica '7'") as raised:
        find_replica(REPLICAS, {}, "7")
    assert raised.value.hint == "slots that exist: 0, 1"


def test_id_cut_too_short_lists_those_that_begin_so() -> None:
    with pytest.raises(UserError, match="'7ef2' begins several replicas") as raised:
        find_replica(REPLICAS, {}, "7ef2")
    assert raised.value.hint == "write one of 7ef246, 7ef279"
