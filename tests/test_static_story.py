"""`awslogin add dev`, then `awslogin dev`: a user's keys, through the installed command."""

from __future__ import annotations

import json

import pytest

from tests.configs import PROFILES, config
from tests.sandbox import Sandbox
from tests.support import Home, Result

CONFIG = config(
    "dev",
    head="team: payments\ndefault_profile: dev\ndefaults: {region: eu-west-1}\n",
    short="provider: keys, duration: 1h",
    deploy=f"{PROFILES['deploy']}, duration: 2h",
    readonly='source: dev, account: "111122223333", role: ReadOnly',
    audit=PROFILES["audit"].replace("prod", "readonly"),
)


@pytest.fixture
def team(signed_up: Home) -> Home:
    signed_up.config(CONFIG)
    return signed_up


def add(home: Home, sandbox: Sandbox, profile: str = "dev", who: str = "bob") -> Result:
    keys = getattr(sandbox, who)
    return home.run("add", profile, "--stdin", stdin=keys.json)


def test_add_then_login(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    first = team.run("dev", "--output", "json").ok().json
    assert set(first) == {
        "version", "profile", "provider", "type", "account_id", "arn", "partition", "region",
        "access_key_id", "secret_access_key", "session_token", "issued_at", "expires_at",
        "from_cache",
    }  # fmt: skip
    assert (first["profile"], first["provider"], first["type"]) == ("dev", "keys", "static")
    assert first["from_cache"] is False
    second = team.run("--output", "json", "dev").ok().json
    assert second["from_cache"] is True
    assert {**second, "from_cache": False} == first
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_the_default_profile_is_taken(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    assert team.run("--output", "json").ok().json["profile"] == "dev"


def test_nothing_secret_lies_in_plain_under_the_home(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    for profile in ("dev", "deploy", "readonly"):
        team.run(profile).ok()
    assert team.holds_in_plain(sandbox.secrets()) == []
    for path in (team.folder / "awslogin").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_text_shows_no_secret(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    shown = team.run("dev").ok()
    assert not [secret for secret in sandbox.secrets() if secret in shown.out + shown.err]


def test_whoami(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    who = team.run("whoami", "deploy", "--output", "json").ok().json
    assert who["account_id"] == "111122223333"
    assert ":assumed-role/Deploy/ann" in who["arn"]


def test_two_hours_are_granted_to_a_users_keys(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.run("deploy").ok()
    assert sandbox.world.granted[-1]["seconds"] == 7200


def test_a_chain_of_roles(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.roles["arn:aws:iam::777788889999:role/Audit"].trusts += (
        "arn:aws:iam::111122223333:role/ReadOnly",
    )
    add(team, sandbox).ok()
    session = team.run("audit", "--output", "json").ok().json
    assert session["arn"].startswith("arn:aws:sts::777788889999:assumed-role/Audit/")
    assert session["account_id"] == "777788889999"


def test_a_long_chain_with_all_that_shapes_it(team: Home, sandbox: Sandbox) -> None:
    """Each hop is taken with the session before it; the user's own is not asked for."""
    roles = [f"arn:aws:iam::111122223333:role/Hop{number}" for number in range(4)]
    for number, role in enumerate(roles):
        trusted = roles[number - 1] if number else "arn:aws:iam::111122223333:user/bob"
        sandbox.world.add_role(role, trusted, longest=12 * 3600)
    hops = "".join(
        f"  hop{n}: {{source: {f'hop{n - 1}' if n else 'dev'}, role_arn: {role},"
        f" external_id: x{n}, session_tags: {{hop: '{n}', project: pay}},"
        f" transitive_tags: [project], source_identity: ann.corp}}\n"
        for n, role in enumerate(roles)
    )
    team.config(CONFIG.replace("eu-west-1}", "eu-west-1, duration: 2h}") + hops)
    add(team, sandbox).ok()
    team.run("hop3").ok()
    granted = [one for one in sandbox.world.granted if one["action"] == "AssumeRole"]
    assert [one["role"] for one in granted] == roles
    assert [one["seconds"] for one in granted] == [7200, 3600, 3600, 3600]
    assert [one["external_id"] for one in granted] == ["x0", "x1", "x2", "x3"]
    assert granted[3]["tags"] == {"hop": "3", "project": "pay"}
    assert granted[3]["transitive"] == ["project"]
    assert {one["source_identity"] for one in granted} == {"ann.corp"}
    team.run("hop2", "--output", "json").ok()
    assert sandbox.world.granted == granted, "every hop's session was kept"


def test_sources_in_a_circle(team: Home, sandbox: Sandbox) -> None:
    role = "role_arn: arn:aws:iam::111122223333:role/Deploy"
    team.config(f"{CONFIG}  one: {{source: two, {role}}}\n  two: {{source: one, {role}}}\n")
    error = team.run("one", "--output", "json").error
    assert (error["exit"], "circle" in error["message"]) == (2, True)


def test_exec_hands_over_the_session_and_the_exit_code(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    done = team.run(
        "exec", "dev", "--", "sh", "-c", 'echo "$AWS_ACCESS_KEY_ID:$AWS_PROFILE"; exit 7',
        env={"AWS_PROFILE": "stale", "AWS_SECURITY_TOKEN": "old"},
    )  # fmt: skip
    assert done.code == 7
    key, profile = done.out.strip().split(":")
    assert key.startswith("ASIA")
    assert profile == ""


def test_exec_without_the_command(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    assert team.run("exec", "dev", "--", "no-such-command").code == 127
    assert team.run("exec", "dev", "--", "/etc/passwd").code == 126
    assert team.run("exec", "dev", "aws").code == 2


def test_remove_forgets_keys_and_sessions(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.run("dev").ok()
    team.run("remove", "dev").ok()
    assert team.run("dev", "--output", "json").error["code"] == "keychain"


def test_logout_forgets_the_session_alone(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.run("dev").ok()
    assert team.run("status", "--output", "json").json[0]["fresh"] is True
    team.run("logout", "dev").ok()
    assert team.run("status", "--output", "json").json == []
    assert team.run("dev", "--output", "json").ok().json["from_cache"] is False


def test_wrong_keys_are_refused(team: Home, sandbox: Sandbox) -> None:
    document = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40}
    team.run("add", "dev", "--stdin", stdin=json.dumps(document)).ok()
    error = team.run("dev", "--output", "json").error
    assert (error["code"], error["exit"], error["profile"]) == ("login_refused", 3, "dev")


def test_a_dead_server_is_a_network_error(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    done = team.run("dev", "--output", "json", env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"})
    assert (done.code, done.error["code"]) == (5, "network")


def test_another_endpoint_never_gets_the_cached_session(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.run("dev").ok()
    assert team.run("dev", env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}).code == 5


def test_an_edited_role_never_serves_the_old_one(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.run("deploy").ok()
    team.config(
        CONFIG.replace("role/Deploy", "role/ReadOnly").replace("duration: 2h", "duration: 1h")
    )
    assert ":assumed-role/ReadOnly/" in team.run("deploy", "--output", "json").ok().json["arn"]


def test_a_refused_role(team: Home, sandbox: Sandbox) -> None:
    add(team, sandbox).ok()
    team.config(CONFIG.replace("role/Deploy", "role/MfaOnly"))
    assert team.run("deploy", "--output", "json").error["exit"] == 8


@pytest.mark.parametrize("words", [("audit", "--duration", "2h"), ("deploy", "--duration", "13h")])
def test_an_impossible_duration_asks_nobody(
    team: Home, sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    add(team, sandbox).ok()
    assert team.run(*words).code == 2
    assert sandbox.calls("sts") == []


def test_add_says_nothing_of_what_it_read(team: Home) -> None:
    done = team.run("add", "dev", "--stdin", stdin='{"AccessKeyId": "wJalrXUtnFEMIK7MDENG"}')
    assert done.code == 2
    assert "wJalrXUtnFEMI" not in done.out + done.err


def test_a_role_has_no_keys_of_its_own(team: Home, sandbox: Sandbox) -> None:
    done = add(team, sandbox, "deploy")
    assert done.code == 2
    assert "those of dev" in done.err


def test_keys_in_a_vault_that_nobody_opens(team: Home) -> None:
    """Such as in a child of `exec`, which does not inherit the passphrase."""
    locked = {"AWSLOGIN_PASSPHRASE": None}
    error = team.run("dev", "--force", "--output", "json", env=locked).error
    assert error["exit"] == 7
    assert "AWSLOGIN_PASSPHRASE" in error["hint"]


def test_one_name_serves_the_ci_job_and_the_laptop_with_keys(team: Home, sandbox: Sandbox) -> None:
    role = "arn:aws:iam::111122223333:role/Deploy"
    team.config(
        CONFIG.replace("providers:\n", "providers:\n  ci: {type: web-identity, token: {env: T}}\n")
        + f'  both: {{provider: [ci, keys], role_arn: "{role}"}}\n'
    )
    add(team, sandbox, "both").ok()
    assert team.run("both", "--output", "json").ok().json["provider"] == "keys"
    team.run("both", env={"T": sandbox.issuer.token()})
    (asked,) = sandbox.calls("sts", "AssumeRoleWithWebIdentity")
    assert asked.form["RoleArn"] == role
