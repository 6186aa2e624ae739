"""Detached processes, the pid lock and the port holder, on real processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orca import errors, processes
from orca.processes import DetachedProcess, PidLock, ProcessRecord

SLEEPER = ("sleep", "60")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
    "time.sleep(60)",
)


@pytest_asyncio.fixture
async def child(tmp_path: Path) -> AsyncIterator[DetachedProcess]:
    process = DetachedProcess(
        name="sleeper", pid_file=tmp_path / "run" / "child.pid", log_file=tmp_path / "child.log"
    )
    yield process
    await process.stop(grace_seconds=0)


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} never held {text!r}")


def test_child_is_found_with_its_start_time_after_spawn(child: DetachedProcess) -> None:
    record = child.spawn(SLEEPER)
    assert child.find() == record
    assert record.start_ticks > 0
    assert record.argv0 == "sleep"


def test_child_gets_a_session_of_its_own_and_the_root_directory(child: DetachedProcess) -> None:
    pid = child.spawn(SLEEPER).pid
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")


def test_pid_file_and_log_are_private_after_spawn(child: DetachedProcess) -> None:
    child.spawn(SLEEPER)
    assert child.pid_file.stat().st_mode & 0o777 == 0o600
    assert child.log_file.stat().st_mode & 0o777 == 0o600


def test_spawn_is_refused_while_a_copy_runs(child: DetachedProcess) -> None:
    child.spawn(SLEEPER)
    with pytest.raises(errors.Conflict, match="already runs with pid"):
        child.spawn(SLEEPER)


def test_spawn_of_a_missing_program_fails_with_its_name(child: DetachedProcess) -> None:
    with pytest.raises(errors.Failed, match="/nowhere/etcd: No such file"):
        child.spawn(("/nowhere/etcd",))
    assert child.find() is None


def test_another_owner_adopts_the_child_by_its_pid_file(child: DetachedProcess) -> None:
    record = child.spawn(SLEEPER)
    other = DetachedProcess(name="other", pid_file=child.pid_file, log_file=child.log_file)
    assert other.find() == record


def test_child_is_found_by_its_mark_when_the_pid_file_was_never_written(
    child: DetachedProcess,
) -> None:
    record = child.spawn(SLEEPER)
    child.pid_file.unlink()
    found = child.find()
    assert found is not None
    assert found.pid == record.pid
    assert json.loads(child.pid_file.read_text())["pid"] == record.pid


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param({"start_ticks": 1}, id="reused_pid"),
        pytest.param({"boot_id": "another-boot"}, id="earlier_boot"),
    ],
)
def test_a_stranger_with_the_recorded_pid_is_not_mistaken(
    child: DetachedProcess, stranger: dict[str, object]
) -> None:
    me = processes.record_of(os.getpid())
    assert me is not None
    content = {
        "pid": me.pid,
        "start_ticks": me.start_ticks,
        "argv0": me.argv0,
        "boot_id": me.boot_id,
    }
    child.pid_file.parent.mkdir()
    child.pid_file.write_text(json.dumps(content))
    assert child.find() == me
    child.pid_file.write_text(json.dumps(content | stranger))
    assert child.find() is None


@pytest.mark.parametrize("content", ["", "12", "{}", '{"pid": "x"}', "\x00"])
def test_a_damaged_pid_file_finds_nothing(child: DetachedProcess, content: str) -> None:
    child.pid_file.parent.mkdir()
    child.pid_file.write_text(content)
    assert child.find() is None


def test_a_dead_child_is_gone_and_reaped(child: DetachedProcess) -> None:
    pid = child.spawn(("true",)).pid
    deadline = time.monotonic() + 10
    while child.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert child.find() is None
    assert not Path(f"/proc/{pid}").exists()


async def test_stop_ends_the_child_and_removes_the_pid_file(child: DetachedProcess) -> None:
    pid = child.spawn(SLEEPER).pid
    assert await child.stop(grace_seconds=10)
    assert not Path(f"/proc/{pid}").exists()
    assert not child.pid_file.exists()
    assert not await child.stop(grace_seconds=10)


async def test_stop_kills_a_child_that_ignores_sigterm_after_the_grace(
    child: DetachedProcess,
) -> None:
    pid = child.spawn(STUBBORN).pid
    wait_for(child.log_file, "up")
    assert await child.stop(grace_seconds=0.05)
    assert not Path(f"/proc/{pid}").exists()


async def test_wait_exit_returns_when_the_child_was_killed(child: DetachedProcess) -> None:
    os.kill(child.spawn(SLEEPER).pid, signal.SIGKILL)
    await child.wait_exit(0.005)
    assert child.find() is None


def test_child_sees_only_the_environment_given(child: DetachedProcess) -> None:
    child.spawn(("/usr/bin/env",), env={"A": "1"})
    wait_for(child.log_file, "A=1")
    names = {line.split("=")[0] for line in child.log_tail()}
    assert names == {"A", "ORCA_PID_FILE"}


def test_log_tail_is_empty_before_the_first_start(child: DetachedProcess) -> None:
    assert child.log_tail() == ()


def test_an_overlong_log_is_moved_aside(child: DetachedProcess) -> None:
    child.log_file.write_text("one\ntwo\n")
    child.limit_log(bytes_max=8)
    assert child.log_tail() == ("one", "two")
    child.limit_log(bytes_max=4)
    assert child.log_tail() == ()
    assert child.log_file.with_name("child.log.1").read_text() == "one\ntwo\n"


def test_child_outlives_the_orca_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from orca.processes import DetachedProcess as D;"
        "d = Path(sys.argv[1]);"
        "D(name='x', pid_file=d / 'pid', log_file=d / 'log').spawn(['sleep', '60']);"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    child = DetachedProcess(name="x", pid_file=tmp_path / "pid", log_file=tmp_path / "log")
    record = child.find()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)


def test_record_is_none_for_a_pid_nobody_has() -> None:
    assert processes.record_of(2**22 + 1) is None
    assert not processes.is_running(ProcessRecord(2**22 + 1, 1, "x"))


def test_a_second_lock_on_the_same_home_is_a_conflict_naming_the_pid(tmp_path: Path) -> None:
    path = tmp_path / "orca.pid"
    with PidLock(path) as held:
        assert held.holder() == os.getpid()
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(errors.Conflict, match=f"with pid {os.getpid()} already runs"):
            PidLock(path).acquire()
    assert held.holder() is None
    with PidLock(path):
        pass


def test_a_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    path = tmp_path / "orca.pid"
    program = (
        "import os, signal, sys; from pathlib import Path; from orca.processes import PidLock;"
        "PidLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert path.exists()
    assert PidLock(path).holder() is None
    with PidLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_listener_of_a_taken_port_names_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        named = processes.listener_of(port, "127.0.0.1")
        assert named is not None
        assert named.endswith(f"(pid {os.getpid()})")
        assert processes.listener_of(port, "0.0.0.0") == named  # noqa: S104
        assert processes.listener_of(port) == named
        assert processes.listener_of(port, "127.0.0.2") is None
    assert processes.listener_of(port) is None


def test_listener_on_every_ipv6_address_collides_with_ipv4() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert processes.listener_of(server.getsockname()[1], "127.0.0.1") is not None
