"""A key pair with a certificate, as an identity provider's administrator makes one.

It names the loopback address too, for a server of HTTPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_LOOPBACK = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
)


class KeyPair(NamedTuple):
    """A private key and its certificate, PEM."""

    key: rsa.RSAPrivateKey
    certificate_pem: str


def write(
    folder: Path, name: str, *, hosts: Sequence[str] = (), key: rsa.RSAPrivateKey | None = None
) -> KeyPair:
    """Make a key pair and write `name`.pem (the key) and `name`.crt into the folder.

    Args:
        folder: Where.
        name: Of whom it is.
        hosts: That the certificate names, in place of the loopback address.
        key: One that is there already.
    """
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    named = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(named if hosts else _LOOPBACK, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    (folder / f"{name}.crt").write_text(pem)
    private = folder / f"{name}.pem"
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return KeyPair(key, pem)
