"""A private Docker Engine: its own containerd, dockerd, directories, socket, bridge and subnets.

For contract tests, integration tests and benchmarks. Several may run beside each other and beside the
host's own engine; nothing of the host's is used. Not a fake: this is Debian's dockerd, which needs root.

The hard part is leaving nothing behind. Networks, iptables rules, mounts and shims outlive a dockerd,
so they are found again by what only this engine has (its bridge, its 10.N/16, its containerd's socket)
and removed, even after a kill -9. Engines in one network namespace share Docker's iptables chains, and
each start empties them: published ports then answer through docker-proxy alone. Give an engine a
network namespace of its own (`enter`) where that matters.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY_SECONDS = 30.0
"""Longest wait for a daemon to answer."""
STOP_SECONDS = 30.0

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    *("sh", "httpd", "nc", "wget", "sleep", "cat", "echo", "kill", "ls", "env", "id", "stty"),
    *("mkdir", "rm", "date", "head", "tail", "seq", "true", "false", "dd", "touch", "test"),
)

HTTPD = (
    "/bin/sh",
    "-c",
    "mkdir -p /www && echo ${BODY:-ok} >/www/index.html && exec httpd -f -p 80 -h /www",
)
"""A web server on port 80 that answers `$BODY`."""


class EngineError(Exception):
    """The engine could not be started."""


class DockerEngine:
    """Use as a context manager, or call `start` and `close` yourself.

    `enter` is put before every command, such as `("nsenter", "--net=/run/netns/h1")`; `options` are
    further arguments of dockerd.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        live_restore: bool = False,
        enter: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.root = root or Path(tempfile.mkdtemp(prefix="orca-engine-"))
        self.live_restore = live_restore
        self._enter = tuple(enter)
        self._options = tuple(options)
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._net = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def socket(self) -> Path:
        """Where the API listens."""
        return self.root / "docker.sock"

    @property
    def host(self) -> str:
        """Value for `DOCKER_HOST`."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of dockerd; 0 while it is down."""
        return self._dockerd.pid if self._dockerd else 0

    def start(self) -> None:
        """Start what is not running and wait until the API answers; raises `EngineError`."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not self._net:
            self._net = self._claim_network()
        if self._containerd is None:
            self._containerd = self._spawn("containerd", self._containerd_command())
            self._wait(self._containerd, self.root / "containerd.sock", "containerd")
        if self._dockerd is None:
            self._pid_file.unlink(missing_ok=True)
            with _one_at_a_time():
                self._dockerd = self._spawn("dockerd", self._dockerd_command())
                self._wait(self._dockerd, self.socket, "dockerd")

    def stop(self) -> None:
        """Stop dockerd as an operator would; its containers end too unless `live_restore`."""
        if self._dockerd is not None:
            _end(self._dockerd, signal.SIGTERM)
            self._dockerd = None

    def kill(self) -> None:
        """Kill dockerd at once; its containers keep running until it is back."""
        if self._dockerd is not None:
            _end(self._dockerd, signal.SIGKILL)
            self._dockerd = None

    def restart(self) -> None:
        """Stop and start dockerd."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop dockerd from answering, with its sockets open."""
        if self._dockerd is not None:
            self._dockerd.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self._dockerd is not None:
            self._dockerd.send_signal(signal.SIGCONT)

    def docker(self, *arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run the docker CLI against this engine and return what it printed."""
        command = ["docker", "-H", self.host, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if check and done.returncode:
            raise EngineError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace").strip()

    def image(
        self,
        name: str,
        command: Sequence[str] = HTTPD,
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
    ) -> str:
        """Make an image of busybox that runs `command`, and return its id (`sha256:…`)."""
        changes = ["CMD " + json.dumps(list(command)), 'ENV PATH="/bin"']
        changes += [f'ENV {key}="{value}"' for key, value in (env or {}).items()]
        changes += [f"USER {user}"] if user else []
        arguments = [part for change in changes for part in ("-c", change)]
        return self.docker("import", *arguments, "-", name, stdin=busybox_rootfs())

    def close(self) -> None:
        """End everything of this engine and remove its directory; idempotent."""
        if self._dockerd is not None:
            self.thaw()
            self._remove_all()
        self.stop()
        if self._containerd is not None:
            _end(self._containerd, signal.SIGTERM)
            self._containerd = None
        self._end_shims()
        self._remove_links()
        self._remove_rules()
        self._unmount()
        shutil.rmtree(self.root, ignore_errors=True)

    # --- starting ---

    @property
    def _bridge(self) -> str:
        return f"oe{self._net}"

    @property
    def _pid_file(self) -> Path:
        return self.root / "docker.pid"

    def _claim_network(self) -> int:
        """The name of a bridge can be taken once: it stands for the whole of 10.N/16."""
        used = self._run("ip", "-4", "route", "show", "table", "all").stdout.decode()
        candidates = [n for n in range(64, 250) if f"10.{n}." not in used]
        random.shuffle(candidates)
        for n in candidates:
            if self._run("ip", "link", "add", f"oe{n}", "type", "bridge").returncode == 0:
                self._run("ip", "addr", "add", f"10.{n}.0.1/24", "dev", f"oe{n}")
                self._run("ip", "link", "set", f"oe{n}", "up")
                return n
        raise EngineError(
            "no free 10.N.0.0/16 for a bridge, or no right to make one (are you root?)"
        )

    def _containerd_command(self) -> list[str]:
        config = self.root / "containerd.toml"
        config.write_text(
            f'version = 2\nroot = "{self.root}/containerd"\nstate = "{self.root}/containerd-run"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.root}/containerd.sock"\n'
        )
        return ["containerd", "--config", str(config)]

    def _dockerd_command(self) -> list[str]:
        command = ["dockerd", "-H", self.host, "--containerd", str(self.root / "containerd.sock")]
        command += ["--data-root", str(self.root / "data"), "--exec-root", str(self.root / "run")]
        command += ["--pidfile", str(self._pid_file), "--bridge", self._bridge]
        command += ["--default-address-pool", f"base=10.{self._net}.128.0/17,size=24"]
        command += ["--config-file", str(self.root / "daemon.json")]
        (self.root / "daemon.json").write_text("{}")
        return [*command, *(["--live-restore"] if self.live_restore else []), *self._options]

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A test run that is killed must not leave daemons behind.
        guard = ["setpriv", "--pdeathsig", "TERM"]
        with (self.root / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*guard, *self._enter, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait(self, process: subprocess.Popen[bytes], socket: Path, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if name == "dockerd" and self._answers():
                return
            if name != "dockerd" and socket.is_socket():
                return
            time.sleep(0.02)
        tail = (self.root / f"{name}.log").read_text(errors="replace")[-2000:]
        raise EngineError(f"{name} is not ready after {READY_SECONDS:.0f} s:\n{tail}")

    def _answers(self) -> bool:
        done = subprocess.run(
            ["docker", "-H", self.host, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            check=False,
        )
        return self.socket.is_socket() and done.returncode == 0

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self._enter, *command], capture_output=True, check=False)

    # --- leaving nothing behind ---

    def _remove_all(self) -> None:
        if containers := self.docker("ps", "-aq", check=False).split():
            self.docker("rm", "-fv", *containers, check=False)
        self.docker("network", "prune", "-f", check=False)

    def _end_shims(self) -> None:
        mine = str(self.root / "containerd.sock")
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                if "containerd-shim" in command and mine in command:
                    self._end_shim(int(entry.name))

    def _end_shim(self, pid: int) -> None:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in [*map(int, children), pid]:
            os.kill(each, signal.SIGKILL)

    def _remove_links(self) -> None:
        if not self._net:
            return
        shown = self._run("ip", "-o", "-4", "addr", "show").stdout.decode().splitlines()
        links = {line.split()[1] for line in shown if f" 10.{self._net}." in line}
        for link in links | {self._bridge}:
            self._run("ip", "link", "del", link)

    def _remove_rules(self) -> None:
        if not self._net:
            return
        for table in ("filter", "nat"):
            saved = self._run("iptables-save", "-t", table).stdout.decode().splitlines()
            mine = (f" 10.{self._net}.", f" {self._bridge} ")
            for line in saved:
                if line.startswith("-A") and any(mark in f"{line} " for mark in mine):
                    self._run("iptables", "-t", table, *line.replace("-A", "-D", 1).split())

    def _unmount(self) -> None:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        mine = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{self.root}/")]
        for path in sorted(mine, key=len, reverse=True):
            subprocess.run(["umount", "-l", path], capture_output=True, check=False)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two dockerd that start together both create Docker's iptables chains, and one of them gives up."""
    with (Path(tempfile.gettempdir()) / "orca-engine.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def busybox_rootfs() -> bytes:
    """A tar with a static busybox, its applets and nothing else; about 2 MB."""
    if not BUSYBOX.exists():
        raise EngineError("busybox is missing: apt-get install busybox-static")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in ("bin", "tmp", "etc", "www"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        binary = tarfile.TarInfo("bin/busybox")
        binary.mode, binary.size = 0o755, BUSYBOX.stat().st_size
        with BUSYBOX.open("rb") as file:
            tar.addfile(binary, file)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
