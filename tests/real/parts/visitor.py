"""A person at a plain browser: loads pages, fills in their forms. Runs no script.

Independent of the product's own page reader, so that a test of a part cannot share its faults.
"""

from __future__ import annotations

import base64
from http.cookiejar import Cookie
from typing import Any
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup, Tag
from lxml import etree
from requests.cookies import RequestsCookieJar
from signxml.verifier import XMLVerifier

from tests.real.parts.aws import ATTRIBUTE

_ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"


class _LoopbackJar(RequestsCookieJar):
    """Sends `Secure` cookies back to loopback over plain http, as browsers do."""

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


class Visitor:
    """A browser session with the page it shows.

    Args:
        url: The first page.
    """

    def __init__(self, url: str) -> None:
        self._session = requests.Session()
        self._session.cookies = _LoopbackJar()
        self._show(self._session.get(url, timeout=120))

    def _show(self, reply: requests.Response) -> None:
        self.status = reply.status_code
        self.url = reply.url
        self.page = BeautifulSoup(reply.text, "html.parser")
        self._session.close()

    @property
    def text(self) -> str:
        """What a person reads on the page."""
        return self.page.get_text(" ", strip=True)

    def submit(self, form: str, **values: str) -> None:
        """Fill in a form and send it.

        Args:
            form: Its CSS selector.
            values: Fields by name; the others keep their values.
        """
        found = self._one(form)
        fields = {
            str(field["name"]): str(field.get("value") or "")
            for field in found.select("input[name]")
        }
        action = urljoin(self.url, str(found.get("action") or ""))
        self._show(self._session.post(action, data=fields | values, timeout=120))

    def saml_response(self) -> etree._Element:
        """The Response that the page is about to post to AWS, not verified."""
        value = self._one("input[name=SAMLResponse]")["value"]
        return etree.fromstring(base64.b64decode(str(value)))

    def destination(self) -> str:
        """Where the page posts the Response."""
        return str(self._one("form:has(input[name=SAMLResponse])")["action"])

    def _one(self, selector: str) -> Tag:
        found = self.page.select_one(selector)
        assert found is not None, f"no {selector} on {self.url}:\n{self.text}"
        return found


def verified(response: etree._Element, certificate_pem: str) -> etree._Element:
    """The assertion in a Response, after checking both of their signatures.

    Raises:
        signxml.InvalidSignature: One of them is not by this certificate's key.
    """
    signed = XMLVerifier().verify(response, x509_cert=certificate_pem, id_attribute="ID")
    assert not isinstance(signed, list)
    assert signed.signed_xml is not None
    assertion = signed.signed_xml.find(f"{_ASSERTION}Assertion")
    inner = XMLVerifier().verify(assertion, x509_cert=certificate_pem, id_attribute="ID")
    assert not isinstance(inner, list)
    return inner.signed_xml


def attribute(assertion: etree._Element, name: str) -> list[str]:
    """The values of one of AWS's attributes, such as `Role`."""
    return [
        value.text or ""
        for found in assertion.iter(f"{_ASSERTION}Attribute")
        if found.get("Name") == ATTRIBUTE + name
        for value in found
    ]
