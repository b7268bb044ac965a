"""What the person gives to pages: user name, password, code; and where each of them may go.

A password is posted once and only to the provider's own sites, a code only to the site whose page
asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from broker.errors import LoginRefused
from broker.ports.http import HttpSession, Reply
from broker.ports.ui import Ui
from broker.ports.urls import host_of, origin
from providers.saml.choices import kind_of
from providers.saml.credentials import Person, quoted
from providers.saml.device_choice import DeviceChoice
from providers.saml.factors import CODES
from providers.saml.forms import Form, Kind
from providers.saml.page import Page
from providers.saml.refusals import demand
from providers.saml.set_up import shows_seed, wants_new_password
from providers.saml.submission import require_site, require_target, submit


class Answers:
    """The answers of one sign-in.

    Args:
        http: Requests that share cookies.
        ui: Where the provider's words are shown.
        person: Whose user name, password and codes.
        allowed: Origins that may receive the password.
        choice: Which device a code comes from.

    Attributes:
        password_sent: Whether the password is gone; it goes once.
    """

    def __init__(
        self,
        http: HttpSession,
        ui: Ui,
        person: Person,
        allowed: Collection[str],
        choice: DeviceChoice,
    ) -> None:
        self.password_sent = False
        self._http = http
        self._ui = ui
        self._person = person
        self._allowed = allowed
        self._choice = choice
        self._username_sent = False
        self._codes_sent: dict[str, int] = {}
        self._left: Page | None = None

    @property
    def any_sent(self) -> bool:
        """Whether the user name or the password is gone."""
        return self._username_sent or self.password_sent

    def answer(self, page: Page) -> Reply | None:
        """Answer the page's question; None where it asks for no user name, password or code.

        Raises:
            LoginRefused: The page asks again for what it got, or wants a new password.
            UnexpectedReply: The answer would go astray.
        """
        code, username = page.first(Kind.CODE), page.first(Kind.USERNAME)
        password = page.first(Kind.PASSWORD)
        if page.first(Kind.NEW_PASSWORD) and not password and self.password_sent:
            raise demand(page, "wants a new password")
        lone = None if code or username or password else _lone(page)
        if lone and self.password_sent:
            return self._send_code(page, lone, str(lone.lone_input))
        if lone and not self._username_sent:
            return self._send_username(page, lone, str(lone.lone_input))
        follow_up = code and self.password_sent and not self._was_there(code)
        if password and not follow_up:
            return self.send_password(page, password)
        if code and code.code:
            if shows_seed(page) and not password:
                raise demand(page, "wants an authenticator set up")
            return self._send_code(page, code, code.code)
        if username and username.username:
            return self._send_username(page, username, username.username)
        return None

    def send_password(self, page: Page, form: Form) -> Reply:
        """Post the password; the same form again means that it was refused."""
        if self.password_sent:
            if wants_new_password(page, self._left):
                raise demand(page, "wants a new password")
            raise self.password_refused(self.news(page))
        require_target(form, self._allowed, "password")
        if form.code:
            require_target(form, {origin(page.url)}, "code")
        values = {}
        if form.username:
            values[form.username] = self._person.username()
        assert form.password
        values[form.password] = self._person.password(form.action).reveal()
        if form.code:
            values[form.code] = self._person.code(form.action).reveal()
        self.password_sent, self._left = True, page
        return submit(self._http, form, values, self._allowed)

    def password_to(self, target: str) -> str:
        """The password for an address that a page's script posts it to, once.

        Raises:
            LoginRefused: It is gone already.
            UnexpectedReply: The address may not have it.
        """
        if self.password_sent:
            raise self.password_refused("")
        require_site(target, self._allowed, "password")
        password = self._person.password(target).reveal()
        self.password_sent = True
        return password

    def password_refused(self, message: str) -> LoginRefused:
        """The provider does not take the password: it is not tried again.

        Args:
            message: What the failure says, such as the provider's words; empty for ours.
        """
        source = self._person.password_was_refused()
        return LoginRefused(
            message or "the identity provider refused the password",
            hint="check the user name and the password, and whether the account is locked" + source,
        )

    def news(self, page: Page) -> str:
        """What a page that comes again says: its error, else what is new on it."""
        return page.error() or page.news(self._left)

    def _send_username(self, page: Page, form: Form, field: str) -> Reply:
        if self.any_sent:
            raise LoginRefused(
                self.news(page) or "the identity provider does not take the user name",
                hint="check `username` of the provider",
            )
        self._username_sent, self._left = True, page
        return submit(self._http, form, {field: self._person.username()})

    def _send_code(self, page: Page, form: Form, field: str) -> Reply:
        """Choose the device where the form offers several, and post its code."""
        sent, news = self._codes_sent.get(field, 0), self.news(page)
        if sent and (self._person.code_is_final or sent >= CODES):
            raise LoginRefused(
                news or "the identity provider refused the code",
                hint="wait for the next code and try again",
            )
        if sent and news:
            self._ui.show(f"{host_of(page.url)} says: {quoted(news)}")
        here = {origin(page.url)}
        require_target(form, here, "code")
        values: dict[str, str] = {}
        if form.username and not form.value(form.username):
            values[form.username] = self._person.username()
        if form.options:
            option = self._choice.again(form.options)
            option = option or self._choice.pick([(way, form) for way in form.options])[0]
            values |= option.values
            if option.kind == "push":
                self._codes_sent[field] = CODES  # once, like a machine's code
                return submit(self._http, form, values)
        kind, about = self._kind_of(form, field), self._about(form, field)
        values[field] = self._person.code(form.action, kind, about).reveal()
        self._codes_sent[field], self._left = sent + 1, page
        return submit(self._http, form, values, here)

    def _was_there(self, form: Form) -> bool:
        """Whether the page that was left asked for this code too."""
        return self._left is not None and any(
            earlier.code == form.code for earlier in self._left.forms
        )

    def _kind_of(self, form: Form, field: str) -> str:
        """Which kind of code a form wants; only a TOTP seed's own kind is answered by it."""
        factor = self._choice.factor
        kinds = [factor.kind if factor else "", kind_of(f"{field} {form.id}")]
        return next((kind for kind in kinds if kind in {"totp", "sms", "call", "email"}), "totp")

    def _about(self, form: Form, field: str) -> str:
        return self._choice.factor.label if self._choice.factor else form.label(field)


def _lone(page: Page) -> Form | None:
    """The one form with one input: the user name's at first, the second factor's later."""
    lone = [
        form
        for form in page.forms
        if form.lone_input
        and form.kind is Kind.OTHER
        and form.method == "post"
        and not form.is_aside
        and not re.search(r"(?i)search|query|^q$|^s$", form.lone_input)
    ]
    return lone[0] if len(lone) == 1 else None
