"""What the node keeps on disk: its record, archived logs, secret files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from orca import errors
from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Replica
from orca.node.archive import KEPT_FILES, LogArchive, collect
from orca.node.record import LocalRecord, ReplicaRecord
from orca.node.runtime import LogQuery, Output
from orca.node.secret_files import SecretFiles
from orca.rpc.messages import Channel


def replica(name: str = "r-1", *, slot: int = 0) -> Replica:
    return Replica(
        id=ReplicaId(name),
        service=ServiceId("shop", "web"),
        revision=RevisionNumber(1),
        generation=1,
        slot=slot,
        node=NodeId("n"),
        epoch=Epoch(1),
    )


def record(name: str = "r-1") -> ReplicaRecord:
    spec = ContainerSpec(image="web", readiness=Probe(kind=ProbeKind.HTTP, path="/x"), port=80)
    return ReplicaRecord(replica=replica(name), container=spec, spec_hash="hash")


# --- record ---


def test_node_keeps_its_id(tmp_path: Path) -> None:
    first = LocalRecord(tmp_path / "node").identity()
    assert LocalRecord(tmp_path / "node").identity() == first
    assert LocalRecord(tmp_path / "node", known_as="another").identity() == first


def test_node_whose_record_is_lost_stays_who_its_certificate_says(tmp_path: Path) -> None:
    assert LocalRecord(tmp_path, known_as="n-1").identity().node == "n-1"
    assert LocalRecord(tmp_path).identity().node == "n-1"


def test_epoch_is_kept_with_the_id(tmp_path: Path) -> None:
    kept = LocalRecord(tmp_path)
    node = kept.identity().node
    kept.saw_epoch(Epoch(42))
    found = LocalRecord(tmp_path).identity()
    assert (found.node, found.epoch) == (node, 42)


def test_replicas_are_kept_and_forgotten(tmp_path: Path) -> None:
    kept = LocalRecord(tmp_path)
    assert kept.replicas() == {}
    kept.keep(record("r-1"))
    kept.keep(record("r-2"))
    assert kept.replicas() == {"r-1": record("r-1"), "r-2": record("r-2")}
    kept.forget(ReplicaId("r-1"))
    kept.forget(ReplicaId("r-1"))
    assert kept.replicas() == {"r-2": record("r-2")}


def test_half_a_record_is_set_aside(tmp_path: Path) -> None:
    kept = LocalRecord(tmp_path)
    kept.keep(record("r-1"))
    path = tmp_path / "replicas" / "r-1.json"
    path.write_bytes(path.read_bytes()[:20])
    assert kept.replicas() == {}
    assert path.with_name("r-1.json.broken").exists()


def test_identity_that_cannot_be_read_stops_the_node(tmp_path: Path) -> None:
    """A new id would make strangers of every container that runs."""
    LocalRecord(tmp_path).identity()
    (tmp_path / "node.json").write_text("{")
    with pytest.raises(errors.Failed, match=r"node\.json cannot be read"):
        LocalRecord(tmp_path).identity()


def test_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "replicas").write_text("not a directory")
    with pytest.raises(errors.Failed, match="cannot be written"):
        LocalRecord(tmp_path).keep(record())


# --- archived logs ---


def lines(*texts: str) -> list[Output]:
    return [Output(Channel.STDOUT, f"2026-01-01T00:00:00Z {text}\n".encode()) for text in texts]


def previous(archive: LogArchive, query: LogQuery, *, slot: int = 0, but: str = "") -> list[str]:
    found = archive.previous(ServiceId("shop", "web"), slot=slot, but=ReplicaId(but), query=query)
    return [] if found is None else [output.data.decode() for output in found]


def test_previous_log_is_the_slots_last_other_replicas(tmp_path: Path) -> None:
    archive = LogArchive(tmp_path)
    archive.store(replica("r-1"), lines("one"))
    archive.store(replica("r-2", slot=1), lines("two"))
    archive.store(replica("r-3"), lines("three"))
    assert previous(archive, LogQuery(), but="r-4") == ["three\n"]
    assert previous(archive, LogQuery(), but="r-3") == ["one\n"]
    assert previous(archive, LogQuery(), slot=1) == ["two\n"]
    assert previous(archive, LogQuery(), slot=2) == []


def test_previous_log_keeps_outputs_times_and_tail(tmp_path: Path) -> None:
    archive = LogArchive(tmp_path)
    archive.store(
        replica(), [*lines("a", "b"), Output(Channel.STDERR, b"2026-01-01T00:00:00Z c\n")]
    )
    found = archive.previous(
        ServiceId("shop", "web"), slot=0, but=ReplicaId(""), query=LogQuery(tail=1, timestamps=True)
    )
    assert found == [Output(Channel.STDERR, b"2026-01-01T00:00:00Z c\n")]


def test_archive_keeps_the_last_few_and_keeps_them_private(tmp_path: Path) -> None:
    archive = LogArchive(tmp_path)
    for n in range(KEPT_FILES + 3):
        archive.store(replica(f"r-{n}"), lines(str(n)))
        os.utime(tmp_path / "shop.web" / f"0-r-{n}.log", (n, n))
    kept = sorted((tmp_path / "shop.web").glob("*.log"))
    assert len(kept) == KEPT_FILES
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


async def test_end_of_a_long_log_is_kept() -> None:
    async def outputs(each: Iterable[bytes]) -> AsyncIterator[Output]:
        for data in each:
            yield Output(Channel.STDOUT, data)

    kept = await collect(outputs([b"a" * 60, b"b" * 60, b"c" * 60]), bytes_max=130)
    assert [output.data[:1] for output in kept] == [b"b", b"c"]


# --- secret files ---


def test_secret_files_are_readable_inside_and_closed_outside(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    directory = files.write(ReplicaId("r-1"), {"KEY": "value"})
    assert (directory / "KEY").read_text() == "value"
    assert (directory / "KEY").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert files.exist(ReplicaId("r-1"))


def test_secret_files_are_replaced_and_removed(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.write(ReplicaId("r-1"), {"KEY": "old"})
    directory = files.write(ReplicaId("r-1"), {"KEY": "new"})
    assert (directory / "KEY").read_text() == "new"
    files.remove(ReplicaId("r-1"))
    files.remove(ReplicaId("r-1"))
    assert not files.exist(ReplicaId("r-1"))


def test_place_for_secret_files_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("in the way")
    with pytest.raises(errors.Failed, match="secret files cannot be written"):
        SecretFiles(tmp_path / "secrets").write(ReplicaId("r-1"), {"KEY": "value"})
