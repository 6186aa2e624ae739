"""Who listens on a TCP port."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from typing import Final

from orca.processes.records import PROC, pids

_TCP_LISTEN: Final = "0A"


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
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
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
    for pid in sorted(pids()):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to look into
            for entry in (PROC / str(pid) / "fd").iterdir():
                if os.readlink(entry) in wanted:
                    return pid
    return None


def _command(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "a process"
