"""What may stand where the cursor is.

Words come from the command table, options from the command's own parameters, names of services from
the server. Whatever goes wrong means no candidates: a completion must never print an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from orca.cli import table
from orca.cli.completions.scripts import SCRIPTS

Names = Callable[[str], Iterable[str]]
"""From a kind of the table (`service`, `secret`) to the names there are."""


def candidates(words: Sequence[str], names: Names) -> tuple[str, ...]:
    """Everything that begins like the last of the words after `orca`, which may be empty."""
    *before, typed = words or [""]
    found = _following(before, typed, names)
    return tuple(word for word in dict.fromkeys(found) if word.startswith(typed))


def answer(words: Sequence[str]) -> str:
    """One candidate per line, as the scripts want them."""
    return "".join(f"{word}\n" for word in candidates(words, _live))


def _live(kind: str) -> Iterable[str]:
    from orca.cli.completions import live  # needs a connection: not for words of the table

    return live.names(kind)


def _following(before: Sequence[str], typed: str, names: Names) -> Iterable[str]:
    if not before:
        return table.words()
    if before[0] in table.GROUPS and len(before) == 1:
        return [entry.path.split()[1] for entry in table.members(before[0])]
    depth = 2 if before[0] in table.GROUPS else 1
    entry = table.find(" ".join(before[:depth]))
    if entry is None or "--" in before:
        return ()
    if typed.startswith("-"):
        return _options(entry)
    return _arguments(entry, names)


def _options(entry: table.Entry) -> list[str]:
    from orca.cli import loader

    parameters = loader.build(entry).params
    return [word for parameter in parameters for word in parameter.opts if word.startswith("-")]


def _arguments(entry: table.Entry, names: Names) -> Iterable[str]:
    if entry.completes == table.SHELL:
        return SCRIPTS
    return names(entry.completes) if entry.completes else ()
