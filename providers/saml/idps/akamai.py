"""Akamai Enterprise Application Access: its sign-in page's JSON.

Source: saml2aws 2.36.19, `pkg/provider/akamai`. Duo, and Akamai's own MFA, are the browser's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from broker.errors import ConfigError, LoginRefused
from broker.ports.http import Reply
from broker.ports.urls import host_of, joined, origin
from providers.saml import api, factors
from providers.saml.api import Answer
from providers.saml.factors import Factor, WrongCode
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.page import Page
from providers.saml.refusals import needs_browser
from providers.saml.walk import Walk, readers

_KINDS = {
    "totp": ("totp", "authenticator app"),
    "sms": ("sms", "SMS"),
    "email": ("email", "e-mail"),
    "duo": ("duo", "Duo"),
}
_PATHS = {"sms": "phone"}
"""What an option is called in addresses, where that differs."""
_OK = "200"


class Akamai(FormOrBrowser):
    """`url` is the identity provider's with the app, `https://idp.corp.example/?app=HOSTNAME`."""

    def natively(self) -> str:
        """The password and a second factor by JSON; the app's page is within the last answer."""
        app = parse_qs(urlsplit(self.url).query).get("app", [""])[0]
        if not app:
            raise ConfigError(
                f"`url` {self.url} names no app",
                hint="set `url` to https://IDP/?app=HOSTNAME, the app's host name of Akamai's"
                " console, such as signin.aws.amazon.com",
            )
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        allowed = self.options.password_origins()
        self._walk = Walk(self.ports, self.person, allowed, mfa=self.options.mfa, readers=readers())
        self._site = {origin(self.url)}
        page = self._walk.http.get(joined(self.url, "/"))
        field = Page.parse(page.url, page.text).soup.select_one("input#xsrf")
        if field is None or not field.get("value"):
            raise needs_browser(self.url, "does not start a sign-in as Akamai's does")
        self._xsrf = str(field["value"])
        self._password()
        answer = self._navigate(app)
        demanded = api.at(answer, "mfa", "status")
        if demanded == "register":
            raise LoginRefused(
                f"{host_of(self.url)} wants a second factor registered first",
                hint=f"do that in a browser at {host_of(self.url)}, then sign in again",
            )
        if demanded == "verify":
            self._second_factor()
            answer = self._navigate(app)
        body = api.at(answer, "navigate", "body")
        if not isinstance(body, str) or not body:
            raise needs_browser(self.url, "signs in, and does not open the app")
        return self._walk.onward(Reply(self.url, 200, {}, body))

    def _ask(self, path: str, body: Answer | None = None) -> Answer:
        """One request: a GET, or a POST of JSON."""
        headers = {"Accept": "application/json", "xsrf": self._xsrf}
        address = joined(self.url, path)
        http = self._walk.http
        reply = (
            http.get(address, headers=headers)
            if body is None
            else http.post(address, json=body, headers=headers, only_to=self._site)
        )
        api.require_not_throttled(reply)
        return {"status": str(reply.status), **api.answer(reply)}

    def _password(self) -> None:
        secret = self._walk.answers.password_to(joined(self.url, "/api/v1/login"))
        user = self.person.username()
        answer = self._ask("/api/v1/login", {"username": user, "password": secret})
        if str(answer.get("status")) != _OK:
            message = api.plain_line(answer.get("msg"))
            raise self._walk.answers.password_refused(f"Akamai says: {message}" if message else "")

    def _navigate(self, app: str) -> Answer:
        return self._ask("/api/v2/apps/navigate", {"hostname": app})

    def _second_factor(self) -> None:
        """Choose one, have its code sent where one is, and post it."""
        listed = api.at(self._ask("/api/v1/config/mfa"), "mfa", "config", "options")
        settings = api.at(self._ask("/api/v1/mfa/token/settings"), "mfa", "settings")
        names = listed if isinstance(listed, list) else []
        own = [str(name) for name in names if api.at(settings, str(name))]
        offered = [_factor(str(name), settings) for name in own or names]
        ui = self.ports.ui
        preferred = str(api.at(settings, "preferred", "option") or "")
        wanted = self.options.mfa or (None if ui.interactive else _preferred(preferred, offered))
        chosen = factors.choose(offered, wanted, ui)
        path = _PATHS.get(chosen.id, chosen.id)
        if chosen.kind in {"sms", "email"}:
            body = {"force": False, "uuid": chosen.handle}
            sent = self._ask(f"/api/v1/mfa/user/{path}/token/push", body)
            self._require(sent, "does not send the code")
            ui.waiting(f"{chosen.label}: on its way")

        def send(code: str) -> Answer:
            body = {"category": chosen.id, "token": code, "uuid": chosen.handle}
            answer = self._ask(f"/api/v1/mfa/user/{path}/token/verify", body)
            if str(answer.get("status")) != _OK:
                raise WrongCode(api.plain_line(answer.get("msg")))
            return answer

        factors.send_code(send, self.person, ui, chosen, self.url)

    def _require(self, answer: Answer, what: str) -> None:
        if str(answer.get("status")) != _OK:
            message = api.plain_line(answer.get("msg"))
            raise LoginRefused(
                f"{host_of(self.url)} {what}{f': {message}' if message else ''}",
                hint="run it again",
            )


def _factor(name: str, settings: Any) -> Factor:
    kind, label = _KINDS.get(name, ("unknown", api.plain_line(name, 40)))
    device: Any = next(iter(api.objects(api.at(settings, name))), {})
    contact = api.plain_line(device.get("email") or device.get("phone"), 60)
    return Factor(kind, f"{label} {contact}".strip(), device.get("uuid"), name)


def _preferred(name: str, offered: list[Factor]) -> str | None:
    return name if name in {factor.id for factor in offered} else None
