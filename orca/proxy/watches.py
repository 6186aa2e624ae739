"""Room for Envoy's file watches.

Envoy opens one inotify instance for each watched file, hence one per service, and aborts when the
kernel gives it none (envoyproxy/envoy#7130). The kernel's bound, `fs.inotify.max_user_instances`, is
128 by default and shared by all processes of a user, containers of root included. So we look first,
raise the bound where we may, and refuse the configuration where we may not.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from orca import errors

SPARE: Final = 32
"""Instances left for everybody else."""

_RAISED: Final = 8192
_OWN_FILES: Final = 3
_PROC: Final = Path("/proc")


def ensure_room(*, services: int, running: int | None, proc: Path = _PROC) -> None:
    """See to it that Envoy can watch `services` endpoints files.

    `running` is Envoy's pid, whose present instances do not count twice. Raises ProxyConfigRejected.
    """
    bound_file = proc / "sys/fs/inotify/max_user_instances"
    try:
        bound = int(bound_file.read_text())
    except FileNotFoundError:  # a kernel that does not bound it
        return
    needed = services + _OWN_FILES + SPARE
    # Looking through every process costs; far below the bound there is no need to.
    if needed * 2 <= bound:
        return
    needed += instances_in_use(proc, but=running)
    if needed > bound:
        _raise_bound(bound_file, needed=needed, bound=bound)


def instances_in_use(proc: Path = _PROC, *, but: int | None = None) -> int:
    """The inotify instances of our user's processes, except those of one process."""
    count = 0
    for entry in proc.iterdir():
        if not entry.name.isdigit() or entry.name == str(but):
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to look into
            if entry.stat().st_uid == os.getuid():
                count += sum(_is_instance(fd) for fd in (entry / "fd").iterdir())
    return count


def _is_instance(fd: Path) -> bool:
    try:
        return "inotify" in os.readlink(fd)
    except FileNotFoundError:  # closed meanwhile
        return False


def _raise_bound(bound_file: Path, *, needed: int, bound: int) -> None:
    wanted = max(_RAISED, 2 * needed)
    try:
        bound_file.write_text(f"{wanted}\n")
    except OSError as error:
        raise errors.ProxyConfigRejected(
            f"Envoy needs {needed} inotify instances for its files, the kernel allows {bound}, "
            f"and orca may not change that: {error.strerror}.",
            hint=f"Run `sysctl -w fs.inotify.max_user_instances={wanted}` on this host as root.",
        ) from error
