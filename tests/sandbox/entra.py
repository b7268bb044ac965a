"""Microsoft Entra ID, and an ADFS that it federates to. Strict: each page brings a new flow token,
canary and context, good once and demanded back; JSON wants the page's headers; polls are counted.
"""

from __future__ import annotations

import base64
import json
import secrets
import zlib
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from tests.sandbox.form_idp import FormIdp
from tests.sandbox.relying_party import RelyingParty, encoded, unpadded
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import Person, World

TENANT = "0cfbdd7a-1d78-47ea-b458-8aa3c2558727"
APP_ID = "urn:amazon:webservices#2"
START = "/applications/redirecttofederatedapplication.aspx"
MOST_CODES = 3
_P = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_HPGID = {
    "ConvergedSignIn": 1104,
    "ConvergedTFA": 1114,
    "KmsiInterrupt": 1115,
    "ConvergedProofUpRedirect": 1121,
}


@dataclass
class Visit:
    """A browser on its way."""

    page: str = ""
    token: str = ""
    canary: str = ""
    api_canary: str = ""
    ctx: str = ""
    session: str = ""
    correlation: str = ""
    person: Person | None = None
    kmsi_done: bool = False
    proved_up: bool = False
    factor: str = ""
    factor_done: bool = False
    factor_session: str = ""
    wrong_codes: int = 0
    polls: int = 0
    sent: str = ""
    skip: str = ""
    challenge: str = ""
    cross: str = ""
    portal: bool = False
    wants_app: bool = False


@dataclass
class Entra:
    """The tenant.

    Knobs: `proofs` (by person: method ids), `number`, `push_after`, `push_result`, `interval`,
    `proof_up` (None, "skippable" or "required"), `dead_end` (page id and message after the
    password), `federated` (people of the ADFS), `passwordless`, `bsso`, `cmsi`, `post_to` and
    `codes_to` (where a hostile page wants password and codes), `errors` (by person: sErrorCode and
    sErrTxt).
    """

    world: World
    idp: FormIdp
    url: str = ""
    adfs_url: str = ""
    proofs: dict[str, list[str]] = field(default_factory=dict)
    number: int = 0
    push_after: int = 2
    push_result: str = "Success"
    interval: float | None = 1.0
    proof_up: str | None = None
    dead_end: tuple[str, str] | None = None
    federated: set[str] = field(default_factory=set)
    passwordless: set[str] = field(default_factory=set)
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    site: RelyingParty = field(default_factory=RelyingParty)
    fido_at: str = ""
    bsso: bool = False
    cmsi: bool = False
    post_to: str = ""
    codes_to: str = ""
    passwords_seen: int = 0
    polls: int = 0
    requests_seen: set[str] = field(default_factory=set)
    issuers: list[str] = field(default_factory=list)
    _visits: dict[str, Visit] = field(default_factory=dict)
    _sent: dict[str, str] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)

    def tokens(self) -> list[str]:
        """What the latest page of each visit must have back."""
        return [
            token
            for visit in self._visits.values()
            for token in (visit.token, visit.canary, visit.api_canary, visit.ctx)
        ]

    @property
    def start_page(self) -> str:
        """The app's start page."""
        return f"{self.url}{START}?Operation=LinkedSignIn&applicationId=31eaeb21"

    def handle(self, asked: Asked) -> Answer:
        """One request to Microsoft."""
        with self.world.lock:
            name = asked.cookies.get("buid") or secrets.token_urlsafe(12)
            visit = self._visits.setdefault(name, Visit())
            answer = self._route(asked, visit)
            answer.headers.setdefault("Set-Cookie", f"buid={name}; Path=/; Secure; HttpOnly")
            return answer

    def _route(self, asked: Asked, visit: Visit) -> Answer:
        routes = {
            ("GET", f"/{TENANT}/saml2"): self._saml2,
            ("GET", START): self._start,
            ("POST", "/"): self._portal,
            ("POST", "/common/GetCredentialType"): self._credential_type,
            ("POST", f"/{TENANT}/login"): self._login,
            ("POST", "/common/fido/get"): self._fido_page,
            ("POST", "/login.srf"): self._federated_back,
            ("POST", "/common/SAS/BeginAuth"): self._begin,
            ("POST", "/common/SAS/EndAuth"): self._end,
            ("POST", "/common/SAS/ProcessAuth"): self._process,
            ("POST", "/kmsi"): self._kmsi,
            ("POST", "/appverify"): self._kmsi,
            ("GET", "/common/resume"): self._skip_proof_up,
        }
        route = routes.get((asked.method, asked.path))
        if route is None:
            return html("<title>Not found</title>", 404)
        return route(asked, visit)

    # Starts

    def _saml2(self, asked: Asked, visit: Visit) -> Answer:
        try:
            packed = base64.b64decode(asked.query["SAMLRequest"], validate=True)
            request = ET.fromstring(zlib.decompress(packed, -zlib.MAX_WBITS))
        except (KeyError, ValueError, zlib.error, ET.ParseError):
            return self._error(visit, "AADSTS75005: The request is not a valid Saml2 message.")
        issuer = request.findtext(f"{_A}Issuer") or ""
        number = request.get("ID") or ""
        self.issuers.append(issuer)
        wanted = request.tag == f"{_P}AuthnRequest" and request.get("Version") == "2.0"
        if (
            not wanted
            or not request.get("IssueInstant", "").endswith("Z")
            or (number[:1].isdigit() or request.get("ForceAuthn", "false") != "false")
        ):
            return self._error(visit, "AADSTS75011: The request does not fit.")
        if not number or (number in self.requests_seen and "sso_reload" not in asked.query):
            return self._error(visit, "AADSTS75005: The ID was used before.")
        self.requests_seen.add(number)
        if issuer != APP_ID:
            return self._error(
                visit, f"AADSTS700016: Application with identifier '{issuer}' was not found."
            )
        if self.bsso and "sso_reload" not in asked.query:
            return self._page(visit, "BssoInterrupt")
        visit.wants_app = True
        return self._onward(visit)

    def _start(self, asked: Asked, visit: Visit) -> Answer:
        if not visit.portal:
            return self._onward(visit)
        target = f"{self.url}/{TENANT}/saml2?SAMLRequest={quote(self._request())}"
        return html(
            "<title></title><body><form name=RedirectToFederatedApplicationForm method=post"
            f" action='.{START}?Operation=LinkedSignIn&amp;applicationId=x'>"
            "<input type=hidden name=__EVENTTARGET><input type=hidden name=__VIEWSTATE value=abc>"
            "</form><script>Sys.Application.add_load( function() { } );"
            f"window.location = '{target}';$addHandler(window.document, 'mouseup', x);</script>"
        )

    def _request(self) -> str:
        text = (
            f'<samlp:AuthnRequest xmlns:samlp="{_P[1:-1]}" ID="id{secrets.token_hex(16)}"'
            ' Version="2.0" IssueInstant="2026-01-01T00:00:00Z">'
            f'<Issuer xmlns="{_A[1:-1]}">{APP_ID}</Issuer></samlp:AuthnRequest>'
        )
        deflate = zlib.compressobj(wbits=-15)
        return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()).decode()

    def _portal(self, asked: Asked, visit: Visit) -> Answer:
        if set(asked.form) != {"code", "id_token", "state", "session_state"}:
            return html("<title>Bad request</title>", 400)
        if self._codes.pop(asked.form["code"], None) is None:
            return html("<title>Bad request</title>", 400)
        visit.portal = True
        return Answer(302, "", {"Location": f"{START}?Operation=LinkedSignIn&applicationId=x"})

    # The order of things

    def _onward(self, visit: Visit) -> Answer:
        """What is due next."""
        person = visit.person
        if person is None:
            return self._sign_in_page(visit)
        if self.dead_end:
            page, message = self.dead_end
            return self._page(visit, page, strServiceExceptionMessage=message)
        if not visit.wants_app and not visit.portal:
            return self._hidden_form(visit) if visit.kmsi_done else self._kmsi_page(visit)
        if self.proofs.get(person.name) and not visit.factor_done:
            return self._factor_page(visit)
        if self.proof_up and not visit.proved_up:
            return self._proof_up_page(visit)
        if not visit.kmsi_done:
            return self._kmsi_page(visit)
        return self._done(person)

    def _page(self, visit: Visit, name: str, **more: Any) -> Answer:
        """A page with new tokens; its script goes on after `$Config`, as the real one's does."""
        visit.page = name
        visit.token, visit.canary, visit.api_canary, visit.ctx, visit.session = (
            secrets.token_urlsafe(24) for _ in range(5)
        )
        visit.canary += "=0:1"
        visit.correlation = secrets.token_hex(16)
        config = {
            "pgid": name,
            "hpgid": _HPGID.get(name, 1000),
            "hpgact": 1800,
            "sFTName": "flowToken",
            "sFT": visit.token,
            "sCtx": visit.ctx,
            "canary": visit.canary,
            "apiCanary": visit.api_canary,
            "sessionId": visit.session,
            "correlationId": visit.correlation,
            "sErrorCode": "",
            "sErrTxt": "",
            **more,
        }
        text = json.dumps(config).replace("&", "\\u0026").replace("<", "\\u003c")
        return html(
            "<title>Sign in to your account</title><body><script>//<![CDATA[\n"
            f"$Config={text}; if (false) {{ alert('oops'); }}\n//]]></script>"
        )

    def _sign_in_page(self, visit: Visit, code: str = "50058", text: str = "") -> Answer:
        visit.challenge = "O." + secrets.token_urlsafe(32)
        return self._page(
            visit,
            "ConvergedSignIn",
            urlGetCredentialType="/common/GetCredentialType?mkt=en-US",
            urlPost=f"{self.post_to}/{TENANT}/login",
            urlFidoLogin=f"{self.fido_at or self.url}/common/fido/get?uiflavor=Web",
            sFidoChallenge=visit.challenge,
            sErrorCode=code,
            sErrTxt=text,
        )

    def _factor_page(self, visit: Visit, code: str = "") -> Answer:
        assert visit.person
        proofs = [
            {"authMethodId": name, "data": name, "display": "+XX XXXX 89", "isDefault": False}
            for name in self.proofs[visit.person.name]
        ]
        wait = {"PhoneAppNotification": self.interval} if self.interval else {"OneWaySMS": 1.0}
        return self._page(
            visit,
            "ConvergedTFA",
            arrUserProofs=proofs,
            urlBeginAuth=f"{self.url}/common/SAS/BeginAuth",
            urlEndAuth=f"{self.codes_to or self.url}/common/SAS/EndAuth",
            urlPost=f"{self.url}/common/SAS/ProcessAuth",
            oPerAuthPollingInterval=wait,
            sPOST_Username=visit.person.name,
            sErrorCode=code,
        )

    def _proof_up_page(self, visit: Visit) -> Answer:
        skip = self.proof_up == "skippable"
        visit.skip = secrets.token_urlsafe(12)
        return self._page(
            visit,
            "ConvergedProofUpRedirect",
            sCtx=None,
            urlPost="https://mysignins.example/register",
            urlSkipMfaRegistration=f"{self.url}/common/resume?ctx={visit.skip}&skipmfaregistration=1"
            if skip
            else "",
            sErrorCode="" if skip else "502031",
            iRemainingDaysToSkipMfaRegistration=10,
        )

    def _kmsi_page(self, visit: Visit) -> Answer:
        if self.cmsi:
            return self._page(visit, "CmsiInterrupt", urlPost="/appverify")
        return self._page(visit, "KmsiInterrupt", urlPost="/kmsi", sCanaryTokenName="canary")

    def _error(self, visit: Visit, message: str) -> Answer:
        return self._page(
            visit,
            "ConvergedError",
            strMainMessage="Sorry, but we’re having trouble signing you in.",
            strServiceExceptionMessage=message,
            iErrorCode=int(message[6:].partition(":")[0]),
        )

    def _hidden_form(self, visit: Visit) -> Answer:
        code = secrets.token_urlsafe(20)
        self._codes[code] = "portal"
        values = {
            "code": code,
            "id_token": "x.y.z",
            "state": "OpenIdConnect=1",
            "session_state": "s",
        }
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{value}" />'
            for name, value in values.items()
        )
        return html(
            f'<title>Working...</title><form method="POST" name="hiddenform" action="{self.url}/">'
            f'{fields}<noscript><p>Script is disabled.</p><input type="submit" value="Submit" />'
            "</noscript></form><script>document.forms[0].submit();</script>"
        )

    def _done(self, person: Person) -> Answer:
        encoded = escape(self.idp.assertion(person))
        return html(
            "<title>Working...</title>"
            f'<form method="POST" name="hiddenform" action="{self.idp.acs}">'
            f'<input type="hidden" name="SAMLResponse" value="{encoded}" />'
            f'<noscript><input type="submit" value="Submit" /></noscript></form>'
            f'<form method="POST" action="{self.idp.acs}">'
            f'<input type="hidden" name="SAMLResponse" value="{encoded}" /></form>'
        )

    # What is posted

    def _fits(self, visit: Visit, page: str, fields: dict[str, str], ctx: str = "ctx") -> bool:
        wanted = {
            "flowToken": visit.token,
            "canary": visit.canary,
            "hpgrequestid": visit.session,
            ctx: visit.ctx,
        }
        fits = visit.page == page and all(fields.get(k) == v for k, v in wanted.items())
        visit.token = secrets.token_urlsafe(8)
        return fits

    def _knows(self, asked: Asked, visit: Visit, token: str, ctx: str) -> bool:
        wanted = {
            "canary": visit.api_canary,
            "client-request-id": visit.correlation,
            "hpgid": str(_HPGID[visit.page]),
            "hpgrequestid": visit.session,
        }
        body = asked.json
        return (
            all(asked.headers.get(name) == value for name, value in wanted.items())
            and body.get(token) == visit.token
            and body.get(ctx) == visit.ctx
        )

    def _stale(self, visit: Visit) -> Answer:
        return self._error(visit, "AADSTS90014: The flow token is missing, used or expired.")

    def _credential_type(self, asked: Asked, visit: Visit) -> Answer:
        if visit.page != "ConvergedSignIn" or not self._knows(
            asked, visit, "flowToken", "originalRequest"
        ):
            visit.token = secrets.token_urlsafe(8)
            return as_json({"error": {"code": 6001}}, 400)
        user = asked.json["username"]
        name = user.partition("@")[0]
        visit.token = secrets.token_urlsafe(24)
        credentials: dict[str, Any] = {"PrefCredential": 1, "HasPassword": True}
        if name in self.passwordless:
            credentials = {"PrefCredential": 7, "HasPassword": False}
        keys = self.site.keys.get(name, [])
        if asked.json["isFidoSupported"] and keys:
            listed = {"AllowList": [encoded(one.id) for one in keys]}
            credentials |= {"HasFido": True, "FidoParams": listed}
        throttled = 0
        if name in self.federated:
            throttled = 1
            credentials["PrefCredential"] = 4
            credentials["FederationRedirectUrl"] = f"{self.adfs_url}/adfs/ls/?wctx={visit.ctx}"
        return as_json(
            {
                "Username": user,
                "IfExistsResult": 0 if name in self.world.people else 1,
                "ThrottleStatus": throttled,
                "Credentials": credentials,
                "FlowToken": visit.token,
                "apiCanary": visit.api_canary,
            }
        )

    def _fido_page(self, asked: Asked, visit: Visit) -> Answer:
        fields = asked.form
        wanted = {
            "canary": visit.token,
            "ServerChallenge": visit.token,
            "ctx": visit.ctx,
            "loginCanary": visit.canary,
            "postBackUrl": f"{self.post_to or self.url}/{TENANT}/login",
        }
        if visit.page != "ConvergedSignIn" or any(fields.get(k) != v for k, v in wanted.items()):
            return self._stale(visit)
        visit.cross = secrets.token_urlsafe(16)
        return self._page(visit, "FidoGet", sCrossDomainCanary=visit.cross)

    def _by_key(self, fields: dict[str, str], visit: Visit) -> Answer:
        if not self._fits(visit, "FidoGet", fields) or fields.get("lmcCanary") != visit.cross:
            return self._stale(visit)
        answer = json.loads(fields["assertion"])
        key = unpadded(answer["id"])
        name = next((n for n, keys in self.site.keys.items() if key in {k.id for k in keys}), "")
        self.site.expect(encoded(visit.challenge.encode()), name)
        visit.challenge = ""
        names = ("clientDataJSON", "authenticatorData", "signature")
        if self.site.why_not(name, key, *(unpadded(answer[one]) for one in names)):
            return self._sign_in_page(visit, "135004", "We couldn't verify your security key.")
        visit.person, visit.factor_done = self.world.people[name], True
        return self._onward(visit)

    def _login(self, asked: Asked, visit: Visit) -> Answer:
        fields = asked.form
        if fields.get("type") == "23":
            return self._by_key(fields, visit)
        self.passwords_seen += 1
        if not self._fits(visit, "ConvergedSignIn", fields) or fields.get("login") != fields.get(
            "loginfmt"
        ):
            return self._stale(visit)
        name = fields["login"].partition("@")[0]
        person = self.world.people.get(name)
        if name in self.errors:
            return self._sign_in_page(visit, *self.errors[name])
        if person is None or person.password != fields.get("passwd"):
            return self._sign_in_page(visit, "50126")
        if person.disabled:
            return self._sign_in_page(visit, "50057")
        visit.person = person
        return self._onward(visit)

    def _federated_back(self, asked: Asked, visit: Visit) -> Answer:
        fields = asked.form
        name = self._sent.pop(fields.get("wresult", ""), None)
        if fields.get("wa") != "wsignin1.0" or fields.get("wctx") != visit.ctx or name is None:
            return self._error(visit, "AADSTS50107: The assertion of the federated realm is wrong.")
        visit.person = self.world.people[name]
        return self._onward(visit)

    def _skip_proof_up(self, asked: Asked, visit: Visit) -> Answer:
        if asked.query.get("ctx") != visit.skip or self.proof_up != "skippable":
            return self._stale(visit)
        visit.proved_up = True
        return self._onward(visit)

    def _kmsi(self, asked: Asked, visit: Visit) -> Answer:
        page = "CmsiInterrupt" if asked.path == "/appverify" else "KmsiInterrupt"
        if not self._fits(visit, page, asked.form) or asked.form.get("LoginOptions") != "1":
            return self._stale(visit)
        if page == "CmsiInterrupt" and asked.form.get("ContinueAuth") != "true":
            return self._stale(visit)
        visit.kmsi_done = True
        return self._onward(visit)

    # Second factors

    def _sas(self, asked: Asked, visit: Visit, method: str) -> bool:
        body = asked.json
        return (
            visit.page == "ConvergedTFA"
            and body.get("Method") == method
            and self._knows(asked, visit, "FlowToken", "Ctx")
        )

    def _sas_answer(self, visit: Visit, result: str, *, retry: bool = False) -> Answer:
        visit.token, visit.ctx = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        return as_json(
            {
                "Success": result == "Success",
                "ResultValue": result,
                "Message": None,
                "AuthMethodId": visit.factor,
                "ErrCode": 0 if result in {"Success", "AuthenticationPending"} else 500121,
                "Retry": retry,
                "FlowToken": visit.token,
                "Ctx": visit.ctx,
                "SessionId": visit.factor_session,
                "CorrelationId": visit.correlation,
                "Timestamp": "2026-01-01T00:00:00Z",
                "Entropy": self.number if visit.factor == "PhoneAppNotification" else 0,
            }
        )

    def _begin(self, asked: Asked, visit: Visit) -> Answer:
        if not self._sas(asked, visit, "BeginAuth"):
            return as_json({"error": {"code": 6001}}, 400)
        assert visit.person
        method = asked.json["AuthMethodId"]
        if method not in self.proofs[visit.person.name]:
            return self._sas_answer(visit, "ProofDataNotFound")
        visit.factor, visit.factor_session = method, secrets.token_hex(8)
        if visit.person.disabled:
            return self._sas_answer(visit, "UserIsBlocked")
        if visit.wrong_codes >= MOST_CODES:
            return self._sas_answer(visit, "AuthenticationThrottled")
        if method == "OneWaySMS":
            visit.sent = f"{secrets.randbelow(10**6):06}"
        return self._sas_answer(visit, "Success")

    def sms(self) -> str:
        """The code of the one SMS that is on its way."""
        return next(visit.sent for visit in self._visits.values() if visit.sent)

    def _end(self, asked: Asked, visit: Visit) -> Answer:
        body = asked.json
        if not self._sas(asked, visit, "EndAuth") or body.get("SessionId") != visit.factor_session:
            return as_json({"error": {"code": 6001}}, 400)
        if visit.factor in {"PhoneAppNotification", "TwoWayVoiceMobile"}:
            visit.polls += 1
            self.polls += 1
            if visit.polls < self.push_after:
                return self._sas_answer(visit, "AuthenticationPending", retry=True)
            visit.factor_done = self.push_result == "Success"
            return self._sas_answer(visit, self.push_result)
        code = str(body.get("AdditionalAuthData"))
        if visit.wrong_codes >= MOST_CODES:
            return self._sas_answer(visit, "AuthenticationThrottled")
        if self._is_right(visit, code):
            visit.factor_done = True
            return self._sas_answer(visit, "Success")
        visit.wrong_codes += 1
        wrong = {"OneWaySMS": "SMSAuthFailedWrongCodeEntered"}
        return self._sas_answer(visit, wrong.get(visit.factor, "OathCodeIncorrect"))

    def _is_right(self, visit: Visit, code: str) -> bool:
        if visit.factor == "OneWaySMS":
            right, visit.sent = code == visit.sent, visit.sent if code != visit.sent else ""
            return right
        person = visit.person
        return bool(person and person.totp and person.totp.accepts(code, self.world.now()))

    def _process(self, asked: Asked, visit: Visit) -> Answer:
        fits = self._fits(visit, "ConvergedTFA", asked.form, "request")
        if not fits or not visit.factor_done or not asked.form.get("login"):
            return self._stale(visit)
        return self._onward(visit)

    # The federated ADFS

    def adfs(self, asked: Asked) -> Answer:
        """One request to the ADFS, which is another site."""
        action = f"/adfs/ls/?wctx={quote(asked.query.get('wctx', ''))}"
        if asked.path != "/adfs/ls/":
            return html("<title>Not found</title>", 404)
        with self.world.lock:
            if asked.method == "GET":
                return self._adfs_page(action)
            return self._adfs_password(asked, action)

    def _adfs_password(self, asked: Asked, action: str) -> Answer:
        self.passwords_seen += 1
        fields = asked.form
        person = self.world.people.get(fields.get("UserName", "").partition("@")[0])
        if fields.get("AuthMethod") != "FormsAuthentication" or (
            person is None or person.password != fields.get("Password")
        ):
            return self._adfs_page(action, "Incorrect user ID or password.")
        result = secrets.token_urlsafe(20)
        self._sent[result] = person.name
        values = {"wa": "wsignin1.0", "wresult": result, "wctx": asked.query.get("wctx", "")}
        inputs = "".join(
            f'<input type="hidden" name="{k}" value="{v}" />' for k, v in values.items()
        )
        return html(
            '<title>Working...</title><form method="POST" name="hiddenform"'
            f' action="{self.url}/login.srf">{inputs}<noscript><input type="submit" value="Submit"'
            " /></noscript></form>"
        )

    @staticmethod
    def _adfs_page(action: str, error: str = "") -> Answer:
        return html(
            "<title>Sign In</title><div id=noScript><h1>JavaScript required</h1></div>"
            f'<form method="post" id="loginForm" action="{action}"><div id="error">'
            f'<span id="errorText" role="alert">{error}</span></div>'
            '<input id="userNameInput" name="UserName" type="email" value="x@corp.example"/>'
            '<input id="passwordInput" name="Password" type="password"/>'
            '<div style="display:none"><input type="checkbox" name="Kmsi" value="true"/></div>'
            '<span role="button">Sign in</span>'
            '<input id="optionForms" type="hidden" name="AuthMethod" value="FormsAuthentication"/>'
            f'</form><form id="options" method="post" action="{action}">'
            '<input id="optionSelection" type="hidden" name="AuthMethod" />'
            '<input name="UserName" value="x@corp.example" type="hidden"/></form>'
        )
