"""Where the API is and which token opens it, found the same way by every client.

Explicit wins over environment, environment over the files that the server keeps in its home.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from orca import errors
from orca.secrets import private_files

DEFAULT_URL = "http://127.0.0.1:6880"
TOKEN_FILE = "cluster.token"  # noqa: S105 - the name of a file
URL_FILE = "api.url"
"""Written by the server when it listens, so that clients follow `api_port` without being told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How to reach a server."""

    url: str = DEFAULT_URL
    """Scheme, host and port."""
    token: str = field(default="", repr=False)
    home: Path | None = None
    """Where the token was looked for; for messages."""
    ca_file: Path | None = None
    """Certificates to trust for https, in place of the system's."""
    timeout_seconds: float = 60.0
    """For one whole answer; streams have none."""
    silence_seconds: float = 45.0
    """A stream that says nothing for longer, not even a heartbeat, is broken."""

    def __post_init__(self) -> None:
        """Raises `UserError` for a URL that is none, or that would show the token to the network."""
        parts = _split(self.url)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise errors.UserError(
                f"The API address {self.url} would send the token unencrypted over the network.",
                hint="Use https://, or a tunnel to 127.0.0.1.",
            )

    @classmethod
    def discover(
        cls, env: Mapping[str, str], home: Path | None = None, *, url: str = "", token: str = ""
    ) -> ClientSettings:
        """Settings from flags, `ORCA_API`, `ORCA_TOKEN`, `ORCA_HOME`, `ORCA_CA_FILE` and the home.

        Raises `UserError` for a bad address or a token file that others may read, `Failed` when a
        file cannot be read.
        """
        home = home or home_of(env)
        ca_file = env.get("ORCA_CA_FILE", "")
        return cls(
            url=(url or env.get("ORCA_API", "") or _url_in(home) or DEFAULT_URL).rstrip("/"),
            token=token or env.get("ORCA_TOKEN", "") or _token_in(home),
            home=home,
            ca_file=Path(ca_file) if ca_file else None,
        )


def home_of(env: Mapping[str, str]) -> Path:
    """The state directory: `ORCA_HOME`, or `~/.orca`."""
    named = env.get("ORCA_HOME", "")
    return Path(named).expanduser() if named else Path(env.get("HOME") or Path.home()) / ".orca"


def publish_url(home: Path, url: str) -> None:
    """Tell the clients of this home where the API is. Raises `Failed` when the disk refuses."""
    private_files.write_private(home / URL_FILE, url.encode() + b"\n")


def _url_in(home: Path) -> str:
    return (private_files.read_private(home / URL_FILE) or b"").decode(errors="replace").strip()


def _token_in(home: Path) -> str:
    return (private_files.read_private(home / TOKEN_FILE) or b"").decode(errors="replace").strip()


def _split(url: str) -> _Parts:
    try:
        parts = urlsplit(url)
        found = _Parts(scheme=parts.scheme, hostname=parts.hostname, port=parts.port)
    except ValueError as error:
        raise _no_address(url) from error
    if found.scheme not in ("http", "https") or not found.hostname:
        raise _no_address(url)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    scheme: str
    hostname: str | None
    port: int | None


def _no_address(url: str) -> errors.UserError:
    return errors.UserError(
        f"{url!r} is not the address of an API.", hint=f"Write it like {DEFAULT_URL}."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
