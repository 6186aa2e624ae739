"""Reading `.env` files for `orca secrets import`.

The common core of the dialects: `NAME=value`, `export`, comments, single quotes (literal), double
quotes (with escapes), both over several lines. Not a shell: `$OTHER` is kept as it stands, because a
password may contain a dollar sign. Where dialects disagree the file is refused, not guessed at.

Messages name file, line and column and never quote the line: it may hold a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orca import errors
from orca.secrets.names import SecretName, secret_name
from orca.secrets.value import SecretValue

_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=#'\"]+)[ \t]*=[ \t]*")
_BLANK = re.compile(r"[ \t]*(?:#.*)?$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One assignment, and the line it begins on (from 1)."""

    name: SecretName
    value: SecretValue
    line: int


class _Fault(Exception):
    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def parse(text: str, *, file: str = ".env") -> tuple[Entry, ...]:
    """The assignments of a `.env` file in their order.

    Raises `errors.InvalidConfig` with every faulty line at once.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    entries: list[Entry] = []
    faults: list[_Fault] = []
    index = 0
    while index < len(lines):
        try:
            entry, index = _assignment(lines, index)
        except _Fault as fault:
            faults.append(fault)
            index += 1
            continue
        if entry is not None:
            entries.append(entry)
    faults += _duplicates(entries)
    if faults:
        faults.sort(key=lambda fault: (fault.line, fault.column))
        raise errors.InvalidConfig(
            tuple(f"{file}:{at.line}:{at.column}: {at.message}" for at in faults),
            hint="Nothing was imported.",
        )
    return tuple(entries)


def _assignment(lines: list[str], index: int) -> tuple[Entry | None, int]:
    """The assignment that begins on line `index`, if any, and the index of the line after it."""
    line = lines[index]
    if _BLANK.match(line):
        return None, index + 1
    found = _ASSIGNMENT.match(line)
    if found is None:
        raise _Fault("expected NAME=value", line=index + 1, column=_first_column(line))
    try:
        name = secret_name(found[1])
    except errors.UserError as error:
        raise _Fault(
            f"{error.message}: {error.hint}", line=index + 1, column=found.start(1) + 1
        ) from error
    value, after = _value(lines, index, found.end())
    return Entry(name=name, value=SecretValue(value), line=index + 1), after


def _value(lines: list[str], index: int, start: int) -> tuple[str, int]:
    line = lines[index]
    if start < len(line) and line[start] in "'\"":
        return _quoted(lines, index, start)
    # A comment needs a blank before it: '#' inside a word belongs to the value.
    return re.split(r"(?:^|[ \t])#", line[start:], maxsplit=1)[0].strip(), index + 1


def _quoted(lines: list[str], index: int, start: int) -> tuple[str, int]:
    quote = lines[index][start]
    collected: list[str] = []
    row, column = index, start + 1
    while True:
        line = lines[row]
        while column < len(line):
            char = line[column]
            if char == quote:
                _expect_end(line, row, column + 1)
                return "".join(collected), row + 1
            if char == "\\" and quote == '"':
                column += 1
                char = _unescaped(line, row, column)
            collected.append(char)
            column += 1
        row, column = row + 1, 0
        if row == len(lines):
            raise _Fault(f"the {quote} is never closed", line=index + 1, column=start + 1)
        collected.append("\n")


def _unescaped(line: str, row: int, column: int) -> str:
    escaped = line[column] if column < len(line) else ""
    if escaped not in _ESCAPES:
        raise _Fault(
            "unknown escape after '\\'; write '\\\\' for a backslash, or use single quotes",
            line=row + 1,
            column=column,
        )
    return _ESCAPES[escaped]


def _expect_end(line: str, row: int, column: int) -> None:
    if not _BLANK.match(line, column):
        raise _Fault("unexpected text after the closing quote", line=row + 1, column=column + 1)


def _duplicates(entries: list[Entry]) -> list[_Fault]:
    first: dict[SecretName, int] = {}
    faults = []
    for entry in entries:
        if entry.name in first:
            message = f"{entry.name} was already given on line {first[entry.name]}"
            faults.append(_Fault(message, line=entry.line, column=1))
        first.setdefault(entry.name, entry.line)
    return faults


def _first_column(line: str) -> int:
    return len(line) - len(line.lstrip()) + 1
