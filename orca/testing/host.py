"""An operator's host: a Docker Engine, an `ORCA_HOME`, a configuration, and the real `orca` command.

For integration tests and benchmarks. Everything is done the way an operator does it: by the command line,
by `docker`, by signals. Nothing reaches into orca; what is known of its state is what `orca status` says,
and what lies below its home.

The hard part is leaving nothing behind. A server, its etcd and its Envoy outlive whoever started them, so
`close` finds them again by the host's directory, which all of them carry in their command line or their
environment, and ends them, whatever state the test left them in. `sweep` does the same for the hosts of
a test run that was itself killed.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from orca.host.options import Home
from orca.node.settings import default_runtime_directory
from orca.processes import PidLock, ProcessRecord, is_running, record_of
from orca.testing.engine import DockerEngine

COMMAND_SECONDS = 90.0
"""Longest run of one command."""
SETTLE_SECONDS = 20.0
"""Generous bound for what takes a moment; tests that state a bound give their own."""
POLL_SECONDS = 0.05
REQUEST_SECONDS = 5.0

_PORTS = range(12_000, 32_000)
"""Below the ports that the kernel gives to clients, so that none is taken between choice and use."""

_PREFIX = "orca-h-"
_OWNER = "owner.json"

T = TypeVar("T")


class HostError(AssertionError):
    """Something was not as the test needs it; an assertion, so that pytest shows it as one."""


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that stood on the terminal."""
        return self.out + self.err

    def json(self) -> Any:
        """The output of `-o json`."""
        return json.loads(self.out)

    def problem(self) -> dict[str, Any]:
        """The error of `-o json`, which is the last line on stderr."""
        found: dict[str, Any] = json.loads(self.err[self.err.index("{") :])
        return found


class Answer(NamedTuple):
    """What came back through the proxy; status 0 when nothing did."""

    status: int
    body: str
    headers: Mapping[str, str]
    cookies: list[str] = []  # noqa: RUF012  never changed
    """Every `Set-Cookie`, which may come several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one orca."""

    api: int
    grpc: int
    http: int
    https: int

    @classmethod
    def free(cls) -> Self:
        """Four that nobody listens on."""
        api, grpc, http, https = free_ports(4)
        return cls(api=api, grpc=grpc, http=http, https=https)


class Host:
    """Use as a context manager. The engine is the caller's: several hosts may share one."""

    def __init__(self, engine: DockerEngine, *, cluster: str = "itest") -> None:
        # Short: the path of Envoy's socket lies below it.
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.engine = engine
        self.cluster = cluster
        self.home = self.root / "home"
        self.config = self.root / "config"
        self.config.mkdir()
        (self.root / _OWNER).write_text(json.dumps(asdict(_this_process())))
        self.ports = Ports.free()
        self.env: dict[str, str] = {}
        """Added to the environment of every command."""
        self.configure()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    # --- files ---

    def configure(self, more: str = "", *, cluster: str = "", proxy: str = "") -> None:
        """Write cluster.toml: ports, then `cluster` and `proxy` as further lines of those sections."""
        ports = self.ports
        (self.config / "cluster.toml").write_text(
            f'[cluster]\nname = "{self.cluster}"\napi_port = {ports.api}\ngrpc_port = {ports.grpc}\n'
            f"{cluster}\n[proxy]\nhttp_port = {ports.http}\nhttps_port = {ports.https}\n{proxy}\n{more}\n"
        )

    def write(self, project: str, text: str) -> Path:
        """Write a project's service.toml."""
        path = self.config / "services" / project / "service.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    # --- the command line ---

    def orca(
        self,
        *arguments: str,
        code: int | None = 0,
        stdin: str | bytes = b"",
        timeout: float = COMMAND_SECONDS,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Done:
        """Run `orca` in the configuration's directory; raises unless it ends with `code`."""
        process = self.start_orca(*arguments, env=env, cwd=cwd)
        data = stdin.encode() if isinstance(stdin, str) else stdin
        try:
            out, err = process.communicate(data, timeout)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        done = Done(process.returncode, _text(out), _text(err))
        if code is not None and done.code != code:
            raise HostError(
                f"orca {' '.join(arguments)}: exit code {done.code}, not {code}\n"
                f"--- stdout\n{done.out}\n--- stderr\n{done.err}\n--- orca.log\n{self.log_tail()}"
            )
        return done

    def start_orca(
        self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Run `orca` without waiting for it; the caller ends it."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("orca")), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.config,
            env={**self.environment(), **(env or {})},
        )

    def environment(self) -> dict[str, str]:
        """Of an operator's shell: nothing of the caller's but where programs are."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "ORCA_HOME": str(self.home),
            "DOCKER_HOST": self.engine.host,
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "LC_ALL": "C.UTF-8",
            **self.env,
        }

    # --- the server ---

    def start(self, *arguments: str) -> None:
        """`orca server -d`."""
        self.orca("server", "-d", *arguments)

    def server_pid(self) -> int:
        """Of the running server; 0 while none runs."""
        return PidLock(self.home / "orca.pid").holder() or 0

    def etcd_pid(self) -> int:
        """Of orca's etcd; 0 while none runs."""
        return _recorded_pid(self.home / "etcd" / "etcd.pid")

    def envoy_pid(self) -> int:
        """Of the proxy's Envoy; 0 while none runs."""
        found = [_recorded_pid(self.home / "proxy" / f"envoy-{slot}.pid") for slot in "ab"]
        return max(found)

    def kill_server(self) -> None:
        """kill -9, and wait until it is gone."""
        pid = self.server_pid()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not is_alive(pid), what="the killed server is gone")

    def deploy(self, *arguments: str, code: int | None = 0) -> Done:
        """`orca deploy -y`."""
        return self.orca("deploy", "-y", *arguments, code=code)

    # --- looking ---

    def log(self) -> list[dict[str, Any]]:
        """The lines of orca.log."""
        return [json.loads(line) for line in (self.home / "orca.log").read_text().splitlines()]

    def log_tail(self, lines: int = 15) -> str:
        """The end of orca.log, for messages."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join((self.home / "orca.log").read_text().splitlines()[-lines:])
        return ""

    def token(self) -> str:
        """The admin's."""
        return (self.home / "cluster.token").read_text().strip()

    def api(
        self,
        path: str,
        *,
        method: str = "GET",
        token: str | None = None,
        body: object = None,
    ) -> Answer:
        """One call of the REST API, without the command line."""
        headers = {"Authorization": f"Bearer {self.token() if token is None else token}"}
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        return request(self.ports.api, path, method=method, headers=headers, body=data)

    def status(self) -> dict[str, Any]:
        """As `orca status -o json`, but fast enough to be asked again and again."""
        answer = self.api("/api/v1/status")
        if answer.status != 200:
            raise HostError(f"status answers {answer.status}: {answer.body}")
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def service(self, name: str) -> dict[str, Any]:
        """One service's status."""
        for each in self.status()["services"]:
            if name in (each["name"], f"{each['project']}/{each['name']}"):
                found: dict[str, Any] = each
                return found
        raise HostError(f"there is no service {name}")

    def instances(self, name: str) -> list[dict[str, Any]]:
        """A service's replicas that are meant to run, by slot."""
        found = [i for i in self.service(name)["instances"] if i["desired"] == "run"]
        return sorted(found, key=lambda instance: int(instance["slot"]))

    def get(self, domain: str, path: str = "/", **options: Any) -> Answer:
        """A request through the proxy."""
        headers = {"Host": domain, **options.pop("headers", {})}
        return request(self.ports.http, path, headers=headers, **options)

    def containers(self, *filters: str, all: bool = True) -> dict[str, str]:
        """Ids by name of this orca's containers."""
        found = [f"label=orca.cluster={self.cluster}", *filters]
        arguments = [part for each in found for part in ("--filter", each)]
        rows = self.engine.docker(
            *("ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}"),
            *(["-a"] if all else []),
            *arguments,
        )
        return dict(line.split() for line in rows.splitlines())

    def serves(self, domain: str, body: str = "", *, path: str = "/") -> Callable[[], bool]:
        """Whether the proxy answers with 200, and with `body` somewhere in it."""

        def check() -> bool:
            answer = self.get(domain, path)
            return answer.status == 200 and body in answer.body

        return check

    def runs(self, name: str, replicas: int | None = None) -> Callable[[], bool]:
        """Whether the service is in the state `running`, in full."""

        def check() -> bool:
            with contextlib.suppress(HostError):
                found = self.service(name)
                enough = found["ready_replicas"] == found["replicas"]
                return (
                    found["status"] == "running"
                    and enough
                    and replicas in (None, found["replicas"])
                )
            return False

        return check

    # --- the end ---

    def remove_services(self) -> None:
        """Stop and forget everything, so that the next test starts from nothing."""
        names = [f"{each['project']}/{each['name']}" for each in self.status()["services"]]
        if names:
            self.orca("rm", "-y", *names)
        shutil.rmtree(self.config / "services", ignore_errors=True)

    def processes(self) -> dict[int, str]:
        """Everything that carries this host's directory in its command line or environment."""
        return dict(processes_of(self.root))

    def close(self) -> None:
        """End and remove everything of this host; idempotent."""
        self.end_processes()
        self._remove_from_engine()
        shutil.rmtree(self.root, ignore_errors=True)

    def end_processes(self) -> None:
        """kill -9 of everything that `processes` finds."""
        _end_all_of(self.root)
        # In memory, outside of the home: the files of secrets.
        shutil.rmtree(_runtime_directory(self.home), ignore_errors=True)

    def _remove_from_engine(self) -> None:
        if not self.engine.pid:
            return
        mine = ("--filter", f"label=orca.cluster={self.cluster}")
        docker = functools.partial(self.engine.docker, check=False)
        if found := docker("ps", "-aq", *mine).split():
            docker("rm", "-fv", *found)
        if found := docker("network", "ls", "-q", *mine).split():
            docker("network", "rm", *found)
        if found := docker("volume", "ls", "-q", *mine).split():
            docker("volume", "rm", "-f", *found)


def sweep() -> None:
    """End what is left of hosts whose owner was killed before it could close them."""
    for owner in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}"):
        with contextlib.suppress(OSError, ValueError):
            if not is_running(ProcessRecord(**json.loads(owner.read_text()))):
                _end_all_of(owner.parent)
                shutil.rmtree(_runtime_directory(owner.parent / "home"), ignore_errors=True)
                subprocess.run(["umount", "-l", str(owner.parent / "home")], capture_output=True)
                shutil.rmtree(owner.parent, ignore_errors=True)


def _runtime_directory(home: Path) -> Path:
    return default_runtime_directory() / "orca" / Home(home).instance


def _end_all_of(root: Path) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := dict(processes_of(root))) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _this_process() -> ProcessRecord:
    found = record_of(os.getpid())
    assert found is not None  # noqa: S101  it runs
    return found


# --- helpers that need no host ---


def eventually(
    check: Callable[[], T],
    *,
    within: float = SETTLE_SECONDS,
    what: str = "",
    every: float = POLL_SECONDS,
) -> T:
    """Poll until `check` gives something true, and return it; raises `HostError` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            name = what or getattr(check, "__qualname__", str(check))
            raise HostError(f"not within {within:g} s: {name} (last seen: {found!r})")
        time.sleep(every)


def request(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    timeout: float = REQUEST_SECONDS,
) -> Answer:
    """One HTTP request to this host on a connection of its own; status 0 when there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        with connection.getresponse() as response:
            text = response.read().decode(errors="replace")
            cookies = response.headers.get_all("set-cookie") or []
            return Answer(response.status, text, dict(response.getheaders()), cookies)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, repr(error), {})
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of this host that nobody listens on."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def stranger_on(port: int) -> Iterator[None]:
    """A program that is not orca and has the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))
        listener.listen()
        yield


def is_alive(pid: int) -> bool:
    """Whether a process runs under this pid; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text[text.rindex(")") + 2] not in "ZX"


def processes_of(root: Path) -> Iterator[tuple[int, str]]:
    """Processes that carry a directory's path in their command line or environment."""
    mark = str(root).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if (mark in command or mark in (entry / "environ").read_bytes()) and command:
                yield int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")


def _recorded_pid(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError, ValueError):
        pid = int(json.loads(path.read_text())["pid"])
        return pid if is_alive(pid) else 0
    return 0


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
