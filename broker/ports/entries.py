"""What a keychain entry is for, written into the entry itself. Owns its name and form; pure.

An entry belongs to a team (or, without one, to the config file's own place), a provider of one
type, the sites that its secret may be sent to, and a name such as `password/ann`. All of that makes
its name in the keychain and stands in it, so what is kept for one purpose is never found for
another.

    payments/okta/password/ann@corp.okta.com~5d0c41a6b7e8f902
    {"for": {"team": "payments", "provider": "okta", "type": "saml", "entry": "password/ann",
             "sites": ["https://corp.okta.com"]}, "secret": "…"}
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from broker.secret import Secret

MAX_ENTRY_CHARACTERS = 1280
"""What Windows' Credential Manager takes in one entry."""
_DIGEST_DIGITS = 16


@dataclass(frozen=True)
class Owner:
    """Whose entries these are.

    Attributes:
        team: The team's name; empty without one.
        place: The config file's path: it stands for the team where there is none.
        provider: The provider's name in the YAML.
        type: The provider's type.
        sites: Where its secrets may be sent; empty for a type that sends them to AWS alone.
    """

    team: str
    place: str
    provider: str
    type: str
    sites: tuple[str, ...] = ()

    def purpose(self, entry: str) -> Purpose:
        """What the entry of this name is for."""
        whose = {"team": self.team} if self.team else {"config": self.place}
        return Purpose(
            {
                **whose,
                "provider": self.provider,
                "type": self.type,
                "entry": entry,
                "sites": sorted(self.sites),
            }
        )

    def name_before_purposes(self, entry: str) -> str:
        """Under which older versions kept it, whatever it was for."""
        return f"{self.team}/{self.provider}/{entry}"


@dataclass(frozen=True)
class Purpose:
    """All that an entry is for.

    Attributes:
        facts: `team` or `config`, `provider`, `type`, `entry`, `sites`.
    """

    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON, hexadecimal."""
        canonical = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The entry's name in the keychain: readable, and another one for another purpose."""
        folder = PurePath(self.facts.get("config", "")).parent.name
        whose = self.facts.get("team") or re.sub(r"[^\w.-]", "-", folder) or "config"
        hosts = [_host(site) for site in self.facts["sites"]]
        at = f"@{hosts[0]}" if hosts and hosts[0] else ""
        entry = f"{whose}/{self.facts['provider']}/{self.facts['entry']}"
        return f"{entry}{at}~{self.digest[:_DIGEST_DIGITS]}"

    @property
    def description(self) -> str:
        """For a person: `provider okta of team payments, for https://corp.okta.com`."""
        whose = f"of team {self.facts['team']}" if self.facts.get("team") else ""
        whose = whose or f"of {self.facts.get('config')}"
        sites = ", ".join(site for site in self.facts["sites"] if _host(site))
        return f"provider {self.facts['provider']} {whose}{f', for {sites}' if sites else ''}"

    def wrap(self, secret: Secret) -> Secret:
        """The entry's text: the secret with what it is for; where that is too long, its digest."""
        text = json.dumps({"for": self.facts, "secret": secret.reveal()})
        if len(text) > MAX_ENTRY_CHARACTERS:
            text = json.dumps({"for": self.digest, "secret": secret.reveal()})
        return Secret(text)

    def unwrap(self, text: Secret) -> Secret | None:
        """The secret of an entry's text; None where that was written for something else."""
        try:
            document = json.loads(text.reveal())
            written_for, secret = document["for"], document["secret"]
        except (ValueError, KeyError, TypeError):
            return None
        if not isinstance(secret, str) or written_for not in (self.facts, self.digest):
            return None
        return Secret(secret)


def described(entry: str) -> str:
    """An entry's name in words: `password/ann` is `the password of ann`."""
    kind, _, who = entry.partition("/")
    noun = {
        "keys": "the keys",
        "password": "the password",
        "totp": "the TOTP seed",
        "client-secret": "the secret of the client",
    }.get(kind)
    if noun is None:
        return f"the entry {entry}"
    return f"{noun} {who}" if kind == "client-secret" else f"{noun} of {who}"


def _host(site: str) -> str:
    """The host of a site that is an address, with a port of its own; else nothing."""
    try:
        return urlsplit(site).netloc.removesuffix(":443").lower()
    except ValueError:
        return ""
