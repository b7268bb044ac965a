"""The RSA keys of the sandbox's identity providers: each made once a process, as that is slow."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """The key of this name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
