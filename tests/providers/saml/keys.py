"""A person's security key, which a twin's site knows."""

from __future__ import annotations

from tests.sandbox.relying_party import RelyingParty
from tests.sandbox.soft_key import SoftKey


def registered(site: RelyingParty, person: str = "ann", pin: str | None = None) -> SoftKey:
    """A new key of the person."""
    key = SoftKey(pin=pin)
    site.register(person, *key.register(site.rp_id))
    return key
