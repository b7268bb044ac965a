"""XML Encryption of one assertion, to a service provider's RSA key.

Owns `saml:EncryptedAssertion` and nothing about what an assertion says. AES-CBC and AES-GCM under
RSA-OAEP, as identity providers send them. Source: XML Encryption 1.1.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

A = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"

_NS = {"ds": DS, "xenc": XENC, "xenc11": XENC11}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    f"{DS}sha1": hashes.SHA1(),
    f"{XENC}sha256": hashes.SHA256(),
    f"{XENC}sha512": hashes.SHA512(),
    f"{XENC11}mgf1sha1": hashes.SHA1(),
    f"{XENC11}mgf1sha256": hashes.SHA256(),
    f"{XENC11}mgf1sha512": hashes.SHA512(),
}


def encrypt(assertion: Any, key: rsa.RSAPublicKey) -> Any:
    """An `EncryptedAssertion` (AES-256-GCM, RSA-OAEP with SHA-1) of an assertion."""
    content, nonce = AESGCM.generate_key(256), os.urandom(12)
    sealed = nonce + AESGCM(content).encrypt(nonce, etree.tostring(assertion), None)
    wrapped = key.encrypt(content, _oaep(hashes.SHA1(), hashes.SHA1()))
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="{A}"><xenc:EncryptedData xmlns:xenc="{XENC}"'
        f' Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{XENC11}aes256-gcm"/>'
        f'<ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p"/>{_cipher(wrapped)}'
        f"</xenc:EncryptedKey></ds:KeyInfo>{_cipher(sealed)}</xenc:EncryptedData>"
        "</saml:EncryptedAssertion>"
    )


def decrypt(encrypted: Any, key: rsa.RSAPrivateKey) -> Any:
    """The assertion inside.

    Raises:
        ValueError: It was encrypted to another key, was changed, or by unknown means.
    """
    data = encrypted.find("xenc:EncryptedData", _NS)
    envelope = encrypted.find(".//xenc:EncryptedKey", _NS)
    if data is None or envelope is None:
        raise ValueError("no EncryptedData or no EncryptedKey")
    content = key.decrypt(_cipher_value(envelope), _key_padding(envelope))
    sealed, algorithm = _cipher_value(data), _algorithm(data)
    try:
        if algorithm.endswith("-gcm"):
            plain = AESGCM(content).decrypt(sealed[:12], sealed[12:], None)
        elif algorithm.endswith("-cbc"):
            cipher = Cipher(algorithms.AES(content), modes.CBC(sealed[:16])).decryptor()
            padded = cipher.update(sealed[16:]) + cipher.finalize()
            plain = padded[: -padded[-1]]
        else:
            raise ValueError(f"unknown algorithm {algorithm}")
        return etree.fromstring(plain, etree.XMLParser(resolve_entities=False, no_network=True))
    except (InvalidTag, IndexError, etree.XMLSyntaxError) as error:
        raise ValueError("the content cannot be decrypted") from error


def _key_padding(envelope: Any) -> padding.OAEP:
    algorithm = _algorithm(envelope)
    if algorithm not in {f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep"}:
        raise ValueError(f"unknown algorithm {algorithm}")
    return _oaep(
        _hash(envelope, "xenc:EncryptionMethod/ds:DigestMethod"),
        _hash(envelope, "xenc:EncryptionMethod/xenc11:MGF"),
    )


def _hash(envelope: Any, path: str) -> hashes.HashAlgorithm:
    named = envelope.find(path, _NS)
    if named is None:
        return hashes.SHA1()
    if named.get("Algorithm") not in _HASHES:
        raise ValueError(f"unknown digest {named.get('Algorithm')}")
    return _HASHES[named.get("Algorithm")]


def _oaep(digest: hashes.HashAlgorithm, mask: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(mask), algorithm=digest, label=None)


def _algorithm(element: Any) -> str:
    method = element.find("xenc:EncryptionMethod", _NS)
    return str(method.get("Algorithm")) if method is not None else ""


def _cipher_value(element: Any) -> bytes:
    value = element.find("xenc:CipherData/xenc:CipherValue", _NS)
    return base64.b64decode(value.text if value is not None else "")


def _cipher(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f"<xenc:CipherData><xenc:CipherValue>{text}</xenc:CipherValue></xenc:CipherData>"
