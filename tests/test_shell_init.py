"""`awsl`, the function of `shell-init`, in the real shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import COMMAND, Home

STORY = """
{load}
awsl dev; echo "1 $? $AWSLOGIN_PROFILE $(awsl_prompt)"
awsl nosuch 2>/dev/null; echo "2 $? $AWSLOGIN_PROFILE"
awsl other; echo "3 $? $AWSLOGIN_PROFILE"
awsl -; echo "4 $? $AWSLOGIN_PROFILE"
awsl --off; echo "5 $? ${{AWSLOGIN_PROFILE-}}${{AWS_ACCESS_KEY_ID-}}$(awsl_prompt)"
awsl -; echo "6 $? $AWSLOGIN_PROFILE"
"""
TOLD = ["1 0 dev [dev] ", "2 2 dev", "3 0 other", "4 0 dev", "5 0 ", "6 0 dev"]


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", other="provider: keys"))
    for name in ("dev", "other"):
        signed_up.run("add", name, "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.environ["PATH"] = f"{Path(COMMAND).parent}:{signed_up.environ['PATH']}"
    return signed_up


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_awsl_sets_the_session_in_this_shell(team: Home, shell: str) -> None:
    load = f'eval "$(awslogin shell-init {shell})"'
    story = STORY.format(load=load)
    if shell == "fish":
        story = STORY.replace("{load}", "awslogin shell-init fish | source").replace(
            "$?", "$status"
        )
        story = story.replace("${{AWSLOGIN_PROFILE-}}${{AWS_ACCESS_KEY_ID-}}", "$AWS_ACCESS_KEY_ID")
    done = subprocess.run(
        [shell, "-c", story], env=team.env(), cwd=team.work, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == TOLD, done.stderr


def test_a_first_dash_has_nowhere_to_go(team: Home) -> None:
    line = 'set -u; eval "$(awslogin shell-init bash)"; awsl -'
    done = subprocess.run(
        ["bash", "-c", line], env=team.env(), check=False, capture_output=True, text=True
    )
    assert (done.returncode, "no profile before" in done.stderr) == (1, True)
