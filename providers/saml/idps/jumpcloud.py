"""JumpCloud: the user console's JSON, then the app's page.

Source: saml2aws 2.36.19, `pkg/provider/jumpcloud`; what its console sends. JumpCloud Go and device
trust want JumpCloud's own agent or extension in the browser.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import joined, origin
from providers.saml import api, factors, webauthn
from providers.saml.api import Answer
from providers.saml.factors import Factor, WrongCode
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.refusals import needs_browser
from providers.saml.walk import Walk, readers

PUSH_EVERY = 1.0
"""Seconds between two questions whether the push was answered."""
_KINDS = {
    "totp": ("totp", "authenticator app"),
    "push": ("push", "JumpCloud Protect push"),
    "webauthn": ("webauthn", "security key"),
    "duo": ("duo", "Duo"),
}
_MFA = "mfa required"


class JumpCloud(FormOrBrowser):
    """`url` is the app's, `https://sso.jumpcloud.com/saml2/NAME`."""

    def natively(self) -> str:
        """The password and a second factor by JSON; the app's page gives the SAMLResponse."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        allowed = self.options.password_origins()
        self._walk = Walk(self.ports, self.person, allowed, mfa=self.options.mfa, readers=readers())
        self._site = {origin(self._console)}
        self._xsrf = self._token()
        answer = self._with_password()
        target = str(answer.get("redirectTo") or "")
        if not target:
            raise needs_browser(self._console, "signs in, and does not say where to go on")
        return self._walk.onward(self._walk.http.get(joined(self.url, target)))

    @property
    def _console(self) -> str:
        """Where people sign in: beside the app's host; elsewhere than at JumpCloud the same."""
        parts = urlsplit(self.url)
        host = parts.netloc
        if (parts.hostname or "").endswith("jumpcloud.com"):
            host = host.replace("sso.", "console.", 1)
        return f"{parts.scheme}://{host}/userconsole/"

    def _token(self) -> str:
        reply = self._walk.http.get(self._at("xsrf"), headers={"Accept": "application/json"})
        try:
            token = str(api.answer(reply).get("xsrf") or "")
        except UnexpectedReply:
            token = ""
        if not token:
            raise needs_browser(self._console, "does not start a sign-in as JumpCloud does")
        return token

    def _at(self, path: str) -> str:
        return joined(self._console, path)

    def _post(self, path: str, body: Answer) -> Reply:
        reply = self._walk.http.post(
            self._at(path), json=body, headers=self._headers(), only_to=self._site
        )
        api.require_not_throttled(reply)
        return reply

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "X-Xsrftoken": self._xsrf}

    # The password

    def _with_password(self) -> Answer:
        parts = urlsplit(self.url)
        app = f"{parts.path}?{parts.query}" if parts.query else parts.path
        user = self.person.username()
        body = {
            "Context": "sso",
            "RedirectTo": app.lstrip("/"),
            "Email": user,
            "Password": self._walk.answers.password_to(self._at("auth")),
        }
        reply = self._post("auth", {**body, "OTP": ""})
        answer = api.answer(reply)
        if reply.status < 400:
            return answer
        message = _message(answer)
        if reply.status == 401 and _MFA in message.lower():
            return self._second_factor(answer, body)
        raise self._refusal(reply, message)

    def _refusal(self, reply: Reply, message: str) -> Exception:
        """What the console means by a refused password."""
        lower = message.lower()
        for part, what in {
            "expired": "the password has expired",
            "lock": "the account is locked",
            "suspend": "the account is suspended",
            "enroll": "a second factor has to be registered first",
        }.items():
            if part in lower:
                return LoginRefused(
                    f"JumpCloud says: {message} ({what})",
                    hint=f"do that in a browser at {urlsplit(self._console).netloc}, or ask its"
                    " administrator; then sign in again",
                )
        if reply.status == 401:
            return self._walk.answers.password_refused(
                f"JumpCloud says: {message}" if message else ""
            )
        return needs_browser(
            self._console, f"answers {reply.status}{f': {message}' if message else ''}"
        )

    # The second factor

    def _second_factor(self, answer: Answer, body: Answer) -> Answer:
        offered = [
            _factor(factor)
            for factor in api.objects(answer.get("factors"))
            if factor.get("status", "available") == "available"
        ]
        ui = self.ports.ui
        chosen = factors.choose(offered, self.options.mfa, ui, self.ports.security_keys)
        if chosen.kind == "push":
            return self._pushed()
        if chosen.kind == factors.KEY:
            return self._signed()

        def send(code: str) -> Answer:
            reply = self._post("auth", {**body, "OTP": code})
            after = api.answer(reply)
            if reply.status == 401:
                raise WrongCode(_message(after))
            return self._taken(reply, after)

        return factors.send_code(send, self.person, ui, chosen, self._at("auth"))

    def _pushed(self) -> Answer:
        """Send one push, wait for its answer, and sign in with it."""
        reply = self._post("auth/push", {})
        push = self._taken(reply, api.answer(reply))
        path = f"auth/push/{quote(str(push.get('id') or ''), safe='')}"
        self.ports.ui.waiting("waiting for the approval in JumpCloud Protect")
        latest = push

        def ask() -> str | None:
            nonlocal latest
            status = str(latest.get("status") or "no status")
            if status != "pending":
                return status
            again = self._walk.http.get(self._at(path), headers=self._headers())
            latest = self._taken(again, api.answer(again))
            return None

        status = factors.poll(ask, self.ports.clock, every=PUSH_EVERY)
        if status != "accepted":
            known = {"denied": "was denied", "expired": "was answered too late"}
            end = known.get(status, f"ended with {api.plain_line(status, 40)}")
            raise LoginRefused(f"JumpCloud: the push {end}", hint="run it again and approve it")
        reply = self._post(f"{path}/login", {})
        return self._taken(reply, api.answer(reply))

    def _signed(self) -> Answer:
        """Let the security key sign the console's challenge."""
        reply = self._walk.http.get(self._at("auth/webauthn"), headers=self._headers())
        found = self._taken(reply, api.answer(reply))
        asked = webauthn.challenge_of(self._console, found.get("publicKey"))
        signed = self.ports.security_keys.answer(asked, self.ports.ui)
        body = {
            "publicKeyCredential": webauthn.credential(signed),
            "token": found.get("token"),
        }
        reply = self._post("auth/webauthn", body)
        return self._taken(reply, api.answer(reply))

    def _taken(self, reply: Reply, answer: Answer) -> Answer:
        if reply.status >= 400:
            raise LoginRefused(
                f"JumpCloud refused the second factor: {_message(answer) or reply.status}",
                hint="run it again",
            )
        return answer


def _factor(data: Any) -> Factor:
    name = str(data.get("type") or "")
    kind, label = _KINDS.get(name, ("unknown", api.plain_line(name, 40) or "unknown"))
    return Factor(kind, label, data, name)


def _message(answer: Answer) -> str:
    return api.plain_line(answer.get("message") or answer.get("error"))
