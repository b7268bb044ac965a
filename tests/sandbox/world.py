"""What exists in the sandbox: accounts, users, roles, sign-ins, and a clock that tests move."""

from __future__ import annotations

import hashlib
import json
import secrets
import string
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pyotp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from tests.sandbox.permissions import ALL, Policy, flaw

HOUR = 3600


@dataclass
class MfaDevice:
    """A TOTP device; each window's code is good once."""

    serial: str
    seed: str = field(default_factory=pyotp.random_base32)
    used: set[int] = field(default_factory=set)

    def code(self, now: float) -> str:
        """What the device shows."""
        return pyotp.TOTP(self.seed).at(int(now))

    def accepts(self, code: str | None, now: float) -> bool:
        """Whether this is the code of this window or a neighbour, not used before."""
        window = int(now // 30)
        for candidate in (window, window - 1, window + 1):
            if candidate not in self.used and self.code(candidate * 30) == code:
                self.used.add(candidate)
                return True
        return False


@dataclass
class Keys:
    """Credentials that sign. `token` is None for a user's own keys.

    `kind` is "user" (a user's own), "session" (GetSessionToken), "federated", "role" (a first
    AssumeRole*, or the portal's), or "chained" (AssumeRole signed with temporary credentials).
    `role` are the policies of the role whose session it is, `session` those of the session itself.
    """

    key_id: str
    secret: str
    arn: str
    token: str | None = None
    expires: float | None = None
    mfa: bool = False
    kind: str = "user"
    active: bool = True
    created: float = 0
    usable_from: float = 0
    unknown_calls: int = 0
    uses: list[tuple[float, str, str]] = field(default_factory=list)
    role: tuple[Policy, ...] = (ALL,)
    session: list[Policy] | None = None

    @property
    def last_used(self) -> tuple[float, str, str] | None:
        """When, service, region."""
        return self.uses[-1] if self.uses else None

    @last_used.setter
    def last_used(self, use: tuple[float, str, str]) -> None:
        self.uses.append(use)

    def may_not(self, action: str) -> str | None:
        """Why these credentials may not do that, in AWS's words; None where they may."""
        reason = flaw(action, self.role, self.session)
        told = f"User: {self.arn} is not authorized to perform: {action}"
        return f"{told} because {reason} the {action} action" if reason else None

    @property
    def json(self) -> str:
        """As `awslogin add --stdin` reads them."""
        return json.dumps({"AccessKeyId": self.key_id, "SecretAccessKey": self.secret})


@dataclass
class User:
    """An IAM user."""

    arn: str
    keys: list[str] = field(default_factory=list)
    mfa: list[MfaDevice] = field(default_factory=list)
    created: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        """The unique id that IAM gives a user."""
        return unique_id("AIDA", self.arn)

    @property
    def name(self) -> str:
        """The name in the ARN."""
        return self.arn.rpartition("/")[2]


@dataclass
class Role:
    """An IAM role and whom it trusts: principal ARNs, account roots, SAML or OIDC providers."""

    arn: str
    trusts: tuple[str, ...]
    longest: int = HOUR
    external_id: str | None = None
    needs_mfa: bool = False
    subject: str | None = None
    policies: tuple[Policy, ...] = (ALL,)


@dataclass
class SamlProvider:
    """A SAML provider registered in IAM."""

    arn: str
    issuer: str
    certificate: str
    decryption_key: RSAPrivateKey | None = None


@dataclass
class OidcProvider:
    """An OIDC provider registered in IAM. `keys` are public keys by their `kid`."""

    arn: str
    issuer: str
    keys: dict[str, RSAPublicKey]
    audiences: set[str]


@dataclass
class Person:
    """Somebody at Identity Center or at the form identity provider."""

    name: str
    password: str = ""
    assigned: dict[str, list[str]] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    totp: MfaDevice | None = None
    disabled: bool = False
    wrong_codes: int = 0
    duration: int | None = None


class World:
    """All state, behind one lock.

    Knobs: `denied_actions` (IAM actions to refuse), `key_propagation` (seconds) and
    `key_propagation_calls` (signed calls) until a new access key works, `portal_rate` (calls a
    second), `uses_noted_after` (seconds until GetAccessKeyLastUsed tells of a use), `page_size`,
    `lifetime` (seconds until every new session ends, whatever was granted), `overtime` (seconds
    that an ended one is still good, for clients on a busy machine).
    `granted` lists every session that was issued, with what it was asked.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.offset = 0.0
        self.users: dict[str, User] = {}
        self.keys: dict[str, Keys] = {}
        self.roles: dict[str, Role] = {}
        self.saml_providers: dict[str, SamlProvider] = {}
        self.oidc_providers: dict[str, OidcProvider] = {}
        self.people: dict[str, Person] = {}
        self.accounts: dict[str, str] = {}
        self.granted: list[dict[str, Any]] = []
        self.denied_actions: set[str] = set()
        self.key_managers: set[str] = set()
        """Names of roles that may ask IAM about other users' keys."""
        self.key_propagation = 0.0
        self.key_propagation_calls = 0
        self.portal_rate: float | None = None
        self.uses_noted_after = 0.0
        self.page_size = 100
        self.lifetime: float | None = None
        self.overtime = 0.0
        self.credential_report = "user,arn,password_enabled,mfa_active"

    def now(self) -> float:
        """Seconds since 1970, as the sandbox sees it."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self.offset += seconds

    def add_user(self, arn: str) -> User:
        """A user without keys."""
        self.users[arn] = User(arn)
        return self.users[arn]

    def add_keys(self, user: User) -> Keys:
        """A new access key of a user."""
        made = Keys(
            key_id="AKIA" + _letters(16),
            secret=secrets.token_urlsafe(30),
            arn=user.arn,
            created=self.now(),
            usable_from=self.now() + self.key_propagation,
            unknown_calls=self.key_propagation_calls,
        )
        self.keys[made.key_id] = made
        user.keys.append(made.key_id)
        return made

    def issue(self, arn: str, seconds: float, *, kind: str, mfa: bool = False, **may: Any) -> Keys:
        """Temporary credentials; `may` are the policies of `Keys`."""
        made = Keys(
            key_id="ASIA" + _letters(16),
            secret=secrets.token_urlsafe(30),
            arn=arn,
            token="FwoG" + secrets.token_urlsafe(90),
            expires=self.now() + (self.lifetime or seconds),
            mfa=mfa,
            kind=kind,
            **may,
        )
        self.keys[made.key_id] = made
        return made

    def add_role(self, arn: str, *trusts: str, **more: Any) -> Role:
        """A role that trusts these principals."""
        self.roles[arn] = Role(arn, trusts, **more)
        return self.roles[arn]

    def seed(self) -> None:
        """The people and roles that the demo and most tests use."""
        dev, prod, audit = "111122223333", "444455556666", "777788889999"
        self.accounts = {dev: "payments-dev", prod: "payments-prod", audit: "audit"}
        ann = self.add_user(f"arn:aws:iam::{dev}:user/ann")
        ann.mfa.append(MfaDevice(f"arn:aws:iam::{dev}:mfa/ann"))
        bob = self.add_user(f"arn:aws:iam::{dev}:user/bob")
        self.add_keys(ann)
        self.add_keys(bob)
        both = (ann.arn, bob.arn)
        self.add_role(f"arn:aws:iam::{dev}:role/Deploy", *both, longest=12 * HOUR)
        dev_saml = f"arn:aws:iam::{dev}:saml-provider/corp"
        self.add_role(f"arn:aws:iam::{dev}:role/ReadOnly", *both, dev_saml)
        self.add_role(f"arn:aws:iam::{dev}:role/MfaOnly", *both, needs_mfa=True, longest=12 * HOUR)
        self.add_role(f"arn:aws:iam::{dev}:role/team/Dev", *both)
        admin = f"arn:aws:iam::{prod}:role/Admin"
        saml = f"arn:aws:iam::{prod}:saml-provider/corp"
        self.add_role(admin, saml, longest=4 * HOUR)
        self.add_role(f"arn:aws:iam::{prod}:role/ReadOnly", saml)
        self.add_role(
            f"arn:aws:iam::{audit}:role/Audit",
            f"arn:aws:iam::{dev}:root",
            admin,
            external_id="x",
        )
        oidc = f"arn:aws:iam::{dev}:oidc-provider/ci"
        self.add_role(f"arn:aws:iam::{dev}:role/CiDeploy", oidc, subject="repo:corp/app:*")
        self.people["ann"] = Person(
            "ann",
            "hunter2 is not it",
            {dev: ["Developer", "Admin"], prod: ["ReadOnly"]},
            [admin, f"arn:aws:iam::{prod}:role/ReadOnly", f"arn:aws:iam::{dev}:role/ReadOnly"],
        )
        self.people["otto"] = Person(
            "otto", "open sesame", {}, [admin], totp=MfaDevice("otto"), duration=2 * HOUR
        )
        self.people["dora"] = Person("dora", "disabled one", {}, [admin], disabled=True)
        self.people["nora"] = Person("nora", "no roles here", {}, [])


def unique_id(prefix: str, arn: str) -> str:
    """IAM's id of what an ARN names, the same each time."""
    return prefix + hashlib.sha256(arn.encode()).hexdigest()[:17].upper()


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(count))
