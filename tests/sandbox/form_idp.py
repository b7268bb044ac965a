"""A SAML identity provider with an HTML form: password, then a one-time code where one is due.

Strict: the form's token is demanded back and good once, codes are single-use, three wrong codes
lock the person out.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape

from tests.sandbox import saml
from tests.sandbox.server import Answer, Asked, html
from tests.sandbox.world import Person, World

PATH = "/idp/app/aws"
MOST_CODES = 3


@dataclass
class Visit:
    """A browser's way through the pages."""

    tokens: set[str] = field(default_factory=set)
    person: Person | None = None
    wrong_codes: int = 0


class FormIdp:
    """The pages."""

    def __init__(self, world: World, signer: saml.Signer, provider_arn: str) -> None:
        self._world = world
        self.signer = signer
        self._provider = provider_arn
        self._visits: dict[str, Visit] = {}
        self.url = ""
        self.action_origin = ""
        self.passwords_seen = 0

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self._world.lock:
            if asked.method == "GET" and asked.path == PATH:
                return self._start()
            visit = self._visits.get(asked.cookies.get("visit", ""))
            fields = asked.form
            if visit is None or fields.get("csrf") not in visit.tokens:
                return html("<title>Error</title><h1>Your session was lost</h1>", 400)
            visit.tokens.discard(fields["csrf"])
            if asked.path == "/idp/password":
                return self._password(visit, fields)
            if asked.path == "/idp/code":
                return self._code(visit, fields)
            return html("<title>Not found</title>", 404)

    def _start(self) -> Answer:
        name = secrets.token_urlsafe(16)
        visit = self._visits[name] = Visit()
        answer = self._password_page(visit)
        answer.headers["Set-Cookie"] = f"visit={name}; HttpOnly; Path=/idp"
        return answer

    def _password(self, visit: Visit, fields: dict[str, str]) -> Answer:
        self.passwords_seen += 1
        person = self._world.people.get(fields.get("username", "").partition("@")[0])
        if person is None or person.password != fields.get("password"):
            return self._password_page(visit, "Invalid username or password.")
        if person.disabled:
            return self._password_page(visit, "Account is disabled, contact your administrator.")
        visit.person = person
        return self._code_page(visit) if person.totp else self._done(visit)

    def _code(self, visit: Visit, fields: dict[str, str]) -> Answer:
        person = visit.person
        if person is None or person.totp is None:
            return html("<title>Error</title><h1>Your session was lost</h1>", 400)
        if visit.wrong_codes >= MOST_CODES:
            return html("<title>Locked</title><p class=error>Too many wrong codes.</p>", 403)
        if not person.totp.accepts(fields.get("otp"), self._world.now()):
            visit.wrong_codes += 1
            return self._code_page(visit, "Invalid authenticator code.")
        return self._done(visit)

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

    def _done(self, visit: Visit) -> Answer:
        assert visit.person
        return html(
            "<title>Working…</title><body onload='document.forms[0].submit()'>"
            "<form method=post action='https://signin.aws.amazon.com/saml'>"
            f"<input type=hidden name=SAMLResponse value='{self.assertion(visit.person)}'>"
            "<input type=hidden name=RelayState value=''>"
            "<noscript><button>Continue</button></noscript></form>"
        )

    def assertion(self, person: Person) -> str:
        """A person's SAMLResponse; the ARNs of a role stand in either order."""
        values = []
        for number, role in enumerate(person.roles):
            pair = [role, self._provider]
            values.append(", ".join(pair if number % 2 else reversed(pair)))
        return saml.response(
            self.signer,
            values,
            now=self._world.now(),
            user=person.name,
            duration=person.duration,
        )

    def _token(self, visit: Visit) -> str:
        token = secrets.token_urlsafe(16)
        visit.tokens.add(token)
        return f"<input type=hidden name=csrf value='{token}'>"


def _error(message: str) -> str:
    return f"<p class=error role=alert>{escape(message)}</p>" if message else ""
