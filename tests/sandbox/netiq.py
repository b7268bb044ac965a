"""NetIQ Access Manager. Strict: each page belongs to its session, and is got in its order."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tests.sandbox.server import Answer, Asked, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

PATH = "/nidp/saml2/idpsend"
APP = f"{PATH}?PID=STSPaws"
_FRAME = """<title>Access Manager</title><div id=runningInEndUserLoginEnvironment
style='display: none'></div><script>
function getToContent(strUrl, strTargetDivId) {{ $.get(strUrl, function(data) {{ }}); }}
</script><div id=theNidpContent></div><body><script>
getToContent('{target}', 'theNidpContent');
</script></body>"""


@dataclass
class Session:
    """One browser."""

    step: str = "start"
    person: Person | None = None


class NetIq(Twin):
    """The pages. Factors of a habit: `rsa` (a token's code on a page of its own)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sessions: dict[str, Session] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            name = asked.cookies.get("JSESSIONID", "")
            if name not in self._sessions:
                name = secrets.token_urlsafe(12)
                self._sessions[name] = Session()
            answer = self._answer(asked, self._sessions[name])
            answer.headers["Set-Cookie"] = f"JSESSIONID={name}; Path=/nidp; HttpOnly"
            return answer

    def _answer(self, asked: Asked, session: Session) -> Answer:
        if (asked.method, asked.path) == ("GET", PATH):
            if session.step == "done" and session.person:
                return self.done(session.person)
            session.step = "content"
            target = "/nidp/jsp/content.jsp?sid=0&option=credential&id=AWS"
            return html(_FRAME.format(target=target))
        is_part = asked.query.get("uiDestination") == "contentDiv"
        if asked.path == "/nidp/jsp/content.jsp" and session.step == "content" and is_part:
            session.step = "form"
            target = "/nidp/app/login?id=contract_name&sid=0&option=credential"
            return Answer(
                200,
                "<div id=c></div><script>$(document).ready(function(){"
                f'getToContent("{target}", "c");}});</script>',
            )
        if asked.path != "/nidp/app/login":
            return self.stray(f"{asked.path} at {session.step}")
        if asked.method == "GET" and session.step == "form" and is_part:
            session.step = "password"
            return self._form("Ecom_Password")
        if asked.method == "POST" and session.step in {"password", "token"}:
            return self._posted(asked.form, session)
        return self.stray(f"{asked.path} at {session.step}")

    def _posted(self, fields: dict[str, str], session: Session) -> Answer:
        if fields.get("option") != "credential":
            return self.stray("no option")
        if session.step == "password":
            person = self.person(fields.get("Ecom_User_ID"), fields.get("Ecom_Password"))
            if person is None:
                return self._form("Ecom_Password", "Login failed, please try again.")
            session.person = person
            if self.habit(person).factor == "rsa":
                session.step = "token"
                return self._form("Ecom_Token")
        elif not (session.person and self.accepts(session.person, fields.get("Ecom_Token"))):
            return self._form("Ecom_Token", "Échec de l'authentification.")
        session.step = "done"
        url = self.url
        return html(f"<script>\n<!--\nwindow.location.href='{url}';\n-->\n</script>")

    def _form(self, field: str, error: str = "") -> Answer:
        said = f"<div class=error>{error}</div>" if error else ""
        action = f"{self.url.removesuffix(APP)}/nidp/app/login?sid=0"
        return html(
            f"<script>function submitForm() {{ $.post('', ''); }}</script>{said}"
            f"<form id=IDPLogin name=IDPLogin method=POST action='{action}'>"
            "<input type=hidden name=option value=credential>"
            "<input type=text id=Ecom_User_ID name=Ecom_User_ID placeholder=salaryid>"
            f"<input type=password id={field} name={field}></form>"
        )
