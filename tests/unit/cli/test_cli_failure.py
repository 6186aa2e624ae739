"""What is said about an error, and which exit code it has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orca import errors
from orca.cli import exits, failure


def all_errors() -> list[type[errors.OrcaError]]:
    found = [errors.OrcaError]
    for cls in found:
        found += [child for child in cls.__subclasses__() if child.__module__ == errors.__name__]
    return found


def made(cls: type[errors.OrcaError]) -> errors.OrcaError:
    if cls is errors.InvalidConfig:
        return errors.InvalidConfig(("a.toml:1:1: wrong",), hint="mend it")
    return cls("It broke.", hint="mend it")


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_error_is_message_and_hint_with_its_own_exit_code(
    cls: type[errors.OrcaError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = made(cls)
    assert failure.report(error, ("status",)) == cls.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error: {error.message}\nhint: mend it\n" in err


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_error_with_json_is_a_problem_object(
    cls: type[errors.OrcaError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = made(cls)
    assert failure.report(error, ("status", "-o", "json")) == cls.exit_code
    problem = json.loads(capsys.readouterr().err)
    assert problem["type"] == cls.kind
    assert problem["status"] == cls.http_status
    assert problem["exit_code"] == cls.exit_code
    assert problem["hint"] == "mend it"


def test_no_error_but_the_unspecific_ones_means_not_done_with_zero() -> None:
    assert all(cls.exit_code > 0 for cls in all_errors())


def test_invalid_configuration_shows_every_problem() -> None:
    error = errors.InvalidConfig(("a.toml:1:1: wrong", "b.toml:2:2: also wrong"))
    text = failure.text(error)
    assert text == (
        "a.toml:1:1: wrong\n\nb.toml:2:2: also wrong\n\nerror: 2 problems in the configuration"
    )
    problem = failure.problem(error)
    rebuilt = errors.from_kind(str(problem["type"]), str(problem["title"]))
    assert isinstance(rebuilt, errors.InvalidConfig)
    assert rebuilt.problems == error.problems


def test_error_without_a_hint_is_one_line() -> None:
    assert failure.text(errors.Conflict("Somebody was faster.")) == "error: Somebody was faster."


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("status", "-o", "json"), True),
        (("status", "--output", "json"), True),
        (("status", "--output=json"), True),
        (("status", "-ojson"), True),
        (("status", "-o", "yaml"), False),
        (("status",), False),
        (("exec", "web", "--", "curl", "-o", "json"), False),
    ],
)
def test_json_is_wanted_when_the_line_says_so(arguments: tuple[str, ...], wanted: bool) -> None:
    assert failure.wants_json(arguments) is wanted


def test_fault_of_orca_itself_is_one_message_and_a_private_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ORCA_DEBUG", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert failure.crash(ZeroDivisionError("by zero"), ()) == exits.CRASHED
    err = capsys.readouterr().err
    assert "error: orca itself has a fault: ZeroDivisionError: by zero" in err
    assert "Traceback" not in err
    found = re.search(r"details are in (\S+);", err)
    assert found
    kept = Path(found[1])
    assert "ZeroDivisionError: by zero" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_fault_of_orca_itself_is_printed_when_debugging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORCA_DEBUG", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failure.crash(ZeroDivisionError("by zero"), ())
    assert "ZeroDivisionError: by zero\n" in capsys.readouterr().err
