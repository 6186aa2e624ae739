"""Logs: what a line says, what it must not say, and what happens when the disk refuses."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from orca import errors
from orca.secrets.redact import Redactor
from orca.secrets.value import SecretValue
from orca.telemetry import logs, traces
from orca.telemetry.log_file import LogFile
from orca.telemetry.logs import LogSettings

REDACTOR = Redactor([SecretValue("hunter2")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orca.log"


@pytest.fixture
def pipeline(path: Path) -> Iterator[logs.LogPipeline]:
    made = logs.configure(LogSettings(level="trace", file=path), redact=[REDACTOR])
    yield made
    made.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def boom(password: str) -> None:
    raise ValueError(f"cannot log in with {password}")


# -- a line ------------------------------------------------------------------------------------


def test_line_is_json_with_time_level_logger_and_fields_first(
    pipeline: logs.LogPipeline, path: Path
) -> None:
    logs.get_logger("orca.master").info("deployed", service="web/app", replicas=2)
    (line,) = lines(path)
    assert list(line)[:4] == ["time", "level", "logger", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "orca.master",
        "event": "deployed",
        "service": "web/app",
        "replicas": 2,
    }


@pytest.mark.parametrize("level", ["trace", "debug", "info", "warning", "error"])
def test_each_level_is_written_under_its_name(
    pipeline: logs.LogPipeline, path: Path, level: str
) -> None:
    getattr(logs.get_logger("x"), level)("said", n=1)
    assert [(line["level"], line["event"], line["n"]) for line in lines(path)] == [
        (level, "said", 1)
    ]


def test_lines_below_the_level_are_dropped_and_the_level_can_change(path: Path) -> None:
    pipeline = logs.configure(LogSettings(level="info", file=path))
    logger = logs.get_logger("x")
    logger.trace("no")
    logger.debug("no")
    pipeline.set_level("trace")
    logger.trace("yes")
    pipeline.set_level("error")
    logger.warning("no")
    logger.error("yes")
    pipeline.close()
    assert [line["event"] for line in lines(path)] == ["yes", "yes"]


def test_level_that_is_none_is_refused_and_changes_nothing(path: Path) -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(errors.UserError, match="'loud' is not a log level") as caught:
        logs.configure(LogSettings(level="loud", file=path))
    assert "trace, debug, info, warn, error" in caught.value.hint
    assert logging.getLogger().handlers == before


def test_line_inside_a_span_carries_its_trace_id(pipeline: logs.LogPipeline, path: Path) -> None:
    with traces.Tracing(traces.TraceSettings(program="t")).span("deploy") as span:
        logs.get_logger("x").info("ours")
        logging.getLogger("y").info("theirs")
    logs.get_logger("x").info("after")
    assert [line.get("trace_id") for line in lines(path)] == [span.trace_id, span.trace_id, None]


def test_structlogs_own_loggers_are_routed_too(pipeline: logs.LogPipeline, path: Path) -> None:
    structlog.get_logger("orca.node").info("hello", n=1)
    assert lines(path)[0]["event"] == "hello"
    assert lines(path)[0]["logger"] == "orca.node"


def test_library_that_logs_is_routed_with_its_extras(
    pipeline: logs.LogPipeline, path: Path
) -> None:
    logging.getLogger("library").warning("took %d s", 5, extra={"port": 80})
    (line,) = lines(path)
    assert (line["level"], line["logger"], line["event"], line["port"]) == (
        "warning",
        "library",
        "took 5 s",
        80,
    )


def test_library_that_talks_too_much_is_held_down(pipeline: logs.LogPipeline, path: Path) -> None:
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("asyncio").debug("selector")
    logging.getLogger("aiohttp.access").warning("odd")
    assert [line["event"] for line in lines(path)] == ["odd"]


def test_python_warning_is_logged(pipeline: logs.LogPipeline, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "old thing" in lines(path)[0]["event"]


# -- what must not be said ---------------------------------------------------------------------


def test_secret_is_removed_from_every_part_of_a_line(
    pipeline: logs.LogPipeline, path: Path
) -> None:
    logger = logs.get_logger("x")
    logger.info("with hunter2", env={"P": ["hunter2"]}, url="a%3Ahunter2")
    logging.getLogger("library").error("arg %s", "hunter2")
    for log in (logger, logging.getLogger("library")):
        try:
            boom("hunter2")
        except ValueError:
            log.exception("failed")
    content = path.read_text()
    assert len(lines(path)) == 4
    assert "hunter2" not in content
    assert content.count("cannot log in with [redacted]") == 2


def test_object_is_written_as_its_repr_and_not_field_by_field(path: Path) -> None:
    pipeline = logs.configure(LogSettings(file=path))
    logs.get_logger("x").info("has", value=SecretValue("hunter2"), also={1: {2}})
    pipeline.close()
    assert "hunter2" not in path.read_text()
    assert lines(path)[0]["value"] == "SecretValue([redacted])"


# -- the console -------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_console_gets_readable_lines_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = logs.configure(LogSettings(console=True), redact=[REDACTOR])
    try:
        boom("hunter2")
    except ValueError:
        logs.get_logger("x").exception("failed", service="web/app")
    pipeline.close()
    shown = capsys.readouterr().err
    assert "failed" in shown
    assert "service=web/app" in shown
    assert "ValueError: cannot log in with [redacted]" in shown
    assert "hunter2" not in shown
    assert "\x1b[" not in shown


def test_colours_need_a_terminal_that_wants_them() -> None:
    assert logs.wants_colors(Terminal(), {})
    assert logs.wants_colors(Terminal(), {"NO_COLOR": ""})
    assert not logs.wants_colors(Terminal(), {"NO_COLOR": "1"})
    assert not logs.wants_colors(io.StringIO(), {})


def test_console_in_colour_uses_it(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = logs.configure(LogSettings(console=True, colors=True))
    logs.get_logger("x").info("hello")
    pipeline.close()
    assert "\x1b[" in capsys.readouterr().err


def test_closing_restores_the_logging_of_before(path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("aiohttp.access").level)
    logs.configure(LogSettings(file=path)).close()
    assert before == (root.level, root.handlers, logging.getLogger("aiohttp.access").level)


# -- the file ----------------------------------------------------------------------------------


@pytest.fixture
def reports() -> list[str]:
    return []


def log_file(path: Path, reports: list[str], *, bytes_max: int = 100) -> LogFile:
    return LogFile(path, bytes_max=bytes_max, generations=3, report=reports.append)


def say(file: LogFile, message: str) -> None:
    file.handle(logging.LogRecord("x", logging.INFO, "f", 1, message, None, None))


def test_file_is_private_whatever_the_umask_and_its_mode_before(
    path: Path, reports: list[str]
) -> None:
    path.touch(mode=0o644)
    before = os.umask(0)
    try:
        file = log_file(path, reports)
        for number in range(4):
            say(file, f"{number} " + "x" * 60)
        file.close()
    finally:
        os.umask(before)
    found = sorted(path.parent.iterdir())
    assert [entry.name for entry in found] == [
        "orca.log",
        "orca.log.1",
        "orca.log.2",
        "orca.log.3",
    ]
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in found} == {0o600}


def test_file_keeps_its_generations_in_order_and_no_more(path: Path, reports: list[str]) -> None:
    file = log_file(path, reports, bytes_max=10)
    for number in range(7):
        say(file, f"line {number}")
    file.close()
    kept = {entry.name: entry.read_text() for entry in path.parent.iterdir()}
    assert kept == {
        "orca.log": "line 6\n",
        "orca.log.1": "line 5\n",
        "orca.log.2": "line 4\n",
        "orca.log.3": "line 3\n",
    }
    assert reports == []


def test_file_of_an_earlier_run_is_continued(path: Path, reports: list[str]) -> None:
    path.write_text("earlier\n")
    file = log_file(path, reports)
    say(file, "later")
    file.close()
    assert path.read_text() == "earlier\nlater\n"


def test_file_that_was_removed_is_made_again(path: Path, reports: list[str]) -> None:
    file = log_file(path, reports)
    say(file, "one")
    path.unlink()
    say(file, "two")
    file.close()
    assert path.read_text() == "two\n"


def test_line_longer_than_the_file_may_be_is_written(path: Path, reports: list[str]) -> None:
    file = log_file(path, reports, bytes_max=10)
    say(file, "x" * 50)
    file.close()
    assert path.read_text() == "x" * 50 + "\n"


def test_line_with_half_a_surrogate_is_written(path: Path, reports: list[str]) -> None:
    file = log_file(path, reports)
    say(file, "a\udc80b")
    file.close()
    assert path.read_text() == "a\\udc80b\n"


def test_disk_that_is_full_is_reported_once_and_the_caller_goes_on(reports: list[str]) -> None:
    file = log_file(Path("/dev/full"), reports)
    for _ in range(3):
        say(file, "x")
    assert len(reports) == 1
    assert "/dev/full: No space left on device" in reports[0]
    assert file.lines_lost == 3
    file.close()


def test_disk_that_recovers_is_reported_with_what_was_lost(
    tmp_path: Path, reports: list[str]
) -> None:
    path = tmp_path / "later" / "orca.log"
    file = log_file(path, reports)
    say(file, "lost")
    say(file, "lost")
    path.parent.mkdir()
    say(file, "kept")
    say(file, "kept")
    file.close()
    assert path.read_text() == "kept\nkept\n"
    assert len(reports) == 2
    assert "is written again; 2 lines are lost" in reports[1]


def test_line_cut_short_does_not_spoil_the_next(path: Path, reports: list[str]) -> None:
    # A file size limit cuts a write exactly as a full disk does.
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = log_file(path, reports, bytes_max=10_000)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
        say(file, "a" * 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    say(file, "whole")
    file.close()
    assert path.read_text() == "a" * 20 + "\nwhole\n"
    assert len(reports) == 2


def test_rotation_that_fails_keeps_the_lines_in_the_present_file(
    path: Path, reports: list[str]
) -> None:
    path.with_name("orca.log.1").mkdir()
    (path.with_name("orca.log.1") / "x").touch()
    path.with_name("orca.log.2").write_text("a file cannot become a directory")
    file = log_file(path, reports, bytes_max=10)
    for number in range(3):
        say(file, f"line {number}")
    file.close()
    assert path.read_text().endswith("line 2\n")
    assert reports
    assert "cannot rotate" in reports[0]


def test_default_report_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    file = LogFile(Path("/dev/full"))
    say(file, "x")
    file.close()
    assert "cannot write the log" in capsys.readouterr().err


def test_report_without_anybody_on_stderr_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    file = LogFile(Path("/dev/full"))
    say(file, "x")
    file.close()
    assert file.lines_lost == 1


def test_line_that_cannot_be_formatted_does_not_end_the_caller(
    path: Path, reports: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = log_file(path, reports)
    file.handle(logging.LogRecord("x", logging.INFO, "f", 1, "%d", ("no number",), None))
    say(file, "next")
    file.close()
    assert path.read_text() == "next\n"
    assert "Logging error" in capsys.readouterr().err
