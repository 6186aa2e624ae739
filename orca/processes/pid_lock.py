"""One orca per home."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from orca import errors


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
