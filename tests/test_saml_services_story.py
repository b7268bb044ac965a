"""Okta, Entra ID and OneLogin through the installed command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import config
from tests.sandbox import Sandbox
from tests.sandbox.entra import APP_ID as ENTRA_APP
from tests.sandbox.entra import TENANT
from tests.sandbox.okta import APP
from tests.sandbox.onelogin import APP_ID, CLIENT_ID, CLIENT_SECRET, SUBDOMAIN
from tests.sandbox.twin import Habits
from tests.support import Home
from tests.terminal import Terminal

DOCS = Path(__file__).parent.parent / "docs" / "providers"
ANN = "arn:aws:sts::444455556666:assumed-role/Admin/ann"


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    one = f"app_id: {APP_ID}, subdomain: {SUBDOMAIN}, client_id: {CLIENT_ID}"
    signed_up.config(
        config(
            providers={
                "okta": f'type: saml, idp: okta, url: "{sandbox.okta.url}{APP}", username: ann',
                "entra": f'type: saml, idp: entra, url: "{sandbox.entra.url}", tenant: {TENANT},'
                f' app_id: "{ENTRA_APP}", username: ann',
                "any": f'type: saml, idp: auto, url: "{sandbox.entra.start_page}", username: ann',
                "one": f'type: saml, idp: onelogin, url: "{sandbox.onelogin.url}", {one},'
                " username: ann",
            },
            profiles={
                f"by-{idp}": f'provider: {idp}, account: "444455556666", role: Admin'
                for idp in ("okta", "entra", "any", "one")
            },
        )
    )
    signed_up.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
    signed_up.environ["AWSLOGIN_CLIENT_SECRET_ONE"] = CLIENT_SECRET
    return signed_up


@pytest.mark.parametrize("profile", ["by-okta", "by-entra", "by-any", "by-one"])
def test_each_signs_in_and_leaves_no_secret(team: Home, sandbox: Sandbox, profile: str) -> None:
    assert team.run(profile, "--output", "json").ok().json["arn"] == ANN
    secrets = [*sandbox.secrets(), sandbox.world.people["ann"].password, CLIENT_SECRET]
    assert [p for p in team.holds_in_plain(secrets) if p.name != "config.yaml"] == []


def test_a_number_is_shown_even_when_quiet(team: Home, sandbox: Sandbox) -> None:
    sandbox.okta.factors["ann"] = ["push"]
    sandbox.okta.push_number, sandbox.okta.push_after = 42, 1
    sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
    sandbox.entra.number, sandbox.entra.push_after = 73, 1
    assert "42" in team.run("by-okta", "--quiet").ok().err
    assert "73" in team.run("by-entra", "--quiet").ok().err
    assert "73" in team.run("by-any", "--quiet").ok().err


def test_identity_engine_without_its_options(team: Home, sandbox: Sandbox) -> None:
    sandbox.okta.pipeline = "idx"
    error = team.run("by-okta", "--output", "json").error
    assert (error["code"], error["exit"]) == ("config", 2)
    assert "client_id" in error["message"]
    assert "app_id" in error["message"]
    assert "idp: browser" in error["hint"]


@pytest.mark.parametrize("profile", ["by-okta", "by-entra", "by-one"])
def test_a_wrong_password(team: Home, sandbox: Sandbox, profile: str) -> None:
    wrong = {"AWSLOGIN_PASSWORD": "wrong one"}
    done = team.run(profile, "--output", "json", env=wrong)
    assert done.error["exit"] == 3
    assert "wrong one" not in done.err
    seen = (sandbox.okta.passwords_seen, sandbox.entra.passwords_seen)
    assert sum(seen) + sandbox.onelogin.passwords_seen == 1


def test_a_form_that_points_elsewhere_gets_nothing(team: Home, sandbox: Sandbox) -> None:
    sandbox.entra.post_to = "http://localhost:9"
    error = team.run("by-entra", "--output", "json").error
    assert (error["exit"], "localhost:9" in error["message"]) == (6, True)


def test_an_unknown_page_is_saved_without_its_tokens(team: Home, sandbox: Sandbox) -> None:
    sandbox.entra.dead_end = ("ConvergedNovelty", "Hello")
    file = team.work / "page.html"
    error = team.run("by-entra", "--output", "json", "--debug-page", str(file)).error
    assert (error["exit"], "ConvergedNovelty" in error["message"]) == (6, True)
    page = file.read_text()
    assert "ConvergedNovelty" in page
    assert not [token for token in sandbox.entra.tokens() if token in page]


def test_a_clients_secret_is_asked_once_and_kept(team: Home) -> None:
    nothing = {"AWSLOGIN_CLIENT_SECRET_ONE": ""}
    terminal = Terminal(team, "by-one", "--output", "json", env=nothing)
    terminal.answer(f"Secret of the client {CLIENT_ID}", CLIENT_SECRET)
    terminal.answer("Keep this secret in the keychain", "y")
    done = terminal.finish().ok()
    assert CLIENT_SECRET not in done.err
    team.run("logout", "by-one").ok()
    assert team.run("by-one", "--output", "json", env=nothing).ok().json["from_cache"] is False


@pytest.mark.parametrize("page", ["okta", "entra", "onelogin"])
def test_the_yaml_of_the_docs_loads(home: Home, page: str) -> None:
    text = (DOCS / f"{page}.md").read_text()
    (yaml,) = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    home.config(yaml)
    assert home.run("config", "check").ok().code == 0


NATIVE = ("authentik", "jumpcloud", "auth0", "netiq", "pingone", "akamai")


@pytest.fixture
def native(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(
        config(
            providers={
                idp: f'type: saml, idp: {idp}, url: "{getattr(sandbox, idp).url}", username: ann'
                for idp in NATIVE
            },
            profiles={
                f"by-{idp}": f'provider: {idp}, account: "444455556666", role: Admin'
                for idp in NATIVE
            },
        )
    )
    signed_up.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
    return signed_up


def test_saml2aws_remaining_providers_without_a_browser(native: Home, sandbox: Sandbox) -> None:
    for idp in NATIVE:
        assert native.run(f"by-{idp}", "--output", "json", "--no-input").ok().json["arn"] == ANN
        assert getattr(sandbox, idp).seen.passwords == 1
    secrets = [*sandbox.secrets(), sandbox.world.people["ann"].password]
    assert [p for p in native.holds_in_plain(secrets) if p.name != "config.yaml"] == []


def test_duo_is_said_where_no_browser_may_open(native: Home, sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    error = native.run("by-jumpcloud", "--no-input", "--output", "json").error
    assert (error["exit"], "Duo" in error["message"]) == (3, True)
    assert "idp: browser" in error["hint"]
