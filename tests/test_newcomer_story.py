"""A newcomer: a clone of the team's repository, two commands, and how many questions are asked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.configs import config
from tests.repositories import Repository
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal

QUESTION = r"\[y/N\] |: $"


def test_identity_center_takes_two_commands_and_at_most_three_questions(
    signed_up: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    team = Repository(tmp_path / "team")
    text = config("stage", sandbox=sandbox, head="team: payments\ndefault_profile: stage\n")
    team.folder.joinpath("awslogin.yaml").write_text(text)
    team.git("add", "--all")
    team.git("commit", "--quiet", "--message", "our sign-in")
    clone = signed_up.work / "clone"
    subprocess.run(["git", "clone", "--quiet", str(team.folder), str(clone)], check=True)
    signed_up.work = clone
    terminal = Terminal(signed_up, "init", "--no-browser")
    terminal.answer(r"Trust .*awslogin\.yaml as it is shown\? \[y/N\] ", "y")
    terminal.answer(r"Write this\? \[y/N\] ", "y")
    code = terminal.wait_for(r"the code (\S+)").group(1)
    sandbox.oidc.approve(code, "ann")
    terminal.finish().ok()
    assert len(re.findall(r"\[y/N\] ", terminal.asked)) <= 3
    assert len(re.findall(QUESTION, terminal.asked, re.MULTILINE)) <= 3
    session = signed_up.run("--output", "json").ok().json
    assert (session["profile"], session["from_cache"]) == ("stage", True)
    assert "creds stage" in (signed_up.folder / ".aws" / "config").read_text()
