"""The command line on a terminal: colours, questions, raw mode, Ctrl-C. Each test has a real pty."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orca.spec.service import ServiceSpec

if TYPE_CHECKING:
    from conftest import Api, Scripted

ESCAPE = "\x1b"
WAIT_SECONDS = 20


class OnTerminal:
    """A command whose three streams are one pseudo terminal."""

    def __init__(self, master: int, slave: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.slave, self.process = master, slave, process
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str) -> str:
        """Read until the pattern was seen."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"{pattern!r} was never in {self.seen!r}"
            self._read()
        return self.seen

    def end(self) -> int:
        """Wait for the end and take in the rest of the output."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"did not end after {self.seen!r}"
            self._read()
        self._read()
        return self.process.returncode

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.05)[0]:
            self.seen += os.read(self.master, 65536).decode(errors="replace")


@contextmanager
def terminal(home: Path, *arguments: str, **env: str) -> Iterator[OnTerminal]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "orca", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=clean | {"ORCA_HOME": str(home), "TERM": "xterm"} | env,
        start_new_session=True,
    )
    try:
        yield OnTerminal(master, slave, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def deployed(control: Scripted) -> None:
    spec = {"name": "web", "project": "shop", "image": "i"}
    control._commit(ServiceSpec.model_validate(spec), "create")


def test_deploy_asks_and_yes_deploys_in_colour(
    api: Api, home: Path, root: Path, control: Scripted
) -> None:
    with terminal(home, "deploy", "web", "-C", str(root)) as run:
        run.until(r"Deploy\? \[y/N\] ")
        assert [method for method, _ in control.calls] == ["plan"]
        run.type("y\n")
        assert run.end() == 0
    assert [method for method, _ in control.calls] == ["plan", "deploy"]
    assert ESCAPE + "[32m✓" in run.seen


@pytest.mark.parametrize("answer", ["n\n", "\n", "what\n"])
def test_deploy_asks_and_anything_but_yes_changes_nothing(
    api: Api, home: Path, root: Path, control: Scripted, answer: str
) -> None:
    with terminal(home, "deploy", "web", "-C", str(root)) as run:
        run.until(r"Deploy\?")
        run.type(answer)
        assert run.end() == 1
    assert "Nothing was changed." in run.seen
    assert [method for method, _ in control.calls] == ["plan"]


def test_ctrl_c_at_a_question_changes_nothing(
    api: Api, home: Path, root: Path, control: Scripted
) -> None:
    with terminal(home, "deploy", "web", "-C", str(root)) as run:
        run.until(r"Deploy\?")
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
    assert [method for method, _ in control.calls] == ["plan"]
    assert "Traceback" not in run.seen


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_terminal_without_colours_gets_no_escape_sequence(
    api: Api, home: Path, root: Path, variable: dict[str, str]
) -> None:
    with terminal(home, "deploy", "-y", "-C", str(root), **variable) as run:
        assert run.end() == 0
    assert "✓ shop/web" in run.seen
    assert ESCAPE not in run.seen


def test_ctrl_c_during_a_rollout_says_that_it_goes_on(
    api: Api, home: Path, root: Path, control: Scripted
) -> None:
    control.script = [{"waiting": "readiness of slot 0"}]
    with terminal(home, "deploy", "web", "-y", "-C", str(root)) as run:
        run.until("readiness of slot 0")
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
    assert "Interrupted. The rollout goes on: shop/web (revision 1, 0/1 ready" in run.seen
    assert "Traceback" not in run.seen
    assert control.rollouts["r1"].phase == "progressing"


def test_secret_is_asked_for_twice_and_never_shown(api: Api, home: Path, control: Scripted) -> None:
    with terminal(home, "secrets", "set", "A") as run:
        run.until("Value of A: ")
        run.type("s3cret\n")
        run.until("Once more: ")
        run.type("s3cret\n")
        assert run.end() == 0
    assert control.kept == {("", "A"): "s3cret"}
    assert "s3cret" not in run.seen


def test_secret_typed_differently_the_second_time_is_refused(
    api: Api, home: Path, control: Scripted
) -> None:
    with terminal(home, "secrets", "set", "A") as run:
        run.until("Value of A: ")
        run.type("one\n")
        run.until("Once more: ")
        run.type("two\n")
        assert run.end() == 2
    assert control.kept == {}


def test_exec_has_a_raw_terminal_of_the_same_size_and_gives_it_back(
    api: Api, home: Path, control: Scripted
) -> None:
    deployed(control)
    with terminal(home, "exec", "web", "--", "sh") as run:
        before = termios.tcgetattr(run.slave)
        api.wait_until(lambda: termios.tcgetattr(run.slave) != before)
        run.type("a")  # no line end: only a raw terminal passes it on
        run.until("a")
        run.type("\x03")
        run.until("\x03")
        fcntl.ioctl(run.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        run.process.send_signal(signal.SIGWINCH)
        run.until("100x50")
        run.type("!no_node")
        assert run.end() == 7
        assert termios.tcgetattr(run.slave) == before
    wish = control.executed[0]
    assert (wish.tty, wish.columns, wish.rows) == (True, 120, 40)


def test_watched_status_is_redrawn_after_a_change_until_ctrl_c(
    api: Api, home: Path, control: Scripted
) -> None:
    with terminal(home, "status", "--watch") as run:
        run.until("No services")
        api.do(lambda: deployed(control))
        run.until("shop/web")
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
    assert "Traceback" not in run.seen


def test_output_that_nobody_reads_any_more_ends_quietly(
    api: Api, home: Path, control: Scripted
) -> None:
    for number in range(5):
        control.emit(f"event {number}")
    with subprocess.Popen(
        [sys.executable, "-m", "orca", "events", "-f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"ORCA_HOME": str(home)},
    ) as process:
        assert process.stdout
        assert process.stderr
        assert b"event 0" in process.stdout.readline()
        process.stdout.close()
        api.do(lambda: [control.emit("more" * 1000) for _ in range(100)])
        assert process.wait(WAIT_SECONDS) == 141
        assert process.stderr.read() == b""


def test_followed_logs_end_with_ctrl_c(api: Api, home: Path, control: Scripted) -> None:
    deployed(control)
    with terminal(home, "logs", "web", "-f") as run:
        api.wait_until(lambda: control.open_streams == ["logs"])
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
    assert "Traceback" not in run.seen
