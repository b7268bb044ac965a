"""The follow loop: from the start address, page by page, to the SAMLResponse.

Owns the order of things and where secrets go: a password is posted once and only to the provider's
own sites, a code only to the site whose page asked for it. Pages are read by `page`; what only one
provider's pages do is asked of the readers in `idps/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from broker.errors import (
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from broker.ports import Ports
from broker.ports.http import HttpSession, Reply
from broker.ports.urls import origin, without_query
from providers.saml import factors
from providers.saml.assertion import is_for_another
from providers.saml.controls import Option, kind_of, printable
from providers.saml.credentials import Person
from providers.saml.factors import Factor
from providers.saml.idp import PageReader
from providers.saml.page import Form, Kind, Page

T = TypeVar("T")

MAX_PAGES = 40
CODES_OF_A_PERSON = 3
BROWSER = "`idp: browser` can sign in through any page"


class UnknownPageError(UnexpectedReply):
    """A page that we do not understand, or that asks for what cannot be given here.

    Args:
        page: The page.
        why: What about it; that it is not understood, if nothing is said.
    """

    def __init__(self, page: Page, why: str = "") -> None:
        super().__init__(
            f"{without_query(page.url)} shows {page.title}, which"
            f" {why or 'awslogin does not understand'}"
            + (f"; it says: {page.error()}" if page.error() else ""),
            hint=f"{BROWSER}; --debug-page FILE saves this one",
        )


@dataclass
class SignIn:
    """One walk through a provider's pages.

    Args:
        allowed: Origins that may receive the password.
        selectors: CSS selectors of the YAML.
        mfa: `mfa` of the YAML: the second factor to take.
        readers: Those who know the pages of one provider.

    Attributes:
        http: The browser's part: requests that share cookies.
        password_sent: Whether the password is gone; it goes once.
        factor: The second factor that was chosen.
        factors_taken: How many second factors readers have led through.
    """

    ports: Ports
    person: Person
    allowed: Collection[str]
    selectors: dict[str, str] = field(default_factory=dict)
    mfa: str | None = None
    readers: Sequence[type[PageReader]] = ()
    password_sent: bool = False
    factor: Factor | None = None
    factors_taken: int = 0
    _username_sent: bool = False
    _codes_sent: dict[str, int] = field(default_factory=dict)
    _picked: list[str] = field(default_factory=list)
    _left: Page | None = None
    _shown: str = ""
    _waited: float = 0

    def __post_init__(self) -> None:
        self.http: HttpSession = self.ports.http.session()

    def response(self, url: str) -> str:
        """Walk from `url` to the SAMLResponse.

        Raises:
            LoginRefused: Wrong password or code, or the account may not sign in.
            UnexpectedReply: A page that is not understood, or one that leads astray; its attribute
                `page` is a copy without secrets.
        """
        return self.onward(self.http.get(url))

    def onward(self, reply: Reply) -> str:
        """Walk from a page that is here already to the SAMLResponse; raises as `response`."""
        start = reply.url
        for _ in range(MAX_PAGES):
            page = Page.parse(reply.url, reply.text, self.selectors, reply.charset)
            try:
                done = page.first(Kind.RESPONSE)
                if done and not self._passes_through(done):
                    return str(done.value("SAMLResponse"))
                reply = self._pass_on(done) if done else self._next(page, reply)
            except UnexpectedReply as error:
                self._keep(error, reply.text)
                raise
        raise UnexpectedReply(f"{without_query(start)} leads on without end")

    def send(self, form: Form, **values: str) -> Reply:
        """Send a form that asks for no secret, with these values put in."""
        return self._post(form, values, None)

    def choose(self, options: Sequence[tuple[Option, Form]]) -> Reply:
        """Let the person, or `mfa`, choose among the ways that a page offers, and take that one."""
        option, form = self.pick(options)
        return self.send(form, **option.values)

    def pick(self, options: Sequence[tuple[Option, Form]]) -> tuple[Option, Form]:
        """The way that the person, or `mfa`, chooses among those that a page offers."""
        offered = [Factor(option.kind, option.label, (option, form)) for option, form in options]
        self.factor = factors.choose(offered, self.mfa, self.ports.ui)
        tries = self._picked.count(self.factor.label)
        by_person = self.mfa is None and len(offered) > 1
        if tries and not (by_person and tries < CODES_OF_A_PERSON):
            raise LoginRefused(
                f"the identity provider did not accept “{self.factor.label}”",
                hint="try again, or set `mfa` of the provider to another factor",
            )
        self._picked.append(self.factor.label)
        chosen: tuple[Option, Form] = self.factor.handle
        return chosen

    def wait(self, page: Page, ask: Callable[[], T | None], *, every: float) -> T:
        """Poll a push, its number shown.

        Args:
            page: The page that waits.
            ask: None as long as the person has not decided.
            every: Seconds between two questions.
        """
        self.ports.ui.progress("waiting for the approval on your other device")
        self.show_number(page)
        return factors.poll(ask, self.ports.clock, every=every)

    def show_number(self, page: Page) -> None:
        """Show the number to match, once."""
        if page.number and page.number != self._shown:
            self._shown = page.number
            self.ports.ui.show(f"Choose or enter {page.number} on your other device.")

    def refuse(self, page: Page, otherwise: str, *, hint: str = "") -> LoginRefused:
        """What the provider says when it refuses, in its own words."""
        said = page.error()
        return LoginRefused(
            f"the identity provider says: {said}" if said else otherwise,
            hint=hint or "ask its helpdesk",
        )

    def demand(self, page: Page, what: str) -> LoginRefused:
        """The provider wants something set up before it lets the person in."""
        words = page.error() or page.heading()
        return LoginRefused(
            f"the identity provider {what}: {words}",
            hint=f"do that in a browser at {without_query(page.url)}, then sign in again",
        )

    def _next(self, page: Page, reply: Reply) -> Reply:
        if page.beyond_us:
            raise UnknownPageError(page, page.beyond_us)
        for reader in self.readers:
            if reader.recognises(page):
                answer = reader.answer(page, self)
                if answer is not None:
                    return answer
        asked = self._asked(page)
        if asked:
            return asked
        if self.password_sent and page.error() and not (page.onward and page.onward.automatic):
            raise self.refuse(page, "")
        onward = self._lead(page)
        if onward:
            return onward
        if reply.status in {429, 500, 502, 503, 504}:
            raise NetworkError(
                f"{urlsplit(reply.url).netloc} answered {reply.status}", hint="try again later"
            )
        browsers = reply.status == 401 and reply.headers.get("WWW-Authenticate")
        if self.password_sent and reply.status in {401, 403} and not browsers:
            raise self.refuse(page, self._said(page) or f"it answers {reply.status}")
        raise UnknownPageError(page, "wants a browser's own sign-in" if browsers else "")

    def _asked(self, page: Page) -> Reply | None:
        """Answer the page's question, if it has one."""
        code, username = page.first(Kind.CODE), page.first(Kind.USERNAME)
        password = page.first(Kind.PASSWORD)
        lone = None if code or username or password else _lone(page)
        if lone and self.password_sent:
            code, lone.code = lone, lone.lone_input
        elif lone and not self._username_sent:
            username, lone.username = lone, lone.lone_input
        if page.first(Kind.NEW_PASSWORD) and not password and self.password_sent:
            raise self.demand(page, "wants a new password")
        follow_up = code and self.password_sent and not self._was_there(code)
        if password and not follow_up:
            return self.send_password(page, password)
        if code:
            return self._send_code(page, code)
        if username:
            return self._send_username(page, username)
        choices = [(option, form) for form in page.forms for option in form.options]
        if choices and self._username_sent | self.password_sent:
            declinable = choices[0][1].can_be_declined and choices[0][1].agrees
            return self._agree(page, choices[0][1]) if declinable else self.choose(choices)
        return None

    def _lead(self, page: Page) -> Reply | None:
        """Go where the page would lead a browser by itself."""
        script = page.script_target
        if script and "SAMLRequest=" in script:
            return self.http.get(script)
        if any(form.can_be_declined for form in page.forms):
            consent = next((form for form in page.forms if form.agrees), None)
            return self._agree(page, consent) if consent else None
        if page.onward:
            return self.send(page.onward)
        if page.refresh:
            return self._refresh(page, *page.refresh)
        if script and not any(form.typed for form in page.forms):
            return self.http.get(script)
        return None

    def _refresh(self, page: Page, seconds: float, target: str) -> Reply:
        self.show_number(page)
        if seconds:
            self._waited += seconds
            if self._waited > factors.PUSH_PATIENCE:
                raise self.refuse(page, "nobody answered the second factor in time")
            self.ports.clock.sleep(seconds)
        return self.http.get(target)

    def _agree(self, page: Page, form: Form) -> Reply:
        """Agree to what a page asks the person to agree to, if the person does."""
        what = page.heading()
        if not self.ports.ui.interactive:
            raise InteractionRequired(
                f"the identity provider asks for consent: {what}",
                hint=f"answer it once in a browser at {without_query(page.url)}, or on a terminal",
            )
        if not self.ports.ui.confirm(f"The identity provider asks for consent: {what}. Agree?"):
            raise LoginRefused("consent was declined", hint="sign in again and agree")
        return self.send(form)

    def send_password(self, page: Page, form: Form) -> Reply:
        """Post the password; the same form again means that it was refused."""
        if self.password_sent:
            self.person.password_was_refused()
            raise LoginRefused(
                self._said(page) or "the identity provider refused the password",
                hint="check the user name and the password, and whether the account is locked",
            )
        self._check_target(form, self.allowed, "password")
        if form.code:
            self._check_target(form, {origin(page.url)}, "code")
        values = {}
        if form.username:
            values[form.username] = self.person.username()
        assert form.password
        values[form.password] = self.person.password().reveal()
        if form.code:
            values[form.code] = self.person.code().reveal()
        self.password_sent, self._left = True, page
        return self._post(form, values, self.allowed)

    def _send_username(self, page: Page, form: Form) -> Reply:
        if self._username_sent or self.password_sent:
            raise LoginRefused(
                self._said(page) or "the identity provider does not take the user name",
                hint="check `username` of the provider",
            )
        assert form.username
        self._username_sent, self._left = True, page
        return self._post(form, {form.username: self.person.username()}, None)

    def _send_code(self, page: Page, form: Form) -> Reply:
        """Choose the device where the form offers several, and post its code."""
        assert form.code
        sent = self._codes_sent.get(form.code, 0)
        said = self._said(page)
        if sent and (self.person.code_is_final or sent >= CODES_OF_A_PERSON):
            raise LoginRefused(
                said or "the identity provider refused the code",
                hint="wait for the next code and try again",
            )
        if sent and said:
            self.ports.ui.show(said)
        here = {origin(page.url)}
        self._check_target(form, here, "code")
        values: dict[str, str] = {}
        if form.username and not form.value(form.username):
            values[form.username] = self.person.username()
        if form.options:
            option = self._chosen_again(form) or self.pick([(o, form) for o in form.options])[0]
            values |= option.values
            if option.kind == "push":
                self._codes_sent[form.code] = CODES_OF_A_PERSON  # once, like a machine's code
                return self.send(form, **values)
        values[form.code] = self.person.code(self._kind_of(form), self._about(form)).reveal()
        self._codes_sent[form.code], self._left = sent + 1, page
        return self._post(form, values, here)

    def _was_there(self, form: Form) -> bool:
        """Whether the page that was left asked for this code too."""
        return self._left is not None and any(one.code == form.code for one in self._left.forms)

    def _said(self, page: Page) -> str:
        """What a page that comes again says: its error, else what is new on it."""
        return page.error() or page.news(self._left)

    def _chosen_again(self, form: Form) -> Option | None:
        """The device that was chosen already, when its code is asked again."""
        label = self.factor.label if self.factor else None
        return next((option for option in form.options if option.label == label), None)

    def _kind_of(self, form: Form) -> str:
        """Which kind of code a form wants; only a TOTP seed's own kind is answered by it."""
        kinds = [self.factor.kind if self.factor else "", kind_of(f"{form.code} {form.id}")]
        return next((kind for kind in kinds if kind in {"totp", "sms", "call", "email"}), "totp")

    def _about(self, form: Form) -> str:
        assert form.code
        return self.factor.label if self.factor else form.label(form.code)

    def _passes_through(self, form: Form) -> bool:
        """Whether a response is one provider's answer to the provider that asked it, not to AWS."""
        encoded = form.value("SAMLResponse") or ""
        return origin(form.action) in self.allowed and is_for_another(encoded)

    def _pass_on(self, form: Form) -> Reply:
        return self.http.post(form.action, form=form.fields, only_to=self.allowed)

    def _check_target(self, form: Form, allowed: Collection[str], what: str) -> None:
        """Refuse a form that would show a secret or send it elsewhere, before anyone types."""
        if form.method == "get":
            raise UnexpectedReply(
                f"the sign-in page would put the {what} into an address; nothing was sent",
                hint=BROWSER,
            )
        if origin(form.action) not in allowed:
            host = printable(urlsplit(form.action).netloc.rpartition("@")[2])
            raise UnexpectedReply(
                f"the sign-in page wants the {what} sent to {host}, which is not this provider's"
                " site; nothing was sent",
                hint="if that host is right, add it to `hosts` of the provider"
                if what == "password"
                else BROWSER,
            )

    def _post(self, form: Form, values: dict[str, str], only_to: Collection[str] | None) -> Reply:
        filled = [(name, _encoded(value, form.charset)) for name, value in form.filled(**values)]
        if form.method == "get":
            # A form sent by GET replaces the query of its address (HTML, "mutate action URL").
            return self.http.get(without_query(form.action), params=filled)
        return self.http.post(form.action, form=filled, only_to=only_to)

    def _keep(self, error: UnexpectedReply, text: str) -> None:
        from providers.saml.debug_page import masked_copy

        error.page = masked_copy(text, self.person.typed)


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


def _encoded(value: str, charset: str) -> str | bytes:
    """A value in the page's own character set, as a browser sends it; text stands for UTF-8."""
    if charset.lower().startswith("utf"):
        return value  # of UTF-16 too, a browser makes UTF-8
    if charset.lower() in {"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"}:
        charset = "cp1252"  # so says the WHATWG's Encoding Standard
    try:
        return value if value.isascii() else value.encode(charset, "xmlcharrefreplace")
    except LookupError:
        return value
