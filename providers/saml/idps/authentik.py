"""authentik: its flow executor's JSON, one challenge after another, in place of the page's script.

Source: goauthentik/authentik, `authentik/flows/views/executor.py`, `authentik/flows/challenge.py`
and `authentik/stages/*/stage.py` (2021 to 2026).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

from broker.errors import LoginRefused, NetworkError, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import joined, origin, without_query
from providers.saml import api, factors, webauthn
from providers.saml.api import Answer
from providers.saml.factors import Factor, WrongCode
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.page import Page
from providers.saml.refusals import needs_browser
from providers.saml.walk import PageReader, Walk

MAX_STEPS = 30
_FLOW = re.compile(r"/if/flow/([^/]+)/?$")
_KINDS = {
    "totp": ("totp", "authenticator app"),
    "static": ("token", "recovery code"),
    "sms": ("sms", "SMS"),
    "email": ("email", "e-mail"),
    "webauthn": ("webauthn", "security key or passkey"),
    "duo": ("duo", "Duo"),
}
_TRIGGERED = {"sms", "email"}
"""Device classes that send something once they are selected."""
_CAPTCHA = "asks for a captcha"


class Authentik(FormOrBrowser):
    """`url` is the app's launch address, `…/application/saml/SLUG/sso/binding/init/`."""


class AuthentikPages(PageReader):
    """The page is a script; what it does with the flow's API is done here."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the flow's address, and that its page is all script."""
        return bool(_FLOW.search(urlsplit(page.url).path)) and not page.forms

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Go through the flow, and where it leads."""
        return _Flow(page, walk).taken()


class _Flow:
    """One flow of stages.

    Args:
        page: The flow's page.
        walk: Where it was met.
    """

    def __init__(self, page: Page, walk: Walk) -> None:
        self._page = page
        self._walk = walk
        parts = urlsplit(page.url)
        slug = _FLOW.search(parts.path)
        assert slug
        path = f"/api/v3/flows/executor/{slug[1]}/?query={quote(parts.query, safe='')}"
        self._address = joined(page.url, path)
        self._stages: dict[str, Callable[[Answer], Answer]] = {
            "ak-stage-identification": self._identify,
            "ak-stage-password": self._password,
            "ak-stage-authenticator-validate": self._second_factor,
            "ak-stage-consent": self._consent,
            "ak-stage-user-login": lambda _: self._solve(remember_me=False),
        }

    def taken(self) -> Reply:
        """The page that the flow leads to, or the SAMLResponse's form."""
        stage = self._challenge(self._walk.http.get(self._address, headers=self._headers()))
        for _ in range(MAX_STEPS):
            component = str(stage.get("component") or "")
            if component == "ak-stage-autosubmit":
                return self._autosubmit(stage)
            if component == "xak-flow-redirect" or stage.get("type") == "redirect":
                return self._walk.http.get(joined(self._page.url, str(stage.get("to") or "")))
            if component not in self._stages:
                raise self._dead_end(component, stage)
            stage = self._stages[component](stage)
        raise UnexpectedReply(f"{without_query(self._page.url)} leads on without end")

    # The API

    def _headers(self) -> dict[str, str]:
        token = [
            cookie.value for cookie in self._walk.http.cookies if cookie.name == "authentik_csrf"
        ]
        csrf = {"X-authentik-CSRF": token[-1]} if token and token[-1] else {}
        return {"Accept": "application/json", **csrf}

    def _post(self, component: str, answers: Answer) -> Answer:
        reply = self._walk.http.post(
            self._address,
            json={"component": component, **answers},
            headers=self._headers(),
            only_to={origin(self._address)},
        )
        return self._challenge(reply)

    def _challenge(self, reply: Reply) -> Answer:
        answer = api.answer(reply)
        api.require_not_throttled(reply)
        if reply.status >= 400 and not answer.get("component"):
            message = api.plain_line(answer.get("detail"))
            raise needs_browser(
                reply.url,
                f"answers its flow with {reply.status}{f': {message}' if message else ''}",
            )
        self._component = str(answer.get("component") or "")
        return answer

    def _solve(self, **answers: Any) -> Answer:
        return self._post(self._component, answers)

    # Stages

    def _identify(self, stage: Answer) -> Answer:
        """User name, with the password where the stage has both."""
        if stage.get("captcha_stage"):
            raise needs_browser(self._page.url, _CAPTCHA)
        sources = api.objects(stage.get("sources"))
        if not stage.get("user_fields") and sources:
            return self._source(sources)
        answers = {"uid_field": self._walk.person.username()}
        if stage.get("password_fields"):
            answers["password"] = self._walk.answers.password_to(self._address)
        after = self._solve(**answers)
        errors = _errors(after)
        if not errors:
            return after
        if "password" in answers:
            raise self._walk.answers.password_refused(errors)
        raise LoginRefused(
            f"the identity provider says: {errors}", hint="check `username` of the provider"
        )

    def _source(self, sources: list[Answer]) -> Answer:
        """Nobody signs in here: another provider does it."""
        names = [api.plain_line(source.get("name"), 60) or "another provider" for source in sources]
        chosen = self._walk.ports.ui.choose("Sign in where?", names, hint="`url` of the source")
        return dict(api.at(sources[chosen], "challenge") or {})

    def _password(self, stage: Answer) -> Answer:
        del stage
        after = self._solve(password=self._walk.answers.password_to(self._address))
        errors = _errors(after)
        if errors or after.get("component") == "ak-stage-password":
            raise self._walk.answers.password_refused(errors)
        return after

    def _consent(self, stage: Answer) -> Answer:
        names = [permission.get("name") for permission in api.objects(stage.get("permissions"))]
        lines = [api.plain_line(text, 80) for text in (stage.get("header_text"), *names)]
        self._walk.require_consent(self._page.url, ", ".join(filter(None, lines)))
        return self._solve(token=stage.get("token") or "")

    # The second factor

    def _second_factor(self, stage: Answer) -> Answer:
        self._walk.factors_taken += 1
        offered = [_factor(challenge) for challenge in api.objects(stage.get("device_challenges"))]
        if not offered and api.objects(stage.get("configuration_stages")):
            raise self._dead_end("ak-stage-authenticator-setup", stage)
        ports = self._walk.ports
        wanted = self._walk.choice.mfa
        chosen = factors.choose(offered, wanted, ports.ui, ports.security_keys)
        if chosen.kind == factors.KEY:
            return self._sign(chosen)
        if chosen.handle.get("device_class") in _TRIGGERED:
            self._solve(selected_challenge=chosen.handle)  # answers an error, and sends the code
            ports.ui.waiting(f"{chosen.label}: on its way")

        def send(code: str) -> Answer:
            after = self._solve(code=code)
            if _errors(after):
                raise WrongCode(_errors(after))
            return after

        person = self._walk.person
        return factors.send_code(send, person, ports.ui, chosen, self._address)

    def _sign(self, chosen: Factor) -> Answer:
        asked = webauthn.challenge_of(self._page.url, chosen.handle.get("challenge"))
        ports = self._walk.ports
        signed = ports.security_keys.answer(asked, ports.ui)
        after = self._solve(webauthn=webauthn.credential(signed))
        if _errors(after):
            raise LoginRefused(
                f"the identity provider does not take the security key: {_errors(after)}",
                hint="use one that is registered there",
            )
        return after

    # The ends

    def _autosubmit(self, stage: Answer) -> Reply:
        """The form that the script would send, as a page that holds it."""
        attributes = stage.get("attrs")
        fields = "".join(
            f'<input type="hidden" name="{escape(str(name))}" value="{escape(str(value))}">'
            for name, value in (attributes.items() if isinstance(attributes, dict) else ())
        )
        action = escape(str(stage.get("url") or ""))
        page = f'<body onload="submit()"><form method="post" action="{action}">{fields}</form>'
        return Reply(self._page.url, 200, {}, page)

    def _dead_end(self, component: str, stage: Answer) -> Exception:
        message = api.plain_line(stage.get("error_message")) or _errors(stage)
        place = without_query(self._page.url)
        if component == "ak-stage-access-denied":
            return LoginRefused(
                f"authentik does not let you in: {message or 'no reason is given'}",
                hint="ask its administrator whether the account is locked, or may use this app",
            )
        if component == "ak-stage-captcha":
            return needs_browser(self._page.url, _CAPTCHA)
        if component.startswith("ak-stage-authenticator-"):
            return LoginRefused(
                "authentik wants a second factor registered first",
                hint=f"do that in a browser at {place}, then sign in again",
            )
        if component == "ak-stage-prompt":
            asked = [
                api.plain_line(field.get("label"), 60) for field in api.objects(stage.get("fields"))
            ]
            return LoginRefused(
                f"authentik wants to know something first: {', '.join(filter(None, asked))}",
                hint=f"answer it in a browser at {place}, then sign in again",
            )
        if component == "ak-stage-flow-error":
            return NetworkError("authentik failed within its flow", hint="try again later")
        what = api.plain_line(component, 60) or "no component"
        return needs_browser(self._page.url, f"asks for {what}, which awslogin does not understand")


def _factor(challenge: Answer) -> Factor:
    """One of `device_challenges`."""
    name = str(challenge.get("device_class") or "")
    kind, label = _KINDS.get(name, ("unknown", api.plain_line(name, 40) or "unknown"))
    return Factor(kind, label, challenge, api.plain_line(challenge.get("device_uid"), 40))


def _errors(stage: Answer) -> str:
    """What `response_errors` say; empty where there are none."""
    fields = stage.get("response_errors")
    found = [
        api.plain_line(error.get("string"))
        for errors in (fields.values() if isinstance(fields, dict) else ())
        for error in api.objects(errors)
    ]
    return " ".join(dict.fromkeys(filter(None, found)))
