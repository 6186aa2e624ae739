"""Closing a listening socket without losing who waits at it.

When one Envoy replaces another, both listen on the same port. Closing the old socket resets connections
that the kernel has established for it and that were not accepted yet, unless the kernel is told to hand
them to the other socket. That is a setting of the host's network, so it is on only while it is needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MIGRATE: Final = Path("/proc/sys/net/ipv4/tcp_migrate_req")


@contextlib.contextmanager
def waiting_connections_move(setting: Path = MIGRATE) -> Iterator[bool]:
    """While inside, a closed socket's waiting connections move; False if we may not arrange that."""
    try:
        before = setting.read_text()
        setting.write_text("1\n")
    except OSError:  # not root, or an older kernel: a connection may be lost, as with any restart
        yield False
        return
    try:
        yield True
    finally:
        setting.write_text(before)
