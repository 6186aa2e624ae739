"""Reading a secret without showing it: a hidden prompt, stdin, a file, or (with a warning) an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from orca import errors
from orca.cli import terminal
from orca.secrets import dotenv


def read(name: str, *, argument: str | None, file: Path | None) -> str:
    """The value for `name`. Raises `errors.UserError`."""
    if argument is not None and file is not None:
        raise errors.UserError(
            "Both a value and a file were given.",
            hint=f"Say `orca secrets set {name} --file FILE`.",
        )
    if argument is not None:
        terminal.warn(
            "a secret as an argument stays in the shell's history and shows in the process list; "
            f"`orca secrets set {name}` asks for it"
        )
        return argument
    if file is not None:
        return _file(file)
    return _asked(name) if sys.stdin.isatty() else _piped(name)


def read_dotenv(file: Path) -> dict[str, str]:
    """All values of a `.env` file. Raises `errors.UserError`, with every faulty line at once."""
    entries = dotenv.parse(_file(file), file=str(file))
    if not entries:
        raise errors.UserError(f"{file} assigns nothing.", hint="Expected lines like NAME=value.")
    return {str(entry.name): entry.value.reveal_text() for entry in entries}


def _asked(name: str) -> str:
    first = getpass.getpass(f"Value of {name}: ", stream=sys.stderr)
    if not first:
        raise errors.UserError("The value is empty.", hint="Nothing was changed.")
    if getpass.getpass("Once more: ", stream=sys.stderr) != first:
        raise errors.UserError("The two values differ.", hint="Nothing was changed; try again.")
    return first


def _piped(name: str) -> str:
    # `echo value | …` and `pass show … | …` end in a line end that nobody means.
    value = _decoded(sys.stdin.buffer.read(), "stdin").removesuffix("\n").removesuffix("\r")
    if not value:
        raise errors.UserError(
            "There is no value on stdin.",
            hint=f"Pipe it in, or `orca secrets set {name} --file F`.",
        )
    return value


def _file(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise errors.UserError(f"{file} cannot be read: {error.strerror}.") from error
    return _decoded(data, str(file))


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise errors.UserError(
            f"{source} is not UTF-8 text.",
            hint="Keep binary values encoded, for example as base64.",
        ) from error
