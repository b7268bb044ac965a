"""The codes of a seed, by the vectors of RFC 6238, appendix B (their last six digits)."""

from __future__ import annotations

import base64

import pytest

from broker.ports.totp import totp_of
from broker.secret import Secret

RFC_SEED = base64.b32encode(b"12345678901234567890").decode()


def test_codes_of_the_rfc() -> None:
    assert totp_of(Secret(RFC_SEED)).at(59) == "287082"
    address = f"otpauth://totp/AWS:ann?secret={RFC_SEED}&digits=8"
    assert totp_of(Secret(address)).at(1111111109) == "07081804"


def test_a_seed_of_80_bits_is_one() -> None:
    """What many services give."""
    assert totp_of(Secret("JBSWY3DPEHPK3PXP")).at(0) == "282760"


def test_codes_that_count_are_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        totp_of(Secret(f"otpauth://hotp/ann?secret={RFC_SEED}&counter=1"))
