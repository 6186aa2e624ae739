"""A master's copy of the store, where its own writes and the watch overlap."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orca.master.mirror import Mirror
from orca.master.records import Records
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.node import Node
from orca.model.replica import Desired, Replica
from orca.store.base import Delete, DeletePrefix, KeyValue, WatchBatch
from orca.store.keys import Keys

RECORDS = Records(Keys("test"))


def replica(id: str = "r1") -> Replica:
    return Replica(
        id=ReplicaId(id),
        service=ServiceId("shop", "web"),
        revision=RevisionNumber(1),
        generation=1,
        slot=0,
        node=NodeId("n"),
        epoch=Epoch(1),
    )


def item(record: Replica | Node, revision: int) -> KeyValue:
    put = RECORDS.put(record)
    return KeyValue(key=put.key, value=put.value, mod_revision=revision, create_revision=1)


def batch(revision: int, *puts: KeyValue, complete: bool = False, deletes: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    return WatchBatch(complete=complete, puts=puts, deletes=deletes, revision=revision)


@pytest.fixture
def mirror() -> Mirror:
    return Mirror(RECORDS)


def test_own_write_is_seen_at_once_and_not_undone_by_an_older_event(mirror: Mirror) -> None:
    old, new = replica(), replace(replica(), desired=Desired.STOP)
    mirror.apply_writes([RECORDS.put(new)], 10)
    mirror.apply(batch(9, item(old, 9)))
    assert mirror.replicas()[new.id].desired is Desired.STOP
    assert mirror.version(new) == 10


def test_own_deletion_is_not_undone_by_an_older_event(mirror: Mirror) -> None:
    mirror.apply(batch(5, item(replica(), 5), complete=True))
    mirror.apply_writes([Delete(RECORDS.key(replica()))], 10)
    mirror.apply(batch(8, item(replica(), 8)))
    assert mirror.replicas() == {}


def test_older_deletion_does_not_remove_a_newer_write(mirror: Mirror) -> None:
    mirror.apply_writes([RECORDS.put(replica())], 10)
    mirror.apply(batch(9, deletes=(RECORDS.key(replica()),)))
    assert len(mirror.replicas()) == 1
    mirror.apply(batch(11, deletes=(RECORDS.key(replica()),)))
    assert mirror.replicas() == {}


def test_complete_batch_forgets_what_it_does_not_name(mirror: Mirror) -> None:
    mirror.apply(batch(5, item(replica("a"), 4), item(replica("b"), 5), complete=True))
    mirror.apply_writes([RECORDS.put(replica("c"))], 12)
    mirror.apply(batch(9, item(replica("b"), 5), complete=True))
    assert sorted(mirror.replicas()) == ["b", "c"]


def test_prefix_deletion_reaches_everything_below(mirror: Mirror) -> None:
    mirror.apply(batch(5, item(replica("a"), 4), item(replica("b"), 5), complete=True))
    mirror.apply_writes([DeletePrefix(RECORDS.keys.replicas())], 6)
    assert mirror.replicas() == {}


def test_keys_that_are_not_mirrored_are_skipped(mirror: Mirror) -> None:
    leader = KeyValue(key=RECORDS.keys.leader(), value=b"x", mod_revision=1, create_revision=1)
    mirror.apply(batch(1, leader, item(Node(id=NodeId("n"), name="n"), 1), complete=True))
    assert list(mirror.nodes()) == ["n"]
    assert mirror.revision == 1
