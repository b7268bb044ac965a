"""Okta's Classic engine: the sign-in by its authn API, then the app's pages.

Source: Okta's Authentication API reference; https://developer.okta.com.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import joined
from providers.saml import api, script
from providers.saml.api import Answer
from providers.saml.idp import IdentityProvider
from providers.saml.idps import okta_device
from providers.saml.idps.okta_api import Authn, RefusedError, link
from providers.saml.idps.okta_engine import needs_identity_engine
from providers.saml.idps.okta_factors import SecondFactors
from providers.saml.walk import Walk

MAX_STEPS = 20
MAX_STEP_UPS = 3

_DEAD_ENDS = {
    "LOCKED_OUT": "the account is locked",
    "PASSWORD_EXPIRED": "the password has expired",
    "PASSWORD_RESET": "a new password is due",
    "RECOVERY": "the account is being recovered",
    "RECOVERY_CHALLENGE": "the account is being recovered",
    "MFA_ENROLL": "a second factor has to be registered first",
    "MFA_ENROLL_ACTIVATE": "a second factor has to be activated first",
    "CONSENT_REQUIRED": "its terms have to be accepted first",
    "PROFILE_REQUIRED": "the profile has to be completed first",
}


class Classic:
    """One sign-in, step by step until it gives a session."""

    def __init__(self, idp: IdentityProvider) -> None:
        self._idp = idp
        self._ui = idp.ports.ui
        self._person = idp.person
        sites = idp.options.password_origins()
        self._pages = Walk(idp.ports, idp.person, sites)
        self._http = self._pages.http
        self._authn = Authn(self._http, idp.url, sites)
        self._password_sent = False
        factors = SecondFactors(self._authn, idp.person, idp.ports, idp.options.mfa)
        self._steps: dict[str, Callable[[Answer], Answer]] = {
            "UNAUTHENTICATED": self._password,
            "PASSWORD_WARN": self._skip_warning,
            "MFA_ENROLL": self._skip,
            "MFA_REQUIRED": factors.choose,
            "MFA_CHALLENGE": factors.challenge,
        }

    def response(self) -> str:
        """From the password to the SAMLResponse."""
        okta_device.be_the_same(self._http, self._idp.ports.secrets, self._idp.url)
        page = self._with_session(self._until_success(self._password({})))
        for _ in range(MAX_STEP_UPS):
            token = script.variable(page.text, "stateToken")
            if not token:
                break
            page = self._step_up(token)
        encoded = self._pages.onward(page)
        okta_device.keep(self._http, self._idp.ports.secrets)
        return encoded

    def _until_success(self, answer: Answer) -> Answer:
        for _ in range(MAX_STEPS):
            status = str(answer.get("status") or "")
            if status == "SUCCESS":
                return answer
            try:
                answer = self._next(status, answer)
            except RefusedError as refused:
                over = refused.code == "E0000011"
                raise LoginRefused(
                    f"Okta refused: {refused.summary or refused.code}",
                    hint="the sign-in took too long: run it again" if over else "ask your helpdesk",
                ) from None
        raise UnexpectedReply("Okta's sign-in leads on without end")

    def _next(self, status: str, answer: Answer) -> Answer:
        if status in self._steps:
            return self._steps[status](answer)
        if status in _DEAD_ENDS:
            raise self._dead_end(status)
        raise UnexpectedReply(
            f"Okta answers with the state {api.plain_line(status, 60) or 'nothing'},"
            " which awslogin does not understand",
            hint="`idp: browser` signs in through any state",
        )

    def _dead_end(self, status: str) -> LoginRefused:
        place = joined(self._idp.url, "/")
        return LoginRefused(
            f"Okta says {status}: {_DEAD_ENDS[status]}",
            hint=f"do that in a browser at {place} (or use `idp: browser`), then sign in again",
        )

    # The password

    def _password(self, answer: Answer) -> Answer:
        """Post it, once."""
        if self._password_sent:
            raise LoginRefused("Okta asks for the password again", hint="run it again")
        body = {
            "username": self._person.username(),
            "password": self._person.password(self._idp.url).reveal(),
        }
        if answer.get("stateToken"):
            body["stateToken"] = answer["stateToken"]
        self._password_sent = True
        try:
            return self._authn.post(link(answer, "next") or "/api/v1/authn", body)
        except RefusedError as refused:
            is_wrong = refused.code == "E0000004"
            source = self._person.password_was_refused() if is_wrong else ""
            raise LoginRefused(
                f"Okta refused the sign-in: {refused.summary or refused.code}",
                hint="check the user name and the password; a locked account looks the same"
                + source,
            ) from None

    def _skip_warning(self, answer: Answer) -> Answer:
        days = api.at(answer, "_embedded", "policy", "expiration", "passwordExpireDays")
        when = f"in {api.plain_line(days, 10)} days" if days else "soon"
        self._ui.warn(f"the Okta password expires {when}")
        return self._skip(answer)

    def _skip(self, answer: Answer) -> Answer:
        href = link(answer, "skip")
        if not href:
            status = str(answer.get("status"))
            raise self._dead_end("PASSWORD_RESET" if status == "PASSWORD_WARN" else status)
        return self._authn.step(answer, href)

    # The session and the app

    def _with_session(self, done: Answer) -> Reply:
        """Open the app with what the transaction gave."""
        if done.get("sessionToken"):
            return self._http.get(
                joined(self._idp.url, "/login/sessionCookieRedirect"),
                params={
                    "checkAccountSetupComplete": "true",
                    "token": str(done["sessionToken"]),
                    "redirectUrl": self._idp.url,
                },
            )
        return self._http.get(joined(self._idp.url, link(done, "next")))

    def _step_up(self, token: str) -> Reply:
        """The app asks for more: its page carries a state token of its own."""
        try:
            answer = self._authn.post("/api/v1/authn", {"stateToken": token})
        except RefusedError as refused:
            if refused.code == "E0000011":
                raise needs_identity_engine(self._idp.url, ["client_id", "app_id"]) from None
            raise LoginRefused(f"Okta refused: {refused.summary or refused.code}") from None
        return self._with_session(self._until_success({"stateToken": token, **answer}))
