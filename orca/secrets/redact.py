"""Keeping known secret values out of everything that is written down.

The last line of defence, not the first: values are passed as `SecretValue`, and resolved text goes to
the container and nowhere else. But an error of Docker's quotes the environment, a traceback quotes an
argument, a program echoes its password. So every text on its way to a log, a trace or an answer goes
through here and loses each value that orca has ever held, in the forms it travels in: as it is,
base64 (also in the middle of a longer base64 text, as in `Authorization: Basic`), URL-encoded,
escaped as in JSON, and line by line where it has several.

It cannot know a value that was hashed, cut or compressed, and it leaves values of fewer than four
characters alone: masking every `1` would hide the log, not the secret.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from orca.secrets.value import MASK, SecretValue

CHARS_MIN = 4
_EMBEDDED_CHARS_MIN = 8
_LINE_CHARS_MIN = 8


class Redactor:
    """Replaces known values by `[redacted]`. Safe to share between threads.

    Values are only ever added: one that was rotated away may still be in use, or in a log's past.
    """

    def __init__(self, values: Iterable[SecretValue] = ()) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[SecretValue] = frozenset()
        self._forms: tuple[str, ...] = ()
        self.learn(values)

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} values)"

    def learn(self, values: Iterable[SecretValue]) -> None:
        """Redact these from now on, too."""
        with self._lock:
            new = frozenset(values) - self._known
            if not new:
                return
            self._known |= new
            forms = set(self._forms).union(*(_forms(value.reveal()) for value in new))
            # Longest first: a value that contains another must not be left in pieces.
            self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))

    def text(self, text: str) -> str:
        """`text` without any known value."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def data(self, value: Any) -> Any:
        """The same for strings anywhere in nested data; unknown objects become their redacted repr."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case Mapping():
                return {self.data(key): self.data(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.data(item) for item in value]
            case _:
                return self.text(repr(value))

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """A structlog processor; belongs after tracebacks became text and before rendering."""
        return {key: self.data(value) for key, value in event.items()}


def _forms(content: bytes) -> set[str]:
    """Every text in which a value of this content is recognised."""
    forms = _base64_forms(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return forms
    for part in _parts(text):
        forms |= {
            part,
            urllib.parse.quote(part, safe=""),
            urllib.parse.quote(part),
            urllib.parse.quote_plus(part),
            json.dumps(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            repr(part)[1:-1],
        }
    return {form for form in forms if len(form) >= CHARS_MIN}


def _parts(text: str) -> set[str]:
    """The whole value, and its lines: programs print a key line by line."""
    whole = text.strip()
    if len(whole) < CHARS_MIN:
        return set()
    lines = (line.strip() for line in whole.splitlines())
    telling = {line for line in lines if len(line) >= _LINE_CHARS_MIN and line[:5] != "-----"}
    return {whole, text} | telling


def _base64_forms(content: bytes) -> set[str]:
    if len(content) < CHARS_MIN:
        return set()
    standard = base64.b64encode(content).decode()
    forms = {standard, standard.rstrip("=")}
    forms |= {form for offset in range(3) if (form := _embedded(content, offset))}
    return forms | {form.translate(str.maketrans("+/", "-_")) for form in forms}


def _embedded(content: bytes, offset: int) -> str:
    """What `content` looks like inside a longer base64 text, `offset` bytes into a group of three.

    The characters at both ends mix its bits with its neighbours' and are left out; an empty answer
    means that too little is left to be told from chance.
    """
    encoded = base64.b64encode(bytes(offset) + content).decode()
    first = -(-offset * 8 // 6)
    last = (offset + len(content)) * 8 // 6
    core = encoded[first:last]
    return core if len(core) >= _EMBEDDED_CHARS_MIN else ""
