"""PingFederate's and PingID's pages: a browser check, devices as a list, a swipe that is polled.

Source: PingFederate's form templates; PingID's pages under `/pingid/ppm/`.
"""

from __future__ import annotations

from dataclasses import replace

from bs4 import Tag

from broker.ports.http import Reply
from broker.terminal_text import one_line
from providers.saml.choices import Option, kind_of
from providers.saml.forms import Form, Kind
from providers.saml.idps.form import FormIdp
from providers.saml.page import Page
from providers.saml.refusals import refusal
from providers.saml.walk import PageReader, Walk

_EVERY = 3.0
"""Seconds between two questions for the swipe, as PingID's script does it."""
_WAITING = "ASYNC_AUTH_WAIT"
_SWIPE, _ANSWER = "form#form1", "form#reponseView"  # spelled so


class PingFederate(FormIdp):
    """`url` is the start of the SSO connection, or the server's host."""

    START = "/idp/startSSO.ping?PartnerSpId=urn:amazon:webservices"


class PingPages(PageReader):
    """What the common rules would misread."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By Ping's own fields and forms."""
        names = {name for form in page.forms for name, _ in form.fields}
        return (
            any(name.startswith("pf.") for name in names)
            or "isWebAuthnSupportedByBrowser" in names
            or page.soup.select_one(f"{_ANSWER}, form[name=device-form], #device-form") is not None
        )

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Answer the browser check, choose the device, wait for the swipe."""
        check = page.form_with("isWebAuthnSupportedByBrowser")
        if check:
            names = [name for name, _ in check.fields if name.startswith("isWebAuthn")]
            return walk.send(check, **dict.fromkeys(names, "false"))
        devices = page.form("form[name=device-form], form#device-form")
        if devices:
            return walk.choose(_devices(page, devices))
        swipe, after = page.form(_SWIPE), page.form(_ANSWER)
        if swipe and after and not page.first(Kind.CODE):
            return cls._wait(page, swipe, after, walk)
        return replace(page, forms=tuple(_as_scripts_do(form, walk) for form in page.forms))

    @classmethod
    def _wait(cls, page: Page, swipe: Form, after: Form, walk: Walk) -> Reply:
        """Ask for the swipe's state, then go where the page would go with it."""

        def ask() -> str | None:
            query = dict(swipe.fields)
            document = walk.http.get(swipe.action, params=query).json()
            status = str(document.get("status")) if isinstance(document, dict) else "no status"
            return None if status == _WAITING else status

        status = walk.wait(page, ask, every=_EVERY)
        reply = walk.send(after)
        if status == "OK":
            return reply
        shown = Page.parse(reply.url, reply.text)
        devices = shown.form("form[name=device-form], form#device-form")
        if shown.first(Kind.CODE) or (devices and walk.ports.ui.interactive):
            return reply  # its code, or another device, instead
        raise refusal(
            shown, f"the approval ended with {status}", hint="run it again and approve it"
        )


def _as_scripts_do(form: Form, walk: Walk) -> Form:
    """The form with what the page's own scripts put into it."""
    if form.value("pf.ok") == "":
        form = form.with_values(**{"pf.ok": "clicked"})
    fresh = [cookie.value for cookie in walk.http.cookies if cookie.name == ".csrf"]
    if fresh and fresh[0] and form.has("csrfToken"):
        form = form.with_values(csrfToken=fresh[0])
    return form


def _devices(page: Page, form: Form) -> list[tuple[Option, Form]]:
    """The person's devices; a script would put the id of the one that is clicked into the form."""
    return [
        (Option(_name(item), _kind(item), {"deviceId": str(item["data-id"])}), form)
        for item in page.soup.select(".device-list [data-id]")
    ]


def _name(item: Tag) -> str:
    return one_line((item.select_one(".device-name") or item).get_text(" "))


def _kind(item: Tag) -> str:
    """A phone has the app, which is asked by a push; the class tells in every language."""
    classes = " ".join(item.get("class") or [])
    if "mobile" in classes:
        return "push"
    kind = kind_of(classes.replace("selected", ""))
    return "totp" if kind == "other" else kind
