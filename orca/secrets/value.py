"""A secret's value in memory, which shows itself only when asked by name.

This is no protection against code that wants the value; it is one against code that did not mean to
print it: an f-string, a traceback with locals, a log line, a repr of the object that holds it.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

from orca import errors

MASK = "[redacted]"


@final
class SecretValue:
    """Bytes that are masked in `repr`, `str`, `format`, and refuse to be pickled."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes | str) -> None:
        self._content = content.encode() if isinstance(content, str) else content

    def reveal(self) -> bytes:
        """The content itself; for a file in the container."""
        return self._content

    def reveal_text(self) -> str:
        """The content as text, for an environment variable or a configuration value.

        Raises `errors.UserError` when it is none: not UTF-8, or with a NUL, which no environment
        can hold.
        """
        try:
            text = self._content.decode()
        except UnicodeDecodeError:
            raise _not_text() from None  # the original error quotes the content
        if "\0" in text:
            raise _not_text()
        return text

    def __len__(self) -> int:
        return len(self._content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretValue):
            return NotImplemented
        return hmac.compare_digest(self._content, other._content)

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        return f"SecretValue({MASK})"

    def __str__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SecretValue is not pickled: seal it")


def from_input(content: bytes) -> SecretValue:
    """A value that came through a pipe or a prompt: one line break at its end is not part of it.

    Raises `errors.UserError` when nothing came: then the command before the pipe has failed.
    """
    value = content.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise errors.UserError(
            "the value is empty",
            hint="Check the command that was to print it; `orca secrets rm` removes a secret.",
        )
    return SecretValue(value)


def _not_text() -> errors.UserError:
    return errors.UserError(
        "the secret's value is not text, so it cannot stand inside a string",
        hint="Mount it as a file instead.",
    )
