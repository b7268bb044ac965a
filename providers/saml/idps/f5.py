"""F5 BIG-IP APM's pages, which a federation may lead through: their form does not say where to."""

from __future__ import annotations

from urllib.parse import urljoin

from broker.ports.http import Reply
from providers.saml.idp import PageReader
from providers.saml.page import Page
from providers.saml.walk import SignIn


class F5Pages(PageReader):
    """What the common rules would misread."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the form that every logon page has."""
        form = page.form("form#auth_form")
        return form is not None and form.has("vhost")

    @classmethod
    def answer(cls, page: Page, walk: SignIn) -> Reply | None:
        """Logon pages are posted to the policy, whatever their own address is."""
        del walk
        form = page.form("form#auth_form")
        if form and not form.tag.get("action"):
            form.action = urljoin(page.url, "/my.policy")
        return None
