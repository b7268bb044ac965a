"""The follow loop: from the start address, page by page, to the SAMLResponse.

Owns the order of things. Pages are read by `page`; what the person gives is `answers`'; what only
one provider's pages do is asked of the readers in `idps/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TypeVar
from urllib.parse import urlsplit

from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from broker.ports import Ports
from broker.ports.http import HttpSession, Reply
from broker.ports.urls import host_of, origin, without_query
from providers.saml import factors, leads
from providers.saml.answers import Answers
from providers.saml.assertion import is_for_another
from providers.saml.choices import Option
from providers.saml.credentials import Person, quoted
from providers.saml.device_choice import DeviceChoice
from providers.saml.forms import Form, Kind
from providers.saml.kinds import READERS
from providers.saml.page import Page
from providers.saml.refusals import UnknownPageError, refusal
from providers.saml.submission import submit

T = TypeVar("T")

MAX_PAGES = 40


class PageReader(ABC):
    """Knows the pages of one provider that the common rules would misread.

    The walk asks those of `kinds.READERS` about every page, whatever `idp` says: one provider's
    sign-in often leads through another's. Both methods keep no state; what must last from page to
    page is the walk's.
    """

    @classmethod
    @abstractmethod
    def recognises(cls, page: Page) -> bool:
        """Whether this page is this provider's, told by its structure."""

    @classmethod
    @abstractmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Take the next step, or leave the page, as it is or changed, to the common rules.

        Raises:
            LoginRefused, UnexpectedReply, InteractionRequired: as `IdentityProvider.response`.
        """


def readers() -> list[type[PageReader]]:
    """Everybody who knows one provider's pages."""
    places = [place.split(":") for place in READERS]
    return [getattr(import_module(f"providers.saml.idps.{file}"), name) for file, name in places]


class Walk:
    """One walk through a provider's pages.

    Args:
        ports: The way to the network, the person and the clock.
        person: Who signs in.
        allowed: Origins that may receive the password.
        selectors: CSS selectors of the YAML.
        mfa: `mfa` of the YAML: the second factor to take.
        readers: Those who know the pages of one provider.

    Attributes:
        http: The browser's part: requests that share cookies.
        allowed: Origins that may receive the password.
        choice: The second factor that is taken.
        answers: What the person has given.
        factors_taken: How many second factors readers have led through.
    """

    def __init__(
        self,
        ports: Ports,
        person: Person,
        allowed: Collection[str],
        *,
        selectors: Mapping[str, str] | None = None,
        mfa: str | None = None,
        readers: Sequence[type[PageReader]] = (),
    ) -> None:
        self.ports = ports
        self.person = person
        self.http: HttpSession = ports.http.session()
        self.choice = DeviceChoice(mfa, ports.ui)
        self.answers = Answers(self.http, ports.ui, person, allowed, self.choice)
        self.factors_taken = 0
        self.allowed = allowed
        self._selectors = selectors or {}
        self._readers = readers
        self._shown_number = ""
        self._waited = 0.0

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
            page = Page.parse(reply.url, reply.text, self._selectors, reply.charset)
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
        return submit(self.http, form, values)

    def choose(self, options: Sequence[tuple[Option, Form]]) -> Reply:
        """Let the person, or `mfa`, choose among the ways that a page offers, and take that one."""
        option, form = self.choice.pick(options)
        return self.send(form, **option.values)

    def wait(self, page: Page, ask: Callable[[], T | None], *, every: float) -> T:
        """Poll a push, its number shown.

        Args:
            page: The page that waits.
            ask: None as long as the person has not decided.
            every: Seconds between two questions.
        """
        self.ports.ui.waiting("waiting for the approval on your other device")
        self.show_number(page)
        return factors.poll(ask, self.ports.clock, every=every)

    def show_number(self, page: Page) -> None:
        """Show the number to match, once."""
        if page.number and page.number != self._shown_number:
            self._shown_number = page.number
            self.ports.ui.show(f"Choose or enter {page.number} on your other device.")

    def _next(self, page: Page, reply: Reply) -> Reply:
        if page.beyond_us:
            raise UnknownPageError(page, page.beyond_us)
        for reader in self._readers:
            if reader.recognises(page):
                step = reader.answer(page, self)
                if isinstance(step, Reply):
                    return step
                page = step
        answered = self.answers.answer(page) or self._chosen(page)
        if answered:
            return answered
        lead = leads.onward(page)
        if self.answers.password_sent and page.error() and not (lead and lead.automatic):
            raise refusal(page, "")
        led = self._led(page)
        if led:
            return led
        raise self._failure(page, reply)

    def _chosen(self, page: Page) -> Reply | None:
        """Choose among what the page offers, once it is known who signs in."""
        choices = [(option, form) for form in page.forms for option in form.options]
        if not (choices and self.answers.any_sent):
            return None
        first = choices[0][1]
        if first.can_be_declined and first.agrees:
            return self._agree(page, first)
        return self.choose(choices)

    def _led(self, page: Page) -> Reply | None:
        """Go where the page would lead a browser by itself."""
        script, lead = leads.script_target(page), leads.onward(page)
        if script and "SAMLRequest=" in script:
            return self.http.get(script)
        if any(form.can_be_declined for form in page.forms):
            consent = next((form for form in page.forms if form.agrees), None)
            return self._agree(page, consent) if consent else None
        if lead:
            return self.send(lead)
        refresh = leads.refresh(page)
        if refresh:
            return self._refreshed(page, *refresh)
        if script and not any(form.typed for form in page.forms):
            return self.http.get(script)
        return None

    def _refreshed(self, page: Page, seconds: float, target: str) -> Reply:
        self.show_number(page)
        if seconds:
            self._waited += seconds
            if self._waited > factors.PUSH_PATIENCE:
                raise refusal(page, "nobody answered the second factor in time")
            self.ports.clock.sleep(seconds)
        return self.http.get(target)

    def _agree(self, page: Page, form: Form) -> Reply:
        """Agree to what a page asks the person to agree to, if the person does."""
        self.require_consent(page.url, page.heading())
        return self.send(form)

    def require_consent(self, url: str, what: str) -> None:
        """Ask the person whether they agree to what a page wants.

        Raises:
            InteractionRequired: There is nobody to ask.
            LoginRefused: They do not agree.
        """
        if not self.ports.ui.interactive:
            raise InteractionRequired(
                f"the identity provider asks for consent: {what}",
                hint=f"answer it once in a browser at {without_query(url)}, or on a terminal",
            )
        if not self.ports.ui.confirm(f"{host_of(url)} asks for consent: {quoted(what)}. Agree?"):
            raise LoginRefused("consent was declined", hint="sign in again and agree")

    def _failure(self, page: Page, reply: Reply) -> AwsLoginError:
        """What a page without a way on means."""
        if reply.status in {429, 500, 502, 503, 504}:
            return NetworkError(
                f"{urlsplit(reply.url).netloc} answered {reply.status}", hint="try again later"
            )
        browsers = reply.status == 401 and reply.headers.get("WWW-Authenticate")
        if self.answers.password_sent and reply.status in {401, 403} and not browsers:
            return refusal(page, self.answers.news(page) or f"it answers {reply.status}")
        return UnknownPageError(page, "wants a browser's own sign-in" if browsers else "")

    def _passes_through(self, form: Form) -> bool:
        """Whether a response is one provider's answer to the provider that asked it, not to AWS."""
        encoded = form.value("SAMLResponse") or ""
        return origin(form.action) in self.allowed and is_for_another(encoded)

    def _pass_on(self, form: Form) -> Reply:
        return self.http.post(form.action, form=form.fields, only_to=self.allowed)

    def _keep(self, error: UnexpectedReply, text: str) -> None:
        from providers.saml.debug_page import masked_copy

        with suppress(UnexpectedReply):  # a copy that takes too long is none
            error.page = masked_copy(text, self.person.typed)
