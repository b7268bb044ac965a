"""One-time codes of a seed. Owns that none is sent twice, by whatever process or sign-in.

Source: RFC 6238; section 5.2 has a verifier refuse the second use of a code.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports import Ports

_USED = "used-codes"
_LASTS = timedelta(minutes=5)
"""How long a used code is remembered; no verifier takes one for longer."""


def next_code(seed: Secret, ports: Ports) -> Secret:
    """The seed's current code; the one after it, waited for, where the current one was used.

    Args:
        seed: Base32, or a whole `otpauth://` address.
        ports: Clock, ui and secrets.
    """
    import pyotp

    plain = seed.reveal()
    totp = pyotp.parse_uri(plain) if plain.startswith("otpauth:") else pyotp.TOTP(plain)
    assert isinstance(totp, pyotp.TOTP)
    seed_id = hashlib.sha256(plain.encode()).hexdigest()
    used = ports.secrets.recall(_USED, shared=True) or {}
    now = ports.clock.now().timestamp()
    window = int(now // totp.interval)
    if window <= used.get(seed_id, 0):
        ports.ui.progress("waiting for the next one-time code")
        window = used[seed_id] + 1
        ports.clock.sleep(window * totp.interval - now)
    until = ports.clock.now() + _LASTS
    ports.secrets.remember(_USED, used | {seed_id: window}, until=until, shared=True)
    return Secret(totp.at(window * totp.interval))
