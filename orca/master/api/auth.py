"""Who is calling: bearer tokens, kept as SHA-256 hashes, and a brake on guessing.

Tokens are long and random, so a plain hash is enough; what people choose themselves never becomes
one. A valid token is let through however often others failed from the same address: the brake must
not turn into a way of locking people out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orca import errors
from orca.master.control import Principal, Role
from orca.secrets import private_files

ADMIN_NAME = "admin"
TOKEN_BYTES = 32

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def load_or_create_token(path: Path) -> str:
    """The admin token in `path` (0600); a new random one when there is no such file.

    Raises `UserError` when others may read the file or it is empty, `Failed` when the disk refuses.
    """
    fresh = secrets.token_urlsafe(TOKEN_BYTES)
    if private_files.create_private(path, fresh.encode() + b"\n"):
        return fresh
    token = (private_files.read_private(path) or b"").decode(errors="replace").strip()
    if not token:
        raise errors.UserError(
            f"{path} holds no token.", hint="Remove the file: the next start writes a new one."
        )
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token: never the token itself."""

    digest: bytes
    principal: Principal


class TokenBook:
    """The tokens that are valid now."""

    def __init__(self, admin_token: str) -> None:
        self._admin = Token(
            digest=_digest(admin_token), principal=Principal(name=ADMIN_NAME, role=Role.ADMIN)
        )
        self._configured: tuple[Token, ...] = ()

    def __repr__(self) -> str:
        return f"TokenBook({[token.principal.name for token in self._tokens]})"

    @property
    def _tokens(self) -> tuple[Token, ...]:
        return (self._admin, *self._configured)

    def replace(self, configured: Iterable[tuple[str, str, Role]]) -> None:
        """Put `(name, sha256 in hex, role)` in the place of all configured tokens.

        Raises `UserError`, and changes nothing, for a bad hash or a name that is used twice.
        """
        tokens: dict[str, Token] = {}
        for name, sha256, role in configured:
            if not _SHA256_HEX.fullmatch(sha256.lower()):
                raise errors.UserError(
                    f"The hash of the token {name!r} is not a SHA-256 in hexadecimal.",
                    hint="Make one with: printf %s TOKEN | sha256sum",
                )
            if name in tokens or name == ADMIN_NAME:
                raise errors.UserError(f"There are two tokens with the name {name!r}.")
            principal = Principal(name=name, role=role)
            tokens[name] = Token(digest=bytes.fromhex(sha256), principal=principal)
        self._configured = tuple(tokens.values())

    def principal_of(self, token: str) -> Principal | None:
        """Whose token this is; takes the same time for every wrong one."""
        digest = _digest(token)
        found = [t.principal for t in self._tokens if hmac.compare_digest(t.digest, digest)]
        return found[0] if found else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def bearer(header: str) -> str:
    """The token in an `Authorization` header; empty when there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class FailureBrake:
    """Counts failures per address in a sliding window. Bounded: the oldest addresses are forgotten."""

    def __init__(
        self, *, limit: int = 60, window_seconds: float = 60.0, addresses_max: int = 1024
    ) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self.addresses_max = addresses_max
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def record(self, address: str, now: float) -> float:
        """Note a failure; returns the seconds until the next may follow, 0 while it still may."""
        times = self._failures.setdefault(address, deque(maxlen=self.limit))
        self._failures.move_to_end(address)
        while len(self._failures) > self.addresses_max:
            self._failures.popitem(last=False)
        wait = self._wait_seconds(times, now)
        if not wait:
            times.append(now)
        return wait

    def _wait_seconds(self, times: deque[float], now: float) -> float:
        if len(times) < self.limit:
            return 0.0
        return max(0.0, times[0] + self.window_seconds - now)
