"""The follow loop: from the start address, page by page, to the SAMLResponse.

Owns the order of things and where secrets go: a password is posted once and only to the provider's
own sites, a code only to the site whose page asked for it. Pages are read by `page`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports import Ports
from broker.ports.http import HttpSession, Reply
from broker.ports.urls import origin, without_query
from providers.saml.credentials import Person
from providers.saml.page import Form, Kind, Page

MAX_PAGES = 40
CODES_OF_A_PERSON = 3


class UnknownPageError(UnexpectedReply):
    """A page that we do not understand.

    Attributes:
        page: Its text, for `--debug-page`.
    """

    def __init__(self, page: Page, text: str, *, name: str = "", said: str = "") -> None:
        said = said or page.error()
        super().__init__(
            f"{without_query(page.url)} shows {page.title}{f' ({name})' if name else ''},"
            " which awslogin does not understand" + (f"; it says: {said}" if said else ""),
            hint="`idp: browser` can sign in through any page; --debug-page FILE saves this one",
        )
        self.page = text


@dataclass
class SignIn:
    """One walk through a provider's pages.

    Args:
        allowed: Origins that may receive the password.
        selectors: CSS selectors of the YAML.
        readers: Asked first what follows a page, for those that are not read by their forms.
    """

    ports: Ports
    person: Person
    allowed: Collection[str]
    selectors: dict[str, str] = field(default_factory=dict)
    readers: Sequence[Callable[[Reply], Reply | None]] = ()
    _password_sent: bool = False
    _username_sent: bool = False
    _codes_sent: int = 0

    def __post_init__(self) -> None:
        self.http: HttpSession = self.ports.http.session()

    def response(self, url: str) -> str:
        """Walk from `url` to the SAMLResponse.

        Raises:
            LoginRefused: Wrong password or code, or the account may not sign in.
            UnexpectedReply: A page that is not understood, or one that leads astray.
        """
        return self.onward(self.http.get(url))

    def onward(self, reply: Reply) -> str:
        """Walk from a page that is here already to the SAMLResponse."""
        start = reply.url
        for _ in range(MAX_PAGES):
            page = Page.parse(reply.url, reply.text, self.selectors)
            done = page.first(Kind.RESPONSE)
            if done:
                return str(done.value("SAMLResponse"))
            read = (reader(reply) for reader in self.readers)
            reply = next((known for known in read if known), None) or self._next(page, reply)
        raise UnexpectedReply(f"{without_query(start)} leads on without end")

    def _next(self, page: Page, reply: Reply) -> Reply:
        password, code = page.first(Kind.PASSWORD), page.first(Kind.CODE)
        username, onward = page.first(Kind.USERNAME), page.first(Kind.ONWARD)
        if page.page_id in _DEAD_ENDS:
            raise LoginRefused(
                f"the identity provider {_DEAD_ENDS[page.page_id]}: {page.title}",
                hint=f"do that in a browser at {without_query(reply.url)}, then sign in again",
            )
        if code and not (password and not self._password_sent):
            return self._send_code(page, code)
        if password:
            return self.send_password(password, page.error())
        if username:
            return self._send_username(page, username)
        if self._password_sent and page.error():
            raise LoginRefused(
                f"the identity provider says: {page.error()}", hint="ask its helpdesk"
            )
        if onward:
            return self._follow(onward)
        if page.refresh:
            return self.http.get(page.refresh)
        raise UnknownPageError(page, reply.text)

    def send_password(self, form: Form, said: str = "") -> Reply:
        """Post the password; a form for it again means that it was refused.

        Args:
            form: Where to; its names for user and password.
            said: What the page says went wrong.
        """
        if self._password_sent:
            self.person.password_was_refused()
            raise LoginRefused(
                said or "the identity provider refused the password",
                hint="check the user name and the password",
            )
        self._check_target(form)
        values = {}
        if form.username:
            values[form.username] = self.person.username()
        assert form.password
        values[form.password] = self.person.password().reveal()
        self._password_sent = True
        return self._post(form, values, self.allowed)

    def _send_username(self, page: Page, form: Form) -> Reply:
        if self._username_sent or self._password_sent:
            raise LoginRefused(
                page.error() or "the identity provider does not take the user name",
                hint="check `username` of the provider",
            )
        assert form.username
        self._username_sent = True
        return self._post(form, {form.username: self.person.username()}, None)

    def _send_code(self, page: Page, form: Form) -> Reply:
        """Post a one-time code to the page's own site."""
        said = page.error()
        if self._codes_sent and (
            self.person.code_is_final or self._codes_sent >= CODES_OF_A_PERSON
        ):
            raise LoginRefused(
                said or "the identity provider refused the code",
                hint="wait for the next code and try again",
            )
        if self._codes_sent and said:
            self.ports.ui.show(said)
        assert form.code
        code = self.person.code()
        self._codes_sent += 1
        return self._post(form, {form.code: code.reveal()}, {origin(page.url)})

    def _follow(self, form: Form) -> Reply:
        """Send a form that asks for nothing."""
        if form.method == "get":
            return self.http.get(form.action, params=dict(form.fields))
        return self.http.post(form.action, form=form.fields)

    def _check_target(self, form: Form) -> None:
        """Refuse a form that would show the password or send it elsewhere, before anyone types."""
        if form.method == "get":
            raise UnexpectedReply(
                "the sign-in page would put the password into an address; nothing was sent"
            )
        if origin(form.action) not in self.allowed:
            host = form.action.split("/")[2]
            raise UnexpectedReply(
                f"the sign-in page wants the password sent to {host}, which is not this provider's"
                " site; nothing was sent",
                hint="if that host is right, add it to `hosts` of the provider",
            )

    def _post(self, form: Form, values: dict[str, str], only_to: Collection[str] | None) -> Reply:
        if form.method == "get":
            if only_to is not None:
                raise UnexpectedReply("the page would put a code into an address; nothing was sent")
            return self.http.get(form.action, params=dict(form.filled(**values)))
        return self.http.post(form.action, form=form.filled(**values), only_to=only_to)


_DEAD_ENDS = {
    "login-login-update-password": "wants a new password",
    "login-login-config-totp": "wants an authenticator set up",
    "login-webauthn-register": "wants a security key registered",
    "login-terms": "wants its terms accepted",
    "login-login-update-profile": "wants the profile completed",
    "login-login-verify-email": "wants the e-mail address verified",
}
"""Keycloak's required actions by page id: they set things up, they do not sign in."""
