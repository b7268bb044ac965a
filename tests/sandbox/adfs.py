"""A twin of ADFS: its pages, methods and errors, in three languages.

Strict: `Context` is demanded back and good once, the empty option form must not be sent, methods
must be those that were offered.
"""

from __future__ import annotations

from html import escape

from tests.sandbox.server import Answer, Asked, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

PATH = "/adfs/ls/IdpInitiatedSignOn.aspx"
START = f"{PATH}?loginToRp=urn:amazon:webservices"
NUMBER = "42"
TEXTS = {
    "en": {
        "title": "Sign In",
        "wrong": "Incorrect user ID or password. Type the correct user ID and password.",
        "disabled": "Your account is disabled. Contact your administrator.",
        "expired": "You must update your password because your password has expired.",
        "code": "The verification code is not correct.",
        "denied": "The authentication request was denied.",
    },
    "de": {
        "title": "Anmelden",
        "wrong": "Falsche Benutzer-ID oder falsches Kennwort.",
        "disabled": "Ihr Konto ist deaktiviert.",
        "expired": "Sie müssen Ihr Kennwort ändern, da es abgelaufen ist.",
        "code": "Der Prüfcode ist falsch.",
        "denied": "Die Anforderung wurde abgelehnt.",
    },
    "ja": {
        "title": "サインイン",
        "wrong": "ユーザー ID またはパスワードが正しくありません。",
        "disabled": "アカウントは無効です。",
        "expired": "パスワードの有効期限が切れています。",
        "code": "確認コードが正しくありません。",
        "denied": "要求は拒否されました。",
    },
}
METHODS = {
    "AzureMfaAuthentication": "Azure Multi-Factor Authentication",
    "VIPAuthenticationProviderUPN": "VIP passcode",
    "CertificateAuthentication": "Certificate",
}


class Adfs(Twin):
    """The pages. Factors: `code`, `azure`, `server`, `rsa`, `choose`."""

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            if asked.path != PATH or asked.query.get("loginToRp") != "urn:amazon:webservices":
                return html("<title>Not found</title>", 404)
            if asked.method == "GET":
                return self._login_page()
            if "MSISSamlRequest" not in asked.cookies:
                return self.stray("no cookie")
            return self._post(asked.form)

    def _post(self, fields: dict[str, str]) -> Answer:
        method = fields.get("AuthMethod", "")
        if method == "FormsAuthentication":
            return self._password(fields)
        state = self.spent(fields.get("Context"))
        if not method or state is None or method not in state["methods"]:
            return self.stray(f"AuthMethod {method!r}")
        person: Person = state["person"]
        if state.get("choosing"):
            return self._ask(person, method)
        if method in {"AzureMfaAuthentication", "AzureMfaServerAuthentication"}:
            return self._polled(person, method)
        code = fields.get({"SecurIDAuthentication": "Passcode"}.get(method, "security_code"))
        if self.accepts(person, code):
            return self.done(person)
        return self._ask(person, method, self._text("code"))

    def _password(self, fields: dict[str, str]) -> Answer:
        person = self.person(fields.get("UserName"), fields.get("Password"))
        if person is None:
            return self._login_page(self._text("wrong"), fields.get("UserName", ""))
        if person.disabled:
            return self._login_page(self._text("disabled"), person.name)
        habit = self.habit(person)
        if habit.expired:
            return self._login_page(self._text("expired"), person.name)
        if habit.factor == "choose":
            return self._choose(person)
        method = {
            "code": "VIPAuthenticationProviderUPN",
            "azure": "AzureMfaAuthentication",
            "server": "AzureMfaServerAuthentication",
            "rsa": "SecurIDAuthentication",
        }.get(habit.factor)
        return self._ask(person, method) if method else self.done(person)

    def _polled(self, person: Person, method: str) -> Answer:
        answer = self.polled(person)
        if answer == "approve":
            return self.done(person)
        return self._ask(person, method, self._text("denied") if answer == "deny" else "")

    def _ask(self, person: Person, method: str, error: str = "") -> Answer:
        context = self.token(person=person, methods={method})
        asks = {
            "SecurIDAuthentication": "<input id=passcodeInput name=Passcode type=password>"
            "<input id=submitButton name=Submit type=submit value=Submit>",
            "VIPAuthenticationProviderUPN": "<label for=c>VIP code</label>"
            "<input id=c name=security_code type=text>",
            "AzureMfaAuthentication": f"<p id=validEntropyNumber>{NUMBER}</p>",
        }.get(method, "<p id=instructions>…</p>")
        action = "" if method == "SecurIDAuthentication" else f" action='{START}'"
        return self._page(
            f"<form id=loginForm method=post autocomplete=off{action}>"
            f"<input id=authMethod type=hidden name=AuthMethod value='{method}'>"
            f"<input id=context type=hidden name=Context value='{context}'>"
            f"<div class='error smallText'><label id=errorText for=''>{escape(error)}</label></div>"
            f"{asks}</form>{self._options({}, '')}"
        )

    def _choose(self, person: Person) -> Answer:
        context = self.token(person=person, methods=set(METHODS), choosing=True)
        return self._page(self._options(METHODS, context))

    def _options(self, methods: dict[str, str], context: str) -> str:
        links = "".join(
            f"<a class=actionLink href=# id={name} role=button>{words}</a>"
            for name, words in methods.items()
        )
        kept = f"<input type=hidden name=Context value='{context}'>" if context else ""
        return (
            f"<div id=authOptions><form id=options method=post action='{START}'>"
            f"<input id=optionSelection type=hidden name=AuthMethod>{kept}"
            f"<div class=groupMargin>{links}</div></form></div>"
        )

    def _login_page(self, error: str = "", name: str = "") -> Answer:
        answer = self._page(
            f"<form method=post id=loginForm autocomplete=off novalidate action='{START}'>"
            f"<div id=error><span id=errorText role=alert>{escape(error)}</span></div>"
            f"<input id=userNameInput name=UserName type=email value='{escape(name)}'>"
            "<input id=passwordInput name=Password type=password>"
            "<div id=kmsiArea style='display:none'>"
            "<input type=checkbox name=Kmsi id=kmsiInput value=true></div>"
            "<span id=submitButton class=submit role=button>Sign in</span>"
            "<input id=optionForms type=hidden name=AuthMethod value=FormsAuthentication></form>"
            + self._options({"CertificateAuthentication": "Certificate"}, "")
        )
        answer.headers["Set-Cookie"] = "MSISSamlRequest=x; path=/adfs; HttpOnly; Secure"
        return answer

    def _page(self, body: str) -> Answer:
        return html(
            f"<head><title>{self._text('title')}</title></head><body class=body>"
            "<div id=noScript><h1>JavaScript required</h1></div><div id=fullPage>"
            f"{body}</div><script>function s() {{ document.forms['options'].submit(); }}</script>"
        )

    def _text(self, name: str) -> str:
        return TEXTS[self.language][name]
