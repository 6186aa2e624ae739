"""How to reach an etcd: endpoints, certificates, a login."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from orca import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdTls:
    """Files (PEM) of a mutual TLS connection."""

    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdLogin:
    """A user of etcd's own access control."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"EtcdLogin(user={self.user!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSettings:
    """How to reach etcd.

    `endpoints` are `host:port`, with or without `http://` or `https://`. `timeout_seconds` bounds a
    request with all its retries, `attempt_timeout_seconds` one try on one endpoint.
    """

    endpoints: tuple[str, ...]
    tls: EtcdTls | None = None
    login: EtcdLogin | None = None
    timeout_seconds: float = 5.0
    attempt_timeout_seconds: float = 2.0


def credentials(tls: EtcdTls | None) -> grpc.ChannelCredentials | None:
    """Read the files; raises UserError naming one that cannot be read."""
    if tls is None:
        return None
    try:
        return grpc.ssl_channel_credentials(
            root_certificates=tls.ca_file.read_bytes(),
            private_key=tls.key_file.read_bytes(),
            certificate_chain=tls.cert_file.read_bytes(),
        )
    except OSError as error:
        raise errors.UserError(
            f"The etcd client's file {error.filename} cannot be read: {error.strerror}."
        ) from error
