"""The follow loop at pages of any provider: where secrets go, what is followed, what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from broker.errors import (
    InteractionRequired,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UnexpectedReply,
)
from broker.ports.urls import host_of
from broker.testing import MemoryKeychain
from providers.saml.options import SamlOptions
from tests.providers.saml.site import PASSWORD_FORM, Site
from tests.sandbox import PROD
from tests.sandbox.server import Answer, html
from tests.sandbox.world import MfaDevice

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"


def test_the_password_goes_to_hosts_of_the_config_alone(site: Site, other: Site) -> None:
    site.login(f"{other.url}/login")
    other.pages["/login"] = other.done()
    asking = site.walk(password="", answers=["never typed"])
    with pytest.raises(UnexpectedReply, match="nothing was sent") as astray:
        asking.arn()
    assert other.url.removeprefix("http://") in astray.value.message
    assert (asking.ui.asked, other.asked) == ([], [])
    assert site.walk(hosts=[other.url]).arn() == ANN


def test_a_redirect_does_not_carry_the_password_away(site: Site, other: Site) -> None:
    site.login()
    site.pages["/login"] = Answer(307, "", {"Location": f"{other.url}/login"})
    with pytest.raises(UnexpectedReply, match="it was not"):
        site.walk().arn()
    assert other.asked == []


def test_a_password_is_not_put_into_an_address(site: Site) -> None:
    site.pages["/"] = PASSWORD_FORM.format(action="/login").replace("post", "get")
    with pytest.raises(UnexpectedReply, match="into an address"):
        site.walk().arn()
    assert len(site.asked) == 1


def test_a_code_goes_to_the_site_that_asks(site: Site, other: Site) -> None:
    site.login()
    site.pages["/login"] = f"<form method=post action='{other.url}/c'><input name=otp></form>"
    walk = site.walk(answers=["123456"])
    with pytest.raises(UnexpectedReply, match="nothing was sent"):
        walk.arn()
    assert (walk.ui.asked, other.asked) == ([], [])


def test_codes_that_nobody_types_go_to_the_providers_own_sites_alone(
    site: Site, other: Site
) -> None:
    """Elsewhere the person is asked, who reads the host and the page's words in quotes."""
    site.login()
    site.pages["/login"] = (
        f"<form method=post action='{other.url}/mfa'><input type=hidden name=a value=b></form>"
        "<script>document.forms[0].submit()</script>"
    )
    other.pages["/mfa"] = (
        "<form method=post action=/code><label for=c>Passphrase” of the awslogin vault</label>"
        "<input id=c name=otp></form>"
    )
    other.pages["/code"] = other.done()
    host = host_of(other.url)
    for machine in ({"code": "123456"}, {"seed": True}):
        with pytest.raises(InteractionRequired, match="`hosts` of the provider alone") as asked:
            site.walk("otto", **machine).arn()
        assert host in asked.value.message + asked.value.hint
        walk = site.walk("otto", answers=["777777"], **machine)
        assert "Admin" in walk.arn()
        words = "“Passphrase’ of the awslogin vault”"
        assert walk.ui.asked == [f"One-time code of otto for {host} ({words})"]
    assert other.posts("/code") == [{"otp": "777777"}] * 2
    assert site.walk(code="123456", hosts=[other.url]).arn() == ANN
    assert other.posts("/code")[2:] == [{"otp": "123456"}]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("", "refused the password"),
        ("<b>Kennwort falsch</b>", "Kennwort falsch"),
        ("<div style='display:none' class=error>no</div><td>暗証番号が違います</td>", "暗証番号"),
    ],
)
def test_the_same_form_again_means_refused(site: Site, error: str, said: str) -> None:
    site.login()
    site.pages["/login"] = error + PASSWORD_FORM.format(action="/login")
    with pytest.raises(LoginRefused, match=said):
        site.walk().arn()
    assert len(site.posts("/login")) == 1


def test_a_server_error_after_the_password_is_not_tried_again(site: Site) -> None:
    site.login()
    site.pages["/login"] = Answer(503, "later")
    with pytest.raises(NetworkError, match="503"):
        site.walk().arn()
    assert len(site.posts("/login")) == 1


@pytest.mark.parametrize(
    "fields",
    [
        "<input type=password name=new_pass><input type=password name=confirm_pass>",
        "<input type=password name=old_pw><input type=password name=new_pw>",
        "<input type=password autocomplete=new-password name=newpw>",
    ],
)
def test_a_required_change_is_said_in_the_providers_words(site: Site, fields: str) -> None:
    site.login()
    site.pages["/login"] = (
        f"<h1>Vous devez changer votre mot de passe</h1><form method=post>{fields}</form>"
    )
    with pytest.raises(LoginRefused, match="changer votre mot de passe") as refused:
        site.walk().arn()
    assert "browser" in refused.value.hint
    assert len(site.posts("/login")) == 1


def test_user_name_first(site: Site) -> None:
    site.pages["/"] = "<form method=post action=/u><input name=identifier type=email></form>"
    site.pages["/u"] = "<form method=post action=/login><input type=password name=p></form>"
    site.pages["/login"] = site.done()
    assert site.walk().arn() == ANN
    assert (site.posts("/u"), len(site.posts("/login"))) == ([{"identifier": "ann"}], 1)


def test_an_unknown_user_name(site: Site) -> None:
    form = "<form method=post action=/u><input name=identifier type=email></form>"
    site.pages |= {"/": form, "/u": f"<p role=alert>Kein solches Konto</p>{form}"}
    with pytest.raises(LoginRefused, match="Kein solches Konto"):
        site.walk(password="", answers=["never typed"]).arn()


def test_password_and_code_on_one_page(site: Site) -> None:
    site.pages["/"] = (
        "<form method=post action=/login><input name=user><input type=password name=pw>"
        "<input type=password name=passcode></form>"
    )
    site.pages["/login"] = site.done()
    assert site.walk(code="123456").arn() == ANN
    assert site.posts("/login")[0]["passcode"] == "123456"


def test_decoys_stay_empty(site: Site) -> None:
    site.pages["/"] = (
        "<form method=post action=/login>"
        "<input type=password name=trap1 style='display: none'>"
        "<input type=password name=trap2 aria-hidden=true tabindex=-1>"
        "<div style='display:none'><input name=website><input type=password name=trap3></div>"
        "<input name=benutzer><input type=password name=geheim>"
        "<input type=submit name=cancel value=Abbrechen>"
        "<input type=submit name=go value=Los></form>"
        "<form action=/register><input name=user><input type=password name=pw1 "
        "autocomplete=new-password><input type=password name=pw_again></form>"
    )
    site.pages["/login"] = site.done()
    assert site.walk().arn() == ANN
    (sent,) = site.posts("/login")
    assert sent["benutzer"] == "ann"
    assert (sent["trap1"], sent["trap2"], sent["trap3"], sent["go"]) == ("", "", "", "Los")
    assert "cancel" not in sent


def test_selectors_of_the_config(site: Site) -> None:
    site.pages["/"] = (
        "<form method=post action=/login><input id=a name=f1><input id=b name=f2>"
        "<input id=c name=f3></form>"
    )
    site.pages["/login"] = site.done()
    fields = {"username": "#b", "password": "#c"}
    assert site.walk(fields=fields).arn() == ANN
    (sent,) = site.posts("/login")
    assert (sent["f1"], sent["f2"]) == ("", "ann")
    assert sent["f3"] == site.sandbox.world.people["ann"].password


def test_kerberos_first_reply_and_base_href(site: Site) -> None:
    site.pages["/"] = html(
        "<body onload='document.forms[0].submit()'><form method=POST action=/krb><noscript>"
        "<p>JavaScript is disabled.</p><input name=continue type=SUBMIT value=CONTINUE>"
        "</noscript></form></body>",
        401,
    )
    site.pages["/krb"] = "<base href=/deep/er/>" + PASSWORD_FORM.format(action="login")
    site.pages["/deep/er/login"] = site.done()
    assert site.walk().arn() == ANN
    assert site.posts("/krb") == [{"continue": "CONTINUE"}]


def test_a_form_without_action_posts_to_its_own_address(site: Site) -> None:
    form = (
        "<base href=/elsewhere/><form method=post><input name=u><input type=password name=p></form>"
    )
    site.pages["/"] = lambda asked: site.done() if asked.method == "POST" else form
    assert site.walk().arn() == ANN


def test_f5_posts_to_its_policy_and_offers_methods(site: Site) -> None:
    site.pages["/"] = (
        "<form id=auth_form method=post><input name=username><input type=password name=password>"
        "<input type=hidden name=vhost value=standard></form>"
    )
    second = (
        "<form id=auth_form method=post><input type=hidden name=vhost value=standard>"
        "<input name=username disabled value=ann><select name=mfamethod>"
        "<option value=push>push</option><option value=token>token</option></select>"
        "<input name=mfatoken></form>"
    )
    site.pages["/my.policy"] = lambda asked: site.done() if "mfamethod" in asked.form else second
    assert site.walk(code="123456", mfa="totp").arn() == ANN
    assert site.walk(mfa="push").arn() == ANN
    sent = [form for form in site.posts("/my.policy") if "mfamethod" in form]
    assert [form["mfamethod"] for form in sent] == ["token", "push"]
    assert [form["mfatoken"] for form in sent] == ["123456", ""]
    with pytest.raises(InteractionRequired, match="push, token"):
        site.walk().arn()


@pytest.mark.parametrize(
    "page",
    [
        "<meta http-equiv=refresh content='0;url=/done'>",
        "<meta http-equiv=Refresh content='1; URL=\"/done\"'>",
        "<script>window.location.href = '\\/done';</script>",
        (
            "<form method=get action='/done?x=1'><input type=hidden name=a value=b></form>"
            "<script>document.forms[0].submit()</script>"
        ),
        (
            "<noscript><meta http-equiv=refresh content='0;url=/nojs'></noscript>"
            "<form action=/done><input type=hidden name=RelayState value=b>"
            "<button>Go</button></form>"
        ),
    ],
)
def test_ways_on(site: Site, page: str) -> None:
    site.pages["/"] = page
    assert site.walk().arn() == ANN
    assert not [one for one in site.asked if one.path == "/nojs"]


def test_the_script_of_a_page_wins_over_its_hidden_form(site: Site) -> None:
    site.pages["/"] = (
        "<script>window.location='/saml2?SAMLRequest=abc\\u0026x=1'</script>"
        "<form method=post action=/wrong><input type=hidden name=__VIEWSTATE value=1></form>"
    )
    site.pages["/saml2"] = site.done()
    assert site.walk().arn() == ANN
    assert site.asked[-1].query == {"SAMLRequest": "abc", "x": "1"}


@pytest.mark.parametrize(
    "page",
    [
        (
            "<form id=signoutForm method=post action=/signoutredirect>"
            "<input type=hidden name=csrf value=1></form><button>x</button>"
        ),
        (
            "<form method=post action=/wait><input type=hidden name=tx value=1></form>"
            "<script>setInterval(()=>fetch('/s').then(()=>document.forms[0].submit()),9)</script>"
        ),
        "<form method=post action=/f><input type=hidden name=x value=1></form><iframe></iframe>",
    ],
)
def test_hidden_forms_that_no_browser_would_send(site: Site, page: str) -> None:
    site.pages["/"] = f"<title>Attendez</title>{page}"
    with pytest.raises(UnexpectedReply, match="Attendez"):
        site.walk().arn()
    assert len(site.asked) == 1


def test_a_page_that_refreshes_until_the_push_is_answered(site: Site) -> None:
    site.login()
    waiting = "<meta http-equiv=refresh content=5><div class=number-matching>17</div>"
    site.pages["/login"] = Answer(302, "", {"Location": "/wait"})
    site.pages["/wait"] = lambda asked: (
        site.done() if sum(one.path == "/wait" for one in site.asked) > 3 else waiting
    )
    walk = site.walk()
    assert walk.arn() == ANN
    assert walk.clock.slept == [5.0] * 3
    assert [shown.count("17") for shown in walk.ui.shown] == [1]
    site.pages["/wait"] = waiting
    with pytest.raises(LoginRefused, match="in time"):
        site.walk().arn()


@pytest.mark.parametrize(
    "form",
    [
        (
            "<input type=radio name=m value=sms id=s><label for=s>Kurznachricht</label>"
            "<input type=radio name=m value=totp id=t><label for=t>App</label>"
        ),
        "<button name=m value=sms>Kurznachricht</button><button name=m value=totp>App</button>",
        "<select name=mfa_method><option value=sms>Kurznachricht<option value=totp>App</select>",
    ],
)
def test_methods_of_any_form(site: Site, form: str) -> None:
    site.login()
    site.pages["/login"] = f"<form method=post action=/m>{form}</form>"
    site.pages["/m"] = "<form method=post action=/code><input name=code></form>"
    site.pages["/code"] = site.done()
    seed = MemoryKeychain({"team/provider/totp/ann": MfaDevice("x").seed})
    assert site.walk(mfa="totp", keychain=seed).arn() == ANN
    assert site.walk(answers=["Kurznachricht", "555555"], keychain=seed).arn() == ANN
    chosen = [next(v for k, v in one.items() if k.startswith("m")) for one in site.posts("/m")]
    assert chosen == ["totp", "sms"]
    assert site.posts("/code")[1] == {"code": "555555"}  # not the seed's: it is not for sms
    with pytest.raises(InteractionRequired, match="Kurznachricht, App"):
        site.walk(keychain=seed).arn()


def test_nobody_is_pushed_again_and_again(site: Site) -> None:
    choice = (
        "<form method=post action=/m><button name=m value=push>Telefon</button>"
        "<button name=m value=totp>App</button></form>"
    )
    site.login()
    site.pages |= {"/login": choice, "/m": choice}
    with pytest.raises(LoginRefused, match="Telefon"):
        site.walk(mfa="push").arn()
    assert len(site.posts("/m")) == 1
    with pytest.raises(LoginRefused, match="Telefon"):
        site.walk(answers=["Telefon"] * 5).arn()
    assert len(site.posts("/m")) == 4


def test_a_search_field_is_no_second_factor(site: Site) -> None:
    site.login()
    site.pages["/login"] = (
        "<title>Portal</title><form method=post action=/s><input name=search></form>"
        "<p class=error>Konto gesperrt</p>"
    )
    with pytest.raises(LoginRefused, match="Konto gesperrt"):
        site.walk(answers=["never typed"]).arn()
    assert site.posts("/s") == []


def test_a_field_of_any_name_after_the_password_is_the_second_factor(site: Site) -> None:
    site.login()
    site.pages["/login"] = (
        "<form method=post action=/q><label for=x>Name of your first pet</label>"
        "<input id=x name=answer7></form>"
    )
    site.pages["/q"] = site.done()
    walk = site.walk(answers=["Rex"])
    assert walk.arn() == ANN
    assert "Name of your first pet" in walk.ui.asked[-1]


def test_a_browsers_own_sign_in(site: Site) -> None:
    site.pages["/"] = Answer(401, "", {"WWW-Authenticate": "Negotiate"})
    with pytest.raises(UnexpectedReply, match="browser's own sign-in"):
        site.walk().arn()


CONSENT = {
    "two forms": "<form action=/yes><input type=submit name=yes value=Ja>"
    "<input type=hidden name=s value=1></form><form action=/no method=get>"
    "<input type=hidden name=s value=1><button name=no>Nein</button></form>",
    "two buttons": "<form method=post action=/yes><input type=hidden name=s value=1>"
    "<button name=cancel>Nein</button><button name=accept>Ja</button></form>",
}


@pytest.mark.parametrize("asked", CONSENT)
def test_consent_is_a_persons(site: Site, asked: str) -> None:
    site.login()
    site.pages |= {"/login": f"<h1>Einwilligung</h1>{CONSENT[asked]}", "/yes": site.done()}
    with pytest.raises(InteractionRequired, match="Einwilligung"):
        site.walk().arn()
    with pytest.raises(LoginRefused, match="declined"):
        site.walk(answers=["n"]).arn()
    assert site.walk(answers=["y"]).arn() == ANN
    assert not [one for one in site.asked if one.path == "/no"]


def test_a_captcha_needs_a_browser(site: Site) -> None:
    site.pages["/"] = (
        "<title>Anmelden</title><form method=post><input name=identifier>"
        "<img src=/Captcha?x=1><input name=ca></form>"
    )
    with pytest.raises(UnexpectedReply, match="captcha") as needed:
        site.walk().arn()
    assert "idp: browser" in needed.value.hint
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "page",
    [
        "<form method=post><input type=hidden name=AuthMethod value=DuoAdfsAdapter></form>",
        "<iframe id=duo_iframe data-host=api.duosecurity.com></iframe>",
    ],
)
def test_duo_needs_a_browser(site: Site, page: str) -> None:
    site.login()
    site.pages["/login"] = f"{page}<script>function f(){{document.forms[0].submit()}}</script>"
    with pytest.raises(UnexpectedReply, match="asks for Duo"):
        site.walk().arn()
    assert len(site.posts("/login")) == 1


def test_a_response_for_another_provider_goes_back_to_the_one_that_asked(site: Site) -> None:
    upstream = site.sandbox.assertion("ann", audience="https://broker.corp.example", roles=[])
    site.pages["/"] = (
        f"<form method=post action=/broker><input type=hidden name=SAMLResponse value='{upstream}'>"
        "</form>"
    )
    site.pages["/broker"] = site.done()
    assert site.walk().arn() == ANN
    assert list(site.posts("/broker")[0]) == ["SAMLResponse"]


def test_an_assertion_goes_to_sts_alone(site: Site, other: Site) -> None:
    foreign = site.sandbox.assertion("ann", audience="https://broker.corp.example", roles=[])
    for response, arn in ((site.sandbox.assertion("ann"), ANN), (foreign, None)):
        site.pages["/"] = (
            f"<form method=post action='{other.url}/acs'>"
            f"<input type=hidden name=SAMLResponse value='{response}'></form>"
            "<script>document.forms[0].submit()</script>"
        )
        if arn:
            assert site.walk().arn() == arn
        else:
            with pytest.raises(RoleRefused):
                site.walk().arn()
    assert other.asked == []


@pytest.mark.parametrize("charset", ["shift_jis", "windows-1251", "iso-8859-15"])
def test_words_in_any_character_set(site: Site, charset: str) -> None:
    words = {"shift_jis": "パスワードが違います", "windows-1251": "Неверный пароль"}.get(
        charset, "Mot de passe refusé"
    )
    site.login()
    page = f"<meta charset={charset}><p class=error>{words}</p>{PASSWORD_FORM}"
    site.pages["/login"] = Answer(200, page.encode(charset), {"Content-Type": "text/html"})
    with pytest.raises(LoginRefused, match=words):
        site.walk().arn()


def test_a_page_cannot_write_to_the_terminal(site: Site) -> None:
    site.login()
    site.pages["/login"] = (
        "<form method=post action=/q><label for=x>Code\x1b[2J\u202e\nof phone</label>"
        "<input id=x name=otp></form>"
    )
    site.pages["/q"] = "<title>\x1b]0;owned\x07End</title>"
    walk = site.walk(answers=["123456"])
    with pytest.raises(UnexpectedReply) as unknown:
        walk.arn()
    shown = unknown.value.message + "".join(walk.ui.asked)
    assert shown.isprintable()
    assert "Code[2J of phone" in shown


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 3000,
        "x" * 2_100_000,
        "<form action='http://['><input name=u><input type=password>",
    ],
)
def test_hostile_markup(site: Site, page: str) -> None:
    site.pages["/"] = page
    with pytest.raises(UnexpectedReply):
        site.walk().arn()


def test_a_selector_that_is_none() -> None:
    with pytest.raises(ValidationError, match="not a CSS selector"):
        SamlOptions.model_validate({"idp": "form", "url": "https://x", "fields": {"code": "a["}})


def test_round_and_round(site: Site) -> None:
    site.pages["/"] = "<meta http-equiv=refresh content='0;url=/'>"
    with pytest.raises(UnexpectedReply, match="without end"):
        site.walk().arn()


def test_an_unknown_page_keeps_a_copy_without_secrets(site: Site) -> None:
    site.login()
    site.pages["/login"] = (
        "<title>Wartung</title><body id=b42><p>Hallo ann</p><!-- internal -->"
        "<form id=x action='/f?execution=e1s1&token=abc123'><input name=q1 value=typed>"
        "<input name=q2><input type=hidden name=h value=hidden-token></form>"
        "<script>var c = {sFT:'AQABAAEAAAD--DLA3VO7QrddgJg7Wevr', n: 5}</script></body>"
    )
    with pytest.raises(UnexpectedReply, match=r"Wartung.*b42") as unknown:
        site.walk().arn()
    page = unknown.value.page or ""
    for secret in ("hidden-token", "AQABAAEAAAD", "abc123", "e1s1", "typed", "ann<", "internal"):
        assert secret not in page
    for kept in ("Wartung", 'id="x"', 'name="h"', "execution=", "Hallo", "var c"):
        assert kept in page


EQUAL = (
    "<form method=post action=/code><label><input type=radio name=device value=d1>unnamed</label>"
    "<label><input type=radio name=device value=d2>unnamed</label><input name=otp></form>"
)


@pytest.mark.parametrize(
    ("mfa", "device"), [("unnamed (2)", "d2"), ("d2", "d2"), ("unnamed", "d1"), ("d1", "d1")]
)
def test_devices_with_equal_names_are_told_apart(site: Site, mfa: str, device: str) -> None:
    site.login()
    site.pages |= {"/login": EQUAL, "/code": site.done()}
    assert site.walk(mfa=mfa, code="123456").arn() == ANN
    assert site.posts("/code")[0]["device"] == device


def test_the_right_code_goes_to_the_device_that_was_chosen(site: Site) -> None:
    """A person picks the second of two that have one name, and corrects a code."""
    site.login()
    site.pages["/login"] = EQUAL
    site.pages["/code"] = lambda asked: (
        site.done() if asked.form["otp"] == "222222" else f"<p role=alert>No</p>{EQUAL}"
    )
    walk = site.walk(answers=["unnamed (2)", "111111", "222222"])
    assert walk.arn() == ANN
    assert [post["device"] for post in site.posts("/code")] == ["d2", "d2"]
    with pytest.raises(InteractionRequired, match=r"unnamed, unnamed \(2\)"):
        site.walk(code="123456").arn()


class TestAfterThePassword:
    """What other languages and other providers show where a session was expected."""

    @pytest.mark.parametrize(
        "fields",
        [
            "<input type=password name=p1><input type=password name=p2>",
            "<input type=password name=password-reset><input type=password name=re-enter-password>",
            "<input type=password name=OldPassword><input type=password name=NewPassword>",
        ],
    )
    def test_a_new_password_in_any_language(self, site: Site, fields: str) -> None:
        site.login()
        page = f"<h1>パスワードの有効期限が切れました</h1><form method=post>{fields}</form>"
        site.pages["/login"] = page
        entry = "team/provider/password/ann"
        walk = site.walk(password="", remember_password=True)
        walk.keychain.entries[entry] = site.sandbox.world.people["ann"].password
        with pytest.raises(LoginRefused, match="wants a new password: パスワードの有効期限") as due:
            walk.arn()
        assert "in a browser" in due.value.hint
        assert entry in walk.keychain.entries  # it was right
        assert len(site.posts("/login")) == 1

    @pytest.mark.parametrize(
        "shown",
        [
            "<img src=/x.png alt='QR-Code'>",
            "<div id=qrcode></div>",
            "<input type=hidden name=secret value=JBSWY3DPEHPK3PXP>",
        ],
    )
    def test_an_authenticator_to_set_up_gets_no_code(self, site: Site, shown: str) -> None:
        site.login()
        form = "<form method=post action=/enrol><input name=otp autocomplete=one-time-code>"
        site.pages["/login"] = f"<h1>Zwei Schritte</h1>{form}{shown}</form>"
        with pytest.raises(LoginRefused, match="authenticator set up: Zwei Schritte"):
            site.walk(code="123456").arn()
        assert site.posts("/enrol") == []

    def test_a_page_without_a_form_is_quoted(self, site: Site) -> None:
        site.login()
        site.pages["/login"] = "<title>Oops</title><h1>Votre compte est verrouillé</h1><p>555</p>"
        with pytest.raises(UnexpectedReply, match="it says: Votre compte est verrouillé"):
            site.walk().arn()

    def test_an_alert_of_universal_login_is_a_refusal(self, site: Site) -> None:
        site.login()
        site.pages["/login"] = "<h1>X</h1><div id=prompt-alert><p>Konto gesperrt.</p></div>"
        with pytest.raises(LoginRefused, match="Konto gesperrt"):
            site.walk().arn()
