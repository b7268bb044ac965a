"""F5 BIG-IP APM's pages, which a federation may lead through: their form does not say where to."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

from broker.ports.http import Reply
from providers.saml.page import Page
from providers.saml.walk import PageReader, Walk


class F5Pages(PageReader):
    """What the common rules would misread."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the form that every logon page has."""
        form = page.form("form#auth_form")
        return form is not None and form.has("vhost")

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Logon pages are posted to the policy, whatever their own address is."""
        del walk
        form = page.form("form#auth_form")
        if form is None or form.tag.get("action"):
            return page
        return page.changed(form, replace(form, action=urljoin(page.url, "/my.policy")))
