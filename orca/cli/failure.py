"""Errors for people: one line that says what happened, one that says what to do.

With `-o json` the same as a problem object, so that a script never has to read prose.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from orca import errors
from orca.cli import exits

_JSON_IN_ONE = ("-ojson", "-o=json", "--output=json")
_JSON_IN_TWO = (("-o", "json"), ("--output", "json"))


def report(error: errors.OrcaError, arguments: Sequence[str]) -> int:
    """Say what went wrong on stderr; returns the exit code."""
    if wants_json(arguments):
        _say(json.dumps(problem(error), ensure_ascii=False, indent=2))
    else:
        _say(text(error))
    return error.exit_code


def text(error: errors.OrcaError) -> str:
    """The error for a person."""
    lines = [f"error: {error.message}"]
    if isinstance(error, errors.InvalidConfig):
        lines = ["\n\n".join(error.problems), "", *lines] if error.problems else lines
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def problem(error: errors.OrcaError) -> dict[str, object]:
    """The error as the API would send it (`application/problem+json`), with its exit code."""
    # As the API does it: `errors.from_kind` takes the problems of a configuration apart again.
    title = error.message
    if isinstance(error, errors.InvalidConfig):
        title = "\n\n".join(error.problems)
    return {
        "type": error.kind,
        "title": title,
        "status": error.http_status,
        "hint": error.hint,
        "error": title,
        "exit_code": error.exit_code,
    }


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `-o json` was given, also when the rest of the line could not be understood."""
    words = list(arguments)
    if "--" in words:
        words = words[: words.index("--")]
    in_two = any(pair in _JSON_IN_TWO for pair in itertools.pairwise(words))
    return in_two or any(word in _JSON_IN_ONE for word in words)


def crash(error: Exception, arguments: Sequence[str]) -> int:
    """Say that orca has a fault, and keep the details where the user can find them."""
    details = "".join(traceback.format_exception(error))
    if os.environ.get("ORCA_DEBUG"):
        _say(details)
    summary = f"orca itself has a fault: {type(error).__name__}: {error}"
    place = _keep(details)
    unexpected = errors.OrcaError(
        summary, hint=f"The details are in {place}; ORCA_DEBUG=1 prints them. Please report them."
    )
    report(unexpected, arguments)
    return exits.CRASHED


def _keep(details: str) -> Path:
    # A traceback may show values: readable by its owner only, as mkstemp makes it.
    handle, name = tempfile.mkstemp(prefix="orca-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(details)
    return Path(name)


def _say(message: str) -> None:
    try:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
