"""The log file: private, rotated, and never a reason for the server to stop.

The standard library's rotating handler is not used because it creates files as the umask says, and
because its buffered stream keeps half lines when the disk is full. Here one line is one `write(2)` in
append mode, and what could not be written is counted, not kept.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BYTES_MAX = 10_000_000
GENERATIONS = 3
_MODE = 0o600


def print_to_stderr(message: str) -> None:
    """Tell whoever watches the process; nobody may be there."""
    with suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


class LogFile(logging.Handler):
    """Writes formatted records to `path`, 0600, with `generations` older files beside it.

    The file reaches at most `bytes_max` before it becomes `<name>.1`; a single longer line is written
    all the same. A failing disk is reported once through `report`, and once more when it recovers.
    """

    def __init__(
        self,
        path: Path,
        *,
        bytes_max: int = BYTES_MAX,
        generations: int = GENERATIONS,
        report: Callable[[str], None] = print_to_stderr,
    ) -> None:
        super().__init__()
        self._path = path
        self._bytes_max = bytes_max
        self._generations = generations
        self._report = report
        self._descriptor = -1
        self._size_bytes = 0
        self._torn = False
        self._failing = False
        self._lost = 0

    @property
    def lines_lost(self) -> int:
        """Lines that the disk has refused since the last one it took."""
        return self._lost

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a line that cannot be formatted must not end its caller
            self.handleError(record)
            return
        try:
            self._write(line)
        except OSError as error:
            self._fail(error)
        else:
            self._recover()

    def close(self) -> None:
        self.acquire()
        try:
            self._close_file()
        finally:
            self.release()
        super().close()

    def _write(self, line: str) -> None:
        data = line.encode(errors="backslashreplace") + b"\n"
        if self._torn:
            data = b"\n" + data  # the rest of a line that a full disk cut short is given up
        self._open_if_needed()
        if self._size_bytes and self._size_bytes + len(data) > self._bytes_max:
            self._rotate()
        written = os.write(self._descriptor, data)
        self._size_bytes += written
        self._torn = written < len(data)
        if self._torn:
            raise OSError(None, "the line was cut short, as on a full disk")

    def _open_if_needed(self) -> None:
        if self._descriptor >= 0:
            if os.fstat(self._descriptor).st_nlink:
                return
            self._close_file()  # somebody removed it; go on in a new one
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, _MODE)
        os.fchmod(self._descriptor, _MODE)
        self._size_bytes = os.fstat(self._descriptor).st_size

    def _close_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):  # a late error of the disk; the lines before it were reported
                os.close(descriptor)

    def _rotate(self) -> None:
        """Shift the generations; if the directory refuses, the present file simply grows."""
        try:
            for number in range(self._generations - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self._generation(number).replace(self._generation(number + 1))
            self._path.replace(self._generation(1))
        except OSError as error:
            self._report(f"orca: cannot rotate the log {self._path}: {error.strerror}")
            self._size_bytes = 0  # tried again after another `bytes_max`
            return
        self._close_file()
        self._open_if_needed()

    def _generation(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _fail(self, error: OSError) -> None:
        self._lost += 1
        self._close_file()
        if not self._failing:
            self._failing = True
            self._report(
                f"orca: cannot write the log {self._path}: {error.strerror}. "
                "Log lines are lost until it can be written again; everything else goes on."
            )

    def _recover(self) -> None:
        if self._failing:
            self._failing = False
            self._report(
                f"orca: the log {self._path} is written again; {self._lost} lines are lost"
            )
            self._lost = 0
