"""`awslogin prod`: SAML through a form, through the installed command."""

from __future__ import annotations

import pyotp
import pytest

from broker.ports import http
from tests.configs import config, form
from tests.sandbox import Sandbox
from tests.sandbox.adfs import NUMBER
from tests.sandbox.twin import Habits
from tests.support import PATIENCE, Home
from tests.terminal import Terminal


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(
        config(
            "audit",
            providers={
                "corp": form(sandbox.idp.url),
                "otto": f'type: saml, idp: auto, url: "{sandbox.idp.url}", username: otto',
            },
            prod='provider: corp, account: "444455556666", role: Admin',
            read='provider: corp, role_arn: "arn:aws:iam::444455556666:role/ReadOnly"',
            long='provider: corp, account: "444455556666", role: ReadOnly, duration: 4h',
            lost='provider: corp, account: "444455556666", role: Nope',
            any="provider: corp",
            code='provider: otto, account: "444455556666", role: Admin',
        )
    )
    signed_up.environ["AWSLOGIN_PASSWORD_CORP"] = sandbox.world.people["ann"].password
    signed_up.environ["AWSLOGIN_PASSWORD_OTTO"] = sandbox.world.people["otto"].password
    return signed_up


def test_password_and_role(team: Home, sandbox: Sandbox) -> None:
    session = team.run("prod", "--output", "json").ok().json
    assert session["arn"] == "arn:aws:sts::444455556666:assumed-role/Admin/ann"
    assert (session["type"], session["partition"]) == ("saml", "aws")
    assert team.run("prod", "--output", "json").ok().json["from_cache"] is True


def test_one_sign_in_serves_all_roles(team: Home, sandbox: Sandbox) -> None:
    team.run("prod").ok()
    team.run("read").ok()
    assert sandbox.idp.passwords_seen == 1


def test_a_chain_from_saml(team: Home, sandbox: Sandbox) -> None:
    assert ":assumed-role/Audit/" in team.run("audit", "--output", "json").ok().json["arn"]


def test_a_chain_from_a_cached_source(team: Home) -> None:
    team.run("prod").ok()
    assert ":assumed-role/Audit/" in team.run("audit", "--output", "json").ok().json["arn"]


def test_a_wrong_password_is_posted_once(team: Home, sandbox: Sandbox) -> None:
    done = team.run("prod", "--output", "json", env={"AWSLOGIN_PASSWORD_CORP": "wrong one"})
    assert (done.error["exit"], done.error["message"]) == (3, "Invalid username or password.")
    assert sandbox.idp.passwords_seen == 1
    assert "wrong one" not in done.err


def test_a_disabled_account_is_said_in_the_providers_words(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.people["ann"].disabled = True
    assert "Account is disabled" in team.run("prod", "--output", "json").error["message"]


def test_a_role_that_the_assertion_does_not_hold(team: Home) -> None:
    error = team.run("lost", "--output", "json").error
    assert (error["code"], error["exit"]) == ("role_refused", 8)
    assert "role/ReadOnly" in error["message"]


def test_a_duration_over_the_roles_falls_back_to_an_hour(team: Home, sandbox: Sandbox) -> None:
    done = team.run("long").ok()
    assert "1 hour" in done.err
    assert sandbox.world.granted[-1]["seconds"] == 3600


def test_a_person_picks_a_role(team: Home) -> None:
    assert team.run("any").code == 4
    terminal = Terminal(team, "any", "--output", "json")
    terminal.answer("Number", "444455556666:role/read")
    assert ":assumed-role/ReadOnly/" in terminal.finish().json["arn"]


def test_a_person_types_password_and_code(team: Home, sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    terminal = Terminal(team, "code", "--output", "json", env={"AWSLOGIN_PASSWORD_OTTO": ""})
    terminal.answer("Password of otto", otto.password)
    terminal.answer("One-time code", "000000")
    terminal.wait_for("Invalid authenticator code")
    terminal.answer("One-time code.*\n(?s:.*)One-time code", pyotp.TOTP(otto.totp.seed).now())
    done = terminal.finish().ok()
    assert done.json["arn"].endswith("/otto")
    assert otto.password not in done.err


def test_a_wrong_code_of_a_machine_is_sent_once(team: Home, sandbox: Sandbox) -> None:
    done = team.run("code", "--output", "json", env={"AWSLOGIN_MFA_CODE": "000000"})
    assert done.error["exit"] == 3
    assert len(sandbox.calls("idp", "/idp/code")) == 1


def test_a_code_is_sent_once_by_whatever_process(team: Home, sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    given = {"AWSLOGIN_MFA_CODE": otto.totp.code(sandbox.world.now())}
    team.run("code", env=given).ok()
    team.run("logout", "code").ok()
    done = team.run("code", "--output", "json", env=given)
    assert (done.error["exit"], "used already" in done.error["message"]) == (3, True)
    assert len(sandbox.calls("idp", "/idp/code")) == 1


def test_a_form_that_points_elsewhere_gets_nothing(team: Home, sandbox: Sandbox) -> None:
    sandbox.idp.action_origin = "http://localhost:9"
    done = team.run("prod", "--output", "json")
    assert done.error["exit"] == 6
    assert "localhost:9" in done.error["message"]
    assert sandbox.idp.passwords_seen == 0


def test_without_password_and_person(team: Home) -> None:
    done = team.run("prod", "--output", "json", env={"AWSLOGIN_PASSWORD_CORP": None})
    assert (done.error["exit"], "AWSLOGIN_PASSWORD" in done.error["hint"]) == (4, True)


def test_an_unknown_page_is_named_and_saved(team: Home, sandbox: Sandbox) -> None:
    page = "<title>Maintenance</title><body id=b42><p>Back soon</p>"
    sandbox.fault("idp", status=200, body=page, headers={"Content-Type": "text/html"})
    file = team.work / "page.html"
    done = team.run("prod", "--output", "json", "--debug-page", str(file))
    assert done.error["exit"] == 6
    assert "Maintenance" in done.error["message"]
    assert "b42" in done.error["message"]
    assert "idp: browser" in done.error["hint"]
    assert "Back soon" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_silent_provider_ends_within_the_contract(team: Home, sandbox: Sandbox) -> None:
    """The whole exchange has one deadline: a twenty-fifth of it here, and no read's own end."""
    assert http.DEADLINE == 25
    sandbox.fault("idp", hang=10 * PATIENCE)
    team.changes["broker.ports.http.DEADLINE"] = 1
    team.changes["broker.ports.http.TIMEOUT"] = (10 * PATIENCE, 10 * PATIENCE)
    assert team.run("prod", timeout=PATIENCE).code == 5


def test_nothing_secret_lies_in_plain(team: Home, sandbox: Sandbox) -> None:
    team.run("prod").ok()
    secrets = [*sandbox.secrets(), sandbox.world.people["ann"].password]
    assert [p for p in team.holds_in_plain(secrets) if p.name != "config.yaml"] == []


def test_the_number_to_match_is_shown_even_when_quiet(team: Home, sandbox: Sandbox) -> None:
    sandbox.adfs.habits["ann"] = Habits("azure", after=0)
    adfs = f'type: saml, idp: adfs, url: "{sandbox.adfs.url}", username: ann'
    team.config(config(providers={"corp": adfs}, prod="provider: corp"))
    done = team.run("prod", "--quiet", "--output", "json")
    assert NUMBER in done.err
    assert done.code == 4  # three roles, and nobody to pick one
    assert sandbox.adfs.seen.polls == 1
