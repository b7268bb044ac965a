"""authentik's flow executor. Strict: each answer names the stage that waits; a flow belongs to its
browser's session; wrong passwords and codes are errors of the stage, and the third ends the flow.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.sandbox.relying_party import RelyingParty, encoded, unpadded
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

APP = "/application/saml/aws/sso/binding/init/"
SLUG = "default-authentication-flow"
CONSENT = "default-provider-authorization-explicit-consent"
MOST_TRIES = 3


@dataclass
class Session:
    """One browser."""

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    stages: list[str] = field(default_factory=list)
    person: Person | None = None
    challenges: list[dict[str, Any]] = field(default_factory=list)
    consent: str = ""
    sent: str = ""
    tries: int = 0
    started: bool = False
    signed_in: bool = False
    consented: bool = False


class Authentik(Twin):
    """The flows.

    Factors of a habit, by commas: `totp`, `static`, `sms`, `webauthn`, `duo`. Knobs: `combined`
    (the password stands beside the user name), `captcha`, `asks_consent`, and by person `stage`
    (one that comes after the password: `captcha`, `prompt`, `authenticator-totp`, …).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.combined = False
        self.captcha = False
        self.asks_consent = False
        self.stage: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, str] = {}
        self.site = RelyingParty()
        self._sessions: dict[str, Session] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            name = asked.cookies.get("authentik_session", "")
            if name not in self._sessions:
                name = secrets.token_urlsafe(16)
                self._sessions[name] = Session()
            session = self._sessions[name]
            answer = self._routed(asked, session)
            cookies = f"authentik_session={name}; Path=/; HttpOnly"
            answer.headers["Set-Cookie"] = f"{cookies}\nauthentik_csrf={session.csrf}; Path=/"
            return answer

    def _routed(self, asked: Asked, session: Session) -> Answer:
        if asked.path == APP:
            return self._app(session)
        if asked.path == "/flows/-/default/authentication/":
            return Answer(302, "", {"Location": f"/if/flow/{SLUG}/?next={APP}"})
        if asked.path in {f"/if/flow/{SLUG}/", f"/if/flow/{CONSENT}/"}:
            return html("<title>authentik</title><ak-flow-executor></ak-flow-executor>")
        flow = asked.path.removeprefix("/api/v3/flows/executor/").rstrip("/")
        if flow not in {SLUG, CONSENT}:
            return as_json({"detail": "Not found."}, 404)
        return self._executor(asked, session, flow)

    def _app(self, session: Session) -> Answer:
        if not session.signed_in:
            return Answer(302, "", {"Location": f"/flows/-/default/authentication/?next={APP}"})
        session.stages = ["autosubmit"]
        if self.asks_consent and not session.consented:
            session.stages.insert(0, "consent")
        return Answer(302, "", {"Location": f"/if/flow/{CONSENT}/"})

    def _executor(self, asked: Asked, session: Session, flow: str) -> Answer:
        if flow == SLUG:
            query = parse_qs(asked.query.get("query", ""))
            if query.get("next") != [APP]:
                return as_json({"detail": "no next"}, 400)
            if not session.started:
                session.started = True
                session.stages = ["identification"]
                if not self.combined:
                    session.stages.append("password")
                session.stages.append("after")
        if asked.method == "GET":
            return self._challenge(session)
        if session.signed_in and asked.headers.get("x-authentik-csrf") != session.csrf:
            return as_json({"detail": "CSRF Failed: CSRF token missing."}, 403)
        body = asked.json
        if not session.stages or body.pop("component", "") != self._component(session):
            self.seen.strays.append("another stage's answer")
            return as_json({"detail": "no such stage"}, 400)
        return self._solved(asked, session, body)

    def _component(self, session: Session) -> str:
        name = session.stages[0]
        return "ak-stage-authenticator-validate" if name == "mfa" else f"ak-stage-{name}"

    def _challenge(self, session: Session, **errors: str) -> Answer:
        if session.stages and session.stages[0] == "after":
            self._plan(session)
        if not session.stages:
            session.signed_in = True
            return as_json({"type": "redirect", "component": "xak-flow-redirect", "to": APP})
        found: dict[str, Any] = {"type": "native", "component": self._component(session)}
        found["flow_info"] = {"title": "Welcome to authentik!", "layout": "stacked"}
        if errors:
            found["response_errors"] = {
                name: [{"string": said, "code": "invalid"}] for name, said in errors.items()
            }
        return as_json(found | self._details(session, session.stages[0]))

    def _plan(self, session: Session) -> None:
        """What comes after the password."""
        person = session.person
        assert person
        del session.stages[0]
        stage = self.stage.get(person.name)
        if stage:
            session.stages.append(str(stage["name"]))
        if self.habit(person).factor:
            session.stages.append("mfa")

    def _details(self, session: Session, name: str) -> dict[str, Any]:
        person = session.person
        if name == "identification":
            captcha = {"js_url": "https://captcha.example/x.js"} if self.captcha else None
            fields = {"user_fields": ["username", "email"], "sources": []}
            return fields | {"password_fields": self.combined, "captcha_stage": captcha}
        if name == "mfa" and person:
            session.challenges = [
                self._device(person, number, kind)
                for number, kind in enumerate(self.habit(person).factor.split(","))
            ]
            return {"device_challenges": session.challenges, "configuration_stages": []}
        if name == "consent":
            session.consent = secrets.token_urlsafe(16)
            return {
                "header_text": "You're about to sign into aws.",
                "permissions": [{"id": "email", "name": "Email address"}],
                "token": session.consent,
            }
        if name == "autosubmit" and person:
            done = {"ACSUrl": self.acs, "SAMLResponse": self.assertion(person), "RelayState": ""}
            return {"url": self.acs, "attrs": done}
        return dict(self.stage[person.name]) if person and person.name in self.stage else {}

    def _device(self, person: Person, number: int, kind: str) -> dict[str, Any]:
        challenge: dict[str, Any] = {}
        if kind == "webauthn":
            keys = self.site.keys.get(person.name, [])
            challenge = {
                "challenge": self.site.challenge(person.name),
                "rpId": self.site.rp_id,
                "timeout": 60000,
                "allowCredentials": [{"id": encoded(k.id), "type": "public-key"} for k in keys],
                "userVerification": self.site.verification,
            }
        return {"device_class": kind, "device_uid": str(number), "challenge": challenge}

    def _solved(self, asked: Asked, session: Session, body: dict[str, Any]) -> Answer:
        ways = {
            "identification": self._identify,
            "password": self._password,
            "mfa": self._second_factor,
            "consent": self._consent,
        }
        errors = ways[session.stages[0]](session, body)
        if not errors:
            del session.stages[0]
            return Answer(302, "", {"Location": asked.raw_path})
        if "selected" not in errors:
            session.tries += 1
        if session.tries >= MOST_TRIES:
            session.stages = []
            denied = {"component": "ak-stage-access-denied", "error_message": "Too many tries."}
            return as_json({"type": "native"} | denied)
        return self._challenge(session, **errors)

    def _identify(self, session: Session, body: dict[str, Any]) -> dict[str, str]:
        names = {"uid_field", "password"} if self.combined else {"uid_field"}
        if set(body) != names:
            return {"non_field_errors": "No identification data provided."}
        session.person = self.world.people.get(str(body["uid_field"]).partition("@")[0])
        if self.combined:
            return self._check(session, body, "non_field_errors", "Failed to authenticate.")
        return {} if session.person else {"non_field_errors": "Failed to authenticate."}

    def _password(self, session: Session, body: dict[str, Any]) -> dict[str, str]:
        return self._check(session, body, "password", "Invalid password")

    def _check(
        self, session: Session, body: dict[str, Any], field_: str, said: str
    ) -> dict[str, str]:
        name = session.person.name if session.person else None
        person = self.person(name, body.get("password"))
        return {} if person and not person.disabled else {field_: said}

    def _second_factor(self, session: Session, body: dict[str, Any]) -> dict[str, str]:
        person = session.person
        assert person
        kinds = [one["device_class"] for one in session.challenges]
        if set(body) == {"selected_challenge"}:
            if body["selected_challenge"] not in session.challenges:
                return {"selected_challenge": "invalid challenge selected"}
            session.sent = self.sent[person.name] = f"{secrets.randbelow(10**6):06}"
            return {"selected": "Empty response"}
        if set(body) == {"webauthn"} and "webauthn" in kinds:
            answer = body["webauthn"]
            names = ("clientDataJSON", "authenticatorData", "signature")
            parts = (unpadded(answer["response"][name]) for name in names)
            why = self.site.why_not(person.name, unpadded(answer["rawId"]), *parts)
            return {"webauthn": "Assertion failed"} if why else {}
        if set(body) != {"code"} or not {"totp", "sms", "static"} & set(kinds):
            return {"non_field_errors": "No compatible device class allowed"}
        if session.sent and body["code"] == session.sent:
            session.sent = ""
            return {}
        return {} if self.accepts(person, body["code"]) else {"code": "Invalid Token"}

    def _consent(self, session: Session, body: dict[str, Any]) -> dict[str, str]:
        if not session.consent or body != {"token": session.consent}:
            return {"token": "Invalid consent token, re-showing prompt"}
        session.consented = True
        return {}
