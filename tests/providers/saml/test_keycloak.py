"""Keycloak's pages of other versions and flows than the real one that `tests/real` signs in at."""

from __future__ import annotations

import pytest

from broker.errors import InteractionRequired, LoginRefused, UnexpectedReply
from broker.testing import MemoryKeychain
from tests.providers.saml.site import PASSWORD_FORM, Site
from tests.providers.saml.walks import TOTP
from tests.sandbox import PROD
from tests.sandbox.world import MfaDevice

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
KEY = "<form id=webauth method=post action=/no><input type=hidden name=signature></form>"
ANOTHER = (
    "<form id=kc-select-try-another-way-form method=post action=/select>"
    "<input type=hidden name=tryAnotherWay value=on></form>"
)
OTP = (
    "<form id=kc-otp-login-form method=post action=/code>{devices}<input id=otp name=otp>"
    "<input type=submit name=cancel value=Abbrechen><input type=submit name=login value=Los></form>"
)


def method(number: str, icon: str, words: str) -> str:
    return (
        "<li><form id=kc-select-credential-form method=post action=/chosen>"
        f"<input type=hidden name=authenticationExecution value={number}></form>"
        f"<div><i class='fa {icon}'></i><h2>{words}</h2><p>…</p></div></li>"
    )


@pytest.fixture
def seeded() -> MemoryKeychain:
    return MemoryKeychain({f"{TOTP}ann": MfaDevice("x").seed})


def test_the_password_where_a_passkey_is_asked_first(site: Site) -> None:
    site.pages["/"] = KEY + ANOTHER
    site.pages["/select"] = method("1", "fa-key", "Passkey") + method("2", "fa-unlock", "Kennwort")
    site.pages["/chosen"] = "<div id=kc-form></div>" + PASSWORD_FORM.format(action="/login")
    site.pages["/login"] = site.done()
    assert site.walk(idp="keycloak").arn() == ANN
    assert site.posts("/chosen") == [{"authenticationExecution": "2"}]


@pytest.mark.parametrize(("mfa", "code"), [("totp", None), ("Telefon 2", None), ("email", "1234")])
def test_methods_after_the_password(
    site: Site, seeded: MemoryKeychain, mfa: str, code: str | None
) -> None:
    tiles = "".join(
        f"<div id=kc-otp-credential-{n} onclick=\"toggleOTP({n}, 'id-{n}')\">Telefon {n}</div>"
        for n in (1, 2)
    )
    hidden = "<input type=hidden name=selectedCredentialId value=id-1>"
    site.login()
    site.pages["/login"] = KEY + ANOTHER
    site.pages["/select"] = (
        method("1", "fa-key", "Passkey")
        + method("2", "fa-mobile", "App")
        + method("3", "fa-envelope", "Nachricht")
    )
    devices = hidden + (tiles if mfa == "Telefon 2" else "")
    site.pages["/chosen"] = OTP.format(devices=devices)
    site.pages["/code"] = site.done()
    keychain = None if code else seeded
    assert site.walk(idp="keycloak", mfa=mfa, code=code, keychain=keychain).arn() == ANN
    assert site.posts("/chosen")[0]["authenticationExecution"] == ("3" if code else "2")
    (sent,) = site.posts("/code")
    assert sent["selectedCredentialId"] == ("id-2" if mfa == "Telefon 2" else "id-1")
    assert "cancel" not in sent


def test_older_devices_are_radio_buttons(site: Site, seeded: MemoryKeychain) -> None:
    radios = "".join(
        f"<input id=kc-otp-credential-{n} type=radio name=selectedCredentialId value=id-{n}"
        f"{' checked' if n == 1 else ''}><label for=kc-otp-credential-{n}>Telefon {n}</label>"
        for n in (1, 2)
    )
    site.login()
    site.pages |= {"/login": OTP.format(devices=radios), "/code": site.done()}
    assert site.walk(idp="keycloak", mfa="Telefon 2", keychain=seeded).arn() == ANN
    assert site.posts("/code")[0]["selectedCredentialId"] == "id-2"
    with pytest.raises(InteractionRequired, match="Telefon 1, Telefon 2"):
        site.walk(idp="keycloak", keychain=seeded).arn()


@pytest.mark.parametrize(
    "page", [KEY, KEY + "<form id=authn_select><input type=hidden name=a></form>"]
)
def test_security_keys_alone(site: Site, page: str) -> None:
    site.login()
    site.pages["/login"] = f"<title>Schlüssel</title>{page}<script>x.submit()</script>"
    with pytest.raises(UnexpectedReply, match="Schlüssel") as needed:
        site.walk(idp="keycloak").arn()
    assert "idp: browser" in needed.value.hint
    assert "security key does it" in needed.value.hint
    assert site.posts("/no") == []


HEADING = "<h1 id=kc-page-title>パスワードの更新</h1>"
REQUIRED = {
    "password": f"<body data-page-id=login-login-update-password>{HEADING}"
    "<form id=kc-passwd-update-form method=post><input type=password name=password-new>"
    "<input type=password name=password-confirm></form>",
    "totp": f"<body>{HEADING}<form id=kc-totp-settings-form method=post>"
    "<input id=totp name=totp><input type=hidden name=totpSecret value=x></form>",
    "terms": f"<body data-page-id=login-terms>{HEADING}"
    "<form method=post><input type=submit name=accept><input type=submit name=cancel></form>",
}


@pytest.mark.parametrize("action", REQUIRED)
def test_required_actions_in_any_language(site: Site, action: str) -> None:
    site.login()
    site.pages["/login"] = REQUIRED[action]
    with pytest.raises(LoginRefused, match="パスワードの更新"):
        site.walk(idp="auto", answers=["123456"]).arn()
    assert len(site.asked) == 2
