"""Connections over TLS."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from foxing.encoder.remote.endpoint import CHAT, Endpoint
from foxing.encoder.remote.options import ServerOptions

HOST = "127.0.0.1"
ANSWER = b'{"choices": [{"message": {"content": "Hello"}}]}'


class Handler(BaseHTTPRequestHandler):
    """Answers every request, and counts connections."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        Handler.connections += 1
        super().setup()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that is its own authority, and its key."""
    x509 = pytest.importorskip("cryptography.x509", reason="needs cryptography to make a certificate")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *formats))
    return files


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server whose certificate the session trusts."""
    certificate, key = write_certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    Handler.connections = 0
    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.socket = served.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://{HOST}:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_connection_over_tls_serves_further_requests(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the time that an idle connection without TLS is kept."""
    monkeypatch.setattr("foxing.encoder.remote.endpoint.KEEP_ALIVE_S", 0.0)
    endpoint = Endpoint(ServerOptions(url=address, model="m"))
    assert [endpoint.ask(CHAT, {}).text for _ in range(4)] == ["Hello"] * 4
    assert Handler.connections == 1
    endpoint.close()
