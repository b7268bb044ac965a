"""Twins of PingFederate and of PingID, which live on two hosts and send the person to and fro.

Strict: tokens are good once, `pf.cancel` must be empty and `pf.ok` clicked, the state of a swipe is
asked by GET, nobody signs out by accident.
"""

from __future__ import annotations

from html import escape
from typing import Any

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

PATH = "/idp/startSSO.ping"
START = f"{PATH}?PartnerSpId=urn:amazon:webservices"
NUMBER = "73"
DEVICES = {"11": ("mobile-phone", "iPhone X"), "22": ("desktop", "Desktop Mac")}
_NOSCRIPT = (
    "<noscript><!DOCTYPE html><html><head><title></title></head><body><div class='window error'>"
    "<div class=error-text>PingID requires Javascript to be enabled.</div></div></body></html>"
    "</noscript>"
)


class PingFederate(Twin):
    """The pages. Factors: `swipe`, `number`, `otp`, `devices`, all at PingID's own address."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.pingid_url = ""
        self.signed_out = False

    def handle(self, asked: Asked) -> Answer:
        """One request to PingFederate."""
        with self.world.lock:
            if asked.method == "GET" and asked.path == PATH:
                return self._login_page()
            if asked.method != "POST" or not asked.path.startswith("/idp/"):
                return html("<title>Not found</title>", 404)
            state = self.spent(asked.path.split("/")[2])
            if state is None:
                return self.stray("a used resume path")
            if "person" in state:
                return self._resumed(state, asked.form)
            return self._password(asked.form)

    def handle_pingid(self, asked: Asked) -> Answer:
        """One request to PingID."""
        with self.world.lock:
            fields = asked.form if asked.method == "POST" else asked.query
            if asked.path == "/pingid/ppm/signoutredirect":
                self.signed_out = True
                return self.stray("signed out")
            if asked.path == "/pingid/ppm/auth/status":
                return self._status(asked)
            state = self.spent(fields.get("csrfToken") or fields.get("ppm_request"))
            if state is None or self.signed_out:
                return self.stray(f"a used token at {asked.path}")
            person: Person = state["person"]
            if "isWebAuthnSupportedByBrowser" in fields:
                if fields["isWebAuthnSupportedByBrowser"] != "false":
                    return self._page("<p>Touch your security key</p>")
                return self._ask(person, self.habit(person).factor)
            if asked.path == "/pingid/ppm/devices":
                return self._ask(person, {"11": "swipe", "22": "otp"}[fields["deviceId"]])
            if asked.path == "/pingid/ppm/auth/otp":
                good = self.accepts(person, fields.get("otp"))
                return self._back(person) if good else self._ask(person, "otp", "Invalid passcode")
            if asked.path == "/pingid/ppm/auth/response":
                return self._answered(person)
            return self._check(person)

    def _password(self, fields: dict[str, str]) -> Answer:
        if fields.get("pf.cancel") or fields.get("pf.ok") != "clicked":
            return self.stray("not the sign-on button")
        if fields.get("pf.adapterId") != "CorpForm":
            return self.stray("pf.adapterId")
        person = self.person(fields.get("pf.username"), fields.get("pf.pass"))
        if person is None:
            return self._login_page("We didn't recognize the username or password you entered.")
        if person.disabled:
            return self._login_page("Your account is locked.")
        if self.habit(person).expired:
            return self._change_password()
        if not self.habit(person).factor:
            return self.done(person)
        return html(
            "<head><title>Submit Form</title></head>"
            "<body onload='javascript:document.forms[0].submit()'>"
            f"<form method=post action='{self.pingid_url}/pingid/ppm/auth'>"
            "<input type=hidden name=idp_account_id value=some-uuid>"
            f"<input type=hidden name=ppm_request value='{self.token(person=person)}'>"
            "<noscript><input type=submit value=Resume></noscript></form></body>"
        )

    def _resumed(self, state: dict[str, Any], fields: dict[str, str]) -> Answer:
        told = self.spent(fields.get("ppm_response"))
        return self.done(state["person"]) if told else self.stray("no ppm_response")

    def _check(self, person: Person) -> Answer:
        return self._page(
            "<form id=start-form method=post action='/pingid/ppm/auth'>"
            f"{self._csrf(person)}<input type=hidden name=isWebAuthnSupportedByBrowser></form>"
        )

    def _ask(self, person: Person, factor: str, error: str = "") -> Answer:
        if factor == "devices":
            return self._device_page(person)
        if factor == "otp":
            return self._page(
                f"<div class=error-message>{escape(error)}</div>"
                "<form id=otp-form method=post action='/pingid/ppm/auth/otp'>"
                f"<input id=otp name=otp type=text maxlength=6>{self._csrf(person)}"
                "<input type=submit value='Sign On' disabled></form>"
                f"<form id=reponseView action='' method=GET>{self._csrf(person)}</form>"
            )
        self.seen.pushes += 1
        number = f"<div class=numbermatching>{NUMBER}</div>" if factor == "number" else ""
        return self._page(
            f"<div class=status>{number}</div><div class=device-name>iPhone X</div>"
            "<form id=form1 method=POST action='/pingid/ppm/auth/status'>"
            f"{self._csrf(person)}</form>"
            "<form id=reponseView method=GET action='/pingid/ppm/auth/response'>"
            f"{self._csrf(person)}<input type=hidden id=status name=status></form>"
            "<form id=errorReponseView method=GET action='/pingid/ppm/auth/response'>"
            f"{self._csrf(person)}</form>"
        )

    def _status(self, asked: Asked) -> Answer:
        state = self._tokens.get(asked.query.get("csrfToken", ""))
        if asked.method != "GET" or state is None:
            return Answer(405, "{}")
        person: Person = state["person"]
        answer = self.polled(person)
        words = {
            "wait": "ASYNC_AUTH_WAIT",
            "approve": "OK",
            "deny": "TIMEOUT",
            "fail": "DEVICE_CLAIM_TIMEOUT",
        }
        return as_json({"status": words[answer]})

    def _answered(self, person: Person) -> Answer:
        answer = self.habit(person).answer
        if answer == "approve":
            return self._back(person)
        if answer == "fail":
            return self._ask(person, "otp", "")
        return self._page("<div class=error-message>The request has timed out.</div>")

    def _back(self, person: Person) -> Answer:
        resume = f"{self.url}/idp/{self.token(person=person)}/resumeSAML20/idp/startSSO.ping"
        return self._page(
            f"<form method=post action='{resume}'>"
            f"<input type=hidden name=ppm_response value='{self.token(ok=True)}'></form>"
            "<script>document.forms[0].submit()</script>"
        )

    def _device_page(self, person: Person) -> Answer:
        items = "".join(
            f"<li class='device {kind}' data-id={number}>"
            f"<a>{name}<div class=device-name>{name}</div></a></li>"
            for number, (kind, name) in DEVICES.items()
        )
        return self._page(
            f"<ul class=device-list>{items}</ul>"
            "<form id=device-form name=device-form method=post action='/pingid/ppm/devices'>"
            f"{self._csrf(person)}<input type=hidden id=deviceId name=deviceId value=11>"
            "<input type=Submit class=primary value='Sign On'></form>"
            "<form id=signoutForm method=POST action='/pingid/ppm/signoutredirect'>"
            f"{self._csrf(person)}</form>"
        )

    def _change_password(self) -> Answer:
        return html(
            "<title>Change password</title><h1>Your password has expired</h1><form method=post>"
            "<input type=password name=pf.currentPassword><input type=password name=pf.newPassword>"
            "<input type=password name=pf.confirmPassword></form>"
        )

    def _login_page(self, error: str = "") -> Answer:
        said = f"<div class=ping-error>{escape(error)}</div>" if error else ""
        return html(
            f"<head><title>Sign On</title><base href='{self.url}/'></head><body>{said}"
            f"<form method=POST action='idp/{self.token()}/resumeSAML20/idp/startSSO.ping'>"
            "<input id=username type=text name=pf.username value=''>"
            "<input id=password type=password name=pf.pass>"
            "<input type=hidden name=pf.ok value=''><input type=hidden name=pf.cancel value=''>"
            "<input type=hidden name=pf.adapterId value=CorpForm>"
            "<a onclick='postOk();' class=ping-button>Sign On</a></form>"
            "<script>function postOk(){document.forms[0].submit();}</script></body>"
        )

    def _csrf(self, person: Person) -> str:
        return f"<input type=hidden name=csrfToken value='{self.token(person=person)}'>"

    def _page(self, body: str) -> Answer:
        return html(f"<head><title>PingID</title></head><body>{_NOSCRIPT}<div>{body}</div></body>")
