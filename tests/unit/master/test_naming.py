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


def test_replica_is_found_by_slot_id_prefix_or_container() -> None:
    replicas = [replica("abc1", 0, 1.0), replica("def2", 0, 2.0), replica("fed3", 1, 3.0)]
    status = ReplicaStatus(
        replica=ReplicaId("fed3"), state=ReplicaState.RUNNING, container_name="orca-web-1"
    )
    statuses = {status.replica: status}
    assert find_replica(replicas, statuses, "0").id == "def2", "the newest of a slot"
    assert find_replica(replicas, statuses, "abc").id == "abc1"
    assert find_replica(replicas, statuses, "orca-web-1").id == "fed3"
    with pytest.raises(NotFound, match="no replica '7'"):
        find_replica(replicas, statuses, "7")
