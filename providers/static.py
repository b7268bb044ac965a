"""A user's own IAM keys: kept in the keychain, exchanged at STS for a session.

Owns GetSessionToken, one-time codes, and roles taken with a user's keys. Facts: AWS STS API
Reference, GetSessionToken and AssumeRole: a role lasts over an hour only when it is taken with
long-lived keys, and a session taken with a code carries MFA for the roles that demand it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from broker.errors import ConfigError, InteractionRequired, KeychainError, LoginRefused
from broker.ports.aws import HOUR, credentials_of
from broker.ports.clock import from_text, to_text
from broker.provider import Credentials, KeyHolder, ProviderOptions, Request
from broker.secret import Secret

SESSION = 12 * HOUR
"""Seconds; AWS's own default for GetSessionToken."""
USABLE = timedelta(minutes=1)
"""What must be left of the MFA session for one more AssumeRole."""
TRIES = 3
"""One-time codes a person may type; a machine has one."""

T = TypeVar("T")


class StaticOptions(ProviderOptions):
    """A static provider has no options of its own: the profile has `mfa_serial`, `mfa_process`."""


class Static(KeyHolder):
    """Exchanges a user's keys for a session or a role."""

    Options = StaticOptions

    @classmethod
    def check(cls, options: object, request: Request) -> str | None:
        """Security keys give no code that STS takes."""
        del options
        if request.mfa_serial and ":u2f/" in request.mfa_serial:
            return (
                f"mfa_serial {request.mfa_serial} is a security key, which gives no code for STS;"
                " register a TOTP device for this user and name that one"
            )
        return None

    def login(self, request: Request) -> Credentials:
        """A session of the user, or the role that the request names."""
        keys = self._keys(request)
        if not request.role_arn:
            return self._session(keys, request, request.duration or SESSION)
        if not request.mfa_serial:
            return self.ports.aws.assume_role(keys, request)
        if (request.duration or HOUR) > HOUR:
            return self._with_code(
                request, lambda code: self.ports.aws.assume_role(keys, request, mfa_code=code)
            )
        return self.ports.aws.assume_role(self._mfa_session(keys, request), request)

    def user_keys(self, profile: str) -> Credentials:
        """The user's own keys, for `exec --no-session` and `rotate`."""
        return _user_keys(self._stored(profile))

    def store_keys(self, profile: str, access_key_id: str, secret: Secret) -> None:
        """Put a user's keys into the keychain under a profile's name."""
        document = {"AccessKeyId": access_key_id, "SecretAccessKey": secret.reveal()}
        self.ports.secrets.set(_entry(profile), Secret(json.dumps(document)))

    def forget_keys(self, profile: str) -> bool:
        """Remove a profile's keys; whether there were any."""
        there = self.ports.secrets.get(_entry(profile)) is not None
        self.ports.secrets.delete(_entry(profile))
        return there

    def _keys(self, request: Request) -> Credentials:
        return self.user_keys(request.keys or request.profile)

    def _stored(self, profile: str) -> Secret:
        return self.ports.secrets.require(
            _entry(profile), f"keys for {profile}", hint=f"`awslogin add {profile}` stores them"
        )

    def _mfa_session(self, keys: Credentials, request: Request) -> Credentials:
        """The user's session with MFA: the one that still holds, else one for a code."""
        kept = self.ports.secrets.recall("mfa-session")
        if kept and from_text(kept["expires_at"]) - self.ports.clock.now() > USABLE:
            return Credentials(
                access_key_id=kept["access_key_id"],
                secret_access_key=Secret(kept["secret_access_key"]),
                session_token=Secret(kept["session_token"]),
                expires_at=from_text(kept["expires_at"]),
            )
        return self._session(keys, request, SESSION)

    def _session(self, keys: Credentials, request: Request, duration: int) -> Credentials:
        """GetSessionToken; one with MFA is kept, for it serves all roles of these keys."""
        if not request.mfa_serial:
            return self._get_session_token(keys, request, duration, None)
        session = self._with_code(
            request, lambda code: self._get_session_token(keys, request, duration, code)
        )
        assert session.session_token
        assert session.expires_at
        document = {
            "access_key_id": session.access_key_id,
            "secret_access_key": session.secret_access_key.reveal(),
            "session_token": session.session_token.reveal(),
            "expires_at": to_text(session.expires_at),
        }
        self.ports.secrets.remember("mfa-session", document, until=session.expires_at)
        return session

    def _get_session_token(
        self, keys: Credentials, request: Request, duration: int, code: str | None
    ) -> Credentials:
        mfa = {"SerialNumber": request.mfa_serial, "TokenCode": code} if code else {}
        client = self.ports.aws.client("sts", request.region, keys, once=code is not None)
        with self.ports.aws.errors("GetSessionToken"):
            return credentials_of(client.get_session_token(DurationSeconds=duration, **mfa))

    def _with_code(self, request: Request, call: Callable[[str], T]) -> T:
        """Call with a one-time code; a person may correct a wrong one, a machine may not."""
        for attempt in range(1, TRIES + 1):
            code, typed = self._code(request)
            try:
                return call(code)
            except LoginRefused as error:
                if not typed or attempt == TRIES or "MultiFactorAuthentication" not in str(error):
                    raise
                self.ports.ui.show("AWS refused that code. Wait for the next one.")
        raise AssertionError("unreachable")

    def _code(self, request: Request) -> tuple[str, bool]:
        """A one-time code, and whether a person typed it."""
        given = self.ports.ui.given_code()
        if given:
            return given, False
        if request.mfa_process:
            return _run(request.mfa_process), False
        seed = self.ports.secrets.get(f"totp/{request.keys or request.profile}")
        if seed:
            return self._seeded_code(seed), False
        return self.ports.ui.code(f"One-time code of {request.mfa_serial}"), True

    def _seeded_code(self, seed: Secret) -> str:
        """The current code of a seed; the one after it where the current one was used."""
        import pyotp

        totp = pyotp.TOTP(seed.reveal())
        used = (self.ports.secrets.recall("last-code") or {}).get("window", 0)
        now = self.ports.clock.now().timestamp()
        window = int(now // totp.interval)
        if window <= used:
            self.ports.ui.progress("waiting for the next one-time code")
            self.ports.clock.sleep((used + 1) * totp.interval - now)
            window = used + 1
        until = from_text(to_text(self.ports.clock.now() + timedelta(minutes=5)))
        self.ports.secrets.remember("last-code", {"window": window}, until=until)
        return totp.at(window * totp.interval)


def _entry(profile: str) -> str:
    return f"keys/{profile}"


def _user_keys(stored: Secret) -> Credentials:
    try:
        document = json.loads(stored.reveal())
        return Credentials(document["AccessKeyId"], Secret(document["SecretAccessKey"]))
    except (ValueError, KeyError, TypeError):
        raise KeychainError(
            "the keychain's entry is not a pair of keys", hint="`awslogin add` stores it anew"
        ) from None


def _run(command: str) -> str:
    """The code that a command prints; it may ask the person on the terminal itself."""
    try:
        done = subprocess.run(
            command if sys.platform == "win32" else ["/bin/sh", "-c", command],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise InteractionRequired("mfa_process gave no code within 60 s") from None
    code = done.stdout.strip()
    if done.returncode or not code.isdigit():
        raise ConfigError(
            f"mfa_process ended with {done.returncode} and"
            f" {'no' if not code else 'something other than a'} code",
            hint="run the command by hand: it must print the code alone",
        )
    return code
