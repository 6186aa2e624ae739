"""Processes that outlive orca: started detached, found again, ended.

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
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from orca import errors
from orca.processes.files import write_private
from orca.processes.records import (
    PROC,
    ProcessRecord,
    boot_id,
    is_running,
    pids,
    record_of,
    stat_of,
)

LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""A log file beyond this is moved to `<name>.1` (one older file is kept)."""

_MARK: Final = "ORCA_PID_FILE"
_STOP_POLL_SECONDS: Final = 0.02
_TAIL_BYTES: Final = 64 * 1024


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
        stat = stat_of(pid)
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
        found = [r for pid in pids() if mark in _environ(pid) and (r := record_of(pid))]
        # A child of the child inherits the mark; the oldest is the one that was spawned.
        return min(found, key=lambda record: (record.start_ticks, record.pid), default=None)


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


def _environ(pid: int) -> frozenset[bytes]:
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return frozenset()
    return frozenset(raw.split(b"\0"))
