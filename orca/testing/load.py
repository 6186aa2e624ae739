"""A load generator that does not forgive: every request gets its answer at its first try, or has failed.

Half of the requests travel on connections that are kept alive, half on a connection of their own. It is
open loop: requests start at their moments whatever became of earlier ones. Nothing is tried again, not
even what HTTP lets a client try again, because a user's client may not.

As a program (`python -m orca.testing.load --help`) it runs beside what it measures, until `--seconds`
have passed or it gets SIGTERM, and prints a `Report` as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

TIMEOUT_SECONDS = 10.0
"""An answer that takes longer counts as none."""


@dataclass(slots=True)
class Report:
    """What became of the requests. Latencies are seconds."""

    requests: int = 0
    failures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Failures by what was seen."""
    bodies: Counter[str] = field(default_factory=Counter)
    """Answers by the first characters of their body."""
    latency_max: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def as_json(self) -> str:
        """As the program prints it."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    def percentile(self, share: float) -> float:
        """Latency that `share` of the answers did not exceed; 0 without answers."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Connection:
    """One connection; answers one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, head: bytes, *, keep: bool) -> tuple[int, str]:
        """Send one request; status and body. Raises `OSError`, `EOFError` or `ValueError`."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(head)
        status, length, closes = await _head(reader)
        body = await reader.readexactly(length)
        if closes or not keep:
            self.close()
        return status, body[:64].decode(errors="replace").strip()

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the server will close."""
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *rest = raw.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
    if "content-length" not in headers:
        raise ValueError("an answer without content-length")
    return (
        int(first.split()[1]),
        int(headers["content-length"]),
        headers.get("connection") == "close",
    )


class Load:
    """Requests at a steady rate, until told to stop."""

    def __init__(self, port: int, *, domain: str, path: str = "/", rate: float) -> None:
        self._port, self._rate = port, rate
        self._requests = {
            True: f"GET {path} HTTP/1.1\r\nHost: {domain}\r\n\r\n".encode(),
            False: f"GET {path} HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n".encode(),
        }
        self._idle: list[Connection] = []
        self.report = Report()

    async def run(self, stopped: asyncio.Event, *, seconds: float) -> None:
        """Send until `stopped` is set or the time is over, then wait for the last answers."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        count = 0
        async with asyncio.TaskGroup() as group:
            while not stopped.is_set() and loop.time() - began < seconds:
                due = int((loop.time() - began) * self._rate)
                for number in range(count, due):
                    group.create_task(self._one(keep=number % 2 == 0))
                count = max(count, due)
                await asyncio.sleep(0.002)
        for connection in self._idle:
            connection.close()

    async def _one(self, *, keep: bool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        connection = self._idle.pop() if keep and self._idle else Connection(self._port)
        self.report.requests += 1
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, body = await connection.ask(self._requests[keep], keep=keep)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            connection.close()
            self._failed(f"{type(error).__name__}: {error}")
            return
        if keep:
            self._idle.append(connection)
        self.report.latencies.append(loop.time() - began)
        self.report.bodies[body] += 1
        if status != 200:
            self._failed(f"status {status}: {body}")

    def _failed(self, reason: str) -> None:
        self.report.failures += 1
        self.report.reasons[reason] += 1


class BackgroundLoad:
    """`python -m orca.testing.load` as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def stop(self) -> Report:
        """End it; what became of its requests."""
        self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError(f"the load generator failed: {err.decode(errors='replace')}")
        found = json.loads(out)
        return Report(
            **{**found, "reasons": Counter(found["reasons"]), "bodies": Counter(found["bodies"])}
        )


@contextlib.contextmanager
def background(
    port: int, *, domain: str, path: str = "/", rate: float = 500.0
) -> Iterator[BackgroundLoad]:
    """Load in another process while the block runs; call `stop` in it to see what happened."""
    command = [sys.executable, "-m", "orca.testing.load", "--port", str(port), "--domain", domain]
    process = subprocess.Popen(
        [*command, "--path", path, "--rate", str(rate)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None  # noqa: S101  it was asked for
        process.stderr.readline()  # "ready": its signal handler stands
        yield BackgroundLoad(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


async def _main(options: argparse.Namespace) -> Report:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print("ready", file=sys.stderr, flush=True)
    load = Load(options.port, domain=options.domain, path=options.path, rate=options.rate)
    await load.run(stopped, seconds=options.seconds)
    load.report.latency_max = max(load.report.latencies, default=0.0)
    return load.report


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description="Requests at a steady rate to this host.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--domain", default="localhost")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=500.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=600.0)
    print(asyncio.run(_main(parser.parse_args())).as_json())


if __name__ == "__main__":
    main()
