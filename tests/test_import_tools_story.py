"""`import SOURCE` through the command: what it says, writes, asks, and leaves alone."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.parts import terminal
from tests.support import COMMAND, Home

AWS = """\
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[profile dev]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Developer
output = json
[profile "my prod"]
source_profile = dev
role_arn = arn:aws:iam::444455556666:role/Admin
[profile machine]
role_arn = arn:aws:iam::444455556666:role/X
credential_source = Environment
"""
ADDED = """\
providers:
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
profiles:
  dev: {provider: corp, account: "111122223333", role: Developer}
  my-prod: {source: dev, role_arn: "arn:aws:iam::444455556666:role/Admin"}
"""
TEAM = """\
# the team's
version: 1   # for ever
team: payments

profiles:
  # the old one
  base: {provider: keys}   # by hand

# at the end
providers: {keys: {type: static}, other: {type: static},}
"""


@pytest.fixture
def cli(home: Home) -> Home:
    """A machine with the AWS CLI's own file, and no config."""
    (home.folder / ".aws").mkdir()
    (home.folder / ".aws" / "config").write_text(AWS)
    return home


def own(home: Home) -> Path:
    return home.folder / "awslogin" / "config.yaml"


def test_nobody_starts_empty(cli: Home) -> None:
    done = cli.run("import", "aws-config").ok()
    assert done.out == f"{own(cli)}: added 1 provider, 2 profiles\n"
    assert own(cli).read_text() == "version: 1\n" + ADDED
    assert stat.S_IMODE(own(cli).stat().st_mode) == 0o600
    assert "'my prod' is called my-prod" in done.err
    assert "`credential_source` of machine: " in done.err
    assert "`output` of dev: " in done.err
    listed = cli.run("list", "--output", "json").ok().json
    assert [row["profile"] for row in listed] == ["dev", "my-prod"]


def test_a_second_run_changes_nothing(cli: Home) -> None:
    cli.run("import", "aws-config").ok()
    before = own(cli).read_bytes(), own(cli).stat().st_mtime_ns
    done = cli.run("import", "aws-config").ok()
    assert done.out == f"{own(cli)}: unchanged\n"
    assert "kept as they are, there were profiles of these names: dev, my-prod" in done.err
    assert (own(cli).read_bytes(), own(cli).stat().st_mtime_ns) == before


def test_what_the_extended_files_have_stays_and_is_used(cli: Home) -> None:
    """A profile of theirs is kept and told; their sign-in serves the new profiles."""
    base = (
        "version: 1\nproviders:\n  keys: {type: static}\n  company: {type: identity-center,"
        " start_url: 'https://corp.awsapps.com/start', region: eu-west-1}\n"
        "profiles:\n  dev: {provider: keys}\n"
    )
    theirs = cli.config(base, "base.yaml")
    ours = cli.config("version: 1\nextends: [base.yaml]\n")
    with (cli.folder / ".aws" / "config").open("a") as file:
        file.write("[profile ops]\nsso_session = corp\nsso_account_id = 111122223333\n")
        file.write("sso_role_name = Ops\n")
    document = cli.run("import", "aws-config", "--output", "json").ok().json
    assert document["added"] == {"providers": [], "profiles": ["my-prod", "ops"]}
    assert document["kept"] == ["dev"]
    assert document["file"] == str(ours)
    assert theirs.read_text() == base
    explained = cli.run("explain", "ops", "--output", "json").ok().out
    assert "https://corp.awsapps.com/start" in explained
    assert "provider: company" in ours.read_text()
    again = cli.run("import", "aws-config", "--output", "json").ok().json
    assert again["added"] == {"providers": [], "profiles": []}
    assert again["kept"] == ["dev", "my-prod", "ops"]


def test_dry_run_prints_the_yaml_and_writes_nothing(cli: Home) -> None:
    done = cli.run("import", "aws-config", "--dry-run").ok()
    assert done.out == ADDED
    assert not own(cli).exists()
    document = cli.run("import", "aws-config", "--dry-run", "--output", "json").ok().json
    assert document["yaml"] == ADDED
    cli.config("version: 1\n" + done.out)
    assert cli.run("import", "aws-config", "--dry-run").ok().out == "nothing to add\n"


def test_json_says_what_came_over_and_what_did_not(cli: Home) -> None:
    path = cli.config(
        "version: 1\nproviders: {keys: {type: static}}\nprofiles: {dev: {provider: keys}}\n"
    )
    document = cli.run("import", "aws-config", "--output", "json").ok().json
    assert document == {
        "added": {"providers": ["corp"], "profiles": ["my-prod"]},
        "kept": ["dev"],
        "left_out": [
            {
                "source": "machine",
                "key": "credential_source",
                "reason": document["left_out"][0]["reason"],
            }
        ],
        "renamed": {"my prod": "my-prod"},
        "keys": [],
        "file": str(path),
    }
    assert "'Environment'" in document["left_out"][0]["reason"]


def test_comments_order_and_layout_of_the_teams_file_stay(cli: Home) -> None:
    path = cli.config(TEAM)
    path.chmod(0o644)
    cli.run("import", "aws-config").ok()
    lines = ADDED.splitlines(keepends=True)
    expected = TEAM.replace("# by hand\n", "# by hand\n" + "".join(lines[3:]))
    expected = expected.replace(
        "other: {type: static}", "other: {type: static}, " + lines[1].strip()
    )
    assert path.read_text() == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    cli.run("config", "check").ok()


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 1\r\nprofiles: {}\r\n",
        "\ufeffversion: 1\nproviders:\nprofiles:\n# end",
        "version: 1\n...\n",
        '{"version": 1, "providers": {"k": {"type": "static"}},\n "profiles": {}}',
        "version: 1\nproviders:\n    k: {type: static}\nprofiles:\n    a:\n      provider: k\n#\n",
    ],
)
def test_however_the_file_is_written(cli: Home, text: str) -> None:
    path = cli.config("")
    path.write_bytes(text.encode())
    cli.run("import", "aws-config").ok()
    cli.run("config", "check").ok()
    after = iter(path.read_bytes().decode())
    assert all(char in after for char in text.replace(": {}\r", ":\r")), "a part of it is gone"
    assert cli.run("import", "aws-config").ok().out.endswith("unchanged\n")


def test_a_file_without_a_place_for_them_stays(cli: Home) -> None:
    path = cli.config("version: 1\nprofiles: &p\n  {}\n")
    done = cli.run("import", "aws-config")
    assert done.code == 2
    assert "one entry a line" in done.err
    assert path.read_text() == "version: 1\nprofiles: &p\n  {}\n"


def test_a_spoiled_config_is_mended_first(cli: Home) -> None:
    cli.config("version: 1\nprofile: {}\n")
    done = cli.run("import", "aws-config")
    assert done.code == 2
    assert "config.yaml:2" in done.err


def test_a_config_that_is_not_trusted_is_not_written(cli: Home) -> None:
    path = cli.work / "awslogin.yaml"
    path.write_text("version: 1\n")
    done = cli.run("import", "aws-config", "--output", "json")
    assert (done.error["exit"], done.code) == (4, 4)
    assert "config trust" in done.error["hint"]
    assert path.read_text() == "version: 1\n"
    cli.run("config", "trust", str(path), "--yes").ok()
    cli.run("import", "aws-config").ok()
    cli.run("list").ok()
    assert "dev" in path.read_text()


def test_only_what_is_named(cli: Home) -> None:
    cli.run("import", "aws-config", "dev").ok()
    assert "my-prod" not in own(cli).read_text()
    done = cli.run("import", "aws-config", "nobody")
    assert done.code == 2
    assert "no profile 'nobody'" in done.err


def test_a_tool_that_is_not_here(home: Home) -> None:
    done = home.run("import", "saml2aws")
    assert done.code == 2
    assert "not set up here" in done.err
    assert home.run("import", "dashlane").code == 2
    assert home.run("import", "saml2aws", "--as", "x").code == 2


def test_a_broken_file_is_told_by_its_line(home: Home) -> None:
    (home.folder / ".saml2aws").write_text("[a]\nurl = x\nprovider\n")
    error = home.run("import", "saml2aws", "--output", "json").error
    assert (error["exit"], error["code"]) == (2, "usage")
    assert ".saml2aws:3 " in error["message"]


def test_without_a_source_it_says_what_there_is(cli: Home) -> None:
    (cli.folder / ".saml2aws").write_text("[a]\nurl = x\nprovider\n")
    (cli.folder / ".granted").mkdir()
    (cli.folder / ".granted" / "config").write_text(
        '[SSO.x]\nStartURL = "https://x.awsapps.com/start"\nSSORegion = "eu-west-1"\n'
    )
    done = cli.run("import").ok()
    assert done.out.splitlines() == [
        "aws-config: 2 profiles, 1 sign-in",
        f"saml2aws: {cli.folder}/.saml2aws:3 is neither a section nor a key with its value",
        "granted: 2 profiles, 2 sign-ins",
    ]
    rows = cli.run("import", "--output", "json").ok().json
    assert [(row["source"], row.get("profiles")) for row in rows] == [
        ("aws-config", 2),
        ("saml2aws", None),
        ("granted", 2),
    ]
    assert not own(cli).exists()


def test_nothing_is_here(home: Home) -> None:
    assert "no other tool" in home.run("import").ok().out
    assert home.run("import", "--output", "json").ok().json == []


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False)])
def test_a_person_sees_the_change_and_is_asked(cli: Home, answer: str, written: bool) -> None:
    done = terminal.run(
        [COMMAND, "import", "aws-config"], env=cli.env(), answers=[(r"\[y/N\]", answer)]
    )
    assert done.code == 0, done.screen
    assert "+  dev: {provider: corp" in done.screen
    assert own(cli).exists() is written


def test_a_person_picks_a_tool(cli: Home) -> None:
    done = terminal.run(
        [COMMAND, "import"],
        env=cli.env(),
        answers=[(r"aws-config: 2 profiles[^\n]*\n(?s:.)*[>:] ?$", "1"), (r"\[y/N\]", "y")],
    )
    assert done.code == 0, done.screen
    assert own(cli).exists()


def test_no_secret_of_the_files_is_shown_or_written(home: Home) -> None:
    secrets = ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter2 is not it", "JBSWY3DPEHPK3PXP"]
    (home.folder / ".aws").mkdir()
    (home.folder / ".aws" / "config").write_text(
        "[profile a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
        f"aws_secret_access_key = {secrets[0]}\n"
        "[profile b]\nazure_tenant_id = t\nazure_app_id_uri = u\n"
        f"azure_default_password = {secrets[1]}\n"
        "[profile c]\nmfa_serial = arn:aws:iam::111122223333:mfa/c\n"
        f"mfa_process = oathtool -b {secrets[2]}\n"
        f"[profile d]\ncredential_process = tool --secret {secrets[2]}\n"
    )
    for source in ("aws-config", "aws-vault", "aws-azure-login"):
        for options in (["--dry-run"], ["--output", "json"], []):
            done = home.run("import", source, *options).ok()
            assert not [secret for secret in secrets if secret in done.out + done.err]
    assert not [secret for secret in secrets if secret in own(home).read_text()]


def test_a_write_that_fails_leaves_the_old_file_whole(cli: Home) -> None:
    path = cli.config(TEAM)
    for point in ("os.fsync", "pathlib.Path.replace"):
        code = (
            "import os, pathlib\n"
            "def die(*a, **k): os._exit(137)\n"
            f"{point} = die\n"
            "from broker.cli.main import run\n"
            "run(['import', 'aws-config'])\n"
        )
        words = [sys.executable, "-c", code]
        assert subprocess.run(words, env=cli.env(), cwd=cli.work, check=False).returncode == 137
        assert path.read_text() == TEAM
    cli.run("import", "aws-config").ok()
    cli.run("config", "check").ok()
    assert json.loads(cli.run("list", "--output", "json").ok().out)
