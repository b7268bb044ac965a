"""Okta's Authentication API ("authn"): one transaction's requests, its links and its refusals."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from broker.ports.http import HttpSession
from broker.ports.urls import joined, require_origin
from providers.saml import api
from providers.saml.api import Answer


class RefusedError(Exception):
    """Okta's refusal.

    Attributes:
        code: Such as `E0000004`.
        summary: What Okta says of it; empty where it says nothing.
    """

    def __init__(self, answer: Answer, status: int) -> None:
        causes = [cause.get("errorSummary") for cause in api.objects(answer.get("errorCauses"))]
        self.code = str(answer.get("errorCode") or f"HTTP {status}")
        self.summary = api.plain_line(next(filter(None, causes), answer.get("errorSummary")))
        super().__init__(self.code)


class Authn:
    """The API of one org.

    Args:
        http: Requests that share cookies.
        org: An address of the org.
        sites: Origins that may receive the password.
    """

    def __init__(self, http: HttpSession, org: str, sites: Collection[str]) -> None:
        self._http = http
        self._org = org
        self._sites = sites

    def address(self, href: str) -> str:
        """Where a link of an answer leads.

        Raises:
            UnexpectedReply: To none of the sites that may receive a secret.
        """
        address = joined(self._org, href)
        require_origin(address, self._sites)
        return address

    def post(self, href: str, body: Answer, *, retry: bool = False) -> Answer:
        """One request.

        Args:
            href: A link of the last answer, or a path.
            body: JSON.
            retry: It holds no password and no code.

        Raises:
            RefusedError: Okta says no.
        """
        reply = self._http.post(
            self.address(href),
            json=body,
            headers={"Accept": "application/json"},
            only_to=self._sites,
            retry=retry,
        )
        answer = api.answer(reply)
        if reply.status >= 400:
            raise RefusedError(answer, reply.status)
        return answer

    def step(self, answer: Answer, href: str, /, *, retry: bool = False, **more: str) -> Answer:
        """The next step of a transaction; the newest state token counts."""
        token = answer.get("stateToken") or ""
        fresh = self.post(href, {"stateToken": token, **more}, retry=retry)
        return {"stateToken": token, **fresh}


def link(answer: Any, name: str) -> str:
    """`_links.name.href`; Okta may give a list of links."""
    found = api.at(answer, "_links", name)
    if isinstance(found, list):
        found = next(iter(found), None)
    return str(api.at(found, "href") or "")
