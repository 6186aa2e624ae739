"""Starting a server in the background, and ending one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

from orca.client.http import OrcaClient
from orca.client.schema import Health
from orca.client.settings import URL_FILE, ClientSettings
from orca.errors import Conflict, DeadlineExceeded, Failed, NoServer, OrcaError, from_kind
from orca.host import storage
from orca.host.configuration import not_yet, read
from orca.host.options import Home, ServerOptions
from orca.processes import PidLock, is_running, record_of
from orca.proxy.envoy import EnvoyServer
from orca.proxy.settings import ProxySettings

READY_SECONDS = 45.0
END_SECONDS = 30.0
STOP_SERVICES_SECONDS = 120.0
POLL_SECONDS = 0.05


def start(options: ServerOptions) -> tuple[str, ...]:
    """Start a server in the background; returns once its API is ready.

    The result is what cluster.toml asks for and this version cannot do. Raises what prevented the
    start, as the server itself said it.
    """
    cluster = read(options.config_root).cluster
    home = Home(options.home)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if pid := PidLock(home.pid_file).holder():
        raise Conflict(
            f"an orca server with pid {pid} already runs on {home.path}",
            hint="use it, end it with `orca shutdown`, or choose another home with --home",
        )
    # Written anew once this server listens: until then any answer would be somebody else's.
    (home.path / URL_FILE).unlink(missing_ok=True)
    storage.check_room(home)
    child = _spawn(options, home)
    asyncio.run(_until_ready(child, home))
    return not_yet(cluster)


def _spawn(options: ServerOptions, home: Home) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "orca", "server", "-o", "json"]
    argv += ["--home", str(options.home), "-C", str(options.config_root)]
    if options.proxy_http_port:
        argv += ["--proxy-port", str(options.proxy_http_port)]
    handle = os.open(home.start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(handle)


async def _until_ready(child: subprocess.Popen[bytes], home: Home) -> None:
    """Wait for the API to say that it is ready; an early end of the process is its failure."""
    deadline = time.monotonic() + READY_SECONDS
    missing = "its API does not answer"
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise _failure(home, child.returncode)
        health = await _health(home, child.pid)
        if health is not None and health.ready:
            return
        missing = "; ".join(health.reasons) if health is not None else missing
        await asyncio.sleep(POLL_SECONDS)
    raise DeadlineExceeded(
        f"the server (pid {child.pid}) runs, but is not ready after {READY_SECONDS:g} s: {missing}",
        hint=f"see {home.log_file}",
    )


async def _health(home: Home, pid: int) -> Health | None:
    """What the server that was started says of itself; None while it says nothing."""
    if PidLock(home.pid_file).holder() != pid or not (home.path / URL_FILE).exists():
        return None
    try:
        async with OrcaClient(ClientSettings.discover({}, home.path)) as client:
            return await client.health()
    except OrcaError:
        return None


def _failure(home: Home, exit_code: int) -> OrcaError:
    """What the server printed before it ended; its last line is a problem in JSON when orca wrote it."""
    text = home.start_log.read_text(errors="replace").strip()
    problem = _problem(text)
    if problem is not None:
        return problem
    return Failed(
        f"the server ended with exit code {exit_code} before it was ready",
        hint=text[-2000:] or f"see {home.log_file}",
    )


def _problem(text: str) -> OrcaError | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        body = json.loads(text[start:])
    except ValueError:
        return None
    return from_kind(
        str(body.get("type", "")), str(body.get("title", "")), hint=str(body.get("hint", ""))
    )


def shutdown(home_path: Path, *, proxy: bool, services: bool, token: str | None) -> None:
    """End the control plane of a home; with `services` everything it runs, with `proxy` Envoy too.

    Raises `NoServer` when nothing of it runs.
    """
    home = Home(home_path)
    pid = PidLock(home.pid_file).holder()
    if services and pid is None:
        raise NoServer(
            f"no orca server runs on {home.path}, so its services cannot be stopped",
            hint="start it with `orca server -d`, then try again",
        )
    if services:
        asyncio.run(_stop_services(home, token))
    if pid is not None:
        _end(pid, home)
    ended = asyncio.run(_end_rest(home, proxy=proxy))
    if pid is None and not ended:
        raise NoServer(f"no orca server runs on {home.path}")


async def _stop_services(home: Home, token: str | None) -> None:
    settings = ClientSettings.discover(os.environ, home.path, token=token or "")
    async with OrcaClient(settings) as client:
        await client.stop_all()
        try:
            async with asyncio.timeout(STOP_SERVICES_SECONDS):
                async with aclosing(client.watch_status()) as changes:
                    async for status in changes:
                        if not any(service.instances for service in status.services):
                            return
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"some services have not stopped within {STOP_SERVICES_SECONDS:g} s; "
                "the control plane still runs",
                hint="`orca status` tells which",
            ) from error


def _end(pid: int, home: Home) -> None:
    record = record_of(pid)
    if record is None:
        return
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + END_SECONDS
    # The process, not its lock: that one is free a moment before everything has ended.
    while is_running(record):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"the server (pid {pid}) has not ended within {END_SECONDS:g} s",
                hint=f"see {home.log_file}; kill -9 {pid} does no harm to services",
            )
        time.sleep(POLL_SECONDS)


async def _end_rest(home: Home, *, proxy: bool) -> bool:
    """What outlives a server that was killed: its etcd, and Envoy when asked. True if any ran."""
    ended = False
    if home.etcd.exists():
        ended = await storage.embedded(home).stop()
    if proxy and (home.path / "proxy").exists():
        settings = ProxySettings(home=home.path, name="")
        envoy = EnvoyServer(settings)
        ended = await envoy.stop(drain_seconds=settings.drain_seconds) or ended
    return ended
