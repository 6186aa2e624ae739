"""Which ports the embedded etcd listens on, and what the next orca must know to find it there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

import msgspec

from orca import errors, processes
from orca.store.etcd_command import EmbeddedSettings, Ports

_FILE: Final = "etcd.json"


class Remembered(msgspec.Struct, frozen=True):
    """How the last etcd of a directory was started."""

    client_port: int
    peer_port: int
    arguments: tuple[str, ...]

    @property
    def ports(self) -> Ports:
        return Ports(self.client_port, self.peer_port)


def remember(directory: Path, ports: Ports, arguments: tuple[str, ...]) -> None:
    content = msgspec.json.encode(Remembered(ports.client, ports.peer, arguments))
    processes.write_private(directory / _FILE, content)


def remembered(directory: Path) -> Remembered | None:
    """None if nothing was ever started here, or the note is damaged."""
    try:
        return msgspec.json.decode((directory / _FILE).read_bytes(), type=Remembered)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def choose(settings: EmbeddedSettings, *, told: Ports | None) -> Ports:
    """The configured ports, else those told to clients, else the last ones, else free ones.

    Raises Conflict if a configured port, or one that clients were told, is taken by another program.
    """
    note = remembered(settings.directory)
    last = note.ports if note is not None else Ports(0, 0)
    client = _choose(
        settings.client_port or (told.client if told else 0), last.client, settings.host
    )
    peer = _choose(settings.peer_port or (told.peer if told else 0), last.peer, "127.0.0.1")
    return Ports(client, peer)


def _choose(demanded: int, preferred: int, host: str) -> int:
    wanted = demanded or preferred
    if wanted and _is_free(wanted, host):
        return wanted
    if demanded:
        holder = processes.listener_of(demanded, host) or "a connection of another program"
        raise errors.Conflict(
            f"Port {demanded}, which etcd needs, is taken by {holder}.",
            hint="End that program, or choose another port for etcd.",
        )
    with socket.create_server((host, 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _is_free(port: int, host: str) -> bool:
    """Only a try tells: outgoing connections hold ports too."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True
