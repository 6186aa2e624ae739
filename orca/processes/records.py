"""Which process a pid means: its start time and its boot tell it from all others that ever had the pid."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_DEAD: Final = "ZX"


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process, told apart from every other that had or will have its pid.

    `start_ticks` is the kernel's start time in clock ticks since boot; `boot_id` names that boot.
    """

    pid: int
    start_ticks: int
    argv0: str
    boot_id: str = ""


class Stat(NamedTuple):
    """What the kernel says of a process; `start_ticks` as in `ProcessRecord`."""

    state: str
    start_ticks: int


def boot_id() -> str:
    """The kernel's name of the present boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def record_of(pid: int) -> ProcessRecord | None:
    """What runs under this pid now, or None; a zombie is no longer a process."""
    stat = stat_of(pid)
    if stat is None or stat.state in _DEAD:
        return None
    return ProcessRecord(pid, stat.start_ticks, _argv0(pid), boot_id())


def is_running(record: ProcessRecord) -> bool:
    """Whether exactly this process still runs; reaps it if it is our dead child."""
    stat = stat_of(record.pid)
    if stat is None or stat.start_ticks != record.start_ticks:
        return False
    if stat.state in _DEAD:
        _reap(record.pid)
        return False
    return record.boot_id in ("", boot_id())


def stat_of(pid: int) -> Stat | None:
    """The kernel's word on a pid; None if nothing has it."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may itself hold spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(state=fields[0], start_ticks=int(fields[19]))


def _argv0(pid: int) -> str:
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return raw.split(b"\0", 1)[0].decode(errors="replace")


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def pids() -> Iterator[int]:
    """Every process of this machine."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
