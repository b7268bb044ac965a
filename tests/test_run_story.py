"""`exec` and `shell`: what the command inherits, and that it is the command itself that runs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts import terminal
from tests.real.parts.process import program
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home

CONFIG = config("dev", "deploy")
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
NAMES = """
AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION AWS_ACCOUNT_ID AWS_WEB_IDENTITY_TOKEN_FILE
AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_REGION AWS_DEFAULT_REGION
AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
AWS_CONTAINER_AUTHORIZATION_TOKEN AWSLOGIN_PASSWORD AWSLOGIN_PASSWORD_OKTA
AWSLOGIN_MFA_CODE AWSLOGIN_CLIENT_SECRET
"""
STALE = dict.fromkeys(NAMES.split(), "stale")


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def test_a_region_from_the_command_line(team: Home, sandbox: Sandbox) -> None:
    words = ("deploy", "--region", "ap-south-1")
    inside = team.run("exec", *words, "--", sys.executable, "-c", SHOW).ok().json
    assert inside["AWS_REGION"] == inside["AWS_DEFAULT_REGION"] == "ap-south-1"
    assert team.run(*words, "--output", "json").ok().json["from_cache"]
    assert team.run("deploy", "--output", "json").ok().json["region"] == "eu-west-1"
    assert "cn-north-1 is in aws-cn" in team.run("deploy", "--region=cn-north-1").err
    assert team.run("deploy", "--region=eu-wst-1").code == 2


def test_a_region_of_the_environment_that_gives_way_is_told(team: Home) -> None:
    south = {"AWS_REGION": "ap-south-1"}
    done = team.run("exec", "deploy", "--", "true", env=south).ok()
    assert "ap-south-1 gives way to eu-west-1 of deploy" in done.err
    assert "gives way" not in team.run("exec", "deploy", "--region=ap-south-1", "--", "true",
                                       env=south).ok().err  # fmt: skip
    assert "gives way" not in team.run("exec", "deploy", "--", "true").ok().err


def test_nothing_stale_is_inherited(team: Home) -> None:
    shown = team.run("exec", "deploy", "--", sys.executable, "-c", SHOW, env=STALE).ok()
    inside = shown.json
    assert "stale" not in inside.values()
    assert "AWSLOGIN_PASSPHRASE" not in inside
    assert inside["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert inside["AWS_REGION"] == inside["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert inside["AWS_ACCOUNT_ID"] == "111122223333"
    assert inside["AWSLOGIN_PROFILE"] == "deploy"
    assert datetime.fromisoformat(inside["AWS_CREDENTIAL_EXPIRATION"]).tzinfo is not None


def test_without_a_session(team: Home, sandbox: Sandbox) -> None:
    done = team.run("exec", "dev", "--no-session", "--", sys.executable, "-c", SHOW, env=STALE)
    inside = done.ok().json
    assert inside["AWS_ACCESS_KEY_ID"] == sandbox.bob.key_id
    assert not {"AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID"} & {*inside}
    assert "long-lived keys" in done.err
    assert sandbox.calls("sts") == []
    assert team.run("exec", "deploy", "--no-session", "--", "true").code == 2


def test_nested_it_says_which_session_wins(team: Home) -> None:
    inner = f"{COMMAND} exec deploy -- sh -c 'echo $AWS_ACCESS_KEY_ID $AWSLOGIN_PROFILE'"
    secret = f"AWSLOGIN_PASSPHRASE='{team.environ['AWSLOGIN_PASSPHRASE']}'"
    done = team.run("exec", "dev", "--", "sh", "-c", f"echo $AWS_ACCESS_KEY_ID; {secret} {inner}")
    outer, nested = done.ok().out.splitlines()
    assert nested.split()[1] == "deploy"
    assert nested.split()[0] != outer
    assert "inside the session of dev: that of deploy wins" in done.err


def test_signals_reach_the_command_itself(team: Home, tmp_path: Path) -> None:
    """The command takes awslogin's place: there is nobody between."""
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print(os.getpid(), flush=True)\n"
        "while True: time.sleep(0.05)\n"  # a signal just before a long wait is seen after it
    )
    with team.start("exec", "dev", "--", sys.executable, "-c", code) as process:
        assert process.stdout
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 42


def test_a_command_that_a_signal_ends(team: Home) -> None:
    assert team.run("exec", "dev", "--", "sh", "-c", "kill -KILL $$").code == -signal.SIGKILL
    assert team.run("exec", "dev", "--", "sh", "-c", "kill -PIPE $$").code == -signal.SIGPIPE


SHELLS = {
    "bash": (".bashrc", "PS1='mine> '"),
    "zsh": (".zshrc", "PROMPT='mine> '"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'mine> '; end"),
    "dash": (".profile", ""),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_prompt_of_a_shell_names_the_session(team: Home, shell: str) -> None:
    """After the person's own start-up files, which stay in force; nothing is left on disk."""
    name, text = SHELLS[shell]
    own = team.folder / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(text)
    scratch = team.folder / "scratch"
    scratch.mkdir()
    prompt = r"\[dev\] \$ " if shell == "dash" else r"\[dev\] mine> "
    environ = {"SHELL": program(shell), "TMPDIR": str(scratch)}
    with terminal.Terminal([COMMAND, "shell", "dev"], env=team.env(environ)) as session:
        session.expect(prompt)
        session.press("echo key=$AWS_ACCESS_KEY_ID\r")
        session.expect(r"key=ASIA\w+")
        session.press("exit 5\r")
        assert session.finish().code == 5
    assert list(scratch.glob("awslogin*")) == []


def test_a_shell_that_reads_a_pipe_shows_no_prompt(team: Home) -> None:
    done = team.run(
        "shell", "dev", stdin="echo $AWSLOGIN_PROFILE\n", env={"SHELL": shutil.which("bash")}
    )
    assert done.ok().out == "dev\n"
    assert "[dev]" not in done.err


def test_the_child_is_not_given_what_signs_in(team: Home, sandbox: Sandbox) -> None:
    """A CI's token, and the variable that the YAML says holds one, whichever provider ran."""
    team.config(
        config(
            providers={"ci": "type: web-identity, token: {env: JOBS_TOKEN}"},
            dev="provider: keys",
            ours='provider: [ci, keys], role_arn: "arn:aws:iam::111122223333:role/CiDeploy"',
        )
    )
    tokens = {"JOBS_TOKEN": sandbox.issuer.token(), "AWS_OIDC_TOKEN": "a.b.c", "OTHER": "stays"}
    for words in ((), ("--server",)):
        done = team.run("exec", "ours", *words, "--", sys.executable, "-c", SHOW, env=tokens)
        inside = done.ok().json
        assert not {"JOBS_TOKEN", "AWS_OIDC_TOKEN"} & {*inside}
        assert inside["OTHER"] == "stays"


def test_a_stale_account_inside_another_session(team: Home) -> None:
    """Of a user's own session no account is known: the outer one's must not stand beside it."""
    outer = {"AWS_ACCOUNT_ID": "999999999999", "AWSLOGIN_PROFILE": "other"}
    inside = team.run("exec", "dev", "--", sys.executable, "-c", SHOW, env=outer).ok().json
    assert "AWS_ACCOUNT_ID" not in inside
    script = f"{COMMAND} env dev | source; echo $status; env"
    done = subprocess.run(
        [program("fish"), "--no-config", "-c", script],
        env=team.env(outer),
        cwd=team.work,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "0"
    assert "999999999999" not in done.stdout
    assert "AWSLOGIN_PROFILE=dev" in done.stdout.splitlines()
