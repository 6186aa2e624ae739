"""TOML text → values, and where in the text every key and value stands.

`tomllib` decides what is valid and what the values are; tree-sitter only says where things are. The
hard part is that TOML spreads one value over a file: `[service.env]` belongs to the *last*
`[[service]]` above it, and dotted keys open tables in passing. So headers are resolved here exactly
as TOML resolves them, and every path of the parsed data leads to a span.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

import tree_sitter
import tree_sitter_toml

from orca.spec.fault import Path

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADERS = {"table", "table_array_element"}
_KEYS = {"bare_key", "quoted_key", "dotted_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one line; `line` and `column` count from 1, in characters."""

    line: int
    column: int
    length: int = 1


class BrokenToml(Exception):
    """The text is not TOML; `span` is where reading stopped."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its name as shown to people, its lines, its values and their places."""

    name: str
    lines: tuple[str, ...]
    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where `path` stands, or the nearest thing around it; the first character at worst."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        while path:
            found = first.get(path) or second.get(path)
            if found:
                return found
            path = path[:-1]
        return Span(line=1, column=1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), empty outside the file."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def parse(text: str, *, name: str) -> Document:
    """Read TOML. Raises `BrokenToml` with the place where it stops making sense."""
    lines = tuple(text.splitlines())
    try:
        data = tomllib.loads(text)
        places = _Places(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(str(error), lines) from error
    except RecursionError as error:
        raise BrokenToml("nested too deeply to be read", Span(line=1, column=1)) from error
    return Document(name=name, lines=lines, data=data, keys=places.keys, values=places.values)


def _broken(text: str, lines: tuple[str, ...]) -> BrokenToml:
    """Move the position that tomllib writes into its message out of it again."""
    found = _POSITION.search(text)
    message = _POSITION.sub("", text)
    if found and found[1]:
        span = Span(line=int(found[1]), column=int(found[2]))
    else:
        span = Span(line=max(len(lines), 1), column=len(lines[-1]) + 1 if lines else 1)
    return BrokenToml(f"not valid TOML: {message[:1].lower()}{message[1:]}", span)


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))


class _Places:
    """Walks the syntax tree once and fills `keys` and `values`."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self._lengths: dict[Path, int] = {}  # elements seen so far of each [[array of tables]]
        encoded = text.encode()
        self._rows = encoded.split(b"\n")
        for node in _parser().parse(encoded).root_node.named_children:
            if node.type in _HEADERS:
                self._header(node)
            elif node.type == "pair":
                self._pair(node, ())

    def _header(self, node: tree_sitter.Node) -> None:
        children = [child for child in node.named_children if child.type != "comment"]
        names = _key_nodes(children[0])
        path: Path = ()
        for name in names:
            path = (*self._inside(path), _key_text(name))
            self.keys.setdefault(path, self._span(name))
        if node.type == "table_array_element":
            self._lengths[path] = self._lengths.get(path, 0) + 1
        whole = self._span(node)
        path = self._inside(path)
        self.values[path] = whole
        self.keys[path] = self._span(names[-1])
        for child in children[1:]:
            self._pair(child, path)

    def _inside(self, path: Path) -> Path:
        """What a key after `path` goes into: the last element when `path` is an array of tables."""
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _pair(self, node: tree_sitter.Node, path: Path) -> None:
        key, value = (child for child in node.named_children if child.type != "comment")
        for name in _key_nodes(key):
            path = (*path, _key_text(name))
            self.keys.setdefault(path, self._span(name))
        self._value(value, path)

    def _value(self, node: tree_sitter.Node, path: Path) -> None:
        self.values[path] = self._span(node)
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type == "array":
            for index, child in enumerate(children):
                self._value(child, (*path, index))
        elif node.type == "inline_table":
            for child in children:
                self._pair(child, path)

    def _span(self, node: tree_sitter.Node) -> Span:
        """The node's first line only, counted in characters where tree-sitter counts bytes."""
        (row, start), (last_row, end) = node.start_point, node.end_point
        line = self._rows[row].rstrip(b"\r")
        end = end if row == last_row and end <= len(line) else len(line)
        if node.type in _HEADERS:  # the header itself, not the table's content
            end = len(line.split(b"#")[0].rstrip())
        column = len(line[:start].decode()) + 1
        return Span(line=row + 1, column=column, length=max(len(line[start:end].decode()), 1))


def _key_nodes(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The single names of a key; the grammar nests dotted keys to the left."""
    if node.type != "dotted_key":
        return [node]
    return [
        name for child in node.named_children if child.type in _KEYS for name in _key_nodes(child)
    ]


def _key_text(node: tree_sitter.Node) -> str:
    raw = (node.text or b"").decode()
    if node.type == "bare_key":
        return raw
    return next(iter(tomllib.loads(f"{raw} = 0")))
