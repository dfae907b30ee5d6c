"""The sample eligibility service under a name and a certificate of its own, as the tests' worlds call it.

``https://eligibility.example/v1/eligibility`` leads to a server on loopback that one process of tests starts when it
is first looked up; nothing of it is made up but the name's resolution and who signed its certificate.
"""

import atexit
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools.eligibility_server import PATH, EligibilityServer, eligibility_server

HOST = "eligibility.example"
URL = f"https://{HOST}{PATH}"


@cache
def sample_server() -> EligibilityServer:
    """The process's one server; whoever tells it to misbehave tells it to stop that too."""
    running = ExitStack()
    atexit.register(running.close)
    server = running.enter_context(eligibility_server(tls=tls_of(HOST)))
    server.tolerance = float("inf")  # worlds stand in 2021, each at a moment of its own
    return server


def outside() -> dict[str, Any]:
    """How a world's platform finds the sample server."""

    def resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
        if host != HOST:
            raise OSError("no such host in the tests")
        return [("127.0.0.1", sample_server().port)]

    return {"resolve": resolve, "ca_certs": str(authority())}


@cache
def authority() -> Path:
    """The certificate of the tests' own authority."""
    return _authority()[0]


@cache
def tls_of(host: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for this host."""
    _, key, name = _authority()
    own = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(host, name, own.public_key(), key, is_authority=False)
    path = _folder() / f"{host}.pem"
    path.write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@cache
def _authority() -> tuple[Path, ec.EllipticCurvePrivateKey, x509.Name]:
    key, name = ec.generate_private_key(ec.SECP256R1()), "authority of the tests"
    certificate = _certificate(name, _named(name), key.public_key(), key, is_authority=True)
    path = _folder() / "authority.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path, key, _named(name)


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="tests-tls-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    host: str, issuer: x509.Name, public: Any, signer: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(_named(host))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host.replace(" ", "-"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
