"""`setup`: boto3 and the AWS CLI sign in through the installed `credential_process`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = """\
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  keys: {type: static}
profiles:
  dev: {provider: keys}
  default: {provider: keys}
  bad: {provider: kyes}
"""
MINE = """\
# my own file
[default]
region = eu-north-1   # an inline comment is part of the value

[profile mine]
s3 =
    max_concurrent_requests = 20
"""
ASK = (
    "import boto3; sts = boto3.Session(profile_name='dev').client('sts');"
    "print(sts.get_caller_identity()['Arn'])"
)


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    keys = {"AccessKeyId": sandbox.bob.key_id, "SecretAccessKey": sandbox.bob.secret}
    signed_up.run("add", "dev", "--stdin", stdin=json.dumps(keys)).ok()
    return signed_up


def aws_config(home: Home, text: str | None = None) -> Path:
    path = home.folder / ".aws" / "config"
    if text is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path


def test_boto3_signs_in_in_any_folder(team: Home, tmp_path: Path) -> None:
    team.run("setup").ok()
    env = team.env({"AWSLOGIN_CONFIG": None})
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(":user/bob")


def test_the_aws_cli_signs_in(team: Home) -> None:
    team.run("setup").ok()
    aws = str(Path(sys.executable).parent / "aws")
    done = subprocess.run(
        [aws, "--profile", "dev", "--output", "json", "sts", "get-caller-identity"],
        env=team.env(), cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["Arn"].endswith(":user/bob")


def test_all_else_stays_byte_for_byte(team: Home) -> None:
    path = aws_config(team, MINE)
    path.chmod(0o640)
    done = team.run("setup").ok()
    assert "default left out" in done.err
    assert "bad left out" in done.err
    after = path.read_text()
    assert after.startswith(MINE)
    assert "[profile dev]" in after
    assert path.stat().st_mode & 0o777 == 0o640
    again = team.run("setup").ok()
    assert "unchanged" in again.out
    team.run("setup", "--remove").ok()
    assert path.read_text() == MINE


@pytest.mark.parametrize("text", [MINE.rstrip("\n"), "", "[default]\r\nregion=x\r\n"])
def test_remove_restores_every_ending(team: Home, text: str) -> None:
    path = aws_config(team)
    path.parent.mkdir()
    path.write_bytes(text.encode())
    team.run("setup").ok()
    assert b"[profile dev]" in path.read_bytes()
    team.run("setup", "--remove").ok()
    assert path.read_bytes() == text.encode()


def test_lines_after_the_block_stay(team: Home) -> None:
    path = aws_config(team, MINE)
    team.run("setup").ok()
    path.write_text(path.read_text() + "[profile later]\nregion = x\n")
    team.config(CONFIG.replace("  dev: {", "  other: {provider: keys}\n  dev: {"))
    team.run("setup").ok()
    after = path.read_text()
    assert after.endswith("[profile later]\nregion = x\n")
    assert after.count("[profile dev]") == 1
    assert "[profile other]" in after


def test_a_symlink_stays_one(team: Home) -> None:
    real = team.folder / "dotfiles"
    real.write_text(MINE)
    path = aws_config(team)
    path.parent.mkdir()
    path.symlink_to(real)
    team.run("setup").ok()
    assert path.is_symlink()
    assert "[profile dev]" in real.read_text()


def test_another_file_and_a_dry_run(team: Home) -> None:
    elsewhere = team.folder / "elsewhere"
    elsewhere.write_text(MINE)
    env = {"AWS_CONFIG_FILE": str(elsewhere)}
    shown = team.run("setup", "--dry-run", env=env).ok()
    assert "+[profile dev]" in shown.out
    assert elsewhere.read_text() == MINE
    team.run("setup", env=env).ok()
    assert "[profile dev]" in elsewhere.read_text()
    assert not aws_config(team).exists()


def test_a_damaged_block_is_left_alone(team: Home) -> None:
    text = MINE + "# >>> awslogin >>> made by hand\n[profile x]\n"
    path = aws_config(team, text)
    assert team.run("setup").code == 2
    assert path.read_text() == text


def test_paths_with_spaces(team: Home) -> None:
    folder = team.folder / "with space"
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    team.run("setup", "--config", str(folder / "c.yaml")).ok()
    env = team.env({"AWSLOGIN_CONFIG": None})
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(":user/bob")


def test_a_person_is_shown_the_change_and_may_say_no(team: Home) -> None:
    from tests.terminal import Terminal

    path = aws_config(team, MINE)
    terminal = Terminal(team, "setup")
    terminal.wait_for(r"\+\[profile dev\]")
    terminal.answer("Write this", "n")
    terminal.finish().ok()
    assert path.read_text() == MINE
