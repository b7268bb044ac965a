"""Sessions that may do less than their role: `--read-only`, `--policy`, `--policy-arn`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest
import requests

from tests.configs import PROFILES, config, form, identity_center
from tests.sandbox import DEV, Sandbox
from tests.sandbox.openid import CLIENT
from tests.support import COMMAND, Home
from tests.terminal import Terminal

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
TRY = """
import boto3, botocore.exceptions, sys
iam = boto3.client("iam")
print("read", len(iam.list_access_keys(UserName=sys.argv[1])["AccessKeyMetadata"]))
try:
    iam.create_access_key(UserName=sys.argv[1])
    print("wrote")
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""
CHILD = ("--", sys.executable, "-c", SHOW)
WRITER = ("--", sys.executable, "-c", TRY, "bob")
ALLOW_KEYS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": "*"}],
}


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """Bob's keys, roles of every kind, and a role that manages bob's keys."""
    sandbox.world.key_managers.add("Deploy")
    role = f'role_arn: "arn:aws:iam::{DEV}:role/CiDeploy"'
    signed_up.config(
        config(
            "dev",
            "deploy",
            "prod",
            "audit",
            providers={
                "sso": form(sandbox.idp.url),
                "corp": identity_center(sandbox.start_url),
                "tool": f'type: process, command: ["{sys.executable}", "-c", "exit(9)"]',
                "login": "type: aws-login",
                "ci": "type: web-identity, token: {env: T}",
                "hub": "type: web-identity, token: github",
                "people": f'type: oidc, issuer: "{sandbox.openid.url}", client_id: {CLIENT},'
                " flow: device",
            },
            profiles={
                "stage": PROFILES["stage"],
                "tooled": "provider: tool",
                "console": "provider: login",
                "job": f"provider: ci, {role}, session_name: job",
                "either": 'provider: [ci, corp], account: "111122223333", role: CiDeploy',
                "person": f'provider: people, role_arn: "arn:aws:iam::{DEV}:role/People"',
                "own": 'source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy",'
                f" policy: {json.dumps(ALLOW_KEYS)}",
                "read": 'source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy",'
                f' policy_arns: ["{READ_ONLY}"]',
                "tagged": 'source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy",'
                " session_tags: {ticket: T-1}, transitive_tags: [ticket], source_identity: bob",
            },
        )
    )
    signed_up.environ["AWSLOGIN_PASSWORD_SSO"] = sandbox.world.people["ann"].password
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    sandbox.requests.clear()
    return signed_up


@pytest.fixture
def policy(team: Home) -> Path:
    path = team.folder / "policy.json"
    path.write_text(json.dumps(ALLOW_KEYS, indent=4))
    return path


def granted(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.world.granted[-1]


def status(home: Home) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = home.run("status", "--output", "json").ok().json
    return rows


def test_a_narrowed_session_reads_and_cannot_write(team: Home, sandbox: Sandbox) -> None:
    done = team.run("exec", "deploy", "--read-only", *WRITER)
    assert done.ok().out.split("\n")[:2] == ["read 1", "AccessDenied"]
    assert (granted(sandbox)["policy_arns"], granted(sandbox)["policy"]) == ([READ_ONLY], None)
    assert granted(sandbox)["session"] == "ann-ro"
    assert team.run("exec", "deploy", *WRITER).ok().out.split("\n")[:2] == ["read 1", "wrote"]


def test_a_policy_goes_along_compact(team: Home, sandbox: Sandbox, policy: Path) -> None:
    done = team.run("exec", "deploy", "--policy", str(policy), *WRITER)
    assert done.ok().out.split("\n")[:2] == ["read 1", "wrote"]
    assert granted(sandbox)["policy"] == json.dumps(ALLOW_KEYS, separators=(",", ":"))
    assert granted(sandbox)["session"] == "ann-narrowed"


def test_several_policies_are_a_union(team: Home, sandbox: Sandbox, policy: Path) -> None:
    arn = f"arn:aws:iam::{DEV}:policy/Nothing"
    words = ("--policy-arn", arn, "--policy", str(policy), "--read-only")
    done = team.run("exec", "deploy", *words, *WRITER)
    assert "wrote" in done.ok().out
    assert granted(sandbox)["policy_arns"] == [arn, READ_ONLY]


def test_each_narrowing_is_a_session_of_its_own(team: Home, sandbox: Sandbox, policy: Path) -> None:
    ways = [(), ("--read-only",), ("--policy", str(policy))]
    keys = [team.run("exec", "deploy", *way, *CHILD).ok().json for way in ways]
    assert len({one["AWS_ACCESS_KEY_ID"] for one in keys}) == 3
    again = [team.run("exec", "deploy", *way, *CHILD).ok().json for way in ways]
    assert [one["AWS_ACCESS_KEY_ID"] for one in again] == [one["AWS_ACCESS_KEY_ID"] for one in keys]
    as_arn = team.run("exec", "deploy", "--policy-arn", READ_ONLY, *CHILD).ok().json
    assert as_arn["AWS_ACCESS_KEY_ID"] == keys[1]["AWS_ACCESS_KEY_ID"]
    assert (
        team.run("deploy", "--output", "json").ok().json["access_key_id"]
        == (keys[0]["AWS_ACCESS_KEY_ID"])
    )
    rows = [row for row in status(team) if row["profile"] == "deploy"]
    assert "narrowed" not in rows[0]
    inline, managed = sorted((row["narrowed"] for row in rows[1:]), reverse=True)
    assert managed == [READ_ONLY]
    assert inline[0].startswith("policy:")
    shown = team.run("status").ok().out
    assert "ReadOnlyAccess" in shown
    assert team.run("logout", "deploy").ok().out == "signed out; 3 sessions forgotten\n"
    assert [row["profile"] for row in status(team)] == []


def test_the_table_of_profiles_tells_of_whole_sessions(team: Home) -> None:
    team.run("exec", "deploy", "--read-only", "--", "true").ok()
    assert "SIGNED IN" not in team.run("list").ok().out
    team.run("deploy").ok()
    assert "SIGNED IN" in team.run("list").ok().out


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("dev", "GetSessionToken takes no session policy"),
        ("stage", "Identity Center takes no session policy"),
        ("tooled", "its command says what the session may do"),
        ("console", "the console's sign-in takes no session policy"),
        ("either", "Identity Center takes no session policy"),
    ],
)
def test_a_kind_that_cannot_be_narrowed_is_told_before_any_call(
    team: Home, sandbox: Sandbox, profile: str, told: str
) -> None:
    for words in (("exec",), ("exec", "--server"), ("env",), ("shell",), ("serve",)):
        after = ("--", "true") if words[0] == "exec" else ()
        done = team.run(words[0], profile, *words[1:], "--read-only", *after)
        assert (done.code, told in done.err, f"source: {profile}" in done.err) == (2, True, True)
    assert sandbox.requests == []


def test_several_of_which_one_cannot_sign_nobody_in(team: Home, sandbox: Sandbox) -> None:
    done = team.run("serve", "deploy", "dev", "--read-only", "--output", "json")
    assert (done.error["exit"], done.error["profile"]) == (2, "dev")
    assert sandbox.requests == []


def test_of_a_list_the_one_that_would_run_counts(team: Home, sandbox: Sandbox) -> None:
    token = {"T": sandbox.issuer.token()}
    team.run("exec", "either", "--read-only", *CHILD, env=token).ok()
    assert granted(sandbox)["policy_arns"] == [READ_ONLY]


def test_web_identity(team: Home, sandbox: Sandbox) -> None:
    inside = team.run(
        "exec", "job", "--read-only", *CHILD, env={"T": sandbox.issuer.token()}
    ).ok().json  # fmt: skip
    assert (granted(sandbox)["session"], granted(sandbox)["policy_arns"]) == ("job-ro", [READ_ONLY])
    assert "T" not in inside


def test_saml_whose_session_name_is_the_assertions(team: Home, sandbox: Sandbox) -> None:
    team.run("exec", "prod", "--read-only", *CHILD).ok()
    assert (granted(sandbox)["session"], granted(sandbox)["policy_arns"]) == ("ann", [READ_ONLY])


def test_a_chain_is_narrowed_at_its_end(team: Home, sandbox: Sandbox) -> None:
    team.run("exec", "audit", "--read-only", *CHILD).ok()
    first, last = sandbox.world.granted[-2:]
    assert (first["policy_arns"], last["policy_arns"]) == ([], [READ_ONLY])
    assert last["session"] == "ann-ro"


def test_a_person_of_an_openid_provider(team: Home, sandbox: Sandbox) -> None:
    terminal = Terminal(team, "exec", "person", "--read-only", *CHILD)
    sandbox.openid.confirm(terminal.wait_for(r"the code (\S+)").group(1), "ann")
    terminal.finish().ok()
    assert (granted(sandbox)["action"], granted(sandbox)["policy_arns"]) == (
        "AssumeRoleWithWebIdentity",
        [READ_ONLY],
    )


def test_tags_and_source_identity_stay(team: Home, sandbox: Sandbox) -> None:
    team.run("exec", "tagged", "--read-only", "--", "true").ok()
    told = granted(sandbox)
    assert (told["tags"], told["transitive"]) == ({"ticket": "T-1"}, ["ticket"])
    assert (told["source_identity"], told["session"]) == ("bob", "ann-ro")


def test_a_profile_with_policies_of_its_own_gets_no_wider(
    team: Home, sandbox: Sandbox, policy: Path
) -> None:
    for profile, words in (
        ("own", ("--read-only",)),
        ("own", ("--policy", str(policy), "--read-only")),
        ("read", ("--policy", str(policy))),
        ("read", ("--policy-arn", f"arn:aws:iam::{DEV}:policy/More", "--read-only")),
    ):
        done = team.run("exec", profile, *words, "--", "true")
        assert (done.code, "wider" in done.err) == (2, True)
    assert sandbox.requests == []
    team.run("exec", "own", "--policy", str(policy), *WRITER).ok()  # the same is no other
    assert team.run("exec", "read", "--read-only", *WRITER).ok().out.endswith("AccessDenied\n")


def test_a_profile_of_an_extended_file(team: Home, sandbox: Sandbox) -> None:
    (team.folder / "base.yaml").write_text((team.folder / "config.yaml").read_text())
    team.config('version: 1\nextends: ["base.yaml"]\nprofiles: {deploy: {tags: {a: b}}}\n')
    team.run("exec", "deploy", "--read-only", "--", "true").ok()
    assert granted(sandbox)["policy_arns"] == [READ_ONLY]


NAMES = """
AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_SESSION_TOKEN
AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWSLOGIN_AGENT_TOKEN AWSLOGIN_MFA_CODE AWS_PROFILE
ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_ID_TOKEN_REQUEST_URL GITLAB_OIDC_TOKEN T
CIRCLE_OIDC_TOKEN_V2 CI_JOB_JWT_V2 AWS_WEB_IDENTITY_TOKEN_FILE
"""
STALE = dict.fromkeys(NAMES.split(), "stale")


@pytest.mark.parametrize("how", [(), ("--server",)])
def test_a_child_has_no_way_to_the_whole_session(team: Home, how: tuple[str, ...]) -> None:
    inside = team.run("exec", "deploy", "--read-only", *how, *CHILD, env=STALE).ok().json
    assert "stale" not in inside.values()
    ours = {name: value for name, value in inside.items() if name.startswith("AWSLOGIN_")}
    assert ours == {
        "AWSLOGIN_AGENT": "off",
        "AWSLOGIN_NARROWED": "deploy",
        "AWSLOGIN_PROFILE": "deploy",
        "AWSLOGIN_CONFIG": team.environ["AWSLOGIN_CONFIG"],
    }
    assert str(team.folder / "awslogin") not in str(inside)


@pytest.mark.parametrize(
    "words",
    [
        "creds deploy", "deploy", "env deploy", "exec deploy -- true", "serve deploy", "dev deploy",
        "exec deploy --read-only -- true", "exec dev --no-session -- true", "whoami deploy",
        "console deploy --print", "rotate dev", "shell deploy", "discover sso",
    ],
)  # fmt: skip
def test_inside_of_it_no_session_is_handed_out_without_the_person(
    team: Home, sandbox: Sandbox, words: str
) -> None:
    """Though state, passphrase and a fresh whole session are all there."""
    team.run("deploy").ok()
    before = len(sandbox.requests)
    done = team.run(*words.split(), env={"AWSLOGIN_NARROWED": "deploy"})
    assert (done.code, "narrowed session of deploy" in done.err) == (4, True)
    assert "ASIA" not in done.out
    assert len(sandbox.requests) == before


def test_what_an_sdk_of_the_child_starts_gets_nothing(team: Home) -> None:
    """`credential_process` of the person's own AWS files is the way that a program tries first."""
    team.run("deploy").ok()
    inner = f"{COMMAND} creds deploy; echo $?"
    done = team.run("exec", "deploy", "--read-only", "--", "sh", "-c", inner).ok()
    assert done.out == "4\n"


def test_nor_does_one_that_takes_the_mark_away(team: Home) -> None:
    """The processes it stems from keep it: here even the passphrase is at hand."""
    team.run("deploy").ok()
    names = ("AWSLOGIN_HOME", "AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE")
    given = " ".join(f"{name}='{team.environ[name]}'" for name in names)
    inner = f"env -u AWSLOGIN_NARROWED {given} {COMMAND} creds deploy; echo $?"
    done = team.run("exec", "deploy", "--read-only", "--", "sh", "-c", inner).ok()
    assert done.out == "4\n", done.err


def test_nor_one_far_below_it(team: Home) -> None:
    """A hundred shells stand between them, each started by the one before."""
    team.run("deploy").ok()
    names = ("AWSLOGIN_HOME", "AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE")
    given = " ".join(f"{name}='{team.environ[name]}'" for name in names)
    script = team.folder / "below.sh"
    below = 'if [ "$1" -gt 0 ]; then sh "$0" $(($1 - 1)); exit; fi'
    script.write_text(f"{below}\n{given} {COMMAND} creds deploy\necho $?\n")
    inner = f"env -u AWSLOGIN_NARROWED sh {script} 100; true"
    done = team.run("exec", "deploy", "--read-only", "--", "sh", "-c", inner).ok()
    assert done.out == "4\n", done.err


def test_a_person_at_the_terminal_may_let_it_out(team: Home) -> None:
    inside = {"AWSLOGIN_NARROWED": "deploy"}
    terminal = Terminal(team, "exec", "deploy", *CHILD, env=inside)
    terminal.answer("inside a narrowed session of deploy", "n")
    assert terminal.finish().code == 3
    terminal = Terminal(team, "exec", "deploy", *CHILD, env=inside)
    terminal.answer("inside a narrowed session of deploy", "y")
    assert "AWSLOGIN_NARROWED" not in terminal.finish().ok().json
    terminal = Terminal(team, "env", "deploy", env={**inside, "SHELL": "sh"})
    terminal.answer("inside a narrowed session of deploy", "y")
    assert terminal.finish().ok().out.startswith("unset AWSLOGIN_NARROWED;\n")


def test_inside_of_it_one_can_look_and_take_back(team: Home) -> None:
    team.run("exec", "deploy", "--read-only", "--", "true").ok()
    inside = {"AWSLOGIN_NARROWED": "deploy"}
    for words in ("status", "list", "explain deploy", "config check", "agent status"):
        team.run(*words.split(), env=inside).ok()
    assert "1 session forgotten" in team.run("logout", "deploy", env=inside).ok().out


def test_narrow_inside_of_a_whole_one(team: Home) -> None:
    outer = team.run("exec", "deploy", *CHILD).ok().json
    nested = {**outer, "AWSLOGIN_PASSPHRASE": team.environ["AWSLOGIN_PASSPHRASE"]}
    inside = team.run("exec", "deploy", "--read-only", *CHILD, env=nested).ok().json
    assert inside["AWS_ACCESS_KEY_ID"] != outer["AWS_ACCESS_KEY_ID"]
    assert outer["AWS_SESSION_TOKEN"] not in inside.values()


def test_no_keys_of_a_user_are_narrowed(team: Home) -> None:
    done = team.run("exec", "dev", "--no-session", "--read-only", "--", "true")
    assert (done.code, "which nothing narrows" in done.err) == (2, True)


def test_a_served_one_is_short(team: Home, sandbox: Sandbox) -> None:
    for words, seconds in (
        (("exec", "deploy", "--read-only"), 3600),
        (("exec", "deploy", "--read-only", "--server"), 900),
        (("exec", "deploy", "--read-only", "--server", "--duration", "30m"), 1800),
    ):
        team.run(*words, "--", "true").ok()
        assert granted(sandbox)["seconds"] == seconds


def test_env_for_each_shell(team: Home) -> None:
    for output in ("env", "fish", "powershell", "cmd"):
        text = team.run("env", "deploy", "--read-only", "--output", output, env=STALE).ok().out
        for name in ("AWSLOGIN_NARROWED", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_PROFILE"):
            assert name in text, output
    session = team.run("env", "deploy", "--read-only", "--output", "json").ok().json
    assert session["arn"].endswith("/Deploy/ann-ro")
    assert session["from_cache"]
    assert team.run("env", "deploy", "--read-only", "--output", "json", "--force").ok().json[
        "access_key_id"
    ] != session["access_key_id"]  # fmt: skip
    folder = str(Path(COMMAND).parent)
    done = subprocess.run(
        ["sh", "-c", 'eval "$(awslogin env deploy --read-only)"; awslogin creds deploy; echo $?'],
        env=team.env({"PATH": f"{folder}:{os.environ['PATH']}"}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "4\n", done.stderr


def test_serve_two_profiles_narrowed(team: Home, sandbox: Sandbox) -> None:
    """The one's source is the other: its own session is needed whole, and is not handed out."""
    with team.start("serve", "prod", "audit", "--read-only", "--output", "json") as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "}\n")
        served = json.loads("".join(lines) + "}")
        keys = []
        for row in served["profiles"]:
            head = {"Authorization": row["authorization_token"]}
            keys.append(requests.get(row["uri"], headers=head, timeout=60).json()["AccessKeyId"])
        process.terminate()
        process.communicate(timeout=60)
    asked = {one["key_id"]: one["policy_arns"] for one in sandbox.world.granted}
    assert [asked[key] for key in keys] == [[READ_ONLY], [READ_ONLY]]
    assert [row["narrowed"] for row in served["profiles"]] == [[READ_ONLY], [READ_ONLY]]


def test_a_renewal_that_could_not_narrow_serves_nothing(team: Home, sandbox: Sandbox) -> None:
    """The token that made the list's first provider work is gone: the second takes no policy."""
    file = team.folder / "token"
    file.write_text(sandbox.issuer.token(seconds=7200))
    team.config(
        config(
            providers={
                "ci": f'type: web-identity, token: {{file: "{file}"}}',
                "corp": identity_center(sandbox.start_url),
            },
            either='provider: [ci, corp], account: "111122223333", role: CiDeploy',
        )
    )
    sandbox.world.lifetime = 2
    code = (
        "import json, os, time, urllib.request, urllib.error\n"
        "os.remove(os.environ['FILE'])\n"
        "def ask():\n"
        "    url = os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI']\n"
        "    head = {'Authorization': os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']}\n"
        "    return urllib.request.urlopen(urllib.request.Request(url, headers=head), timeout=60)\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        ask().close()\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(json.load(error)['message']); break\n"
        "    time.sleep(0.1)\n"
    )
    words = ("exec", "either", "--read-only", "--server", "--", sys.executable, "-c", code)
    done = team.run(*words, env={"FILE": str(file)})
    assert "cannot be narrowed" in done.ok().out
    assert sandbox.calls("portal") == []


@pytest.fixture
def with_agent(team: Home) -> Iterator[Home]:
    del team.environ["AWSLOGIN_AGENT"]
    time.sleep(0.1)  # a config that has changed just now proves nothing
    yield team
    team.run("agent", "stop")


def test_an_agent_answers_no_narrowed_call_and_holds_none(with_agent: Home) -> None:
    whole = with_agent.run("deploy", "--output", "json").ok().json
    narrowed = with_agent.run("env", "deploy", "--read-only", "--output", "json").ok().json
    assert narrowed["arn"].endswith("-ro")
    assert with_agent.run("creds", "deploy").ok().json["AccessKeyId"] == whole["access_key_id"]
    assert with_agent.run("agent", "status", "--output", "json").ok().json["sessions"] == 1
    inside = with_agent.run("creds", "deploy", env={"AWSLOGIN_NARROWED": "deploy"})
    assert (inside.code, inside.out) == (4, "")
    home = f"AWSLOGIN_HOME='{with_agent.environ['AWSLOGIN_HOME']}'"
    inner = f"env -u AWSLOGIN_NARROWED -u AWSLOGIN_AGENT {home} {COMMAND} creds deploy; echo $?"
    unmarked = with_agent.run("exec", "deploy", "--read-only", "--", "sh", "-c", inner).ok()
    assert unmarked.out == "4\n", unmarked.err
    assert with_agent.run("agent", "status", "--output", "json").ok().json["sessions"] == 1
    child = with_agent.run("exec", "deploy", "--read-only", *CHILD).ok().json
    assert child["AWSLOGIN_AGENT"] == "off"
    done = with_agent.run("env", "deploy", "--read-only", "--server")
    assert (done.code, "awslogin serve deploy" in done.err) == (2, True)


def written(home: Home, content: bytes) -> str:
    path = home.folder / "bad.json"
    path.write_bytes(content)
    return str(path)


STATEMENT = b'"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1"),
        (b"Version: 2012-10-17", "line 1, column 1"),
        (b"[]", "no `Statement`"),
        (b'{"Version": "2012-10-17"}', "no `Statement`"),
        (b'{"Statement": [], "Statement": {}}', "`Statement` stands twice"),
        (b'{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}', "`Effect` stands twice"),
        (b'{"Statement": [NaN]}', "no JSON"),
        (b'{"Statement": ["\0"]}', "no JSON"),
        (b"\xff\xfe\xff", "no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{" + STATEMENT + b', "Sid": "' + b"x" * 2100 + b'"}', "AWS takes 2,048"),
        (b" " * (1 << 20) + b"{}", "larger than any"),
    ],
)
def test_what_is_no_policy(team: Home, sandbox: Sandbox, content: bytes, told: str) -> None:
    done = team.run("exec", "deploy", "--policy", written(team, content), "--", "true")
    assert (done.code, told in done.err, len(done.err) < 600) == (2, True, True), done.err
    assert sandbox.requests == []


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", None])
def test_a_policy_as_editors_of_windows_write_it(
    team: Home, sandbox: Sandbox, mark: bytes | None
) -> None:
    text = "{" + STATEMENT.decode() + ', "Id": "\u00fc"}'
    content = mark + text.encode() if mark else text.encode("utf-16")
    team.run("exec", "deploy", "--policy", written(team, content), "--", "true").ok()
    assert json.loads(granted(sandbox)["policy"])["Id"] == "\u00fc"


def test_the_limit_counts_without_spaces(team: Home, sandbox: Sandbox) -> None:
    filling = 2048 - len(json.dumps(ALLOW_KEYS, separators=(",", ":"))) - len(',"Id":""')
    long = json.dumps(ALLOW_KEYS | {"Id": "x" * filling}, indent=8).encode()
    team.run("exec", "deploy", "--policy", written(team, long), "--", "true").ok()
    assert len(granted(sandbox)["policy"]) == 2048
    other = json.dumps(ALLOW_KEYS | {"Id": "\u4e2d"}, ensure_ascii=False).encode()
    team.run("exec", "deploy", "--policy", written(team, other), "--", "true").ok()
    assert granted(sandbox)["policy"].isascii()


def hard_to_pack(characters: int) -> bytes:
    """A policy of so many characters, none of which repeats another."""
    random = Random(23)
    names = ("".join(random.choices(ascii_letters + digits, k=60)) for _ in range(99))
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": []}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    while len(content := json.dumps(policy, separators=(",", ":"))) < characters:
        statement["Resource"] = [*statement["Resource"], f"arn:aws:s3:::{next(names)}"]
    return content.encode()


def test_what_aws_cannot_pack_is_told(team: Home, sandbox: Sandbox) -> None:
    """It is short enough for all that can be counted beforehand."""
    policy = hard_to_pack(1950)
    assert len(policy) <= 2048
    words = ("--policy", written(team, policy))
    done = team.run("env", "deploy", *words, "--output", "json")
    assert (done.code, done.error["code"], done.error["profile"]) == (2, "config", "deploy")
    assert re.search(r"Packed policy consumes 1\d\d% of allotted space", done.error["message"])
    assert "--policy-arn" in done.error["hint"]
    assert len(sandbox.calls("sts", "AssumeRole")) == 1, "a try that cannot succeed is not repeated"
    assert team.run("exec", "deploy", *words, "--server", "--", "true").code == 2
    served = team.run("serve", "deploy", *words, "--output", "json")
    assert (served.code, served.out) == (2, "")
    team.run("exec", "deploy", "--policy", written(team, hard_to_pack(900)), "--", "true").ok()


def test_tags_and_policies_share_the_room(team: Home) -> None:
    def tagged(count: int) -> str:
        tags = ", ".join(f'T{number}: "{"a" * 250}"' for number in range(count))
        return PROFILES["deploy"] + f", session_tags: {{{tags}}}"

    team.config(config("dev", few=tagged(1), many=tagged(4), lots=tagged(5)))
    words = ("--policy", written(team, hard_to_pack(900)), "--", "true")
    team.run("exec", "few", *words).ok()
    team.run("many").ok()
    for profile, told in (("many", "Packed policy consumes"), ("lots", "of session tags consumes")):
        done = team.run("exec", profile, *words)
        assert (done.code, told in done.err, "session_tags" in done.err) == (2, True, True), (
            done.err
        )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--policy", ""), "takes a file"),
        (("--policy", "-"), "takes a file"),
        (("--policy", "/nowhere/policy.json"), "cannot be read"),
        (("--policy", "/"), "cannot be read"),
        (("--policy", "a", "--policy", "b"), "given twice"),
        (("--policy-arn", ""), "takes a policy's ARN"),
        (("--policy-arn", "ReadOnlyAccess"), "takes a policy's ARN"),
        (("--policy-arn", f"{READ_ONLY}\n"), "takes a policy's ARN"),
        (("--policy-arn", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess"), "is not in aws"),
        (("--policy-arn", "arn:aws:iam::999988887777:policy/x"), "not in the account of deploy"),
        (tuple(f"--policy-arn=arn:aws:iam::aws:policy/P{n}" for n in range(11)), "AWS takes 10"),
    ],
)
def test_options_that_say_nothing_sound(
    team: Home, sandbox: Sandbox, words: tuple[str, ...], told: str
) -> None:
    done = team.run("exec", "deploy", *words, "--", "true")
    assert (done.code, told in done.err) == (2, True), done.err
    assert sandbox.requests == []


def test_a_pipe_may_hold_the_policy(team: Home, sandbox: Sandbox) -> None:
    words = ("exec", "deploy", "--policy", "/dev/stdin", "--", "true")
    team.run(*words, stdin=json.dumps(ALLOW_KEYS)).ok()
    assert granted(sandbox)["policy"]


def test_the_default_profile_is_narrowed_too(team: Home, sandbox: Sandbox) -> None:
    team.run("env", "--read-only", "--output", "json", env={"AWSLOGIN_PROFILE": "deploy"}).ok()
    assert granted(sandbox)["policy_arns"] == [READ_ONLY]


def test_a_narrowed_session_nears_its_end_as_any(team: Home, sandbox: Sandbox) -> None:
    words = ("env", "deploy", "--read-only", "--output", "json", "--duration", "15m")
    first = team.run(*words).ok().json
    lasts = datetime.fromisoformat(first["expires_at"]) - datetime.fromisoformat(first["issued_at"])
    assert 890 <= lasts.total_seconds() <= 901
    assert team.run(*words, "--min-ttl", "1h").ok().json["from_cache"]


@pytest.mark.parametrize(
    "policy", [f'policy_arns: ["{READ_ONLY}"]', f"policy: {json.dumps(ALLOW_KEYS)}"]
)
def test_a_policy_that_would_count_for_nothing_spoils_its_profile(home: Home, policy: str) -> None:
    corp = identity_center("https://corp.awsapps.com/start")
    home.config(config(providers={"corp": corp}, stage=f"{PROFILES['stage']}, {policy}"))
    done = home.run("stage")
    assert (done.code, "Identity Center takes no `policy" in done.err) == (2, True), done.err
