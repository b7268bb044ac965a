"""One-time codes of a seed (RFC 6238). Owns how a seed is read; not where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.secret import Secret

if TYPE_CHECKING:
    import pyotp

_ANY_LENGTH = 0
"""Bits; many services give seeds of 80, which pyotp refuses by itself."""


def totp_of(seed: Secret) -> pyotp.TOTP:
    """The codes of a seed: base32, or a whole `otpauth://` address.

    Raises:
        ValueError: It is neither.
    """
    import pyotp
    from pyotp.otp import OTP

    OTP.min_secret_length_bits = _ANY_LENGTH
    plain = seed.reveal()
    made = pyotp.parse_uri(plain) if plain.startswith("otpauth:") else pyotp.TOTP(plain)
    if not isinstance(made, pyotp.TOTP):
        raise ValueError("codes that count, not of the time")
    return made
