"""Microsoft Entra ID's pages: each carries `$Config`, whose page id says what it wants.

Owns what follows each page; forms of others (the app's, a federated ADFS) are the walk's. Source:
the pages and their scripts.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bs4 import Tag

from broker.errors import LoginRefused
from broker.ports.http import Reply
from broker.ports.urls import joined
from providers.saml import api
from providers.saml.api import Answer
from providers.saml.forms import Form
from providers.saml.idps import entra_fido
from providers.saml.idps.entra_config import Config, config_of
from providers.saml.idps.entra_factors import SecondFactor
from providers.saml.page import Page
from providers.saml.refusals import UnknownPageError
from providers.saml.walk import PageReader, Walk

_DEAD_ENDS = {
    "ConvergedConditionalAccess": "Conditional Access does not allow this sign-in",
    "ConvergedChangePassword": "a new password is due",
    "ConvergedError": "Microsoft refuses the sign-in",
    "ConvergedConsent": "the app wants consent",
    "ConvergedTOU": "terms of use have to be accepted",
    "ConvergedDeviceAuth": "the device has to prove itself",
}
_PASSKEYS = ("fido", "passkey", "webauthn", "certauth")


class EntraPages(PageReader):
    """All pages that say their id."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the page id in `$Config`."""
        return bool(config_of(page).name)

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """What the page id calls for."""
        return _Step(walk, page, config_of(page)).taken()


class _Step:
    """The way on from one page.

    Args:
        walk: It posts the password, once and to its own sites alone.
        page: Where it stands.
        config: What the page says.
    """

    def __init__(self, walk: Walk, page: Page, config: Config) -> None:
        self._walk = walk
        self._page = page
        self._config = config
        self._ports = walk.ports

    def taken(self) -> Reply:
        """The reply that it leads to."""
        ways = {
            "ConvergedSignIn": self._sign_in,
            "BssoInterrupt": self._reload,
            "ConvergedTFA": SecondFactor(self._walk, self._config).taken,
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
            is_wrong = self._config.error in {"50126", "50034", "50056"}
            source = self._walk.person.password_was_refused() if is_wrong else ""
            raise LoginRefused(
                f"Microsoft refused the sign-in: {self._config.message}",
                hint=f"check the user name and the password{source}",
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
                f"Microsoft does not know the user {api.plain_line(user, 80)}",
                hint="check `username` of the provider",
            )
        if self._by_key and entra_fido.is_offered(self._config, known):
            return entra_fido.signed_in(self._walk, self._config, known, user)
        if api.at(known, "Credentials", "HasPassword") is False:
            raise LoginRefused(
                f"{api.plain_line(user, 80)} signs in with a passkey or an app alone,"
                " without password",
                hint="`idp: browser` does it; `mfa: webauthn` takes a security key on a terminal",
            )
        fields = self._config.fields(
            str(known.get("FlowToken") or ""), ctx=self._config.text("sCtx"), loginfmt=user
        )
        form = Form(
            Tag(name="form"),
            self._config.required("urlPost"),
            "post",
            tuple(fields),
            username="login",
            password="passwd",  # noqa: S106 - the field's name
        )
        return self._walk.answers.send_password(self._page, form)

    @property
    def _by_key(self) -> bool:
        """Whether a security key is asked for, in the place of the password."""
        keys, ui = self._ports.security_keys, self._ports.ui
        return self._walk.choice.mfa == "webauthn" and ui.interactive and keys.are_supported

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
            "isFidoSupported": self._by_key,
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

    # What comes after

    def _proof_up(self) -> Reply:
        """More security information is wanted: skip it while that is allowed."""
        skip = self._config.url("urlSkipMfaRegistration")
        if skip and self._config.error != "502031":
            days = self._config.config.get("iRemainingDaysToSkipMfaRegistration")
            left = f" (in {api.plain_line(days, 10)} days)" if days else ""
            self._ports.ui.warn(f"Microsoft wants another second factor registered{left}")
            return self._walk.http.get(skip)
        raise LoginRefused(
            "Microsoft wants another second factor registered before it goes on"
            + (f": {self._config.message}" if self._config.message else ""),
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
        name, message = self._config.name, self._config.message
        detail = f"; Microsoft says: {message}" if message else ""
        why = _DEAD_ENDS.get(name)
        if not why and any(word in name.lower() for word in _PASSKEYS):
            why = "this account signs in with a passkey or a certificate"
        if not why:
            return UnknownPageError(
                self._page, f"is {name}, a page that awslogin does not understand{detail}"
            )
        return LoginRefused(
            f"{why} ({name}){detail}",
            hint="`idp: browser` can sign in where a managed browser, a passkey or a new password"
            " is wanted; else ask your administrator",
        )
