"""Real etcd servers for the contract tests: started on free ports, killed, frozen, restarted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 20.0


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class EtcdServer:
    """One etcd process on its own data directory; `restart` keeps ports and data."""

    name: str
    directory: Path
    client_port: int
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    def start(self) -> None:
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["etcd", *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def wait_listening(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.client_port), 1).close()
            except OSError:
                assert self.process is not None
                assert self.process.poll() is None, self.log()
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"etcd does not listen:\n{self.log()}")

    def log(self) -> str:
        return (self.directory / f"{self.name}.log").read_text()


def members(directory: Path, count: int, *extra: str, scheme: str = "http") -> list[EtcdServer]:
    """The servers, not yet started, of one cluster of so many members."""
    ports = free_ports(2 * count)
    names = [f"m{number}" for number in range(count)]
    clients = [f"{scheme}://127.0.0.1:{port}" for port in ports[:count]]
    peers = [f"http://127.0.0.1:{port}" for port in ports[count:]]
    cluster = ",".join(f"{name}={peer}" for name, peer in zip(names, peers, strict=True))
    return [
        EtcdServer(
            name=name,
            directory=directory,
            client_port=port,
            arguments=(
                f"--name={name}",
                f"--data-dir={directory / name}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={cluster}",
                "--logger=zap",
                "--log-outputs=stderr",
                "--heartbeat-interval=50",
                "--election-timeout=500",
                *extra,
            ),
        )
        for name, port, client, peer in zip(names, ports[:count], clients, peers, strict=True)
    ]


@contextmanager
def running(servers: Sequence[EtcdServer]) -> Iterator[Sequence[EtcdServer]]:
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_listening()
        yield servers
    finally:
        for server in servers:
            server.kill()
