"""Where the API may listen, with and without TLS."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orca import errors
from orca.client.http import OrcaClient
from orca.client.settings import ClientSettings
from orca.master.api.app import build_app
from orca.master.api.auth import TokenBook
from orca.master.api.server import ApiServer
from orca.testing.fake_control import FakeControl


def app() -> web.Application:
    return build_app(
        control=FakeControl(), tokens=TokenBook("t"), render_metrics=lambda: b"# nothing\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "orca.example", ""])  # noqa: S104
def test_address_that_others_reach_is_refused_without_tls(host: str) -> None:
    with pytest.raises(errors.UserError, match="without encryption"):
        ApiServer(app(), host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_address_of_this_machine_needs_no_tls(host: str) -> None:
    assert ApiServer(app(), host=host, port=1).url.startswith("http://")


async def test_taken_port_names_its_holder_and_the_key_to_change() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(errors.Conflict, match=rf"127\.0\.0\.1:{port}.*pid {os.getpid()}") as e:
            await ApiServer(app(), port=port).start()
    assert "api_port" in e.value.hint
    assert "cluster.toml" in e.value.hint


async def test_address_this_machine_does_not_have_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with pytest.raises(errors.UserError, match="cannot listen"):
        await ApiServer(app(), host="192.0.2.1", port=0, ssl=context).start()


async def test_server_stops_twice_and_lets_its_port_go() -> None:
    server = ApiServer(app(), port=0)
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_tls_is_spoken_and_its_certificate_checked(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path)
    server = ApiServer(app(), port=0, ssl=context)
    await server.start()
    try:
        trusting = ClientSettings(url=server.url, token="t", ca_file=ca_file)
        async with OrcaClient(trusting) as client:
            assert (await client.info()).cluster == "fake"
        async with OrcaClient(ClientSettings(url=server.url, token="t")) as client:
            with pytest.raises(errors.Unavailable, match="not trusted"):
                await client.info()
    finally:
        await server.stop()


async def test_file_without_certificates_is_refused(tmp_path: Path) -> None:
    settings = ClientSettings(url="https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    with pytest.raises(errors.UserError, match=r"none\.pem"):
        async with OrcaClient(settings):
            pass


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for 127.0.0.1, and the file by which to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "orca test")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path
