"""P9: requests per second through the ingress, on the same cores.

orca's Envoy, as `orca.proxy` configures and runs it, with and without its access log; against an Envoy
with the shortest configuration a person would write; against Caddy. One worker each, plain HTTP/1.1 with
keep-alive, a small body. The proxy under test has one core to itself; load and upstream share another.

    python benchmarks/ingress.py [--rounds 6] [--seconds 2] [--connections 64]

Rounds alternate A/B/C/D/A/B/C/D, in short runs since a machine's speed drifts. A run in which other
programs took more than a tenth of a core is repeated, a few times at most. Figures are medians of the
rounds; the raw data is a JSON file whose path is printed. The upstream is nginx if there is one, else an
Envoy that answers by itself; either costs less than the proxy, so that the proxy saturates first. Whether
it did is shown: its core has to be near 100 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, Route, RouteTable
from orca.proxy.binary import find_binary
from orca.proxy.envoy import EnvoyServer
from orca.proxy.settings import ProxySettings

OTHERS_MAX = 0.1
TRIES_MAX = 4
CALM_SECONDS_MAX = 20
HOST = "bench.test"
BODY = "hello from the upstream\n"
NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}
}}
"""
_T = "type.googleapis.com/envoy."
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """A proxy in front of the upstream, by its process."""

    name: str
    port: int
    pid: int
    upstream_pid: int


@dataclass(frozen=True)
class Sample:
    """One run of the load generator."""

    contender: str
    round: int
    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_microseconds_per_request: float
    cpu_share: float
    """Of one core; near 1 when the proxy is the bottleneck."""
    failures: int
    others_share: float
    """What programs that are no part of this took meanwhile, of one core."""


def main() -> int:
    options = _options()
    for program in ("wrk", "caddy"):
        if shutil.which(program) is None:
            print(f"{program} is not installed: apt-get install {program}", file=sys.stderr)
            return 2
    # Envoy outlives us by design: end it also when somebody ends us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="orca-b-"))
        stack.callback(shutil.rmtree, directory)
        contenders = list(_start(directory, stack))
        samples = _measure(contenders, options)
    raw = Path(options.out or tempfile.gettempdir()) / f"orca-ingress-{int(time.time())}.json"
    raw.write_text(json.dumps([asdict(sample) for sample in samples], indent=1))
    _print(samples, [c.name for c in contenders])
    print(f"\nraw data: {raw}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--out", help="directory for the raw data")
    return parser.parse_args()


# --- the contenders ---------------------------------------------------------------------------------


def _start(directory: Path, stack: ExitStack) -> Iterator[Contender]:
    cores = sorted(os.sched_getaffinity(0))
    proxy_core, other_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {other_core})  # wrk inherits it
    upstream = _free_port()
    upstream_pid = stack.enter_context(_static_envoy(directory, "upstream", _answering(upstream)))
    _pin(upstream_pid, other_core)
    _await_port(upstream)
    starters: dict[str, Callable[[int, int], Any]] = {
        "orca": lambda port, up: _orca(directory / "o", port, up, access_log=False),
        "orca + access log": lambda port, up: _orca(directory / "l", port, up, access_log=True),
        "static Envoy": lambda port, up: _static_envoy(directory, "static", _proxying(port, up)),
        "Caddy": lambda port, up: _caddy(directory, port, up),
    }
    for name, starter in starters.items():
        port = _free_port()
        pid = stack.enter_context(starter(port, upstream))
        _await_port(port)
        _pin(pid, proxy_core)
        yield Contender(name, port, pid, upstream_pid)


@contextmanager
def _upstream(directory: Path, port: int) -> Iterator[int]:
    if shutil.which("nginx") is None:
        with _static_envoy(directory, "upstream", _answering(port)) as pid:
            yield pid
        return
    path = directory / "nginx.conf"
    path.write_text(NGINX.format(directory=directory, port=port, body=BODY.strip()))
    with _program(directory / "nginx.log", "nginx", "-c", str(path), "-p", str(directory)) as pid:
        yield pid


@contextmanager
def _orca(home: Path, port: int, upstream: int, *, access_log: bool) -> Iterator[int]:
    settings = ProxySettings(
        home=home,
        name="bench",
        http_port=port,
        bind="127.0.0.1",
        concurrency=1,
        access_log=access_log,
    )
    service = ServiceId("bench", "web")
    endpoint = Endpoint(replica=ReplicaId("r"), address="127.0.0.1", port=upstream)
    table = RouteTable(
        routes=(Route(domain=HOST, path="/", service=service),),
        backends=(Backend(service=service, endpoints=(endpoint,)),),
    )
    envoy = EnvoyServer(settings)
    asyncio.run(envoy.apply(table))
    pid = envoy.pid()
    assert pid is not None
    try:
        yield pid
    finally:
        asyncio.run(EnvoyServer(settings).stop(drain_seconds=0))


@contextmanager
def _static_envoy(directory: Path, name: str, config: dict[str, Any]) -> Iterator[int]:
    path = directory / f"{name}.json"
    path.write_text(json.dumps(config))
    arguments = ("-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error")
    with _program(directory / f"{name}.log", str(find_binary().path), *arguments) as pid:
        yield pid


@contextmanager
def _caddy(directory: Path, port: int, upstream: int) -> Iterator[int]:
    path = directory / "Caddyfile"
    path.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"http://{HOST}:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{upstream}\n}}\n"
    )
    arguments = ("run", "--config", str(path), "--adapter", "caddyfile")
    # Its own state goes where everything else of this run goes.
    env = {"GOMAXPROCS": "1", "HOME": str(directory)}
    with _program(directory / "caddy.log", "caddy", *arguments, **env) as pid:
        yield pid


@contextmanager
def _program(log: Path, *argv: str, **env: str) -> Iterator[int]:
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env={**os.environ, **env})
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answering(port: int) -> dict[str, Any]:
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": BODY}},
    }
    return {"static_resources": {"listeners": [_listener(port, answer)]}}


def _proxying(port: int, upstream: int) -> dict[str, Any]:
    cluster = {
        "name": "web",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "web",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
    return {"static_resources": {"listeners": [_listener(port, route)], "clusters": [cluster]}}


def _listener(port: int, route: dict[str, Any]) -> dict[str, Any]:
    manager = {
        "@type": _T + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _T + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    name = "envoy.filters.network.http_connection_manager"
    chain = {"filters": [{"name": name, "typed_config": manager}]}
    return {"name": "http", "address": _address(port), "filter_chains": [chain]}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def _pin(pid: int, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


# --- measuring --------------------------------------------------------------------------------------


def _measure(contenders: list[Contender], options: argparse.Namespace) -> list[Sample]:
    for contender in contenders:  # warm up
        _run(contender, 0, seconds=1, connections=options.connections)
    samples = []
    for number in range(1, options.rounds + 1):
        for contender in contenders:
            sample = _undisturbed(contender, number, options)
            print(f"round {number}  {_line(sample)}", flush=True)
            samples.append(sample)
    return samples


def _undisturbed(contender: Contender, number: int, options: argparse.Namespace) -> Sample:
    """A run that had the machine to itself, or the least disturbed one of several."""
    tries: list[Sample] = []
    for _ in range(TRIES_MAX):
        _await_calm()
        sample = _run(contender, number, seconds=options.seconds, connections=options.connections)
        tries.append(sample)
        if sample.others_share <= OTHERS_MAX:
            break
    return min(tries, key=lambda s: s.others_share)


def _await_calm() -> None:
    deadline = time.monotonic() + CALM_SECONDS_MAX
    while time.monotonic() < deadline:
        busy = _busy_seconds()
        time.sleep(1)
        if _busy_seconds() - busy < OTHERS_MAX:
            return


def _run(contender: Contender, number: int, *, seconds: int, connections: int) -> Sample:
    busy, ours = _busy_seconds(), _our_seconds(contender)
    cpu_before, began = _cpu_seconds(contender.pid), time.monotonic()
    text = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"),
            *("-H", f"Host: {HOST}", f"http://127.0.0.1:{contender.port}/"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    elapsed = time.monotonic() - began
    cpu = _cpu_seconds(contender.pid) - cpu_before
    others = (_busy_seconds() - busy) - (_our_seconds(contender) - ours)
    requests = int(_found(r"(\d+) requests in", text))
    return Sample(
        contender=contender.name,
        round=number,
        requests=requests,
        requests_per_second=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p50_ms=_milliseconds(_found(r"(?m)^ +50% +(\S+)$", text)),
        p99_ms=_milliseconds(_found(r"(?m)^ +99% +(\S+)$", text)),
        cpu_microseconds_per_request=cpu / requests * 1e6,
        cpu_share=cpu / elapsed,
        failures=_failures(text),
        others_share=max(0.0, others / elapsed),
    )


def _busy_seconds() -> float:
    """CPU time of all programs of this machine, without that of interrupts."""
    user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    return (int(user) + int(nice) + int(system)) / _TICKS


def _our_seconds(contender: Contender) -> float:
    """CPU time of the proxy, the upstream, the load generator and this program."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    myself = time.process_time()
    return (
        _cpu_seconds(contender.pid)
        + _cpu_seconds(contender.upstream_pid)
        + (children.ru_utime + children.ru_stime)
        + myself
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk said something unexpected:\n{text}")
    return match[1]


def _failures(text: str) -> int:
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    return (int(bad[1]) if bad else 0) + (sum(map(int, errors.groups())) if errors else 0)


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise SystemExit(f"wrk printed a latency of {text!r}")


def _print(samples: list[Sample], names: list[str]) -> None:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(s, field) for s in samples if s.contender == name)

    print(
        f"\n{'medians':20}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs/req':>12}{'core':>7}{'failed':>8}"
    )
    for name in names:
        figures = [median(name, f) for f in ("requests_per_second", "p50_ms", "p99_ms")]
        cpu, share = median(name, "cpu_microseconds_per_request"), median(name, "cpu_share")
        failed = sum(s.failures for s in samples if s.contender == name)
        rate, p50, p99 = figures
        print(f"{name:20}{rate:9.0f}{p50:9.2f}{p99:9.2f}{cpu:12.1f}{share:7.0%}{failed:8}")
    print("\nratios: by rate, and by CPU time per request, which a busy machine disturbs less")
    for name in names[:2]:
        for peer in names[2:]:
            rate = median(name, "requests_per_second") / median(peer, "requests_per_second")
            field = "cpu_microseconds_per_request"
            print(f"{name} / {peer}: {rate:.2f}, {median(peer, field) / median(name, field):.2f}")


def _line(sample: Sample) -> str:
    speed = f"{sample.requests_per_second:9.0f} req/s  p99 {sample.p99_ms:.2f} ms"
    return f"{sample.contender:20}{speed}  others {sample.others_share:.0%}"


if __name__ == "__main__":
    sys.exit(main())
