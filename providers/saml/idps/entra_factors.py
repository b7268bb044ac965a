"""Microsoft Entra ID's second factors: chosen, begun, and waited for or answered by a code.

Source: the script of the page ConvergedTFA.
"""

from __future__ import annotations

from broker.errors import LoginRefused, NetworkError
from broker.ports.http import Reply
from broker.ports.urls import origin
from providers.saml import api, factors
from providers.saml.api import Answer
from providers.saml.factors import Factor, WrongCode
from providers.saml.idps.entra_config import Config
from providers.saml.walk import Walk

MOST_FACTORS = 3
"""Second factors in one sign-in: the portal's and the app's may differ."""

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


class SecondFactor:
    """One second factor on a page.

    Args:
        walk: Where the page was met.
        config: What the page says.
    """

    def __init__(self, walk: Walk, config: Config) -> None:
        self._walk = walk
        self._config = config
        self._ports = walk.ports
        self._number = ""

    def taken(self) -> Reply:
        """The reply that it leads to."""
        self._require_progress()
        proofs = [_factor(proof) for proof in api.objects(self._config.config.get("arrUserProofs"))]
        skip = self._config.url("urlSkipMfaRegistration")
        if not proofs and skip:
            return self._walk.http.get(skip)
        chosen = factors.choose(proofs, self._walk.choice.mfa, self._ports.ui)
        begun = self._ask("urlBeginAuth", chosen, {"Method": "BeginAuth"}, {})
        if not begun.get("Success"):
            raise _failure(begun)
        done = self._code(chosen, begun) if chosen.kind in _CODES else self._poll(chosen, begun)
        method = self._config.text("sAuthMethodInputFieldName") or "mfaAuthMethod"
        fields = self._config.fields(
            str(done.get("FlowToken") or ""),
            request=str(done.get("Ctx") or self._config.text("sCtx")),
            login=self._config.text("sPOST_Username") or self._walk.person.username(),
            **{method: str(chosen.handle)},
        )
        return self._walk.http.post(self._config.required("urlPost"), form=fields)

    def _number_shown(self, answer: Answer) -> bool:
        """Show the number to match, once; whether there is one."""
        number = api.plain_line(answer.get("Entropy"), 20)
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
                raise WrongCode(api.plain_line(latest.get("Message")), _WRONG_CODE[result])
            raise _failure(latest)

        return factors.send_code(send, self._walk.person, self._ports.ui, chosen, self._config.base)

    def _poll(self, chosen: Factor, begun: Answer) -> Answer:
        latest = begun
        if not self._number_shown(begun):
            self._ports.ui.show(f"Answer the {chosen.label}")

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

    def _require_progress(self) -> None:
        self._walk.factors_taken += 1
        if self._config.error or self._walk.factors_taken > MOST_FACTORS:
            why = self._config.message or "it asks again and again"
            raise LoginRefused(f"Microsoft refused the second factor: {why}", hint="run it again")


def _factor(proof: Answer) -> Factor:
    """One of `arrUserProofs`."""
    method = str(proof.get("authMethodId") or "")
    kind, what = _KINDS.get(method, ("unknown", api.plain_line(method, 40) or "unknown"))
    label = f"{what} {api.plain_line(proof.get('display'), 60)}".strip()
    return Factor(kind, label, method, method)


def _interval(config: Config, chosen: Factor) -> float:
    """Seconds between two questions: the page's wish within reason, else 1."""
    wish = api.at(config.config, "oPerAuthPollingInterval", chosen.handle)
    return api.seconds(wish, 1, least=0.5, most=10)


def _failure(answer: Answer) -> Exception:
    """What a second factor that did not work out is."""
    result = api.plain_line(answer.get("ResultValue") or answer.get("ErrCode") or "no reason", 60)
    message = api.plain_line(answer.get("Message"))
    if result in _THROTTLED:
        return NetworkError(
            f"Microsoft: too many tries ({result})" + (f": {message}" if message else ""),
            hint="wait a while, then sign in again",
        )
    why = _FAILURES.get(result, "the second factor did not work")
    return LoginRefused(
        f"{why} ({result})" + (f"; Microsoft says: {message}" if message else ""),
        hint="run it again",
    )
