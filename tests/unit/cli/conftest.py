"""The command line as a user has it: `main()` in this process, a real API on loopback behind it.

The API runs in a thread of its own, because a command brings its own event loop. Nothing of the
control plane is behind it but `FakeControl`; `Scripted` makes its rollouts move by themselves.
"""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orca import errors
from orca.cli import main
from orca.client import schema
from orca.client.settings import publish_url
from orca.master.api.app import build_app
from orca.master.api.auth import TokenBook
from orca.master.api.server import ApiServer
from orca.master.control import Principal
from orca.secrets import private_files
from orca.testing.fake_control import FakeControl

TOKEN = "a-token-of-the-tests"

SERVICES = """\
[[service]]
name = "web"
image = "registry.example/web:1"
domain = "web.example"
port = 8080

[[service]]
name = "db"
image = "registry.example/db:1"
"""


class Scripted(FakeControl):
    """Rollouts go through `script`, one step whenever somebody watches; then they wait."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[dict[str, Any]] = [
            {"ready": 0, "waiting": "pulling the image"},
            {"ready": 1, "phase": "complete", "finished_at": 12.0, "started_at": 2.0},
        ]
        self.urls: tuple[str, ...] = ()
        self.requests: list[schema.DeployRequest] = []
        self.broken_watches = 0
        """How many times watching rollouts fails before it works."""

    async def deploy(
        self, request: schema.DeployRequest, *, by: Principal
    ) -> schema.DeployResponse:
        self.requests.append(request)
        return await super().deploy(request, by=by)

    async def watch_rollouts(self, ids: tuple[str, ...]) -> AsyncIterator[schema.RolloutView]:
        if self.broken_watches:
            self.broken_watches -= 1
            raise errors.StoreUnavailable("etcd is away.")
        for step in self.script:
            for id_ in ids:
                self.rollouts[id_] = self.rollouts[id_].model_copy(update=step)
                yield self.rollouts[id_]
        async for view in super().watch_rollouts(ids):
            yield view

    def status(self, *, project: str = "", service: str = "") -> schema.StatusResponse:
        found = super().status(project=project, service=service)
        with_urls = [one.model_copy(update={"urls": self.urls}) for one in found.services]
        return found.model_copy(update={"services": tuple(with_urls)})


class Api:
    """A real API server in a thread."""

    def __init__(self, control: Scripted) -> None:
        self.control = control
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def do(self, action: Callable[[], object]) -> None:
        """Change the fake from its own thread."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (action(), done.set()))
        assert done.wait(10)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Block until something is so in this process or another."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = build_app(control=self.control, tokens=TokenBook(TOKEN), render_metrics=lambda: b"")
        server = ApiServer(app, port=0)
        await server.start()
        self.url = server.url
        self._ready.set()
        await self._stop.wait()
        await server.stop()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """Runs commands."""

    home: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, stdin: str | bytes = b"") -> Ended:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return self._run(io.TextIOWrapper(io.BytesIO(data)), arguments)

    def reading(self, directory: Path, stdin: bytes, *arguments: str) -> Ended:
        """With stdin a real file, for commands that read from a descriptor."""
        (directory / "stdin").write_bytes(stdin)
        with (directory / "stdin").open() as stream:
            return self._run(stream, arguments)

    def _run(self, stdin: TextIO, arguments: tuple[str, ...]) -> Ended:
        self.monkeypatch.setattr("sys.stdin", stdin)
        self.capsys.readouterr()
        code = main.run(arguments)
        out, err = self.capsys.readouterr()
        return Ended(code, out, err)


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP collector that keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.url = ""

    def Export(
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[Collector]:
    servicer = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)
    servicer.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    server.stop(None).wait()


@pytest.fixture
def control() -> Scripted:
    return Scripted()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "home"
    found.mkdir(mode=0o700)
    return found


@pytest.fixture
def api(control: Scripted, home: Path) -> Iterator[Api]:
    server = Api(control)
    server.start()
    publish_url(home, server.url)
    private_files.write_private(home / "cluster.token", TOKEN.encode())
    yield server
    server.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "config"
    (found / "services" / "shop").mkdir(parents=True)
    (found / "cluster.toml").write_text('[cluster]\nname = "test"\n')
    (found / "services" / "shop" / "service.toml").write_text(SERVICES)
    return found


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Commands against `home`, without a server unless `api` is asked for too."""
    for name in [name for name in os.environ if name.startswith("ORCA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORCA_HOME", str(home))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Cli(home, capsys, monkeypatch)
