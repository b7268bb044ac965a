"""The twins of identity providers refuse what the real ones refuse."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
import requests

from tests.sandbox import Sandbox
from tests.sandbox.pingfederate import START
from tests.sandbox.twin import Habits
from tests.support import PATIENCE


def hidden(page: str, name: str) -> str:
    found = re.search(rf"name={re.escape(name)} value='([^']*)'", page)
    assert found, page
    return found[1]


def action(reply: requests.Response) -> str:
    base = re.search(r"<base href='([^']*)'", reply.text)
    found = re.search(r"<form [^>]*action='([^']*)'", reply.text)
    assert found
    return str(urljoin(base[1] if base else reply.url, found[1]))


@pytest.fixture
def browser() -> requests.Session:
    return requests.Session()


def test_adfs_takes_a_context_once(sandbox: Sandbox, browser: requests.Session) -> None:
    sandbox.adfs.habits["ann"] = Habits("azure", answer="ignore")
    url, cookies = sandbox.adfs.url, {"MSISSamlRequest": "x"}
    login = {
        "UserName": "CORP\\ann",
        "Password": sandbox.world.people["ann"].password,
        "AuthMethod": "FormsAuthentication",
    }
    assert browser.post(url, data=login, timeout=PATIENCE).status_code == 400  # no cookie
    page = browser.post(url, data=login, cookies=cookies, timeout=PATIENCE).text
    again = {"AuthMethod": "AzureMfaAuthentication", "Context": hidden(page, "Context")}
    other = again | {"AuthMethod": "SecurIDAuthentication"}
    assert (
        browser.post(url, data={"AuthMethod": ""}, cookies=cookies, timeout=PATIENCE).status_code
        == 400
    )
    assert browser.post(url, data=again, cookies=cookies, timeout=PATIENCE).status_code == 200
    assert browser.post(url, data=again, cookies=cookies, timeout=PATIENCE).status_code == 400
    assert browser.post(url, data=other, cookies=cookies, timeout=PATIENCE).status_code == 400
    assert sandbox.adfs.seen.polls == 1


def test_shibboleth_takes_an_execution_once(sandbox: Sandbox, browser: requests.Session) -> None:
    storage = browser.get(sandbox.shibboleth.url, timeout=PATIENCE)
    fields = {"csrf_token": hidden(storage.text, "csrf_token"), "_eventId_proceed": ""}
    assert browser.post(action(storage), data=fields, timeout=PATIENCE).status_code == 400
    assert "local-storage" in sandbox.shibboleth.seen.strays[0]
    assert browser.post(action(storage), data=fields, timeout=PATIENCE).status_code == 400
    fresh = browser.get(sandbox.shibboleth.url, timeout=PATIENCE)
    fields["csrf_token"] = "another"
    assert browser.post(action(fresh), data=fields, timeout=PATIENCE).status_code == 400


def test_ping_wants_its_button_and_its_paths_once(
    sandbox: Sandbox, browser: requests.Session
) -> None:
    sandbox.ping.habits["ann"] = Habits("swipe", answer="ignore")
    page = browser.get(sandbox.ping.url + START, timeout=PATIENCE)
    login = {
        "pf.username": "ann",
        "pf.pass": sandbox.world.people["ann"].password,
        "pf.ok": "clicked",
        "pf.cancel": "",
        "pf.adapterId": "CorpForm",
    }
    sent = browser.post(action(page), data=login, timeout=PATIENCE)
    assert "ppm_request" in sent.text
    assert browser.post(action(page), data=login, timeout=PATIENCE).status_code == 400
    page = browser.get(sandbox.ping.url + START, timeout=PATIENCE)
    cancelled = login | {"pf.cancel": "clicked"}
    assert browser.post(action(page), data=cancelled, timeout=PATIENCE).status_code == 400
    request = {"ppm_request": hidden(sent.text, "ppm_request")}
    check = browser.post(action(sent), data=request, timeout=PATIENCE)
    assert browser.post(action(sent), data=request, timeout=PATIENCE).status_code == 400
    answer = {"csrfToken": hidden(check.text, "csrfToken"), "isWebAuthnSupportedByBrowser": "false"}
    swipe = browser.post(action(check), data=answer, timeout=PATIENCE)
    status, token = action(swipe), {"csrfToken": hidden(swipe.text, "csrfToken")}
    assert browser.post(status, data=token, timeout=PATIENCE).status_code == 405
    assert browser.get(status, params=token, timeout=PATIENCE).json() == {
        "status": "ASYNC_AUTH_WAIT"
    }


def test_the_codes_of_twins_are_good_once(sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    code = otto.totp.code(sandbox.world.now())
    assert sandbox.adfs.accepts(otto, code)
    assert not sandbox.shibboleth.accepts(otto, code)
