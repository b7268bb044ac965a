"""`completion` in the real shells, and what they are offered."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from broker.quick_completion import TAKE_A_PROFILE
from tests.configs import config
from tests.crowd import until
from tests.real.parts.process import program
from tests.support import COMMAND, PATIENCE, Home, readable

CONFIG = config(profiles=dict.fromkeys(("staging-one", "staging-two"), "provider: keys"))


@pytest.fixture
def team(home: Home) -> Home:
    home.config(CONFIG)
    home.environ["PATH"] = f"{Path(COMMAND).parent}:{home.environ['PATH']}"
    home.environ["TERM"] = "dumb"
    return home


def offered(home: Home, *words: str) -> list[str]:
    """What PowerShell is offered for words of which the last is begun: the plainest form."""
    variables = {"_AWSLOGIN_COMPLETE": "powershell_complete", "COMP_WORDS": "\n".join(words)}
    return home.run(env=dict(variables)).ok().out.split()


def test_commands_profiles_and_options(team: Home) -> None:
    assert offered(team, "awslogin", "sta") == ["status", "staging-one", "staging-two"]
    assert offered(team, "awslogin", "creds", "stag") == ["staging-one", "staging-two"]
    assert offered(team, "awslogin", "staging-one", "--out") == ["--output"]
    assert offered(team, "awslogin", "--out") == ["--output"]
    assert "json" in offered(team, "awslogin", "staging-one", "--output", "")
    assert offered(team, "awslogin", "agent", "st") == ["start", "status", "stop"]


def test_names_are_as_fresh_as_the_config(team: Home) -> None:
    time.sleep(0.1)
    for _ in range(2):
        assert offered(team, "awslogin", "creds", "") == ["staging-one", "staging-two"]
    assert "staging-two" in (team.folder / "awslogin" / "names.json").read_text()
    team.config(CONFIG.replace("staging-two", "staging-new"))
    assert offered(team, "awslogin", "creds", "") == ["staging-one", "staging-new"]
    team.config("profiles: [")
    assert offered(team, "awslogin", "creds", "") == []


def typed(home: Home, shell: str, *words: str) -> str:
    """What a shell reads for words of which the last is begun."""
    at = words[-1] if shell == "fish" else str(len(words) - 1)
    variables = {"COMP_WORDS": " ".join(words), "COMP_CWORD": at}
    return home.run(env={"_AWSLOGIN_COMPLETE": f"{shell}_complete", **variables}).ok().out


LINES = [
    ("awslogin", ""),
    ("awslogin", "sta"),
    ("awslogin", "nothing-begins-so"),
    *(("awslogin", command, "stag") for command in sorted(TAKE_A_PROFILE)),
    ("awslogin", "creds", ""),
    ("awslogin", "exec", "stag"),
    ("awslogin", "--out"),
    ("awslogin", "agent", "st"),
]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_kept_answers_as_the_whole_program_does(team: Home, shell: str) -> None:
    names = team.folder / "awslogin" / "names.json"
    whole = []
    for words in LINES:
        names.unlink(missing_ok=True)
        whole.append(typed(team, shell, *words))
    until(lambda: typed(team, shell, "awslogin", "creds", "") and names.exists())
    assert [typed(team, shell, *words) for words in LINES] == whole
    names.write_text(names.read_text().replace("staging-one", "staging-kept"))
    assert "staging-kept" in typed(team, shell, "awslogin", "sta")
    for change in ({"AWSLOGIN_CONFIG": "/no/such/file"}, {"XDG_CONFIG_HOME": "/elsewhere"}):
        changed = Home(team.folder, team.environ | change)
        assert "staging-kept" not in typed(changed, shell, "awslogin", "sta")
    names.write_text("{")
    assert "staging-one" in typed(team, shell, "awslogin", "sta")


def shell(home: Home, *words: str) -> str:
    done = subprocess.run(
        words,
        env=home.env(),
        cwd=home.work,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


def test_bash(team: Home) -> None:
    script = (
        "source <(awslogin completion bash); COMP_WORDS=(awslogin creds stag); COMP_CWORD=2;"
        " _awslogin_completion awslogin; echo ${COMPREPLY[@]}; complete -p awslogin"
    )
    out = shell(team, program("bash"), "--norc", "-c", script)
    assert out.splitlines()[0] == "staging-one staging-two"
    assert "-F _awslogin_completion awslogin" in out


def test_fish(team: Home) -> None:
    script = "awslogin completion fish | source; complete -C 'awslogin creds stag'"
    assert shell(team, program("fish"), "--no-config", "-c", script).split() == [
        "staging-one",
        "staging-two",
    ]


def test_zsh(team: Home) -> None:
    """zsh completes on a terminal alone."""
    main, tty = pty.openpty()
    zsh = subprocess.Popen(
        [program("zsh"), "-f", "-i"], env=team.env({"PS1": "> "}), cwd=team.work,
        stdin=tty, stdout=tty, stderr=tty, start_new_session=True,
    )  # fmt: skip
    screen = ""

    def wait_for(text: str) -> None:
        nonlocal screen
        until = time.monotonic() + 60
        while text not in screen:
            assert time.monotonic() < until, screen
            if readable(main, 0.1):
                screen += os.read(main, 65536).decode("utf-8", "replace")

    try:
        os.write(main, b"autoload -Uz compinit; compinit -u -D; unsetopt zle_bracketed_paste\n")
        os.write(main, b"source <(awslogin completion zsh); echo re''ady\n")
        wait_for("ready")
        os.write(main, b"echo awslogin creds; : awslogin\x15awslogin creds stag\t")
        wait_for("creds staging-")
    finally:
        zsh.kill()
        zsh.wait()
        os.close(main)
        os.close(tty)


def test_powershell_is_told_how_to_ask(team: Home) -> None:
    script = team.run("completion", "powershell").ok().out
    assert script.startswith("Register-ArgumentCompleter -Native -CommandName awslogin")
    assert script.count("{") == script.count("}")
    assert "powershell_complete" in script


def test_an_unknown_shell_is_a_usage_error(team: Home) -> None:
    assert team.run("completion", "tcsh").code == 2
