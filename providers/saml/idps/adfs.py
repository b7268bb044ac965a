"""ADFS: methods as links, Azure MFA as a page that is posted again until the phone has answered.

Source: AD FS 2012 R2 to 2022, `/adfs/ls/`; Microsoft Learn, "AD FS and Azure MFA".
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from bs4 import Tag

from broker.ports.http import Reply
from broker.terminal_text import one_line
from providers.saml.choices import Option, kind_of
from providers.saml.forms import Form, Kind
from providers.saml.idps.form import FormIdp
from providers.saml.page import Page
from providers.saml.refusals import refusal
from providers.saml.walk import PageReader, Walk

_WAITING = {"AzureMfaAuthentication", "AzureMfaServerAuthentication"}
_EVERY = 1.0
"""Seconds between two posts of the waiting page, as its script does it."""
_PASSWORD = "FormsAuthentication"  # noqa: S105
_BROWSERS = ("Certificate", "Windows", "Device", "Passport", "MicrosoftPassport")
"""Methods that a browser alone can use."""


class Adfs(FormIdp):
    """`url` is the IdP-initiated address, or the federation server's host."""

    START = "/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:amazon:webservices"

    @property
    def start(self) -> str:
        """With AWS as the party to sign in to, where the address does not name one."""
        start = super().start
        parts = urlsplit(start)
        if not parts.path.lower().endswith("/idpinitiatedsignon.aspx"):
            return start
        if "logintorp=" in parts.query.lower():
            return start
        query = f"{parts.query}&loginToRp=urn:amazon:webservices".lstrip("&")
        return parts._replace(query=query).geturl()


class AdfsPages(PageReader):
    """What the common rules would misread."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the field that names the method."""
        return page.form_with("AuthMethod") is not None

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Wait for the phone, or choose the method."""
        waiting = next((form for form in page.forms if _waits(form)), None)
        if waiting:
            return cls._wait(page, waiting, walk)
        chooser = page.form("form#options")
        if chooser:  # a script sends it, when a link is clicked
            page = page.changed(chooser, replace(chooser, waits_for_script=True))
        options = _options(page)
        if not options or page.first(Kind.PASSWORD):
            return page
        if not walk.answers.password_sent:
            options = [(way, form) for way, form in options if _PASSWORD in str(way.values)]
            return walk.choose(options[:1]) if options else page
        if page.first(Kind.CODE) is None:
            return walk.choose(options)
        switch = [(way, form) for way, form in options if way.kind == walk.choice.mfa]
        return walk.choose(switch) if switch and walk.choice.factor is None else page

    @classmethod
    def _wait(cls, page: Page, form: Form, walk: Walk) -> Reply:
        """Post the page again and again: each reply brings the next one's fields."""
        current = [form]

        def ask() -> Reply | None:
            reply = walk.send(current[0])
            after = Page.parse(reply.url, reply.text)
            again = next((form for form in after.forms if _waits(form)), None)
            if again is None:
                return reply
            if after.error():
                raise refusal(after, "", hint="approve it on your device next time")
            walk.show_number(after)
            current[0] = again
            return None

        if page.error():
            raise refusal(page, "", hint="approve it on your device next time")
        return walk.wait(page, ask, every=_EVERY)


def _waits(form: Form) -> bool:
    return form.value("AuthMethod") in _WAITING and not form.typed


def _options(page: Page) -> list[tuple[Option, Form]]:
    """The methods that the page lists as links; a script would put a link's id into the form."""
    form = page.form("form#options")
    links = page.soup.select("#authOptions a[id], form#options a[id]") if form else []
    return [
        (
            Option(
                _text_of(link),
                kind_of(f"{link['id']} {_text_of(link)}"),
                {"AuthMethod": str(link["id"])},
            ),
            form,
        )
        for link in links
        if form and not str(link["id"]).startswith(_BROWSERS)
    ]


def _text_of(link: Tag) -> str:
    return one_line(link.get_text(" "))
