"""The cluster CA: what it issues, what it refuses, and who grpc then believes to be calling."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from orca import errors
from orca.rpc import certificates, tls

NOW = datetime.now(UTC)
METHOD = "/test.Echo/Who"


@pytest.fixture
def authority(tmp_path: Path) -> tls.CertificateAuthority:
    return tls.CertificateAuthority.load_or_create(tmp_path / "ca", cluster="test", now=NOW)


def server_identity(authority: tls.CertificateAuthority) -> tls.Identity:
    return authority.issue(
        common_name="master",
        uri="orca://master/a",
        dns=["localhost"],
        ips=["127.0.0.1", "::1"],
        lifetime=tls.SERVER_LIFETIME,
        now=NOW,
    )


def node_identity(authority: tls.CertificateAuthority, *, uri: str | None) -> tls.Identity:
    return authority.issue(common_name="node", uri=uri, lifetime=tls.NODE_LIFETIME, now=NOW)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- the CA's own files ------------------------------------------------------------------------


def test_ca_files_are_private_from_creation_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        tls.CertificateAuthority.load_or_create(tmp_path / "ca", cluster="c", now=NOW)
    finally:
        os.umask(before)
    assert mode(tmp_path / "ca") == 0o700
    assert mode(tmp_path / "ca" / "ca.key") == 0o600
    assert mode(tmp_path / "ca" / "ca.crt") == 0o600
    assert {p.name for p in (tmp_path / "ca").iterdir()} == {"ca.key", "ca.crt"}


def test_ca_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    second = tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    assert second.certificate_pem == first.certificate_pem
    assert len(first.fingerprint) == 64


def test_ca_interrupted_after_its_key_is_completed_with_that_key(tmp_path: Path) -> None:
    first = tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    key = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.crt").unlink()
    leaf = server_identity(first)
    second = tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    assert (tmp_path / "ca.key").read_bytes() == key
    again = x509.load_pem_x509_certificate(second.certificate_pem)
    leaf.certificate.verify_directly_issued_by(again)


def test_ca_without_its_key_is_refused_and_nothing_is_replaced(tmp_path: Path) -> None:
    tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(errors.UserError, match=r"ca\.key is not") as caught:
        tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    assert "backup" in caught.value.hint
    assert not (tmp_path / "ca.key").exists()


def test_ca_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    tls.CertificateAuthority.load_or_create(tmp_path / "a", cluster="c", now=NOW)
    tls.CertificateAuthority.load_or_create(tmp_path / "b", cluster="c", now=NOW)
    (tmp_path / "a" / "ca.key").replace(tmp_path / "b" / "ca.key")
    with pytest.raises(errors.UserError, match="another key"):
        tls.CertificateAuthority.load_or_create(tmp_path / "b", cluster="c", now=NOW)


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
def test_ca_file_that_is_garbage_is_refused_by_name(tmp_path: Path, name: str) -> None:
    tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(errors.UserError, match=name):
        tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)


def test_ca_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(errors.UserError, match="0640") as caught:
        tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    assert "chmod 600" in caught.value.hint


def test_ca_that_expired_is_refused_with_its_date(tmp_path: Path) -> None:
    tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=NOW)
    later = NOW + tls.CA_LIFETIME
    with pytest.raises(errors.UserError, match=f"expired on {later:%Y-%m-%d}"):
        tls.CertificateAuthority.load_or_create(tmp_path, cluster="c", now=later)


def test_ca_directory_that_cannot_exist_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Failed, match="file/ca"):
        tls.CertificateAuthority.load_or_create(tmp_path / "file" / "ca", cluster="c", now=NOW)


# -- what is issued ----------------------------------------------------------------------------


def test_certificate_serves_and_dials_and_carries_every_name(
    authority: tls.CertificateAuthority,
) -> None:
    identity = server_identity(authority)
    extensions = identity.certificate.extensions
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert identity.uri == "orca://master/a"


def test_certificate_never_outlives_its_ca(authority: tls.CertificateAuthority) -> None:
    identity = authority.issue(common_name="x", lifetime=timedelta(days=99_999), now=NOW)
    ca = x509.load_pem_x509_certificate(authority.certificate_pem)
    assert identity.certificate.not_valid_after_utc == ca.not_valid_after_utc


def test_identity_hides_its_key_in_repr(authority: tls.CertificateAuthority) -> None:
    assert "PRIVATE KEY" not in repr(server_identity(authority))


def test_renewal_is_due_at_two_thirds_of_life(authority: tls.CertificateAuthority) -> None:
    identity = node_identity(authority, uri=None)
    due = tls.renewal_time(identity)
    life = tls.NODE_LIFETIME + certificates.CLOCK_SKEW
    expected = NOW - certificates.CLOCK_SKEW + life * 2 / 3
    assert abs(due - expected) < timedelta(seconds=2)  # X.509 keeps whole seconds
    assert not tls.needs_renewal(identity, due - timedelta(seconds=1))
    assert tls.needs_renewal(identity, due)


# -- identities on disk ------------------------------------------------------------------------


def test_identity_written_is_loaded_as_it_was(
    authority: tls.CertificateAuthority, tmp_path: Path
) -> None:
    identity = server_identity(authority)
    identity.write(tmp_path / "id", "server")
    assert tls.Identity.load(tmp_path / "id", "server") == identity
    assert all(mode(path) == 0o600 for path in (tmp_path / "id").iterdir())


@pytest.mark.parametrize("damage", ["missing", "truncated", "another key"])
def test_identity_torn_on_disk_counts_as_absent(
    authority: tls.CertificateAuthority, tmp_path: Path, damage: str
) -> None:
    server_identity(authority).write(tmp_path, "server")
    key = tmp_path / "server.key"
    match damage:
        case "missing":
            key.unlink()
        case "truncated":
            key.write_bytes(key.read_bytes()[:40])
        case _:
            key.write_bytes(server_identity(authority).key_pem)
    assert tls.Identity.load(tmp_path, "server") is None


class TestEnsure:
    def ensure(
        self,
        authority: tls.CertificateAuthority,
        directory: Path,
        *,
        ips: tuple[str, ...] = ("127.0.0.1",),
        now: datetime = NOW,
    ) -> tls.Identity:
        return authority.ensure(
            directory,
            "server",
            common_name="master",
            dns=["localhost"],
            ips=ips,
            lifetime=tls.SERVER_LIFETIME,
            now=now,
        )

    def test_keeps_what_is_good(self, authority: tls.CertificateAuthority, tmp_path: Path) -> None:
        first = self.ensure(authority, tmp_path)
        assert self.ensure(authority, tmp_path) == first

    def test_renews_when_due(self, authority: tls.CertificateAuthority, tmp_path: Path) -> None:
        first = self.ensure(authority, tmp_path)
        second = self.ensure(authority, tmp_path, now=tls.renewal_time(first))
        assert second.certificate_pem != first.certificate_pem
        assert tls.Identity.load(tmp_path, "server") == second

    def test_reissues_for_other_names(
        self, authority: tls.CertificateAuthority, tmp_path: Path
    ) -> None:
        first = self.ensure(authority, tmp_path)
        second = self.ensure(authority, tmp_path, ips=("10.0.0.7",))
        assert second.certificate_pem != first.certificate_pem

    def test_reissues_what_another_ca_issued(
        self, authority: tls.CertificateAuthority, tmp_path: Path
    ) -> None:
        other = tls.CertificateAuthority.load_or_create(tmp_path / "other", cluster="test", now=NOW)
        foreign = self.ensure(other, tmp_path / "id")
        assert self.ensure(authority, tmp_path / "id").ca_pem != foreign.ca_pem


# -- on the wire -------------------------------------------------------------------------------


@asynccontextmanager
async def who_server(credentials: grpc.ServerCredentials | None) -> AsyncIterator[str]:
    """A server whose only method answers with the caller's URI."""

    async def who(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return (tls.peer_uri(context) or "").encode()

    handlers = {"Who": grpc.unary_unary_rpc_method_handler(who)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def ask_who(address: str, credentials: grpc.ChannelCredentials | None) -> str:
    channel = (
        grpc.aio.insecure_channel(address)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials)
    )
    async with channel:
        ask = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        answer: bytes = await ask(b"", timeout=5)
    return answer.decode()


async def test_caller_is_known_by_the_uri_of_its_certificate(
    authority: tls.CertificateAuthority,
) -> None:
    node = node_identity(authority, uri="orca://node/n1")
    async with who_server(server_identity(authority).grpc_server_credentials()) as address:
        assert await ask_who(address, node.grpc_channel_credentials()) == "orca://node/n1"


async def test_caller_without_uri_has_no_name(authority: tls.CertificateAuthority) -> None:
    node = node_identity(authority, uri=None)
    async with who_server(server_identity(authority).grpc_server_credentials()) as address:
        assert await ask_who(address, node.grpc_channel_credentials()) == ""


async def test_caller_on_a_plain_port_has_no_name() -> None:
    async with who_server(None) as address:
        assert await ask_who(address, None) == ""


async def test_caller_of_another_ca_is_refused_at_the_handshake(
    authority: tls.CertificateAuthority, tmp_path: Path
) -> None:
    other = tls.CertificateAuthority.load_or_create(tmp_path / "other", cluster="test", now=NOW)
    # It trusts the right server and even claims a known node; only its own issuer is wrong.
    forged = node_identity(other, uri="orca://node/n1")
    forged = tls.Identity(
        certificate_pem=forged.certificate_pem,
        key_pem=forged.key_pem,
        ca_pem=authority.certificate_pem,
    )
    async with who_server(server_identity(authority).grpc_server_credentials()) as address:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask_who(address, forged.grpc_channel_credentials())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_caller_without_certificate_is_refused(
    authority: tls.CertificateAuthority,
) -> None:
    anonymous = grpc.ssl_channel_credentials(root_certificates=authority.certificate_pem)
    async with who_server(server_identity(authority).grpc_server_credentials()) as address:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask_who(address, anonymous)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_server_presents_the_renewed_certificate_at_the_next_handshake(
    authority: tls.CertificateAuthority,
) -> None:
    current = server_identity(authority)
    node = node_identity(authority, uri="orca://node/n1")
    async with who_server(tls.rotating_server_credentials(lambda: current)) as address:
        host, port = address.split(":")
        first = await presented(host, int(port), node)
        current = server_identity(authority)
        second = await presented(host, int(port), node)
        assert await ask_who(address, node.grpc_channel_credentials()) == "orca://node/n1"
    assert second != first
    assert second == current.certificate


async def presented(host: str, port: int, identity: tls.Identity) -> x509.Certificate:
    """The certificate the server shows to a plain TLS client."""
    with tempfile.TemporaryDirectory() as directory:
        identity.write(Path(directory), "me")
        context = ssl.create_default_context(cafile=f"{directory}/ca.crt")
        context.load_cert_chain(f"{directory}/me.crt", f"{directory}/me.key")
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()  # HTTP/2 frames would arrive after a polite close
    return x509.load_der_x509_certificate(der)
