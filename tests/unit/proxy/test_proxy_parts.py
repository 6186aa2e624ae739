"""The small parts: merging tables, watching a drain, pauses, memory, files, room for watches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.model.ids import Epoch, ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.proxy import watches
from orca.proxy.backoff import Backoff
from orca.proxy.binary import find_binary
from orca.proxy.drain import DrainWatch
from orca.proxy.files import ConfigFiles
from orca.proxy.handover import waiting_connections_move
from orca.proxy.memory import FileMemory, Remembered
from orca.proxy.ports import EndpointKey
from orca.proxy.process import EnvoyProcess
from orca.proxy.table import merged
from orca.rpc.messages import RouteUpdate

WEB, API = ServiceId("shop", "web"), ServiceId("shop", "api")
ONE = Endpoint(replica=ReplicaId("r1"), address="10.0.0.1", port=80)
TWO = replace(ONE, replica=ReplicaId("r2"), address="10.0.0.2")
ROUTE = Route(domain="shop.test", path="/", service=WEB)
TABLE = RouteTable(routes=(ROUTE,), backends=(Backend(service=WEB, endpoints=(ONE,)),))
KEY = EndpointKey(WEB, "10.0.0.1", 80)


def update(*, complete: bool = False, **more: object) -> RouteUpdate:
    return RouteUpdate(epoch=Epoch(1), version=1, complete=complete, **more)  # type: ignore[arg-type]


# --- merging ---


def test_complete_update_replaces_everything() -> None:
    assert merged(TABLE, update(complete=True)) == RouteTable()


def test_increment_replaces_only_what_it_names() -> None:
    changed = Backend(service=WEB, endpoints=(TWO,))
    new = Backend(service=API)
    result = merged(TABLE, update(routes_changed=False, backends=(changed, new)))
    assert result.routes == (ROUTE,)
    assert set(result.backends) == {changed, new}


def test_increment_with_routes_replaces_them_all() -> None:
    other = replace(ROUTE, domain="other.test")
    assert merged(TABLE, update(routes_changed=True, routes=(other,))).routes == (other,)


def test_increment_removes_backends() -> None:
    assert merged(TABLE, update(routes_changed=False, removed=("shop/web",))).backends == ()


# --- draining ---


def draining(*endpoints: Endpoint) -> RouteTable:
    gone = tuple(replace(e, state=EndpointState.DRAINING) for e in endpoints)
    return RouteTable(backends=(Backend(service=WEB, endpoints=gone),))


def test_endpoint_has_drained_after_two_idle_samples() -> None:
    watch = DrainWatch()
    watch.follow(draining(ONE))
    assert [watch.sample({KEY: n}) for n in (2, 0, 1, 0)] == [(), (), (), ()]
    assert watch.sample({KEY: 0}) == ("r1",)
    assert watch.sample({KEY: 0}) == ()
    assert watch.services() == frozenset()


def test_endpoint_that_is_not_mentioned_has_not_drained() -> None:
    watch = DrainWatch()
    watch.follow(draining(ONE))
    assert [watch.sample({}) for _ in range(5)] == [()] * 5


def test_serving_endpoints_are_not_watched() -> None:
    watch = DrainWatch()
    watch.follow(TABLE)
    assert watch.services() == frozenset()


def test_another_spelling_of_an_address_is_the_same_endpoint() -> None:
    watch = DrainWatch()
    watch.follow(draining(replace(ONE, address="FD00:0::1")))
    key = EndpointKey(WEB, "fd00::1", 80)
    watch.sample({key: 0})
    assert watch.sample({key: 0}) == ("r1",)


# --- pauses ---


@given(st.text())
def test_pauses_grow_to_their_bound_and_start_over(seed: str) -> None:
    backoff = Backoff(first_seconds=0.1, seconds_max=5.0, seed=seed)
    for attempt in range(12):
        bound = min(0.1 * 2**attempt, 5.0)
        assert bound / 2 <= backoff.pause() <= bound
    backoff.reset()
    assert backoff.pause() <= 0.1


# --- memory ---


def test_memory_returns_what_was_saved(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path / "memory.json")
    assert memory.load() == Remembered()
    known = Remembered(epoch=Epoch(4), table=TABLE)
    memory.save(known)
    assert memory.load() == known
    assert (tmp_path / "memory.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b'{"epoch": "x"}', b"\xff"])
def test_damaged_memory_is_no_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memory.json").write_bytes(content)
    assert FileMemory(tmp_path / "memory.json").load() == Remembered()


def test_memory_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.Unavailable, match="File exists"):
        FileMemory(tmp_path / "file" / "memory.json").save(Remembered())


# --- files ---


def test_only_endpoints_of_other_clusters_are_removed(tmp_path: Path) -> None:
    files = ConfigFiles(tmp_path / "proxy")
    files.prepare()
    for cluster in ("shop/web", "shop/api"):
        files.write(files.endpoints(cluster), "{}")
    files.remove_other_endpoints(frozenset({"shop/api"}))
    assert files.read(files.endpoints("shop/web")) is None
    assert files.read(files.endpoints("shop/api")) == "{}"
    assert files.directory.stat().st_mode & 0o777 == 0o700


def test_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.Unavailable, match="proxy's files"):
        ConfigFiles(tmp_path / "file").prepare()


def test_home_too_deep_for_a_socket_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError, match="too long") as caught:
        EnvoyProcess(tmp_path / ("x" * 120))
    assert "--home" in caught.value.hint


# --- room for watches ---


def kernel(root: Path, *, bound: int, processes: dict[int, int]) -> Path:
    """A /proc with a bound, and processes with so many inotify instances each."""
    limits = root / "sys/fs/inotify"
    limits.mkdir(parents=True)
    (limits / "max_user_instances").write_text(f"{bound}\n")
    for pid, instances in processes.items():
        (root / str(pid) / "fd").mkdir(parents=True)
        for number in range(instances):
            (root / str(pid) / "fd" / str(number)).symlink_to("anon_inode:inotify")
        (root / str(pid) / "fd" / "99").symlink_to("socket:[1]")
    return root


def bound_of(root: Path) -> int:
    return int((root / "sys/fs/inotify/max_user_instances").read_text())


def test_bound_with_room_is_left_alone(tmp_path: Path) -> None:
    root = kernel(tmp_path, bound=128, processes={7: 10})
    watches.ensure_room(services=60, running=None, proc=root)
    assert bound_of(root) == 128


def test_bound_without_room_is_raised(tmp_path: Path) -> None:
    root = kernel(tmp_path, bound=128, processes={7: 40})
    watches.ensure_room(services=60, running=None, proc=root)
    assert bound_of(root) == 8192


def test_own_envoy_does_not_count_twice(tmp_path: Path) -> None:
    root = kernel(tmp_path, bound=128, processes={7: 60, 8: 2})
    watches.ensure_room(services=60, running=7, proc=root)
    assert bound_of(root) == 128


def test_bound_that_cannot_be_raised_refuses_and_names_the_command(tmp_path: Path) -> None:
    root = kernel(tmp_path, bound=128, processes={})
    bound_file = root / "sys/fs/inotify/max_user_instances"
    bound_file.unlink()
    bound_file.symlink_to("/proc/sys/kernel/cap_last_cap")  # a number that not even root may set
    with pytest.raises(errors.ProxyConfigRejected) as caught:
        watches.ensure_room(services=500, running=None, proc=root)
    assert "sysctl -w fs.inotify.max_user_instances=" in caught.value.hint


def test_kernel_without_a_bound_needs_nothing(tmp_path: Path) -> None:
    watches.ensure_room(services=10_000, running=None, proc=tmp_path)


# --- handing over ---


def test_kernel_setting_is_on_only_while_it_is_needed(tmp_path: Path) -> None:
    setting = tmp_path / "tcp_migrate_req"
    setting.write_text("0\n")
    with waiting_connections_move(setting) as moving:
        assert moving
        assert setting.read_text() == "1\n"
    assert setting.read_text() == "0\n"


def test_handing_over_goes_on_without_the_kernels_help(tmp_path: Path) -> None:
    with waiting_connections_move(tmp_path / "absent") as moving:
        assert not moving


# --- the binary ---


def test_binary_named_in_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tmp_path / "envoy"
    chosen.touch()
    monkeypatch.setenv("ORCA_ENVOY", str(chosen))
    assert find_binary().path == chosen


def test_binary_of_the_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCA_ENVOY", raising=False)
    assert find_binary().path.name == "envoy"
