"""Auth0: the classic page, whose script posts JSON, and Universal Login, whose pages are forms.

Source: saml2aws 2.36.19, `pkg/provider/auth0`; auth0/auth0.js, `username-password`; the pages under
`/u/`. A Guardian push is waited for by a script that we do not know: the browser's.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from broker.errors import InteractionRequired, LoginRefused, NetworkError
from broker.ports.http import Reply
from broker.ports.urls import host_of, is_loopback, joined, without_query
from broker.ports.webauthn import page_origin
from providers.saml import api, webauthn
from providers.saml.api import Answer
from providers.saml.controls import Control
from providers.saml.forms import Form, Kind
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.page import Page
from providers.saml.refusals import UnknownPageError, demand, needs_browser
from providers.saml.walk import PageReader, Walk

_CONFIG = re.compile(r"\batob\(\s*(['\"])([A-Za-z0-9+/=_-]{16,65536})\1\s*\)")
_CLIENT = re.compile(r"Auth0\.setClient\(\s*(?=\{)")
_CDN = "https://cdn.auth0.com/"
_SDK = base64.b64encode(b'{"name":"lock.js","version":"11.11.0"}').decode()
_BY_PASSWORD = {"auth0", "ad", "auth0-adldap"}
"""Kinds of connection whose users have a password that Auth0 takes."""
_USUAL = "Username-Password-Authentication"
"""The connection that every tenant starts with."""
_PICK = "pick-authenticator"
_WRONG = {"invalid_user_password", "access_denied"}


class Auth0(FormOrBrowser):
    """`url` is the app's, `https://TENANT.auth0.com/samlp/CLIENT`."""


class Auth0Pages(PageReader):
    """The classic page's JSON, and what Universal Login's forms have beside their input."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the classic page's settings, or by Universal Login's addresses and fields."""
        return _settings(page) is not None or _is_universal(page)

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Post the classic page's JSON, or leave the form without its other buttons."""
        settings = _settings(page)
        return (
            _universal(page, walk) if settings is None else _Classic(page, walk, settings).taken()
        )


# The classic page


def _settings(page: Page) -> Answer | None:
    """What the classic page's script starts with."""
    for match in _CONFIG.finditer(page.script):
        try:
            found = json.loads(webauthn.unpacked(match[2]))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and _within(found, "_csrf"):
            return found
    return None


def _within(settings: Answer, name: str) -> str:
    """A setting of the top, or of the parameters below it."""
    places = (settings, settings.get("extraParams"), settings.get("internalOptions"))
    return str(next(filter(None, (api.at(place, name) for place in places)), ""))


class _Classic:
    """One classic page."""

    def __init__(self, page: Page, walk: Walk, settings: Answer) -> None:
        self._page = page
        self._walk = walk
        self._settings = settings
        path = urlsplit(page.url).path.rpartition("/")[2]
        self._client = _within(settings, "clientID") or _within(settings, "client") or path

    def taken(self) -> Reply:
        """Post the password; the form that comes back leads on."""
        host = urlsplit(self._page.url).hostname or ""
        target = joined(self._page.url, "/usernamepassword/login")
        connection = self._connection()
        body = {
            "client_id": self._client,
            "connection": connection,
            "tenant": _within(self._settings, "auth0Tenant") or host.partition(".")[0],
            "username": self._walk.person.username(),
            "password": self._walk.answers.password_to(target),
            "redirect_uri": _within(self._settings, "callbackURL"),
            "response_type": "code",
            "scope": _within(self._settings, "scope") or "openid profile email",
            "protocol": "samlp",
            "popup_options": "{}",
            "sso": True,
            "state": _within(self._settings, "state"),
            "_csrf": _within(self._settings, "_csrf"),
            "_intstate": _within(self._settings, "_intstate") or "deprecated",
        }
        headers = {"Origin": page_origin(self._page.url), "Auth0-Client": _SDK}
        allowed = self._walk.allowed
        reply = self._walk.http.post(target, json=body, headers=headers, only_to=allowed)
        if reply.status >= 400:
            raise self._refusal(reply)
        page = Page.parse(reply.url, reply.text)
        form = page.form_with("wresult")
        if form is None:
            raise UnknownPageError(page)
        return self._walk.http.post(form.action, form=form.fields, only_to=allowed)

    def _connection(self) -> str:
        """Where the users are: as `url` says, else the only one, else the person's choice."""
        asked = parse_qs(urlsplit(self._page.url).query).get("connection")
        named = (asked or [""])[0] or _within(self._settings, "connection")
        if named:
            return named
        base = _within(self._settings, "clientConfigurationBaseUrl") or (
            joined(self._page.url, "/") if is_loopback(urlsplit(self._page.url).hostname) else _CDN
        )
        address = joined(base, f"client/{quote(self._client, safe='')}.js")
        names = _connections(self._walk.http.get(address).text)
        if names is None:
            return _USUAL
        if not names:
            raise needs_browser(self._page.url, "has no users with a password of its own")
        if len(names) > 1 and not self._walk.ports.ui.interactive:
            raise InteractionRequired(
                f"{host_of(self._page.url)} has several connections: {', '.join(names)}",
                hint="add `?connection=NAME` to `url` of the provider",
            )
        chosen = self._walk.ports.ui.choose("Which connection?", names, hint="`url`")
        return names[chosen]

    def _refusal(self, reply: Reply) -> Exception:
        answer = api.answer(reply)
        code = str(answer.get("code") or answer.get("name") or "")
        description = answer.get("description") or answer.get("message")
        message = api.plain_line(description if isinstance(description, str) else code) or code
        if "captcha" in code:
            return needs_browser(reply.url, "asks for a captcha")
        if reply.status == 429 or code == "too_many_attempts":
            return NetworkError(
                f"Auth0 takes no more tries for now: {message}", hint="wait, then sign in again"
            )
        if code in _WRONG:
            return self._walk.answers.password_refused(f"Auth0 says: {message}")
        return LoginRefused(
            f"Auth0 refused the sign-in: {message or reply.status}",
            hint=f"see in a browser at {without_query(self._page.url)}, or ask its administrator",
        )


def _connections(text: str) -> list[str] | None:
    """The names of an app's connections that take a password; None where it tells none at all."""
    match = _CLIENT.search(text)
    try:
        found: Any = json.JSONDecoder().raw_decode(text, match.end())[0] if match else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return None
    return [
        str(connection["name"])
        for strategy in api.objects(api.at(found, "strategies"))
        if strategy.get("name") in _BY_PASSWORD
        for connection in api.objects(strategy.get("connections"))
        if connection.get("name")
    ]


# Universal Login


def _is_universal(page: Page) -> bool:
    is_there = urlsplit(page.url).path.startswith("/u/")
    return is_there and any(form.has("state") for form in page.forms)


def _universal(page: Page, walk: Walk) -> Reply | Page:
    path = urlsplit(page.url).path
    if "enroll" in path:
        raise demand(page, "wants a second factor registered")
    if path.endswith("/consent"):
        form = page.form_with("state")
        assert form
        walk.require_consent(page.url, page.heading())
        return walk.send(form, action="accept")
    other = next((form for form in page.forms if _button(form, _PICK)), None)
    waits = "webauthn" in path or "push" in path
    elsewhere = walk.choice.mfa not in {None, "webauthn", "push"} and walk.choice.factor is None
    if other and elsewhere and not page.first(Kind.PASSWORD):
        return walk.send(other, action=_PICK)
    if waits and not page.first(Kind.CODE):
        what = "a security key or a passkey" if "webauthn" in path else "an approval in Guardian"
        raise UnknownPageError(page, f"asks for {what}, which its script waits for")
    return replace(page, forms=tuple(_without_others(form) for form in page.forms))


def _button(form: Form, value: str) -> Control | None:
    return next((button for button in form.buttons if button.value == value), None)


def _without_others(form: Form) -> Form:
    """The form without the buttons beside the one that sends its input."""
    if not (form.typed and _button(form, "default")):
        return form
    controls = [
        control for control in form.controls if not control.submits or control.value == "default"
    ]
    return replace(form, controls=tuple(controls)).with_values(action="default")
