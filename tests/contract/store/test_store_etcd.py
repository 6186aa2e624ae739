"""What only a real etcd can show: restarts, failover, TLS, frozen servers, a full quota, lost replies."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from orca import errors
from orca.store.base import (
    Delete,
    KeyAbsent,
    ModRevisionIs,
    Put,
    Transaction,
    WatchBatch,
)
from orca.store.etcd import EtcdLogin, EtcdSettings, EtcdStore, EtcdTls
from tests.contract.store import etcd_server
from tests.contract.store.chaos_proxy import ChaosProxy
from tests.contract.store.etcd_server import EtcdServer
from tests.contract.store.pki import Pki

ANSWER_SECONDS = 20.0


def connect(*servers: EtcdServer, timeout_seconds: float = 5.0) -> EtcdStore:
    endpoints = tuple(server.endpoint for server in servers)
    return EtcdStore(
        EtcdSettings(
            endpoints=endpoints, timeout_seconds=timeout_seconds, attempt_timeout_seconds=1.0
        )
    )


async def put(store: EtcdStore, key: str, value: bytes = b"x") -> int:
    return (await store.commit(Transaction(writes=(Put(key, value),)))).revision


async def next_change(watch: AsyncGenerator[WatchBatch, None]) -> WatchBatch:
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            batch = await anext(watch)
            if batch.complete or batch.puts or batch.deletes:
                return batch


async def test_watch_resumes_without_a_gap_when_etcd_was_killed(own_etcd: EtcdServer) -> None:
    async with connect(own_etcd) as store, connect(own_etcd) as other:
        await put(store, "/a/1")
        async with aclosing(store.watch("/a/")) as watch:
            assert (await next_change(watch)).complete
            own_etcd.restart()
            await put(other, "/a/2")
            await put(other, "/a/3")
            seen: list[str] = []
            while len(seen) < 2:
                batch = await next_change(watch)
                assert not batch.complete
                seen += [item.key for item in batch.puts]
            assert seen == ["/a/2", "/a/3"]


async def test_watch_lists_again_when_the_missed_history_was_compacted(
    own_etcd: EtcdServer,
) -> None:
    async with connect(own_etcd) as store, connect(own_etcd) as other:
        await put(store, "/a/1")
        async with aclosing(store.watch("/a/")) as watch:
            assert (await next_change(watch)).complete
            own_etcd.restart()
            # The stream is dead already; it is opened again only when the watch is read on.
            await put(other, "/a/2")
            await other.commit(Transaction(writes=(Delete("/a/1"),)))
            await put(other, "/a/2")
            await other.compact()
            batch = await next_change(watch)
            assert batch.complete
            assert [item.key for item in batch.puts] == ["/a/2"]
            await put(other, "/a/4")
            batch = await next_change(watch)
            assert not batch.complete
            assert [item.key for item in batch.puts] == ["/a/4"]


async def test_watch_lists_again_when_etcd_came_back_with_an_older_state(tmp_path: Path) -> None:
    servers = etcd_server.members(tmp_path, 1)
    with etcd_server.running(servers) as (server,):
        async with connect(server) as store:
            for number in range(10):
                await put(store, f"/a/{number}")
            async with aclosing(store.watch("/a/")) as watch:
                assert len((await next_change(watch)).puts) == 10
                server.kill()
                (server.directory / server.name).rename(tmp_path / "old")
                server.start()
                async with connect(server) as other:
                    await put(other, "/a/new")
                batch = await next_change(watch)
                assert batch.complete
                assert [item.key for item in batch.puts] == ["/a/new"]


async def test_requests_to_a_stopped_etcd_are_unavailable_and_work_again_after_it_is_back(
    own_etcd: EtcdServer,
) -> None:
    async with connect(own_etcd) as patient, connect(own_etcd, timeout_seconds=0.5) as store:
        await put(patient, "/a")
        own_etcd.kill()
        with pytest.raises(errors.StoreUnavailable, match="does not answer"):
            await store.get("/a")
        with pytest.raises(errors.StoreUnavailable):
            await put(store, "/b")
        own_etcd.start()
        own_etcd.wait_listening()
    async with connect(own_etcd) as store:
        assert await store.get("/a") is not None


async def test_every_request_to_a_frozen_etcd_ends_at_its_deadline(own_etcd: EtcdServer) -> None:
    loop = asyncio.get_running_loop()
    async with connect(own_etcd) as patient, connect(own_etcd, timeout_seconds=0.3) as store:
        await put(patient, "/a")
        await put(store, "/a")
        lease = await store.grant(5)
        with own_etcd.frozen():
            began = loop.time()
            for request in (
                store.get("/a"),
                store.range("/"),
                put(store, "/b"),
                store.grant(5),
                store.keep_alive(lease.id),
                store.revoke(lease.id),
                store.status(),
            ):
                with pytest.raises(errors.StoreUnavailable):
                    await request
            assert loop.time() - began < 7 * 0.3 + 2.0
        async with asyncio.timeout(ANSWER_SECONDS):
            while (await store.range("/")).items[0].key != "/a":
                pass


async def test_lease_on_a_frozen_etcd_is_lost_locally_before_the_server_ends_it(
    own_etcd: EtcdServer,
) -> None:
    loop = asyncio.get_running_loop()
    async with connect(own_etcd) as store:
        lease = await store.grant(2)
        with own_etcd.frozen():
            began = loop.time()
            await lease.run()
            assert loop.time() - began < 2.0
            assert not lease.is_valid(loop.time())
        assert await store.keep_alive(lease.id) > 0, "the server should have had it still"


async def test_commit_whose_reply_was_lost_is_known_as_our_own(own_etcd: EtcdServer) -> None:
    async with ChaosProxy(own_etcd.client_port) as proxy:
        settings = EtcdSettings(endpoints=(proxy.endpoint,))
        async with EtcdStore(settings) as store, connect(own_etcd) as direct:
            await put(store, "/warm")
            revision = await put(store, "/counter", b"0")
            for number in range(1, 6):
                proxy.lossy = True
                done = await store.commit(
                    Transaction(
                        conditions=(ModRevisionIs("/counter", revision),),
                        writes=(Put("/counter", str(number).encode()),),
                    )
                )
                found = await direct.get("/counter")
                assert found is not None
                assert found.value == str(number).encode()
                assert found.mod_revision == done.revision
                revision = done.revision
            assert proxy.cuts == 5
            proxy.lossy = True
            with pytest.raises(errors.Conflict, match="/counter"):
                await store.commit(Transaction(conditions=(KeyAbsent("/counter"),)))


async def overwrite(store: EtcdStore, key: str, *, times: int) -> None:
    """Leave so many old values of 1 MB."""
    for _ in range(times):
        await put(store, key, b"x" * 1_000_000)


async def test_etcd_full_of_old_values_refuses_writes_and_serves_again_after_reclaim(
    tmp_path: Path,
) -> None:
    quota = 16 * 1024 * 1024
    servers = etcd_server.members(tmp_path, 1, f"--quota-backend-bytes={quota}")
    with etcd_server.running(servers) as (server,):
        async with connect(server) as store:
            with pytest.raises(errors.StoreFull, match="quota is used up") as caught:
                await overwrite(store, "/big", times=40)
            assert "compact" in caught.value.hint
            assert (await store.status()).alarms == ("NOSPACE",)
            with pytest.raises(errors.StoreFull):
                await put(store, "/small")
            with pytest.raises(errors.StoreFull):
                await store.grant(60)
            await store.reclaim()
            assert (await store.status()).alarms == ()
            await put(store, "/small")


async def test_full_etcd_takes_deletes(tmp_path: Path) -> None:
    quota = 16 * 1024 * 1024
    servers = etcd_server.members(tmp_path, 1, f"--quota-backend-bytes={quota}")
    with etcd_server.running(servers) as (server,):
        async with connect(server) as store:
            with pytest.raises(errors.StoreFull, match="quota is used up") as caught:
                # Half of it old values: etcd 3.4 refuses deletes too until that is given back.
                await store.commit_all(
                    Put(f"/big/{number % 8}", b"x" * 1_000_000) for number in range(40)
                )
            assert "Delete" in caught.value.hint
            for item in (await store.range("/big/")).items:
                await store.commit(
                    Transaction(
                        conditions=(ModRevisionIs(item.key, item.mod_revision),),
                        writes=(Delete(item.key),),
                    )
                )
            await store.reclaim()
            await put(store, "/small")


async def test_three_members_lose_one_and_nothing_else(tmp_path: Path) -> None:
    with etcd_server.running(etcd_server.members(tmp_path, 3)) as servers:
        async with connect(*servers, timeout_seconds=15.0) as store:
            await put(store, "/a/1")
            lease = await store.grant(10)
            async with aclosing(store.watch("/a/")) as watch:
                assert (await next_change(watch)).complete
                used = (await store.status()).endpoint
                next(server for server in servers if server.endpoint == used).kill()
                await put(store, "/a/2")
                batch = await next_change(watch)
                assert not batch.complete
                assert [item.key for item in batch.puts] == ["/a/2"]
            assert [item.key for item in (await store.range("/a/")).items] == ["/a/1", "/a/2"]
            assert await store.keep_alive(lease.id) > 0
            assert (await store.status()).endpoint != used


async def test_frozen_member_is_left_for_another(tmp_path: Path) -> None:
    with etcd_server.running(etcd_server.members(tmp_path, 3)) as servers:
        async with connect(*servers, timeout_seconds=15.0) as store:
            await put(store, "/a")
            used = (await store.status()).endpoint
            with next(each for each in servers if each.endpoint == used).frozen():
                await put(store, "/b")
                assert await store.get("/b") is not None
                assert (await store.status()).endpoint != used


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def tls_etcd(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[EtcdServer]:
    extra = (
        "--client-cert-auth",
        f"--trusted-ca-file={pki.ca_file}",
        f"--cert-file={pki.tls('server').cert_file}",
        f"--key-file={pki.tls('server').key_file}",
    )
    directory = tmp_path_factory.mktemp("tls-etcd")
    servers = etcd_server.members(directory, 1, *extra, scheme="https")
    with etcd_server.running(servers) as (server,):
        yield server


async def test_tls_with_our_certificates_reads_writes_and_watches(
    tls_etcd: EtcdServer, pki: Pki
) -> None:
    settings = EtcdSettings(
        endpoints=(f"https://{tls_etcd.endpoint}",), tls=pki.tls("client"), timeout_seconds=10
    )
    async with EtcdStore(settings) as store:
        await put(store, "/a/1")
        async with aclosing(store.watch("/a/")) as watch:
            assert len((await next_change(watch)).puts) == 1


@pytest.mark.parametrize("stranger", ["plain", "other_ca"])
async def test_tls_server_does_not_talk_to_strangers(
    tls_etcd: EtcdServer, pki: Pki, stranger: str, tmp_path: Path
) -> None:
    other: EtcdTls | None = Pki(tmp_path).tls("client") if stranger == "other_ca" else None
    settings = EtcdSettings(endpoints=(tls_etcd.endpoint,), tls=other, timeout_seconds=0.5)
    async with EtcdStore(settings) as store:
        with pytest.raises(errors.StoreUnavailable):
            await store.get("/a")


def test_https_endpoint_without_certificates_is_refused() -> None:
    with pytest.raises(errors.UserError, match="no certificate files are configured"):
        EtcdStore(EtcdSettings(endpoints=("https://127.0.0.1:1",)))


def test_missing_certificate_file_is_refused_by_name(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    tls = EtcdTls(ca_file=missing, cert_file=missing, key_file=missing)
    with pytest.raises(errors.UserError, match=f"{missing} cannot be read: No such file"):
        EtcdStore(EtcdSettings(endpoints=("127.0.0.1:1",), tls=tls))


def test_store_without_an_endpoint_is_refused() -> None:
    with pytest.raises(errors.UserError, match="No etcd endpoint"):
        EtcdStore(EtcdSettings(endpoints=()))


def etcdctl(server: EtcdServer, *arguments: str) -> None:
    subprocess.run(
        ["etcdctl", f"--endpoints={server.endpoint}", *arguments],
        check=True,
        capture_output=True,
        env={"ETCDCTL_API": "3", "PATH": os.environ["PATH"]},
    )


ROOT = EtcdLogin(user="root", password="secret")


def enable_login(server: EtcdServer) -> None:
    etcdctl(server, "user", "add", f"{ROOT.user}:{ROOT.password}")
    etcdctl(server, "user", "grant-role", "root", "root")
    etcdctl(server, "auth", "enable")


async def test_login_is_repeated_when_etcd_forgot_the_session(own_etcd: EtcdServer) -> None:
    enable_login(own_etcd)
    settings = EtcdSettings(endpoints=(own_etcd.endpoint,), login=ROOT)
    async with EtcdStore(settings) as store, EtcdStore(settings) as watcher:
        await put(store, "/a/1")
        lease = await store.grant(60)
        async with aclosing(watcher.watch("/a/")) as watch:
            assert (await next_change(watch)).complete
            own_etcd.restart()  # sessions are kept in memory only
            await put(store, "/a/2")
            assert [item.key for item in (await next_change(watch)).puts] == ["/a/2"]
        assert await store.keep_alive(lease.id) > 0


async def test_watch_logs_in_again_when_etcd_forgot_the_session(own_etcd: EtcdServer) -> None:
    enable_login(own_etcd)
    async with ChaosProxy(own_etcd.client_port) as proxy:
        through_proxy = EtcdSettings(endpoints=(proxy.endpoint,), login=ROOT)
        direct = EtcdSettings(endpoints=(own_etcd.endpoint,), login=ROOT)
        async with EtcdStore(through_proxy) as watcher, EtcdStore(direct) as store:
            await put(store, "/a/1")
            async with aclosing(watcher.watch("/a/")) as watch:
                assert (await next_change(watch)).complete
                await put(store, "/a/2")
                assert [item.key for item in (await next_change(watch)).puts] == ["/a/2"]
                etcdctl(own_etcd, f"--user={ROOT.user}:{ROOT.password}", "auth", "disable")
                etcdctl(own_etcd, "auth", "enable")  # all sessions are over
                proxy.lossy = True
                await put(store, "/a/3")
                assert [item.key for item in (await next_change(watch)).puts] == ["/a/3"]
                assert proxy.cuts == 1


async def test_wrong_password_is_named_and_not_shown(own_etcd: EtcdServer) -> None:
    enable_login(own_etcd)
    settings = EtcdSettings(endpoints=(own_etcd.endpoint,), login=ROOT)
    wrong = EtcdLogin(user="root", password="guess")
    async with EtcdStore(replace(settings, login=wrong)) as store:
        with pytest.raises(errors.StoreUnavailable, match="does not let us in") as caught:
            await store.get("/a/1")
        assert "secret" not in repr(settings)
        assert "user and password" in caught.value.hint
