"""Keycloak's pages: devices as tiles, methods behind “try another way”, things to set up first.

Source: Keycloak's themes `base` and `keycloak.v2`, versions 4 to 26.
"""

from __future__ import annotations

import re

from broker.ports.http import Reply
from broker.ports.urls import origin
from broker.terminal_text import one_line
from providers.saml import script, webauthn
from providers.saml.choices import Option, kind_of
from providers.saml.factors import by_key
from providers.saml.forms import Form, Kind
from providers.saml.page import Page
from providers.saml.refusals import UnknownPageError, demand, refusal
from providers.saml.walk import PageReader, Walk

_ANOTHER_WAY = "#kc-select-try-another-way-form"
_METHODS = "kc-select-credential-form"
_TILES = "[id^=kc-otp-credential-][onclick]"
_SET_UP = {
    "#kc-passwd-update-form, [data-page-id=login-login-update-password]": "wants a new password",
    "#kc-totp-settings-form, [data-page-id=login-login-config-totp]": (
        "wants an authenticator set up"
    ),
    "form#register, [data-page-id=login-webauthn-register]": "wants a security key registered",
    "#kc-update-profile-form, [data-page-id=login-login-update-profile],"
    " [data-page-id=login-idp-review-user-profile]": "wants the profile completed",
    "[data-page-id=login-login-verify-email]": "wants the e-mail address verified",
    "[data-page-id=login-login-recovery-authn-code-config]": "wants recovery codes set up",
    "[data-page-id=login-terms], #kc-terms-text": "wants its terms accepted",
}
"""Required actions: they set things up, they do not sign in."""


class KeycloakPages(PageReader):
    """What the common rules would misread."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the ids that every theme keeps."""
        marks = "[id^=kc-], form#webauth, form#authn_select, body[data-page-id^=login-]"
        return page.soup.select_one(marks) is not None

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Choose method and device; stop at what only a person in a browser can do."""
        for marks, what in _SET_UP.items():
            if page.soup.select_one(marks) and not page.first(Kind.PASSWORD):
                raise demand(page, what)
        methods = [(_method(form), form) for form in page.forms if form.id == _METHODS]
        if methods:
            return cls._choose_method(page, walk, methods)
        another = page.form(_ANOTHER_WAY)
        code = page.first(Kind.CODE)
        key = page.form("form#webauth")
        if key and not (code or page.first(Kind.PASSWORD)):
            if _key_is_usable(walk, is_only=another is None):
                return cls._sign(page, walk, key)
            if another and walk.choice.mfa != "webauthn":
                return walk.send(another)
            also = by_key(walk.ports.security_keys)
            raise UnknownPageError(page, "asks for a security key or a passkey", also=also)
        if code and another and walk.choice.mfa in _ELSEWHERE and walk.choice.factor is None:
            return walk.send(another)
        return cls._choose_device(page, walk, code) if code else page

    @classmethod
    def _choose_method(cls, page: Page, walk: Walk, methods: list[tuple[Option, Form]]) -> Reply:
        """The password first; then what can be used here, of which `mfa` may name a device."""
        if not walk.answers.password_sent:
            methods = [(option, form) for option, form in methods if option.kind == _PASSWORD]
        keys = [(option, form) for option, form in methods if option.kind == "webauthn"]
        if keys and walk.answers.password_sent and _key_is_usable(walk, is_only=False):
            return walk.send(keys[0][1])
        usable = [(option, form) for option, form in methods if option.kind != "webauthn"]
        if not usable or walk.choice.mfa == "webauthn":
            raise UnknownPageError(page, "offers only security keys and passkeys here")
        if not walk.answers.password_sent:
            return walk.send(usable[0][1])
        factors = [(option, form) for option, form in usable if option.kind != _PASSWORD]
        usable = factors or usable
        named = any(walk.choice.mfa in {option.kind, option.label} for option, _ in usable)
        apps = [form for option, form in usable if option.kind == "totp"]
        return walk.send(apps[0]) if walk.choice.mfa and apps and not named else walk.choose(usable)

    @classmethod
    def _sign(cls, page: Page, walk: Walk, form: Form) -> Reply:
        """Let the security key sign the challenge that stands in the page's script."""
        names = ("challenge", "rpId", "userVerification")
        options = {name: script.variable(page.script, name) for name in names}
        known = [str(tag.get("value")) for tag in page.soup.select(_KNOWN_KEYS)]
        asked = webauthn.challenge_of(page.url, options, credentials=[*known])
        signed = walk.ports.security_keys.answer(asked, walk.ports.ui)
        response = webauthn.credential(signed)["response"]
        filled = form.filled(
            clientDataJSON=response["clientDataJSON"],
            authenticatorData=response["authenticatorData"],
            signature=response["signature"],
            credentialId=webauthn.packed(signed.credential),
            userHandle=response["userHandle"] or "",
            error="",
        )
        walk.factors_taken += 1
        if walk.factors_taken > MOST_KEYS:
            raise refusal(page, "the identity provider does not take the security key")
        return walk.http.post(form.action, form=filled, only_to={origin(page.url)})

    @classmethod
    def _choose_device(cls, page: Page, walk: Walk, form: Form) -> Page:
        """Put the chosen tile's credential into the hidden field that a script would fill."""
        tiles = [
            (Option(one_line(tile.get_text(" ")), "totp", {_DEVICE: quoted[1]}), form)
            for tile in page.soup.select(_TILES)
            if (quoted := re.search(r"""['"]([^'"]+)['"]""", str(tile["onclick"])))
        ]
        if len(tiles) < 2:
            return page
        option = walk.choice.again([tile[0] for tile in tiles]) or walk.choice.pick(tiles)[0]
        return page.changed(form, form.with_values(**option.values))


def _key_is_usable(walk: Walk, *, is_only: bool) -> bool:
    """Whether a security key is here and wanted: by `mfa`, as the only way, or plugged in."""
    keys, mfa = walk.ports.security_keys, walk.choice.mfa
    if not (walk.ports.ui.interactive and keys.are_supported):
        return False
    return mfa == "webauthn" or is_only or (mfa is None and keys.are_present())


MOST_KEYS = 3
"""Signatures in one sign-in: a page that asks again and again is a refusal."""
_KNOWN_KEYS = "form#authn_select input[name=authn_use_chk]"
_DEVICE = "selectedCredentialId"
_PASSWORD = "password"  # noqa: S105
_ELSEWHERE = {"push", "sms", "call", "email", "webauthn"}
_ICONS = (
    ("password", r"password|fa-unlock|fa-lock"),
    ("webauthn", r"webauthn|fa-key|passkey"),
    ("email", r"mail|fa-envelope"),
    ("totp", r"otp|mobile|recovery|fa-list"),
)


def _method(form: Form) -> Option:
    """One of the methods, told by its icon: its words are in any language."""
    around = form.tag if form.tag.get_text(strip=True) else form.tag.parent or form.tag
    icons = " ".join(" ".join(tag.get("class") or []) for tag in around.select("i")).lower()
    heading = around.select_one("h2, [class*=headline], [class*=title]") or around
    label = one_line(heading.get_text(" "))
    kind = next((kind for kind, pattern in _ICONS if re.search(pattern, icons)), kind_of(label))
    return Option(label, kind, dict(form.fields))
