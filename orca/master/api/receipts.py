"""`Idempotency-Key`: the answer to a change is kept, so that a client may send it again blindly.

A receipt belongs to one caller and one key. The same request again gets the kept answer; another
request under the same key is a conflict; one that is still being worked on is waited for. Only success
is kept, since a failure is what one wants to try again.

In memory, bounded in number and age: after a restart of the server a repeated key is a new request.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from orca import errors

KEY_CHARS_MAX = 200
RECEIPTS_MAX = 1000
AGE_SECONDS_MAX = 24 * 3600.0
BODY_BYTES_MAX = 256 * 1024
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that can be given again."""

    status: int
    body: bytes
    content_type: str


@dataclass(slots=True)
class _Receipt:
    fingerprint: bytes
    expires: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept: Kept | None = None


def fingerprint(*parts: bytes) -> bytes:
    """What a request says, in 32 bytes; where one part ends counts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


class Receipts:
    """The answers kept by this server."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._receipts: OrderedDict[tuple[str, str], _Receipt] = OrderedDict()

    def __len__(self) -> int:
        return len(self._receipts)

    async def once(
        self, scope: tuple[str, str], mark: bytes, work: Callable[[], Awaitable[Kept]]
    ) -> tuple[Kept, bool]:
        """The answer of `work` or the one kept for it; True says that it was kept.

        `scope` is caller and key. Raises `Conflict` when the key stands for another request, and
        `UserError` for a key that is too long.
        """
        if len(scope[1]) > KEY_CHARS_MAX:
            raise errors.UserError(f"Idempotency-Key is longer than {KEY_CHARS_MAX} characters.")
        receipt = self._claim(scope, mark)
        async with receipt.lock:
            if receipt.kept is not None:
                return receipt.kept, True
            answer = await work()
            if answer.status in _SUCCESS and len(answer.body) <= BODY_BYTES_MAX:
                receipt.kept = answer
            return answer, False

    def _claim(self, scope: tuple[str, str], mark: bytes) -> _Receipt:
        self._forget()
        receipt = self._receipts.get(scope)
        if receipt is None or (receipt.kept is None and not receipt.lock.locked()):
            receipt = _Receipt(mark, self._now() + AGE_SECONDS_MAX)
            self._receipts.pop(scope, None)
            self._receipts[scope] = receipt
        if receipt.fingerprint != mark:
            raise errors.Conflict(
                "This Idempotency-Key was used for another request.",
                hint="Make a new key for each new request.",
            )
        return receipt

    def _forget(self) -> None:
        """Drop what is too old or too much. Insertion order is the order of expiry."""
        now = self._now()
        while self._receipts:
            scope, oldest = next(iter(self._receipts.items()))
            if oldest.expires > now and len(self._receipts) < RECEIPTS_MAX:
                return
            del self._receipts[scope]
