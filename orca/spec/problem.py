"""A problem: a fault with a place in a file, ready to be read by a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from orca.spec.fault import Path
from orca.spec.source import BrokenToml, Document, Span

Severity = Literal["error", "warning"]

_SECRET_KEYS = {"value", "values", "access_key", "secret_key", "api_key", "setup_key", "env"}
_ASSIGNED = re.compile(r"^(\s*[^=]*=\s*)\S.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`file` is relative to the configuration root; `line` 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    source: str = ""
    length: int = 1
    hint: str = ""
    severity: Severity = "error"

    def render(self) -> str:
        """`file:line:column: message`, the offending line with a caret, the hint. No blank lines."""
        mark = "warning: " if self.severity == "warning" else ""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        parts = [f"{place}: {mark}{self.message}"]
        if self.source.strip():
            parts += self._excerpt()
        if self.hint:
            parts.append(f"  hint: {self.hint}")
        return "\n".join(parts)

    def _excerpt(self) -> list[str]:
        gutter = f"{self.line:>5} | "
        before = self.source[: self.column - 1]
        indent = "".join(char if char == "\t" else " " for char in before)
        carets = "^" * max(1, min(self.length, len(self.source) - len(before)))
        return [gutter + self.source, " " * (len(gutter) - 2) + "| " + indent + carets]


def at(
    document: Document,
    path: Path,
    message: str,
    *,
    hint: str = "",
    severity: Severity = "error",
    key: bool = False,
) -> Problem:
    """The problem `message` at `path` of `document`."""
    span = document.span(path, key=key)
    source = document.line(span.line)
    if holds_secret(path):
        source = _ASSIGNED.sub(r"\1…", source)
    return Problem(
        file=document.name,
        line=span.line,
        column=span.column,
        length=span.length,
        message=message,
        source=source,
        hint=hint,
        severity=severity,
    )


def broken(error: BrokenToml, *, name: str, text: str) -> Problem:
    """The problem that a file is not TOML at all."""
    document = Document(name=name, lines=tuple(text.splitlines()))
    span: Span = error.span
    return Problem(
        file=name,
        line=span.line,
        column=span.column,
        message=error.message,
        source=document.line(span.line),
    )


def whole_file(name: str, message: str, *, hint: str = "", severity: Severity = "error") -> Problem:
    """A problem of a file or directory that no line of it can stand for."""
    return Problem(file=name, line=0, column=0, message=message, hint=hint, severity=severity)


def holds_secret(path: Path) -> bool:
    """Whether what stands at `path` may be a secret, which messages must then not repeat."""
    return not _SECRET_KEYS.isdisjoint(part for part in path if isinstance(part, str))
