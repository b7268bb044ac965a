"""`list` and `status` tell the same whether a profile's sign-in is kept or found anew."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pytest

from broker import launch
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from tests.configs import config
from tests.kills import moments, run_killed
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home

ROLE = 'account: "111122223333", role: Developer'
PROVIDERS = {
    "ci": "type: web-identity, token: {env: AWS_OIDC_TOKEN}",
    "corp": "type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1",
    "two": "type: identity-center, start_url: https://two.awsapps.com/start,"
    " region: [eu-west-1, eu-central-1]",
    "form": "type: saml, idp: form, url: https://sso.corp.example/idp, username: ann",
    "console": "type: aws-login, region: eu-west-1",
    "people": "type: oidc, issuer: https://login.corp.example/realms/people, client_id: awslogin",
    "tool": "type: process, command: [tsh, aws]",
}
PROFILES = {name: f"provider: {name}, {ROLE}" for name in ("ci", "corp", "two", "form")} | {
    "console": "provider: console",
    "people": 'provider: people, role_arn: "arn:aws:iam::111122223333:role/People"',
    "tool": "provider: tool",
    "either": f"provider: [ci, corp], {ROLE}, tags: {{tier: prod, team: pay}}",
    "audit": 'source: either, role_arn: "arn:aws:iam::777788889999:role/Audit"',
    "spoiled": "provider: nobody",
    "lacking": "provider: corp",
}
NEED_THE_WHOLE_CONFIG = ("tool", "spoiled", "lacking")
"""One that names a command, and those of which a warning is told."""
CONFIG = config("dev", "deploy", providers=PROVIDERS, profiles=PROFILES)
COMMANDS = [(name, *more) for name in ("list", "status") for more in ((), ("--output", "json"))]


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """Profiles of every kind of provider, of which two have a session; their sign-ins are kept."""
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.run("deploy").ok()
    signed_up.run("dev").ok()
    while not records(signed_up):  # the config must have some age
        signed_up.run("list").ok()
    return signed_up


def records(home: Home) -> list[Path]:
    return list((home.folder / "awslogin" / "sign-ins").glob("*.json"))


def shown(home: Home, **env: str | None) -> list[tuple[str, str]]:
    """What both commands write to stdout and stderr, without what a minute changes."""
    results = [home.run(*words, env=env).ok() for words in COMMANDS]
    return [(re.sub(r"\d+h\d\dm", "", done.out), done.err) for done in results]


def shown_anew(home: Home, **env: str | None) -> list[tuple[str, str]]:
    """The same where nothing is kept: each sign-in is found by its provider."""
    results = []
    for words in COMMANDS:
        for record in records(home):
            record.unlink()
        done = home.run(*words, env=env).ok()
        results.append((re.sub(r"\d+h\d\dm", "", done.out), done.err))
    return results


def test_what_is_kept_is_what_is_found(team: Home) -> None:
    recorded = shown(team)
    rows = {row["profile"]: row for row in json.loads(recorded[1][0])}
    assert {row["type"] for row in rows.values()} == {
        "static", "web-identity", "identity-center", "saml", "aws-login", "oidc", "process",
    }  # fmt: skip
    assert rows["either"]["provider"] == rows["audit"]["provider"] == "corp"
    assert "spoiled" in recorded[0][1]
    assert "lacking" in recorded[0][1]
    assert [row["profile"] for row in json.loads(recorded[3][0])] == ["dev", "deploy"]
    assert recorded == shown_anew(team)


@pytest.mark.parametrize("words", COMMANDS)
def test_no_provider_and_no_dear_library_is_loaded(team: Home, words: tuple[str, ...]) -> None:
    sound = {name: PROFILES[name] for name in PROFILES if name not in NEED_THE_WHOLE_CONFIG}
    kinds = {name: PROVIDERS[name] for name in PROVIDERS if name != "tool"}
    file = team.config(config("dev", "deploy", providers=kinds, profiles=sound))
    for record in records(team):
        record.unlink()
    while not is_trustworthy(file_fingerprint(str(file))):
        pass  # the config must have some age, else the sign-ins may be kept without it
    team.run("list").ok()
    assert len(records(team)) == 1
    names = loaded(team, *words)
    assert "broker.kept_sign_ins" in names
    assert not names & {"yaml", "pydantic", "importlib.metadata", "botocore", "rich"}
    assert not {name for name in names if name.startswith("providers")}


def loaded(home: Home, *words: str) -> set[str]:
    """The modules that a start loads."""
    command = [sys.executable, "-I", "-S", "-X", "importtime", str(launch.__file__), *words]
    done = subprocess.run(
        command, env=home.env(), cwd=home.work, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"\| +([a-z_0-9.]+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("width", [60, 200])
def test_a_terminal_shows_the_same(team: Home, width: int) -> None:
    def on_screen(**env: str) -> str:
        screen, stdout = os.openpty()
        ioctl(stdout, TIOCSWINSZ, pack("HHHH", 24, width, 0, 0))
        everything = b""
        with subprocess.Popen(
            [COMMAND, "list"], env=team.env() | env, cwd=team.work, stdout=stdout
        ) as process:
            os.close(stdout)
            while piece := _read(screen):
                everything += piece
            process.wait(PATIENCE)
        os.close(screen)
        return re.sub(r"\d+h\d\dm", "", everything.decode())

    for env in ({"TERM": "xterm"}, {"NO_COLOR": "1"}):
        recorded = on_screen(**env)
        assert ("\033[2m" in recorded) == (width > 100 and "NO_COLOR" not in env)
        for record in records(team):
            record.unlink()
        assert on_screen(**env) == recorded


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 1 << 16)
    except OSError:  # EIO: nobody has the other end open any more
        return b""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dev: {provider: keys}", "dev: {provider: tool}"),
        ("provider: [ci, corp]", "provider: [ci, form]"),
        ("team: payments", "team: others"),
    ],
)
def test_an_edited_config_counts(team: Home, before: str, after: str) -> None:
    recorded = shown(team)
    assert before in CONFIG
    team.config(CONFIG.replace(before, after))
    edited = shown(team)
    assert edited != recorded
    assert edited == shown_anew(team)


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_OIDC_TOKEN": "x.e30.x"},
        {"AWS_ENDPOINT_URL_SOMETHING": "http://127.0.0.1:1"},
        {"AWSLOGIN_USERNAME_KEYS": "somebody"},
        {"AWSLOGIN_PASSPHRASE": None},
    ],
)
def test_other_variables_count(team: Home, env: dict[str, str | None]) -> None:
    assert shown(team, **env) == shown_anew(team, **env)


def test_variables_make_a_difference(team: Home) -> None:
    assert "dev" in team.run("status").ok().out
    moved = {"AWS_ENDPOINT_URL_SOMETHING": "http://127.0.0.1:1"}
    assert team.run("status", env=moved).ok().out == "no cached sessions\n"
    rows = team.run("list", "--output", "json", env={"AWS_OIDC_TOKEN": "x.e30.x"}).ok().json
    assert {row["provider"] for row in rows if row["profile"] == "either"} == {"ci"}


def test_without_trust_nothing_is_kept(team: Home) -> None:
    (team.work / "awslogin.yaml").write_text(CONFIG)
    del team.environ["AWSLOGIN_CONFIG"]
    for record in records(team):
        record.unlink()
    team.run("config", "trust", "--yes").ok()
    while not records(team):
        team.run("list").ok()
    trusted = shown(team)
    team.run("config", "trust", "--revoke").ok()
    (record,) = records(team)
    spoilt = json.loads(record.read_text())
    spoilt["sign_ins"]["dev"][0] = "what-was-kept"
    record.write_text(json.dumps(spoilt))
    assert "what-was-kept" not in str(shown(team))
    assert shown(team) == shown_anew(team)
    assert records(team) == []
    assert [out for out, _ in shown(team)] == [out for out, _ in trusted]


def _shortened(record: Path) -> None:
    record.write_bytes(record.read_bytes()[:-1])


def _of_another_shape(record: Path) -> None:
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"sign_ins": {"dev": ["keys"]}}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.write_bytes(b""),
        lambda record: record.write_text("[]"),
        lambda record: record.write_text("{}"),
        lambda record: record.chmod(0o666),
        _shortened,
        _of_another_shape,
    ],
)
def test_a_spoiled_record_is_none(team: Home, spoil: Callable[[Path], object]) -> None:
    recorded = shown(team)
    (record,) = records(team)
    spoil(record)
    assert shown(team) == recorded


def test_it_is_nobody_elses_to_read(team: Home, sandbox: Sandbox) -> None:
    (record,) = records(team)
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.parent.stat().st_mode & 0o777 == 0o700
    assert team.holds_in_plain([*sandbox.secrets(), team.environ["AWSLOGIN_PASSPHRASE"]]) == []


def test_another_version_has_a_record_of_its_own(team: Home) -> None:
    recorded = shown(team)
    team.changes["broker.__version__"] = "99.0"  # type: ignore[assignment]
    assert shown(team) == recorded
    assert len(records(team)) == 2


def test_killed_at_any_change_it_tells_the_same(team: Home) -> None:
    recorded = shown(team)
    for moment in moments(23, among=6):
        for record in records(team):
            record.unlink()
        if run_killed(team, moment, "list"):
            break
        assert shown(team) == recorded


def test_of_very_many_profiles_none_is_kept(signed_up: Home) -> None:
    names = {f"team-{number}": "provider: keys" for number in range(501)}
    signed_up.config(config("dev", profiles=names))
    for _ in range(3):
        assert len(signed_up.run("list").ok().out.splitlines()) == 503
    assert records(signed_up) == []
