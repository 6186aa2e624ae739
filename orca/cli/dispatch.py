"""Which command is meant. Knows names only; `loader` does the rest.

Options that belong to the server or the files may also stand before the command, as in
`orca --home DIR status`: they are moved behind it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from orca import __version__, errors
from orca.cli import table, toplevel

_HOISTED = ("--home", "--api", "--token", "-C", "--config-dir")
COMPLETE = "_complete"
"""What the completion scripts call; not for people, so not in the table."""
_HELP = ("-h", "--help", "help")


class Invocation(NamedTuple):
    """A command and what it was given."""

    entry: table.Entry
    arguments: tuple[str, ...]


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; the result is the exit code. Raises `errors.OrcaError`."""
    if arguments and arguments[0] == COMPLETE:
        from orca.cli.completions import candidates

        sys.stdout.write(candidates.answer(arguments[1:]))
        return 0
    chosen = parse(tuple(arguments))
    if isinstance(chosen, str):
        sys.stdout.write(chosen)
        return 0
    from orca.cli import loader  # imports the parser: not for `--help`

    return loader.invoke(chosen.entry, chosen.arguments)


def parse(arguments: tuple[str, ...]) -> Invocation | str:
    """The command to run, or a text to print. Raises `errors.UserError` for what does not exist."""
    before, rest = _leading_options(arguments)
    if not rest or rest[0] in _HELP[:2]:
        return toplevel.overview()
    if rest[0] in ("--version", "-V"):
        return f"orca {__version__}\n"
    if rest[0] == "help":
        return parse((*rest[1:], "--help"))
    return _command(before, rest)


def _command(before: tuple[str, ...], rest: tuple[str, ...]) -> Invocation | str:
    first, after = rest[0], rest[1:]
    if first in table.GROUPS:
        if not after or after[0] in _HELP:
            return toplevel.group(first)
        first, after = f"{first} {after[0]}", after[1:]
    entry = table.find(first)
    if entry is None:
        raise _unknown(first)
    return Invocation(entry, (*before, *after))


def _leading_options(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word in _HOISTED:
            index += 2
        elif word.startswith(tuple(f"{name}=" for name in _HOISTED)):
            index += 1
        else:
            break
    return arguments[:index], arguments[index:]


def _unknown(path: str) -> errors.UserError:
    import difflib

    group, _, word = path.rpartition(" ")
    known = [entry.path.split()[-1] for entry in table.members(group)] if group else table.words()
    kind = "option" if word.startswith("-") else "command"
    near = difflib.get_close_matches(word, known, n=1)
    prefix = f"orca {group}".strip()
    more = f"`{prefix} --help` lists the commands."
    hint = f"Did you mean `{prefix} {near[0]}`? {more}" if near else more
    return errors.UserError(f"There is no {kind} `{prefix} {word}`.", hint=hint)
