"""`$Config` of Microsoft Entra ID's pages: which page it is, what it says, what its posts demand.

Source: the pages and their scripts; Microsoft's list of AADSTS codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import UnexpectedReply
from broker.ports.urls import joined
from providers.saml import api, script
from providers.saml.api import Answer
from providers.saml.page import Page

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
        return api.plain_line(self.config.get("pgid") or known, 60)

    @property
    def error(self) -> str:
        """Its error code, or empty."""
        code = str(self.config.get("sErrorCode") or "")
        return "" if code in _NO_ERROR else api.plain_line(code, 40)

    @property
    def message(self) -> str:
        """What Microsoft says on the page, with the error's code; empty where it says nothing."""
        names = ("strMainMessage", "strServiceExceptionMessage", "strAdditionalMessage", "sErrTxt")
        sentences = dict.fromkeys(
            filter(None, (api.plain_line(self.config.get(name)) for name in names))
        )
        code = self.error or api.plain_line(self.config.get("iErrorCode") or "", 40)
        text = " ".join(sentences) or _ERRORS.get(code, "")
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


def config_of(page: Page) -> Config:
    """What the page says of itself; empty where it is not Microsoft's."""
    return Config(page.url, script.config(page.script) or {})
