"""Microsoft Entra ID's pages: each carries `$Config`, whose page id says what it wants.

Source: the pages and their scripts; Microsoft's list of AADSTS codes. Owns what follows each page;
forms of others (the app's, a federated ADFS) are the follow loop's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bs4 import Tag

from broker.errors import LoginRefused, NetworkError, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import joined, origin
from providers.saml import api, factors, script
from providers.saml.factors import Factor, WrongCode
from providers.saml.idp import PageReader
from providers.saml.page import Form, Page
from providers.saml.walk import SignIn, UnknownPageError

Answer = dict[str, Any]

MOST_FACTORS = 3
"""Second factors in one sign-in: the portal's and the app's may differ."""

_BY_NUMBER = {
    "1104": "ConvergedSignIn",
    "1114": "ConvergedTFA",
    "1115": "KmsiInterrupt",
    "1121": "ConvergedProofUpRedirect",
}
_NO_ERROR = {"", "0", "50058"}
"""50058, "not signed in", is what the first page starts with."""
_ERRORS = {
    "50034": "Microsoft does not know this user name",
    "50053": "the account is locked for a while: too many wrong passwords",
    "50055": "the password has expired",
    "50056": "the account has no password",
    "50057": "the account is disabled",
    "50126": "wrong user name or password",
    "50144": "the password has expired",
    "500121": "the second factor was refused",
}
_DEAD_ENDS = {
    "ConvergedConditionalAccess": "Conditional Access does not allow this sign-in",
    "ConvergedChangePassword": "a new password is due",
    "ConvergedError": "Microsoft refuses the sign-in",
    "ConvergedConsent": "the app wants consent",
    "ConvergedTOU": "terms of use have to be accepted",
    "ConvergedDeviceAuth": "the device has to prove itself",
}
_PASSKEYS = ("fido", "passkey", "webauthn", "certauth")

_KINDS = {
    "PhoneAppOTP": ("totp", "authenticator app"),
    "PhoneAppNotification": ("push", "Authenticator push"),
    "CompanionAppsNotification": ("push", "Outlook push"),
    "OneWaySMS": ("sms", "SMS"),
    "TwoWayVoiceMobile": ("call", "call"),
    "TwoWayVoiceAlternateMobile": ("call", "call"),
    "TwoWayVoiceOffice": ("call", "call to the office"),
    "AccessPass": ("token", "Temporary Access Pass"),
    "FidoKey": ("webauthn", "security key or passkey"),
}
_CODES = {"totp", "sms", "token"}
_WRONG_CODE = {
    "OathCodeIncorrect": "The code is wrong.",
    "OathCodeDuplicate": "The code was used before.",
    "OathCodeOld": "The code is too old.",
    "IncorrectOTP": "The code is wrong.",
    "SMSAuthFailedWrongCodeEntered": "The code is wrong.",
    "InvalidAccessPass": "The pass is wrong.",
}
_THROTTLED = {"AuthenticationThrottled", "ThrottledRequest"}
_FAILURES = {
    "PhoneAppDenied": "the sign-in was denied in the app",
    "PhoneAppEntropyIncorrect": "another number was entered in the app",
    "PhoneAppNoResponse": "nobody answered the push in time",
    "PhoneAppFraudReported": "the sign-in was reported as fraud",
    "UserIsBlocked": "the account is blocked for second factors",
    "UserVoiceAuthFailedPhoneHungUp": "the call was hung up",
    "UserVoiceAuthFailedPhoneUnreachable": "the phone was not reached",
    "SMSAuthFailedMaxAllowedCodeRetryReached": "too many wrong codes",
    "OathCodeFailedMaxAllowedRetryReached": "too many wrong codes",
    "AccessPassExpired": "the Temporary Access Pass has expired",
}


class EntraPages(PageReader):
    """All pages that say their id."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the page id in `$Config`."""
        return bool(_config(page).name)

    @classmethod
    def answer(cls, page: Page, walk: SignIn) -> Reply | None:
        """What the page id calls for."""
        return _Step(walk, page, _config(page)).taken()


@dataclass(frozen=True)
class Config:
    """A page's `$Config`, and the page's own address."""

    base: str
    config: Answer

    @property
    def name(self) -> str:
        """`pgid`, else what `hpgid` stands for; empty where neither is there."""
        number = self.text("hpgid")
        known = _BY_NUMBER.get(number, number)
        return api.words(self.config.get("pgid") or known, 60)

    @property
    def error(self) -> str:
        """Its error code, or empty."""
        code = str(self.config.get("sErrorCode") or "")
        return "" if code in _NO_ERROR else api.words(code, 40)

    @property
    def said(self) -> str:
        """Microsoft's own words, with the code where the words lack it."""
        names = ("strMainMessage", "strServiceExceptionMessage", "strAdditionalMessage", "sErrTxt")
        told = dict.fromkeys(filter(None, (api.words(self.config.get(name)) for name in names)))
        code = self.error or api.words(self.config.get("iErrorCode") or "", 40)
        text = " ".join(told) or _ERRORS.get(code, "")
        return f"{text or 'error'} ({code})" if code and code not in text else text

    def text(self, name: str) -> str:
        """One string of the config; empty where it is missing."""
        value = self.config.get(name)
        return "" if value is None else str(value)

    def url(self, name: str) -> str:
        """One address of the config, absolute; empty where it is missing."""
        return joined(self.base, self.text(name)) if self.text(name) else ""

    def required(self, name: str) -> str:
        """One address of the config without which nothing goes on.

        Raises:
            UnexpectedReply: It is missing.
        """
        if not self.text(name):
            raise UnexpectedReply(
                f"Microsoft's page {self.name} lacks {name}",
                hint="`idp: browser` can sign in through any page",
            )
        return self.url(name)

    def fields(self, token: str = "", **more: str) -> list[tuple[str, str]]:
        """What each post of the page demands back: canary, request id and flow token."""
        values = {
            self.text("sCanaryTokenName") or "canary": self.text("canary"),
            "hpgrequestid": self.text("sessionId"),
            self.text("sFTName") or "flowToken": token or self.text("sFT"),
            **more,
        }
        return list(values.items())

    def headers(self) -> dict[str, str]:
        """What the page's script sends with its JSON requests."""
        values = {
            "Accept": "application/json",
            "canary": self.text("apiCanary"),
            "client-request-id": self.text("correlationId"),
            "hpgact": self.text("hpgact"),
            "hpgid": self.text("hpgid"),
            "hpgrequestid": self.text("sessionId"),
        }
        return {name: value for name, value in values.items() if value}


class _Step:
    """The way on from one self._config.

    Args:
        walk: It posts the password, once and to its own sites alone.
        page: Where it stands.
        config: What the page says.
    """

    def __init__(self, walk: SignIn, page: Page, config: Config) -> None:
        self._walk = walk
        self._page = page
        self._config = config
        self._ports = walk.ports
        self._number = ""

    def taken(self) -> Reply:
        """The reply that it leads to."""
        ways = {
            "ConvergedSignIn": self._sign_in,
            "BssoInterrupt": self._reload,
            "ConvergedTFA": self._second_factor,
            "ConvergedProofUpRedirect": self._proof_up,
            "KmsiInterrupt": self._interrupt,
            "CmsiInterrupt": self._interrupt,
        }
        way = ways.get(self._config.name)
        if way is None:
            raise self._dead_end()
        return way()

    # Password

    def _sign_in(self) -> Reply:
        if self._config.error:
            if self._config.error in {"50126", "50034", "50056"}:
                self._walk.person.password_was_refused()
            raise LoginRefused(
                f"Microsoft refused the sign-in: {self._config.said}",
                hint="check the user name and the password",
            )
        user = self._walk.person.username()
        known = self._credential_type(user)
        federated = api.at(known, "Credentials", "FederationRedirectUrl")
        if federated:
            target = joined(self._config.base, str(federated))
            self._ports.ui.progress(f"going on to {urlsplit(target).netloc}")
            return self._walk.http.get(target)
        if known.get("IfExistsResult") == 1 and not known.get("ThrottleStatus"):
            raise LoginRefused(
                f"Microsoft does not know the user {api.words(user, 80)}",
                hint="check `username` of the provider",
            )
        if api.at(known, "Credentials", "HasPassword") is False:
            raise LoginRefused(
                f"{api.words(user, 80)} signs in with a passkey or an app alone, without password",
                hint="`idp: browser` does it",
            )
        fields = self._config.fields(
            str(known.get("FlowToken") or ""), ctx=self._config.text("sCtx"), loginfmt=user
        )
        form = Form(
            Tag(name="form"),
            self._config.required("urlPost"),
            "post",
            fields,
            typed=[],
            username="login",
            password="passwd",  # noqa: S106 - the field's name
        )
        return self._walk.send_password(self._page, form)

    def _credential_type(self, user: str) -> Answer:
        """Whether the user signs in here, or at a federated provider."""
        address = self._config.url("urlGetCredentialType")
        if not address:
            return {}
        body = {
            "username": user,
            "isOtherIdpSupported": True,
            "checkPhones": False,
            "isRemoteNGCSupported": False,
            "isCookieBannerShown": False,
            "isFidoSupported": False,
            "originalRequest": self._config.text("sCtx"),
            "flowToken": self._config.text("sFT"),
        }
        return api.answer(self._walk.http.post(address, json=body, headers=self._config.headers()))

    def _reload(self) -> Reply:
        """A try at single sign-on by the browser, which we are not: the same page again."""
        if "sso_reload" in urlsplit(self._config.base).query:
            raise self._dead_end()
        address = self._config.url("urlPost")
        if "sso_reload" not in address:
            parts = urlsplit(self._config.base)
            address = parts._replace(query=f"{parts.query}&sso_reload=True".lstrip("&")).geturl()
        return self._walk.http.get(address)

    # Second factors

    def _second_factor(self) -> Reply:
        self._walk.factors_taken += 1
        if self._config.error or self._walk.factors_taken > MOST_FACTORS:
            why = self._config.said or "it asks again and again"
            raise LoginRefused(f"Microsoft refused the second factor: {why}", hint="run it again")
        proofs = [_factor(proof) for proof in api.objects(self._config.config.get("arrUserProofs"))]
        skip = self._config.url("urlSkipMfaRegistration")
        if not proofs and skip:
            return self._walk.http.get(skip)
        chosen = factors.choose(proofs, self._walk.mfa, self._ports.ui)
        begun = self._ask("urlBeginAuth", chosen, {"Method": "BeginAuth"}, {})
        if not begun.get("Success"):
            raise _failure(begun)
        if chosen.kind not in _CODES and not self._number_shown(begun):
            self._ports.ui.show(f"Answer the {chosen.label}")
        done = self._code(chosen, begun) if chosen.kind in _CODES else (
            self._poll(chosen, begun)
        )  # fmt: skip
        fields = self._config.fields(
            str(done.get("FlowToken") or ""),
            request=str(done.get("Ctx") or self._config.text("sCtx")),
            login=self._config.text("sPOST_Username") or self._walk.person.username(),
            **{
                self._config.text("sAuthMethodInputFieldName") or "mfaAuthMethod": str(
                    chosen.handle
                )
            },
        )
        return self._walk.http.post(self._config.required("urlPost"), form=fields)

    def _number_shown(self, answer: Answer) -> bool:
        """Show the number to match, once; whether there is one."""
        number = api.words(answer.get("Entropy"), 20)
        if number in {"", "0"}:
            return False
        if number != self._number:
            self._number = number
            self._ports.ui.show(f"Enter {number} in the Authenticator app")
        return True

    def _ask(
        self, where: str, chosen: Factor, more: Answer, last: Answer, *, retry: bool = False
    ) -> Answer:
        """One JSON request of the page's script; the newest flow token and context count."""
        body = {
            "AuthMethodId": chosen.handle,
            "Ctx": last.get("Ctx") or self._config.text("sCtx"),
            "FlowToken": last.get("FlowToken") or self._config.text("sFT"),
            **({"SessionId": last["SessionId"]} if last.get("SessionId") else {}),
            **more,
        }
        site = {origin(self._config.base)}
        reply = self._walk.http.post(
            self._config.required(where),
            json=body,
            headers=self._config.headers(),
            only_to=site,
            retry=retry,
        )
        return {"SessionId": last.get("SessionId"), **api.answer(reply)}

    def _code(self, chosen: Factor, begun: Answer) -> Answer:
        latest = begun

        def send(code: str) -> Answer:
            nonlocal latest
            more = {"Method": "EndAuth", "AdditionalAuthData": code}
            latest = self._ask("urlEndAuth", chosen, more, latest)
            if latest.get("Success"):
                return latest
            result = str(latest.get("ResultValue") or "")
            if result in _WRONG_CODE:
                raise WrongCode(api.words(latest.get("Message")) or _WRONG_CODE[result])
            raise _failure(latest)

        return factors.send_code(send, self._walk.person, self._ports.ui, chosen)

    def _poll(self, chosen: Factor, begun: Answer) -> Answer:
        latest = begun

        def ask() -> Answer | None:
            nonlocal latest
            latest = self._ask("urlEndAuth", chosen, {"Method": "EndAuth"}, latest, retry=True)
            self._number_shown(latest)
            if latest.get("Success"):
                return latest
            result = str(latest.get("ResultValue") or "")
            waits = latest.get("Retry") or result == "AuthenticationPending"
            if not waits or result in _FAILURES or result in _THROTTLED:
                raise _failure(latest)
            return None

        return factors.poll(ask, self._ports.clock, every=_interval(self._config, chosen))

    # What comes after

    def _proof_up(self) -> Reply:
        """More security information is wanted: skip it while that is allowed."""
        skip = self._config.url("urlSkipMfaRegistration")
        if skip and self._config.error != "502031":
            days = self._config.config.get("iRemainingDaysToSkipMfaRegistration")
            left = f" (in {api.words(days, 10)} days)" if days else ""
            self._ports.ui.warn(f"Microsoft wants another second factor registered{left}")
            return self._walk.http.get(skip)
        raise LoginRefused(
            "Microsoft wants another second factor registered before it goes on"
            + (f": {self._config.said}" if self._config.said else ""),
            hint="register one at https://aka.ms/mfasetup (or use `idp: browser`), then sign in"
            " again",
        )

    def _interrupt(self) -> Reply:
        """Stay signed in? Is this the app you meant? Yes."""
        more = {"ctx": self._config.text("sCtx"), "LoginOptions": "1"}
        if self._config.name == "CmsiInterrupt":
            more["ContinueAuth"] = "true"
        return self._walk.http.post(
            self._config.required("urlPost"), form=self._config.fields(**more)
        )

    def _dead_end(self) -> Exception:
        name, said = self._config.name, self._config.said
        told = f"; Microsoft says: {said}" if said else ""
        why = _DEAD_ENDS.get(name)
        if not why and any(word in name.lower() for word in _PASSKEYS):
            why = "this account signs in with a passkey or a certificate"
        if not why:
            return UnknownPageError(
                self._page, f"is {name}, a page that awslogin does not understand{told}"
            )
        return LoginRefused(
            f"{why} ({name}){told}",
            hint="`idp: browser` can sign in where a managed browser, a passkey or a new password"
            " is wanted; else ask your administrator",
        )


def _config(page: Page) -> Config:
    scripts = "\n".join(tag.get_text() for tag in page.soup.find_all("script"))
    return Config(page.url, script.config(scripts) or {})


def _factor(proof: Answer) -> Factor:
    """One of `arrUserProofs`."""
    method = str(proof.get("authMethodId") or "")
    kind, what = _KINDS.get(method, ("unknown", api.words(method, 40) or "unknown"))
    label = f"{what} {api.words(proof.get('display'), 60)}".strip()
    return Factor(kind, label, method)


def _interval(config: Config, chosen: Factor) -> float:
    """Seconds between two questions: the page's wish within reason, else 1."""
    wish = api.at(config.config, "oPerAuthPollingInterval", chosen.handle)
    return api.seconds(wish, 1, least=0.5, most=10)


def _failure(answer: Answer) -> Exception:
    """What a second factor that did not work out is."""
    result = api.words(answer.get("ResultValue") or answer.get("ErrCode") or "no reason", 60)
    said = api.words(answer.get("Message"))
    if result in _THROTTLED:
        return NetworkError(
            f"Microsoft: too many tries ({result})" + (f": {said}" if said else ""),
            hint="wait a while, then sign in again",
        )
    why = _FAILURES.get(result, "the second factor did not work")
    return LoginRefused(
        f"{why} ({result})" + (f"; Microsoft says: {said}" if said else ""), hint="run it again"
    )
