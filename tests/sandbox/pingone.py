"""PingOne's flows. Strict: an action fits the state and names its media type; the flow belongs to
its session's cookie; it resumes once.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.sandbox.relying_party import RelyingParty, unpadded
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

ENVIRONMENT = "3072206d-c6ce-4c19-a366-f87e972c7cc3"
PATH = f"/{ENVIRONMENT}/saml20/idp/startsso"
APP = f"{PATH}?spEntityId=urn:amazon:webservices"
MEDIA = "application/vnd.pingidentity."
MOST_TRIES = 3
_PHONE = {"SMS": "+1 XXX 5309", "VOICE": "+1 XXX 5309"}


@dataclass
class Flow:
    """One sign-on."""

    session: str
    status: str = "USERNAME_PASSWORD_REQUIRED"
    person: Person | None = None
    device: str = ""
    sent: str = ""
    tries: int = 0
    resumed: bool = False


class PingOne(Twin):
    """An environment. Factors of a habit: types of devices, by commas (`TOTP,MOBILE,FIDO2`).

    Knobs: `status` (by person: what follows the password instead).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.site = RelyingParty()
        self.status: dict[str, str] = {}
        self.sent: dict[str, str] = {}
        self._flows: dict[str, Flow] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            session = asked.cookies.get("ST", "")
            if asked.path == PATH:
                return self._start(asked)
            if asked.path == f"/{ENVIRONMENT}/signon/":
                return html("<title>Sign On</title><div id=root></div><script src=x.js></script>")
            if asked.path == f"/{ENVIRONMENT}/saml20/resume":
                return self._resume(asked, session)
            flow = self._flows.get(asked.path.rpartition("/")[2])
            if flow is None or flow.session != session:
                return as_json({"code": "NOT_FOUND", "message": "The flow was not found"}, 404)
            return self._shown(flow) if asked.method == "GET" else self._act(asked, flow)

    def _start(self, asked: Asked) -> Answer:
        if asked.query.get("spEntityId") != "urn:amazon:webservices":
            return html("<title>Unknown application</title>", 400)
        session, name = secrets.token_urlsafe(16), secrets.token_hex(16)
        self._flows[name] = Flow(session)
        query = f"environmentId={ENVIRONMENT}&flowId={name}"
        headers = {"Location": f"/{ENVIRONMENT}/signon/?{query}"}
        return Answer(302, "", headers | {"Set-Cookie": f"ST={session}; Path=/; HttpOnly"})

    def _resume(self, asked: Asked, session: str) -> Answer:
        flow = self._flows.pop(asked.query.get("flowId", ""), None)
        if flow is None or flow.session != session or flow.status != "COMPLETED":
            return self.stray("a flow that is not complete")
        assert flow.person
        return self.done(flow.person)

    def _shown(self, flow: Flow, **more: Any) -> Answer:
        if flow.status == "PUSH_CONFIRMATION_REQUIRED" and flow.person:
            words = {
                "wait": flow.status,
                "approve": "COMPLETED",
                "deny": "PUSH_CONFIRMATION_REJECTED",
            }
            flow.status = words[self.polled(flow.person)]
        name = next(name for name, one in self._flows.items() if one is flow)
        base = self.url.removesuffix(APP)
        shown: dict[str, Any] = {
            "id": name,
            "status": flow.status,
            "resumeUrl": f"{base}/{ENVIRONMENT}/saml20/resume?flowId={name}",
            "_links": {"self": {"href": "x"}, "usernamePassword.check": {"href": "x"}},
        }
        if flow.person:
            shown["_embedded"] = {"devices": self._devices(flow.person)}
            shown["selectedDevice"] = {"id": flow.device}
        if flow.status == "ASSERTION_REQUIRED" and flow.person:
            keys = self.site.keys.get(flow.person.name, [])
            options = {
                "challenge": _signed(unpadded(self.site.challenge(flow.person.name))),
                "rpId": self.site.rp_id,
                "timeout": 120000,
                "allowCredentials": [{"id": _signed(k.id), "type": "public-key"} for k in keys],
                "userVerification": self.site.verification,
            }
            shown["publicKeyCredentialRequestOptions"] = json.dumps(options)
        return as_json(shown | more)

    def _devices(self, person: Person) -> list[dict[str, Any]]:
        kinds = [one for one in self.habit(person).factor.split(",") if one]
        return [
            {"id": f"d{number}", "type": kind, "phone": _PHONE.get(kind)}
            for number, kind in enumerate(kinds)
        ]

    def _act(self, asked: Asked, flow: Flow) -> Answer:
        action = asked.headers.get("content-type", "").removeprefix(MEDIA)
        ways = {
            ("USERNAME_PASSWORD_REQUIRED", "usernamePassword.check+json"): self._password,
            ("DEVICE_SELECTION_REQUIRED", "device.select+json"): self._select,
            ("OTP_REQUIRED", "otp.check+json"): self._otp,
            ("ASSERTION_REQUIRED", "assertion.check+json"): self._assertion,
        }
        way = ways.get((flow.status, action))
        if way is None:
            self.seen.strays.append(f"{action} at {flow.status}")
            return as_json({"code": "INVALID_REQUEST", "message": "Not in this state"}, 400)
        wrong = way(asked.json, flow)
        if not wrong:
            return self._shown(flow)
        flow.tries += 1
        code = "PASSWORD_LOCKED_OUT" if flow.tries >= MOST_TRIES else "INVALID_VALUE"
        detail = {"code": code, "target": "password", "message": wrong}
        document = {"code": "INVALID_DATA", "message": "Validation failed", "details": [detail]}
        return as_json(document, 400)

    def _password(self, body: dict[str, Any], flow: Flow) -> str:
        person = self.person(body.get("username"), body.get("password"))
        if person is None or person.disabled:
            return "The username or password is incorrect."
        flow.person = person
        devices = self._devices(person)
        flow.status = "DEVICE_SELECTION_REQUIRED" if devices else "COMPLETED"
        flow.status = self.status.get(person.name, flow.status)
        if len(devices) == 1:
            self._chosen(flow, devices[0])
        return ""

    def _select(self, body: dict[str, Any], flow: Flow) -> str:
        assert flow.person
        known = {one["id"]: one for one in self._devices(flow.person)}
        device = known.get(body.get("device", {}).get("id"))
        if device is None:
            return "No such device"
        self._chosen(flow, device)
        return ""

    def _chosen(self, flow: Flow, device: dict[str, Any]) -> None:
        assert flow.person
        flow.device = device["id"]
        kind = device["type"]
        flow.status = {
            "MOBILE": "PUSH_CONFIRMATION_REQUIRED",
            "FIDO2": "ASSERTION_REQUIRED",
        }.get(kind, "OTP_REQUIRED")
        if kind in _PHONE:
            flow.sent = self.sent[flow.person.name] = f"{secrets.randbelow(10**6):06}"

    def _otp(self, body: dict[str, Any], flow: Flow) -> str:
        assert flow.person
        given = body.get("otp")
        right = given == flow.sent if flow.sent else self.accepts(flow.person, given)
        flow.status = "COMPLETED" if right else flow.status
        return "" if right else "Der Code ist falsch."

    def _assertion(self, body: dict[str, Any], flow: Flow) -> str:
        assert flow.person
        answer = json.loads(body["assertion"])
        names = ("clientDataJSON", "authenticatorData", "signature")
        parts = (unpadded(answer["response"][name]) for name in names)
        why = self.site.why_not(flow.person.name, unpadded(answer["rawId"]), *parts)
        if why or body["origin"] != self.site.origin or body["compatibility"] != "FULL":
            return "The assertion is not valid."
        flow.status = "COMPLETED"
        return ""


def _signed(raw: bytes) -> list[int]:
    """Bytes as Java's, which PingOne's options hold."""
    return [byte - 256 if byte > 127 else byte for byte in raw]
