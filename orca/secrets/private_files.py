"""Files that only their owner may read, and that are never seen half written.

Keys, certificates and tokens all reach the disk through this module. It is not a general file
layer: values are small, whole, and private from the moment the file exists.

The hard part is the window. A mode set after creation leaves an instant in which others can open
the file, and a write cut short by a crash or a full disk leaves a key that is nobody's key. So
content goes into a temporary file that is 0600 from `open(2)` on, is flushed to the disk, and only
then takes its name by rename (or by link, where being first matters).
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orca import errors

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_OTHERS = 0o077


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, all or nothing, readable by its owner only.

    Missing directories are created 0700. Raises `errors.Failed` when the disk refuses; the old
    content is then still there.
    """
    with _disk_errors(path), _written_temporary(path, data) as temporary:
        temporary.replace(path)
        _sync_directory(path.parent)


def create_private(path: Path, data: bytes) -> bool:
    """Write `path` unless it exists; False says that somebody else was first.

    Safe between processes. Raises `errors.Failed` when the disk refuses.
    """
    with _disk_errors(path), _written_temporary(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        _sync_directory(path.parent)
        return True


def read_private(path: Path) -> bytes | None:
    """The content of `path`, or None when there is no such file.

    Raises `errors.UserError` when anybody but its owner could have read or changed it, and
    `errors.Failed` when it cannot be read.
    """
    with _disk_errors(path, action="read"):
        try:
            # Without O_NONBLOCK a pipe in the file's place would hang the start of the server.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            _refuse_shared(path, os.fstat(descriptor))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def make_private_directory(path: Path) -> None:
    """Create `path` 0700 with its parents; one that exists is left as its owner made it."""
    with _disk_errors(path, action="create"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise errors.UserError(f"{path} is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        raise errors.UserError(
            f"{path} belongs to user {status.st_uid}, not to the user orca runs as",
            hint=f"Check where the file comes from, then: chown {os.geteuid()} {path}",
        )
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise errors.UserError(
            f"{path} has mode {mode:04o}: others on this host may read or change it",
            hint=f"Decide whether its content must be replaced, then: chmod 600 {path}",
        )


@contextmanager
def _written_temporary(path: Path, data: bytes) -> Iterator[Path]:
    make_private_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(path: Path, *, action: str = "write") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.Failed(
            f"cannot {action} {path}: {error.strerror}",
            hint="Check the free space and the permissions of its directory.",
        ) from error
