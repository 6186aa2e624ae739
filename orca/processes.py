"""Processes that outlive orca: started detached, found again, ended; and one orca per home.

etcd and Envoy must survive a kill -9 of orca, so nothing here ties a child's life to ours: a child
gets a session of its own, no terminal, a log file for its output, and a pid file by which a later
orca adopts it. This module restarts nothing; supervision belongs to the owner of the child.

The hard part is never to mistake a stranger for the child. A pid is reused, so the pid file also
holds the kernel's start time of the process and the boot it belongs to, and all three must agree.
A crash of orca between starting the child and writing the pid file is closed by a mark in the
child's environment, which `find` falls back to.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from orca import errors

LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""A log file beyond this is moved to `<name>.1` (one older file is kept)."""

_MARK: Final = "ORCA_PID_FILE"
_STOP_POLL_SECONDS: Final = 0.02
_TAIL_BYTES: Final = 64 * 1024
_PROC: Final = Path("/proc")
_DEAD: Final = "ZX"
_TCP_LISTEN: Final = "0A"


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process, told apart from every other that had or will have its pid.

    `start_ticks` is the kernel's start time in clock ticks since boot; `boot_id` names that boot.
    """

    pid: int
    start_ticks: int
    argv0: str
    boot_id: str = ""


class _Stat(NamedTuple):
    state: str
    start_ticks: int


def boot_id() -> str:
    """The kernel's name of the present boot."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def record_of(pid: int) -> ProcessRecord | None:
    """What runs under this pid now, or None; a zombie is no longer a process."""
    stat = _stat(pid)
    if stat is None or stat.state in _DEAD:
        return None
    return ProcessRecord(pid, stat.start_ticks, _argv0(pid), boot_id())


def is_running(record: ProcessRecord) -> bool:
    """Whether exactly this process still runs; reaps it if it is our dead child."""
    stat = _stat(record.pid)
    if stat is None or stat.start_ticks != record.start_ticks:
        return False
    if stat.state in _DEAD:
        _reap(record.pid)
        return False
    return record.boot_id in ("", boot_id())


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may itself hold spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], start_ticks=int(fields[19]))


def _argv0(pid: int) -> str:
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return raw.split(b"\0", 1)[0].decode(errors="replace")


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


class DetachedProcess:
    """A named program of which one copy runs, whoever started it.

    The pid file is the claim: `find` believes it only for a living process with the recorded start
    time. Two owners must not use one pid file at once; `PidLock` keeps them apart.
    """

    def __init__(self, *, name: str, pid_file: Path, log_file: Path) -> None:
        self.name = name
        self.pid_file = pid_file.absolute()
        self.log_file = log_file.absolute()

    def __repr__(self) -> str:
        return f"DetachedProcess({self.name!r}, pid_file={str(self.pid_file)!r})"

    def find(self) -> ProcessRecord | None:
        """The living process of this name, from the pid file or by its mark; None if none lives."""
        record = self._recorded()
        if record is not None and is_running(record):
            return record
        orphan = self._marked()
        if orphan is not None:
            self._write(orphan)
        return orphan

    def is_alive(self) -> bool:
        """Whether the process in the pid file runs; cheaper than `find`, for supervision loops."""
        record = self._recorded()
        return record is not None and is_running(record)

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> ProcessRecord:
        """Start `argv` detached, with output appended to the log file, and write the pid file.

        `env` is the whole environment of the child; None gives it a copy of ours. Raises Conflict
        if a copy already runs, Failed if the program cannot be started.
        """
        running = self.find()
        if running is not None:
            raise errors.Conflict(f"{self.name} already runs with pid {running.pid}.")
        self.limit_log()
        marked = {**(os.environ if env is None else env), _MARK: str(self.pid_file)}
        pid = self._start(argv, marked)
        # Until we reap it, a child that died at once still has its entry, as a zombie.
        stat = _stat(pid)
        record = ProcessRecord(pid, stat.start_ticks if stat else 0, argv[0], boot_id())
        self._write(record)
        return record

    async def stop(self, *, grace_seconds: float) -> bool:
        """Send SIGTERM, and SIGKILL to its group after the grace; False if nothing was running."""
        record = self.find()
        if record is None:
            self._forget()
            return False
        _signal(record, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await _until_gone(record, _STOP_POLL_SECONDS)
        except TimeoutError:
            _kill_group(record)
            await _until_gone(record, _STOP_POLL_SECONDS)
        self._forget()
        return True

    async def wait_exit(self, poll_seconds: float = 0.5) -> None:
        """Return once no process of this name lives."""
        record = self.find()
        if record is not None:
            await _until_gone(record, poll_seconds)

    def log_size(self) -> int:
        """The bytes in the log file now; a place to read on from with `log_tail`."""
        try:
            return self.log_file.stat().st_size
        except FileNotFoundError:
            return 0

    def log_tail(self, *, lines: int = 20, since_bytes: int = 0) -> tuple[str, ...]:
        """The last lines the child wrote, oldest first; empty if it has written nothing."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(since_bytes, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ()
        return tuple(text.splitlines()[-lines:])

    def limit_log(self, *, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Move an overlong log aside; the child, which appends, goes on in the emptied file."""
        if self.log_size() <= bytes_max:
            return
        shutil.copy(self.log_file, self.log_file.with_name(self.log_file.name + ".1"))
        os.truncate(self.log_file, 0)

    def _start(self, argv: Sequence[str], env: Mapping[str, str]) -> int:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            child = subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise errors.Failed(
                f"{self.name} cannot be started: {argv[0]}: {error.strerror}."
            ) from error
        finally:
            os.close(log)
        # The child is waited for in `is_running`, not by this object, which would warn when it
        # is dropped while the child lives on as intended.
        child.returncode = 0
        return child.pid

    def _recorded(self) -> ProcessRecord | None:
        try:
            found = json.loads(self.pid_file.read_text())
            return ProcessRecord(
                int(found["pid"]),
                int(found["start_ticks"]),
                str(found["argv0"]),
                str(found["boot_id"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _write(self, record: ProcessRecord) -> None:
        write_private(self.pid_file, json.dumps(asdict(record)).encode() + b"\n")

    def _forget(self) -> None:
        self.pid_file.unlink(missing_ok=True)

    def _marked(self) -> ProcessRecord | None:
        mark = f"{_MARK}={self.pid_file}".encode()
        found = [r for pid in _pids() if mark in _environ(pid) and (r := record_of(pid))]
        # A child of the child inherits the mark; the oldest is the one that was spawned.
        return min(found, key=lambda record: (record.start_ticks, record.pid), default=None)


def write_private(path: Path, content: bytes) -> None:
    """Replace the file as a whole, readable by its owner only; never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


async def _until_gone(record: ProcessRecord, poll_seconds: float) -> None:
    # The kernel tells only a parent, and an adopted process is not our child.
    while is_running(record):  # noqa: ASYNC110
        await asyncio.sleep(poll_seconds)


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(record.pid)
        try:
            # Checked after opening: from here on the handle cannot come to mean another process.
            if is_running(record):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _kill_group(record: ProcessRecord) -> None:
    with contextlib.suppress(ProcessLookupError):
        if is_running(record):
            os.killpg(record.pid, signal.SIGKILL)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _environ(pid: int) -> frozenset[bytes]:
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return frozenset()
    return frozenset(raw.split(b"\0"))


class PidLock:
    """The claim to be the only orca on a home: an flock on its pid file.

    The kernel drops the lock with the process, so a crash never leaves a stale claim behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock and write our pid into the file; raises Conflict if another holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._lock()
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Remove the file and drop the lock; does nothing if the lock is not held."""
        if self._handle is None:
            return
        self.path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None

    def holder(self) -> int | None:
        """The pid that holds the lock now, ours included; None if it is free."""
        try:
            handle = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # A shared lock, so that two who only look never see each other as the holder.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(handle)
        finally:
            os.close(handle)
        return None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _lock(self) -> int:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(handle, self.path):
                    return handle
            except BlockingIOError as error:
                pid = _pid_in(handle)
                os.close(handle)
                raise self._conflict(pid) from error
            # The holder removed the file between our open and our lock: try the new one.
            os.close(handle)

    def _conflict(self, pid: int | None) -> errors.Conflict:
        who = f"with pid {pid}" if pid else "that is just starting"
        return errors.Conflict(
            f"Another orca server {who} already runs on {self.path.parent}.",
            hint="Use it, end it with `orca shutdown`, or choose another home with --home.",
        )


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _pid_in(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).strip()
    return int(text) if text.isdigit() else None


def listener_of(port: int, host: str = "") -> str | None:
    """Who listens on a TCP port, as "nginx (pid 123)"; None if nobody does.

    `host` is the IP address one wants to listen on; empty or a wildcard collides with every
    listener of the port. A holder that this user may not see is "another process".
    """
    wanted = ipaddress.ip_address(host) if host else None
    inodes = {
        inode
        for address, bound_port, inode in _listeners()
        if bound_port == port and _collides(address, wanted)
    }
    if not inodes:
        return None
    pid = _pid_with_socket(inodes)
    return "another process" if pid is None else f"{_command(pid)} (pid {pid})"


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _collides(bound: _Address, wanted: _Address | None) -> bool:
    return wanted is None or wanted.is_unspecified or bound.is_unspecified or bound == wanted


def _listeners() -> Iterator[tuple[_Address, int, str]]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except FileNotFoundError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[3] == _TCP_LISTEN:
                address, port = fields[1].split(":")
                yield _address(address), int(port, 16), fields[9]


def _address(text: str) -> _Address:
    # The kernel prints each 32-bit word in the machine's byte order (little-endian here).
    raw = bytes.fromhex(text)
    packed = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _pid_with_socket(inodes: set[str]) -> int | None:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted(_pids()):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to look into
            for entry in (_PROC / str(pid) / "fd").iterdir():
                if os.readlink(entry) in wanted:
                    return pid
    return None


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "a process"
