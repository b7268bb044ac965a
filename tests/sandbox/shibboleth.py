"""A twin of the Shibboleth identity provider: web flow and ECP.

Strict: each `execution` is good once, `csrf_token` and the local-storage fields are demanded back,
and so is the event that the button stands for.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Any

from tests.sandbox.server import Answer, Asked, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

PATH = "/idp/profile/SAML2/Unsolicited/SSO"
START = f"{PATH}?providerId=urn:amazon:webservices"
ECP = "/idp/profile/SAML2/SOAP/ECP"
_STORAGE = ("shib_idp_ls_exception.shib_idp_session_ss", "shib_idp_ls_value.shib_idp_session_ss")


class Shibboleth(Twin):
    """The pages. Factors: `totp`, `consent`, `duo`."""

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            if asked.path == ECP:
                return self._ecp(asked)
            if asked.path != PATH:
                return html("<title>Not found</title>", 404)
            if asked.method == "GET" and "execution" not in asked.query:
                if asked.query.get("providerId") != "urn:amazon:webservices":
                    return html("<title>Unknown provider</title>", 400)
                return self._redirect(step="storage")
            state = self.spent(asked.query.get("execution"))
            if state is None or "JSESSIONID" not in asked.cookies:
                return html("<title>Web Login Service - Stale Request</title>", 400)
            if asked.method == "GET":
                return self._show(state)
            if asked.form.get("csrf_token") != state["csrf"]:
                return self.stray("csrf_token")
            return self._step(state, asked.form)

    def _step(self, state: dict[str, Any], fields: dict[str, str]) -> Answer:
        if "_eventId_AttributeReleaseRejected" in fields or "_eventId_proceed" not in fields:
            return self.stray("no _eventId_proceed")
        step = state["step"]
        if step == "storage":
            if not set(_STORAGE) <= set(fields):
                return self.stray("the local-storage fields are missing")
            return self._redirect(step="login")
        if step == "login":
            return self._login(fields)
        person: Person = state["person"]
        if step == "consent":
            return self._redirect(step="done", person=person)
        if self.accepts(person, fields.get("tokencode")):
            return self._redirect(step="done", person=person)
        return self._redirect(step="totp", person=person, error="The token code is wrong.")

    def _login(self, fields: dict[str, str]) -> Answer:
        person = self.person(fields.get("j_username"), fields.get("j_password"))
        if person is None:
            return self._redirect(step="login", error="The password you entered was incorrect.")
        if person.disabled:
            return self._redirect(step="login", error="Your account has been disabled.")
        habit = self.habit(person)
        if habit.expired:
            return self._redirect(step="login", error="Your password has expired.")
        return self._redirect(step=habit.factor or "done", person=person)

    def _redirect(self, **state: Any) -> Answer:
        execution = self.token(**state)
        headers = {
            "Location": f"{PATH}?execution={execution}",
            "Set-Cookie": "JSESSIONID=1;Path=/idp",
        }
        return Answer(302, "", headers)

    def _show(self, state: dict[str, Any]) -> Answer:
        step = state["step"]
        if step == "done":
            return self.done(state["person"])
        csrf = self.token()
        action = f"{PATH}?execution={self.token(**state, csrf=csrf)}"
        body = {
            "storage": _STORAGE_FORM,
            "login": "<label for=username>Username</label>"
            "<input id=username name=j_username type=text>"
            "<label for=password>Password</label><input id=password name=j_password type=password>"
            "<input type=checkbox name=donotcache value=1>"
            "<button type=submit name=_eventId_proceed>Login</button>",
            "totp": "<label for=t>Token code</label><input id=t name=tokencode type=text>"
            "<button type=submit name=_eventId_proceed>Go</button>",
            "consent": "<input type=radio name=_shib_idp_consentOptions value=_rem checked>"
            "<input type=radio name=_shib_idp_consentOptions value=_global>"
            "<input type=submit name=_eventId_AttributeReleaseRejected value=Reject>"
            "<input type=submit name=_eventId_proceed value=Accept>",
            "duo": "<iframe id=duo_iframe data-host=api.duo.example></iframe>",
        }[step]
        error = state.get("error")
        said = f"<p class='form-element form-error'>{escape(error)}</p>" if error else ""
        return html(
            "<head><title>Web Login Service</title></head><body><h1>Login to AWS</h1>"
            f"{said}<form name=form1 action='{action}' method=post>"
            f"<input type=hidden name=csrf_token value='{csrf}'>{body}</form></body>"
        )

    def _ecp(self, asked: Asked) -> Answer:
        body = asked.body.decode()
        if (
            asked.method != "POST"
            or "AuthnRequest" not in body
            or "urn:amazon:webservices" not in body
        ):
            return self.stray("not an ECP request")
        scheme, _, pair = asked.headers.get("authorization", "").partition(" ")
        name, _, password = (
            base64.b64decode(pair).decode().partition(":") if scheme else ("", "", "")
        )
        person = self.person(name, password)
        if scheme != "Basic" or person is None:
            return Answer(401, "", {"WWW-Authenticate": "Basic"})
        response = base64.b64decode(self._idp.assertion(person, sign=("response", "assertion")))
        envelope = (
            '<?xml version="1.0"?><soap11:Envelope xmlns:soap11="http://schemas.xmlsoap.org/soap/'
            f'envelope/"><soap11:Body>{response.decode()}</soap11:Body></soap11:Envelope>'
        )
        return Answer(200, envelope, {"Content-Type": "text/xml"})


_STORAGE_FORM = (
    "".join(f"<input type=hidden name='{name}'>" for name in _STORAGE)
    + "<input type=hidden name=shib_idp_ls_supported><input type=hidden name=_eventId_proceed>"
    "<noscript><input type=submit value=Continue></noscript>"
    "<script>document.form1.submit()</script>"
)
