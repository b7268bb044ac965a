"""What the twins of identity providers share: single-use tokens, people, the page at the end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tests.sandbox.form_idp import FormIdp
from tests.sandbox.server import Answer, html
from tests.sandbox.world import Person, World


@dataclass
class Habits:
    """How a twin treats one person.

    Attributes:
        factor: The second factor it asks for; each twin names its own.
        answer: What the person does with a push: `approve`, `deny` or `ignore`.
        after: Polls before that.
        expired: The password has to be changed first.
    """

    factor: str = ""
    answer: str = "approve"
    after: int = 2
    expired: bool = False


@dataclass
class Seen:
    """What a twin has counted."""

    passwords: int = 0
    codes: int = 0
    polls: int = 0
    pushes: int = 0
    strays: list[str] = field(default_factory=list)


class Twin:
    """Base of the twins.

    Knobs: `habits` (by person; without one, a password is enough) and `language`.
    """

    def __init__(self, world: World, idp: FormIdp) -> None:
        self.world = world
        self._idp = idp
        self._tokens: dict[str, dict[str, Any]] = {}
        self.habits: dict[str, Habits] = {}
        self.seen = Seen()
        self.url = ""
        self.language = "en"

    def token(self, **state: Any) -> str:
        """A token that is good once and remembers this."""
        token = secrets.token_urlsafe(32)
        self._tokens[token] = state
        return token

    def spent(self, token: str | None) -> dict[str, Any] | None:
        """What a token remembers; it is good no more."""
        return self._tokens.pop(token or "", None)

    def person(self, name: str | None, password: str | None) -> Person | None:
        """The person with this password; counted."""
        self.seen.passwords += 1
        short = (name or "").replace("\\", "@").split("@")
        found = next((self.world.people[n] for n in short if n in self.world.people), None)
        return found if found and found.password and found.password == password else None

    def habit(self, person: Person) -> Habits:
        """How this person is treated."""
        return self.habits.setdefault(person.name, Habits())

    def accepts(self, person: Person, code: str | None) -> bool:
        """Whether a one-time code is right and new; counted."""
        self.seen.codes += 1
        return bool(person.totp and person.totp.accepts(code, self.world.now()))

    def polled(self, person: Person) -> str:
        """What has become of a push: `wait`, `approve` or `deny`; counted."""
        self.seen.polls += 1
        habit = self.habit(person)
        if habit.answer == "ignore" or self.seen.polls <= habit.after:
            return "wait"
        return habit.answer

    def stray(self, what: str) -> Answer:
        """A request that no browser would have sent."""
        self.seen.strays.append(what)
        return html(f"<title>Error</title><p id=stray>{escape(what)}</p>", 400)

    @property
    def acs(self) -> str:
        """Where the response is posted."""
        return self._idp.acs

    def assertion(self, person: Person) -> str:
        """A person's response."""
        return self._idp.assertion(person)

    def done(self, person: Person, **more: Any) -> Answer:
        """The page that posts the response to AWS."""
        return html(
            "<head><title>Working...</title></head><body>"
            f"<form method=POST name=hiddenform action='{self._idp.acs}'>"
            f"<input type=hidden name=SAMLResponse value='{self._idp.assertion(person, **more)}'>"
            "<noscript><p>Script is disabled. Click Submit to continue.</p>"
            "<input type=submit value=Submit></noscript></form>"
            "<script>window.setTimeout('document.forms[0].submit()', 0);</script></body>"
        )
