"""A SAML identity provider with an HTML form: password, then a one-time code where one is due.

Strict: the form's token is demanded back and good once, codes are single-use, three wrong codes
lock the person out. A browser that keeps its cookies is asked for nothing a second time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tests.sandbox import saml
from tests.sandbox.server import Answer, Asked, html
from tests.sandbox.world import HOUR, Person, World

PATH = "/idp/app/aws"
MOST_CODES = 3


@dataclass
class Visit:
    """A browser's way through the pages."""

    tokens: set[str] = field(default_factory=set)
    person: Person | None = None
    signed_in_until: float = 0


class FormIdp:
    """The pages.

    Knobs: `action_origin` (where the password form points, for hostile pages), `session_life`
    (seconds that a signed-in browser is remembered), `acs` (where the assertion is posted),
    `response` (arguments of `saml.response` for the assertions it makes).
    """

    def __init__(self, world: World, signer: saml.Signer) -> None:
        self._world = world
        self.signer = signer
        self._visits: dict[str, Visit] = {}
        self.url = ""
        self.action_origin = ""
        self.acs = saml.ACS
        self.session_life = 8.0 * HOUR
        self.response: dict[str, Any] = {}
        self.passwords_seen = 0

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self._world.lock:
            visit = self._visits.get(asked.cookies.get("visit", ""))
            if asked.method == "GET" and asked.path == PATH:
                return self._start(visit)
            fields = asked.form
            if visit is None or fields.get("csrf") not in visit.tokens:
                return html("<title>Error</title><h1>Your session was lost</h1>", 400)
            visit.tokens.discard(fields["csrf"])
            if (asked.method, asked.path) == ("POST", "/idp/password"):
                return self._password(visit, fields)
            if (asked.method, asked.path) == ("POST", "/idp/code"):
                return self._code(visit, fields)
            return html("<title>Not found</title>", 404)

    def _start(self, known: Visit | None) -> Answer:
        if known and known.person and known.signed_in_until > self._world.now():
            return self._done(known.person)
        name = secrets.token_urlsafe(16)
        visit = self._visits[name] = Visit()
        answer = self._password_page(visit)
        answer.headers["Set-Cookie"] = f"visit={name}; HttpOnly; Path=/idp"
        return answer

    def _password(self, visit: Visit, fields: dict[str, str]) -> Answer:
        self.passwords_seen += 1
        person = self._world.people.get(fields.get("username", "").partition("@")[0])
        if person is None or not person.password or person.password != fields.get("password"):
            return self._password_page(visit, "Invalid username or password.")
        if person.disabled:
            return self._password_page(visit, "Account is disabled, contact your administrator.")
        visit.person = person
        return self._code_page(visit) if person.totp else self._signed_in(visit, person)

    def _code(self, visit: Visit, fields: dict[str, str]) -> Answer:
        person = visit.person
        if person is None or person.totp is None:
            return html("<title>Error</title><h1>Your session was lost</h1>", 400)
        if person.wrong_codes >= MOST_CODES:
            return html("<title>Locked</title><p class=error>Too many wrong codes.</p>", 403)
        if not person.totp.accepts(fields.get("otp"), self._world.now()):
            person.wrong_codes += 1
            return self._code_page(visit, "Invalid authenticator code.")
        person.wrong_codes = 0
        return self._signed_in(visit, person)

    def _password_page(self, visit: Visit, error: str = "") -> Answer:
        return html(
            "<title>Sign in to Corp</title><h1>Sign in</h1>"
            f"{_error(error)}<form id=login method=post action='{self.action_origin}/idp/password'>"
            f"{self._token(visit)}"
            "<label>Username <input name=username autocomplete=username></label>"
            "<label>Password <input name=password type=password></label>"
            "<button name=go value=1>Sign in</button></form>"
        )

    def _code_page(self, visit: Visit, error: str = "") -> Answer:
        return html(
            "<title>One-time code</title><h1>One-time code</h1>"
            f"{_error(error)}<form id=code method=post action=/idp/code>{self._token(visit)}"
            "<label>Code <input name=otp autocomplete=one-time-code inputmode=numeric></label>"
            "<button>Continue</button></form>"
        )

    def _signed_in(self, visit: Visit, person: Person) -> Answer:
        visit.signed_in_until = self._world.now() + self.session_life
        return self._done(person)

    def _done(self, person: Person) -> Answer:
        return html(
            "<title>Working…</title><body onload='document.forms[0].submit()'>"
            f"<form method=post action='{self.acs}'>"
            f"<input type=hidden name=SAMLResponse value='{self.assertion(person)}'>"
            "<input type=hidden name=RelayState value=''>"
            "<noscript><button>Continue</button></noscript></form>"
        )

    def assertion(self, person: Person, **overrides: Any) -> str:
        """A person's SAMLResponse. Each role comes with its account's provider, in either order."""
        values = []
        for number, role in enumerate(person.roles):
            partition, account = role.split(":")[1], role.split(":")[4]
            pair = [role, f"arn:{partition}:iam::{account}:saml-provider/corp"]
            values.append(", ".join(pair if number % 2 else reversed(pair)))
        about: dict[str, Any] = {
            "signer": self.signer,
            "roles": values,
            "now": self._world.now(),
            "user": person.name,
            "duration": person.duration,
        }
        return saml.response(**(about | self.response | overrides))

    def _token(self, visit: Visit) -> str:
        token = secrets.token_urlsafe(16)
        visit.tokens.add(token)
        return f"<input type=hidden name=csrf value='{token}'>"


def _error(message: str) -> str:
    return f"<p class=error role=alert>{escape(message)}</p>" if message else ""
