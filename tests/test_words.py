"""What the words of a command line mean: mistyped ones, help, and those of `exec`'s command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.configs import config, identity_center
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ("docter", "`awslogin doctor`"),
        ("statsu", "`awslogin status`"),
        ("dve", "`dev`"),
        ("conosle dev", "`awslogin console`"),
        ("--bogus", "`awslogin --help`"),
        ("--bogus dev", "`awslogin --help`"),
        ("login --bogus", "`awslogin login --help`"),
        ("login --foo", "No such option '--foo'. Did you mean '--force'?"),
        ("exec dev", "`awslogin exec dev -- aws s3 ls`"),
        ("exec ls", "`awslogin exec PROFILE -- ls`"),
        ("exec dev ls --quiet", "`awslogin exec dev -- ls --quiet`"),
        ("exec dev ls --help", "`awslogin exec dev -- ls --help`"),
    ],
)
def test_a_wrong_word_is_answered_by_the_right_line(team: Home, words: str, mend: str) -> None:
    done = team.run(*words.split())
    assert (done.code, done.out) == (2, "")
    assert mend in done.err


def test_help_and_version_however_they_are_asked_for(team: Home) -> None:
    for words in ("-h", "help", "--help"):
        shown = team.run(words).ok().out
        assert "Sign in:" in shown
        assert "..." not in shown.partition("Sign in:")[2]
    for words in ("exec -h", "help exec", "exec --help"):
        shown = team.run(*words.split()).ok().out
        assert "Example: awslogin exec prod -- aws s3 ls" in shown
        assert shown.index("--server") < shown.index("--config")
    assert team.run("version").ok().out == team.run("--version").ok().out


@pytest.mark.parametrize("words", ["dev --", "dev", "--server dev --", "--quiet dev", "--"])
def test_exec_takes_its_command_where_it_is_plain(team: Home, words: str) -> None:
    env = {"AWSLOGIN_PROFILE": "dev"}
    done = team.run("exec", *words.split(), "printenv", "AWSLOGIN_PROFILE", env=env).ok()
    assert done.out == "dev\n"


@pytest.mark.parametrize("options", [(), ("--server",)])
def test_a_script_without_interpreter_runs_as_in_a_shell(
    team: Home, options: tuple[str, ...]
) -> None:
    script = team.work / "tool"
    script.write_text('echo "$1 of $AWSLOGIN_PROFILE"; exit 7\n')
    script.chmod(0o755)
    done = team.run("exec", "dev", *options, "--", "./tool", "a b")
    assert (done.code, done.out) == (7, "a b of dev\n")


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_a_failure_fails_in_the_shell_that_evaluates_it(team: Home, shell: str) -> None:
    line = f'eval "$({COMMAND} env nosuch)"'
    line = f"{COMMAND} env nosuch | source" if shell == "fish" else line
    done = subprocess.run([shell, "-c", line], env=team.env(), cwd=team.work, check=False)
    assert done.returncode == 1


def on_screen(home: Home, *words: str) -> str:
    """What a command writes to a stderr that is a terminal."""
    screen, stderr = os.openpty()
    with subprocess.Popen(
        [COMMAND, *words], env=home.env(), cwd=home.work, stdout=subprocess.DEVNULL, stderr=stderr
    ) as process:
        os.close(stderr)
        process.wait(PATIENCE)
    text = os.read(screen, 1 << 16).decode()
    os.close(screen)
    return text


def test_failures_of_env_and_creds_are_readable_on_a_terminal(team: Home) -> None:
    for words in (("env", "nosuch"), ("creds", "nosuch"), ("nosuch", "--output", "fish")):
        assert team.run(*words).error["exit"] == 2
        shown = on_screen(team, *words)
        assert "awslogin: " in shown
        assert '"error"' not in shown
    assert '"error"' in on_screen(team, "nosuch", "--output", "json")


@pytest.mark.parametrize("name", ["tcsh", "csh", "nu", "xonsh", "elvish"])
def test_a_shell_without_a_format_is_told_so_before_any_sign_in(
    team: Home, tmp_path: Path, name: str
) -> None:
    shell = tmp_path / name
    shell.symlink_to("/bin/dash")
    done = subprocess.run(
        [shell, "-c", f"{COMMAND} env dev; exit $?"],
        env=team.env(), cwd=team.work, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "false\n")
    assert name in done.stderr
    assert "--output json" in done.stderr
    assert "SECRET" not in done.stdout


def test_an_sdk_shows_one_sentence_that_ends_in_the_command(
    signed_up: Home, sandbox: Sandbox
) -> None:
    corp = identity_center(sandbox.start_url, "region: eu-west-1, flow: device")
    signed_up.config(config("stage", providers={"corp": corp}))
    signed_up.run("setup").ok()
    ask = "import boto3; boto3.Session(profile_name='stage').client('sts').get_caller_identity()"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=signed_up.env(), cwd="/", check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr.rstrip().endswith("run awslogin login stage")
    assert "{" not in done.stderr.splitlines()[-1]
    assert "AWSLOGIN_PASSWORD" not in done.stderr


def completed(home: Home, line: str) -> list[str]:
    words = f"{line}.".split()
    env = {
        "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_AWSLOGIN_COMPLETE": "bash_complete"
    }  # fmt: skip
    done = home.run(env=env).ok()
    assert done.err == ""
    return done.out.split()


def test_exec_completes_profiles_then_commands_then_files(team: Home, tmp_path: Path) -> None:
    program = tmp_path / "zz-program"
    program.write_text("")
    program.chmod(0o755)
    team.environ["PATH"] += f":{tmp_path}"
    assert completed(team, "awslogin exec ") == ["plain,dev"]
    for line in ("awslogin exec dev -- zz-", "awslogin exec dev zz-", "awslogin exec -- zz-"):
        assert completed(team, line) == ["plain,zz-program", "file,zz-"]
    assert completed(team, "awslogin exec dev -- cat /et") == ["file,/et"]
    assert "plain,--server" in completed(team, "awslogin exec dev --s")


def test_completion_never_speaks_into_the_persons_line(team: Home) -> None:
    team.config("version: [\n")
    assert completed(team, "awslogin exec ") == []


def test_zsh_completes_without_its_own_start_up(team: Home) -> None:
    line = f'eval "$({COMMAND} completion zsh)"; print -r -- $_comps[awslogin]'
    done = subprocess.run(
        ["zsh", "-f", "-c", line], env=team.env(), check=True, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("_awslogin_completion", "")
