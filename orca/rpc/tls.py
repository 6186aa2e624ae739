"""The cluster's certificate authority and the identities it gives to programs.

Everything that speaks gRPC in a cluster presents a certificate of this CA and demands one. Who is
calling is the URI in the certificate (`orca://node/<id>`), never an address. Certificates for the
users' own domains are not made here.

The hard part is that a key and its certificate are two files: a crash between the two writes leaves
a pair that does not match. Keys are written first, a certificate without its twin counts as absent,
and what can be issued again is issued again. Only the CA's own key cannot be: its loss is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from orca import errors
from orca.rpc import certificates
from orca.secrets import private_files

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=90)
NODE_LIFETIME = timedelta(hours=24)

_RENEWAL_NUMERATOR, _RENEWAL_DENOMINATOR = 2, 3


class _HasAuthContext(Protocol):
    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate, its private key, and the CA that both sides trust. All PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_pem: bytes = field(repr=False)

    @cached_property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_pem)

    @property
    def uri(self) -> str | None:
        """The name this identity acts under (`orca://…`), if it has one."""
        uris = certificates.alternative_names(self.certificate).get_values_for_type(
            x509.UniformResourceIdentifier
        )
        return uris[0] if uris else None

    def write(self, directory: Path, name: str) -> None:
        """Write `<name>.key`, `<name>.crt` and `ca.crt` into `directory`, each all or nothing."""
        private_files.write_private(directory / f"{name}.key", self.key_pem)
        private_files.write_private(directory / f"{name}.crt", self.certificate_pem)
        private_files.write_private(directory / "ca.crt", self.ca_pem)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self | None:
        """What `write` wrote, or None when it is absent, torn, or not a pair: issue it again.

        Raises `errors.UserError` when others could have read it.
        """
        key = private_files.read_private(directory / f"{name}.key")
        certificate = private_files.read_private(directory / f"{name}.crt")
        ca = private_files.read_private(directory / "ca.crt")
        if key is None or certificate is None or ca is None:
            return None
        identity = cls(certificate_pem=certificate, key_pem=key, ca_pem=ca)
        try:
            if certificates.public_bytes(certificates.load_key(key)) != certificates.public_bytes(
                identity.certificate
            ):
                return None
        except ValueError:
            return None
        return identity

    def grpc_channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials for a client that proves who it is and accepts only this CA."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca_pem,
            private_key=self.key_pem,
            certificate_chain=self.certificate_pem,
        )

    def grpc_server_credentials(self) -> grpc.ServerCredentials:
        """Credentials for a server that refuses callers without a certificate of this CA."""
        return grpc.ssl_server_credentials(
            [(self.key_pem, self.certificate_pem)],
            root_certificates=self.ca_pem,
            require_client_auth=True,
        )


class CertificateAuthority:
    """Issues the certificates of one cluster.

    The private key stays in this object and in `ca.key`; losing the file means that every node must
    join again, so it belongs into the backup of the keys.
    """

    def __init__(self, *, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    def __repr__(self) -> str:
        return f"CertificateAuthority({self._certificate.subject.rfc4514_string()!r})"

    @property
    def certificate_pem(self) -> bytes:
        return certificates.pem(self._certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal: what a join token pins."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    @classmethod
    def load_or_create(cls, directory: Path, *, cluster: str, now: datetime) -> Self:
        """The CA kept in `directory` (`ca.crt`, `ca.key`), made on first use.

        Raises `errors.UserError` when the files do not fit together, have expired, lost their key,
        or are readable by others.
        """
        key_path, certificate_path = directory / "ca.key", directory / "ca.crt"
        if private_files.read_private(key_path) is None:
            _refuse_orphan(certificate_path, key_path)
            private_files.create_private(key_path, certificates.key_pem(certificates.new_key()))
        key = _read_key(key_path)
        # A key alone is a first start that was cut short: its certificate is made now, and the link
        # in `create_private` lets only one of two such processes win.
        if private_files.read_private(certificate_path) is None:
            certificate = certificates.self_signed(
                key, common_name=f"orca {cluster} CA", lifetime=CA_LIFETIME, now=now
            )
            private_files.create_private(certificate_path, certificates.pem(certificate))
        certificate = _read_certificate(certificate_path)
        _refuse_unusable(certificate, key, path=certificate_path, now=now)
        return cls(certificate=certificate, key=key)

    def issue(
        self,
        *,
        common_name: str,
        uri: str | None = None,
        dns: Sequence[str] = (),
        ips: Sequence[str] = (),
        lifetime: timedelta,
        now: datetime,
    ) -> Identity:
        """A new key with a certificate for it, good as a server's and as a client's.

        Both uses are allowed because peers dial each other (etcd dials even itself). The
        certificate never outlives the CA. Raises `ValueError` on an address that is none.
        """
        key = certificates.new_key()
        certificate = certificates.leaf(
            key,
            common_name=common_name,
            names=certificates.subject_alternative_names(uri=uri, dns=dns, ips=ips),
            issuer=self._certificate,
            issuer_key=self._key,
            not_after=min(now + lifetime, self._certificate.not_valid_after_utc),
            now=now,
        )
        return Identity(
            certificate_pem=certificates.pem(certificate),
            key_pem=certificates.key_pem(key),
            ca_pem=self.certificate_pem,
        )

    def ensure(
        self,
        directory: Path,
        name: str,
        *,
        common_name: str,
        uri: str | None = None,
        dns: Sequence[str] = (),
        ips: Sequence[str] = (),
        lifetime: timedelta,
        now: datetime,
    ) -> Identity:
        """The identity kept as `name` in `directory`, issued and written anew where it must be.

        It must be when it is absent or torn, due for renewal, from another CA, or made for other
        names than the ones asked for.
        """
        kept = Identity.load(directory, name)
        names = certificates.subject_alternative_names(uri=uri, dns=dns, ips=ips)
        if (
            kept is not None
            and self._issued(kept)
            and not needs_renewal(kept, now)
            and list(certificates.alternative_names(kept.certificate)) == names
        ):
            return kept
        fresh = self.issue(
            common_name=common_name, uri=uri, dns=dns, ips=ips, lifetime=lifetime, now=now
        )
        fresh.write(directory, name)
        return fresh

    def _issued(self, identity: Identity) -> bool:
        try:
            identity.certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return identity.ca_pem == self.certificate_pem


def renewal_time(identity: Identity) -> datetime:
    """When two thirds of the certificate's life are over; add jitter before waiting for it."""
    begin = identity.certificate.not_valid_before_utc
    life = identity.certificate.not_valid_after_utc - begin
    return begin + life * _RENEWAL_NUMERATOR / _RENEWAL_DENOMINATOR


def needs_renewal(identity: Identity, now: datetime) -> bool:
    """Whether two thirds of the certificate's life are over at `now`."""
    return now >= renewal_time(identity)


def rotating_server_credentials(current: Callable[[], Identity]) -> grpc.ServerCredentials:
    """Server credentials that follow `current()`: each new handshake gets the latest identity.

    Connections that are open stay open. `current` runs on grpc's own thread at every handshake and
    must only return what it holds. Client channels cannot rotate: they are rebuilt.
    """
    initial = current()
    served = (initial, _server_configuration(initial))

    def fetch() -> grpc.ServerCertificateConfiguration:
        nonlocal served
        identity = current()
        if identity is not served[0]:
            served = (identity, _server_configuration(identity))
        return served[1]

    return grpc.dynamic_ssl_server_credentials(served[1], fetch, require_client_authentication=True)


def peer_uri(context: _HasAuthContext) -> str | None:
    """The URI in the caller's certificate, or None when it has none, or more than one.

    grpc has verified the certificate by then: an unverified caller never reaches a servicer of
    `grpc_server_credentials`, and one on a plain-text port has no URI.
    """
    uris = list(context.auth_context().get("peer_uri", ()))
    if len(uris) != 1:
        return None
    try:
        return uris[0].decode("ascii")
    except UnicodeDecodeError:
        return None


def _server_configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key_pem, identity.certificate_pem)], root_certificates=identity.ca_pem
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        return certificates.load_key(private_files.read_private(path) or b"")
    except ValueError as error:
        raise _restore(f"{path} does not hold the private key of the cluster's CA") from error


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(private_files.read_private(path) or b"")
    except ValueError as error:
        raise _restore(f"{path} does not hold the certificate of the cluster's CA") from error


def _refuse_orphan(certificate_path: Path, key_path: Path) -> None:
    if private_files.read_private(certificate_path) is not None:
        # Looked at again because another process may have written both in between.
        if private_files.read_private(key_path) is not None:
            return
        raise _restore(f"{certificate_path} is there, but its key {key_path} is not")


def _refuse_unusable(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, path: Path, now: datetime
) -> None:
    if certificates.public_bytes(certificate) != certificates.public_bytes(key):
        raise _restore(f"{path} belongs to another key than the one beside it")
    if now >= certificate.not_valid_after_utc:
        raise errors.UserError(
            f"the cluster's CA {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
            hint="Check the clock of this host. If it is right, move both CA files away; "
            "a new CA is made at the next start and every other host must join again.",
        )


def _restore(message: str) -> errors.UserError:
    return errors.UserError(
        message,
        hint="Restore both CA files from a backup, or move both away: "
        "a new CA is then made and every other host must join again.",
    )
