"""Reading pages of other make: which form, which button, which input, and where a page leads."""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Callable
from functools import partial
from html import escape
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote

import pytest

from broker.errors import LoginRefused, UnexpectedReply
from providers.saml import leads, markup, script
from providers.saml.debug_page import masked_copy
from providers.saml.forms import Form, Kind
from providers.saml.page import Page
from tests.providers.saml.site import PASSWORD_FORM, Site
from tests.sandbox.server import Answer, html
from tests.support import PATIENCE

ODD = "my s&cret<\"'ü"
USER = "<input name=u><input type=password name=p>"
ONWARD = "<form method=post action=/on><input type=hidden name=k value=v>{}</form>"


def read(text: str) -> Page:
    return Page.parse("https://id.example/in", text)


def end(reader: threading.Thread) -> None:
    """End a thread at its next line of Python; it would be busy beside later tests for minutes."""
    assert reader.ident
    ended = ctypes.py_object(SystemExit)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(reader.ident), ended) == 1
    reader.join(PATIENCE)
    assert not reader.is_alive()


def password_form(text: str) -> Form:
    form = read(text).first(Kind.PASSWORD)
    assert form
    return form


@pytest.mark.parametrize(
    "buttons",
    [
        "<button name=do value=cancel>Abbrechen</button><button name=do value=go>Anmelden</button>",
        "<input type=submit name=back><input type=submit name=do value=go>",
        "<input type=submit name=do value='Forgot password'><input type=submit name=do value=go>",
    ],
)
def test_the_button_that_leads_on_is_pressed(buttons: str) -> None:
    form = password_form(f"<form method=post>{USER}{buttons}</form>")
    assert [value for name, value in form.fields if name in {"do", "back"}] == ["go"]


def test_a_button_may_say_where_to() -> None:
    form = password_form(f"<form action=/a>{USER}<button formaction=/b formmethod=post></form>")
    assert (form.action, form.method) == ("https://id.example/b", "post")


def test_an_account_beside_the_user_name_stays_as_it_is() -> None:
    form = password_form("<form><input name=account value=corp><input name=username>" + USER)
    assert (form.username, form.value("account")) == ("username", "corp")


@pytest.mark.parametrize("aside", ["newsletter", "search", "register"])
def test_a_form_beside_the_sign_in_comes_last(aside: str) -> None:
    page = read(
        f"<form method=post action=/{aside}><input type=email name=email></form>"
        "<form method=post action=/in><input name=username></form>"
    )
    form = page.first(Kind.USERNAME)
    assert form
    assert form.username == "username"


def test_a_hidden_form_is_not_the_sign_in() -> None:
    form = password_form(
        f"<div style='display: none'><form action=/no>{USER}</form></div><form action=/in>{USER}"
    )
    assert form.action == "https://id.example/in"


def test_buttons_beside_a_code_are_no_devices() -> None:
    page = "<form method=post><input name=otp>{}<button name=do value=verify>OK</button></form>"
    again, push = "<button name=do value=resend>x</button>", "<button name=do value=push>x</button>"
    form = read(page.format(again)).first(Kind.CODE)
    assert form
    assert (form.options, form.value("do")) == ([], "verify")
    both = read(page.format(push)).first(Kind.CODE)
    assert both
    assert [option.kind for option in both.options] == ["push", "other"]


@pytest.mark.parametrize(
    "page",
    [
        "<form action=/search><input name=q></form>" + ONWARD.format("<button>Weiter</button>"),
        "<form><select name=idioma><option>es<option>en</select></form><script>"
        "function f() { document.forms[0].submit() }</script>"
        + ONWARD.format("<button>x</button>"),
        "<body onload='doSubmit()'>" + ONWARD.format(""),
        "<script src=/x.js></script>"
        + ONWARD.format("<input type=hidden name=SAMLRequest value=abc>"),
    ],
)
def test_what_a_browser_would_send(page: str) -> None:
    onward = leads.onward(read(page))
    assert onward
    assert onward.action == "https://id.example/on"


def test_a_box_that_has_to_be_ticked_is_not_passed_over() -> None:
    box = "<input type=checkbox name=terms required><button>Weiter</button>"
    assert leads.onward(read(ONWARD.format(box))) is None


@pytest.mark.parametrize(
    ("script", "target"),
    [
        ("location.href='/next'", "https://id.example/next"),
        ('location.replace("/next")', "https://id.example/next"),
        ("window.location = `/next`;", "https://id.example/next"),
        ("window.location = `/next?x=${x}`", None),
        ("here.location = '/next'", None),
        ("if (location == '/next') go()", None),
    ],
)
def test_where_a_script_leads(script: str, target: str | None) -> None:
    assert leads.script_target(read(f"<script>{script}</script>")) == target


@pytest.mark.parametrize(
    ("page", "sent"),
    [
        (Answer(200, PASSWORD_FORM.format(action="/login").encode(), {
            "Content-Type": "text/html; charset=ISO-8859-1"}), b"pw=Gr%FC%DFe+%80"),
        ("<meta charset=shift_jis>" + PASSWORD_FORM.format(action="/login"), b"pw=Gr%C3%BC"),
        (html(PASSWORD_FORM.format(action="/login").replace(
            "<form ", "<form accept-charset=windows-1252 ")), b"pw=Gr%FC%DFe+%80"),
    ],
)  # fmt: skip
def test_a_password_is_sent_in_the_pages_character_set(
    site: Site, page: Answer | str, sent: bytes
) -> None:
    site.pages |= {"/": page, "/login": site.done()}
    site.walk(password="Grüße €").arn()
    assert sent in site.asked[1].body


@pytest.mark.parametrize("field", ["name=benutzer", "name=x1 type=text", "name=id type=email"])
def test_the_only_input_at_first_takes_the_user_name(site: Site, field: str) -> None:
    search = "<form action=/search method=post><input name=q></form>"
    site.pages["/"] = f"{search}<form method=post action=/u><input {field}></form>"
    site.pages |= {"/u": PASSWORD_FORM.format(action="/login"), "/login": site.done()}
    site.walk().arn()
    assert list(site.posts("/u")[0].values()) == ["ann"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_forbids_after_the_password_is_a_refusal(site: Site, status: int) -> None:
    site.login()
    site.pages["/login"] = html("<p>Kennwort oder Benutzername falsch</p>", status)
    with pytest.raises(LoginRefused, match="Kennwort oder Benutzername falsch"):
        site.walk().arn()
    assert len(site.posts("/login")) == 1


def test_a_code_beside_the_password_goes_to_the_asking_site_alone(site: Site, other: Site) -> None:
    form = PASSWORD_FORM.format(action=f"{other.url}/login")
    site.pages["/"] = form.replace("</form>", "<input name=otp></form>")
    walk = site.walk(hosts=[other.url], code="123456")
    with pytest.raises(UnexpectedReply, match="nothing was sent"):
        walk.arn()
    assert other.asked == []


@pytest.mark.parametrize(
    "page",
    [
        f"<p>{escape(ODD)}</p>",
        f"<p>{escape(ODD, quote=False)}</p>",
        f"<script>var p = {json.dumps(ODD)}</script>",
        f"<script>var p = {json.dumps(ODD, ensure_ascii=False)}</script>",
        f"<p>/x?p={quote(ODD)}</p>",
        f"<a href='https://{quote(ODD, safe='')}@id.example/'>x</a>",
    ],
)
def test_what_was_typed_is_masked_however_a_page_spells_it(page: str) -> None:
    copy = masked_copy(page, [ODD])
    assert "cret" not in copy
    assert "********" in copy


@pytest.mark.parametrize(
    "page",
    [
        "<meta name=csrf-token content=short1>",
        "<meta http-equiv=refresh content='0; url=next?ticket=short1'>",
        "<a href='next?ticket=short1'>x</a>",
    ],
)
def test_short_tokens_of_a_page_are_masked(page: str) -> None:
    assert "short1" not in masked_copy(page, [])


def test_the_config_that_says_most_counts() -> None:
    text = '<script>$Config={}; $Config={"pgid":"A","sFT":"x"}; $Config={"a":1};</script>'
    assert script.config(text) == {"pgid": "A", "sFT": "x"}


def test_a_page_of_many_forms_signs_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = partial(markup.bounded, seconds=PATIENCE)
    monkeypatch.setattr("providers.saml.page.bounded", bounded)
    row = "<form id=f{} method=post action=/x><select name=lang><option>a<option>b</select></form>"
    site.login()
    site.pages["/"] = "".join(map(row.format, range(1000))) + str(site.pages["/"])
    site.pages["/login"] = site.done()
    assert "Admin" in site.walk().arn()


def test_a_page_that_takes_too_long_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "MAX_ELEMENTS", 10**9)
    readers = SimpleQueue[threading.Thread]()

    def noting(url: str, parse: Callable[[], Any]) -> Any:
        def noted() -> Any:
            readers.put(threading.current_thread())
            return parse()

        return markup.bounded(url, noted)

    monkeypatch.setattr("providers.saml.page.bounded", noting)
    with pytest.raises(UnexpectedReply, match="not a sign-in page"):
        markup.bounded("https://id.example/in", lambda: read("<!--" * 10**5), 0.2)
    end(readers.get(timeout=PATIENCE))


def test_a_page_of_more_elements_than_any_is_none() -> None:
    with pytest.raises(UnexpectedReply, match="not a sign-in page"):
        read("<b>x</b>" * markup.MAX_ELEMENTS)
