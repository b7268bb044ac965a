"""Trust that holds: a file that was found stays one, wherever its path is written down."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import broker
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import PATIENCE, Home, Result
from tests.terminal import Terminal

FILE = "awslogin.yaml"
LINE = [sys.executable, "-I", "-S", str(Path(broker.__file__).with_name("__main__.py"))]
"""How the lines of `setup` start awslogin."""


@pytest.fixture
def repo(signed_up: Home, sandbox: Sandbox) -> Path:
    """A repository with a trusted file, whose profile `dev` has keys."""
    signed_up.environ.pop("AWSLOGIN_CONFIG", None)
    file = signed_up.work / FILE
    file.write_text(config("dev", sandbox=sandbox))
    signed_up.run("config", "trust", "--yes").ok()
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up.work


def pulled(repo: Path) -> Path:
    """What a `git pull` may bring: the same file with a command that leaves a trace."""
    trace = repo.parent / "PWNED"
    text = (repo / FILE).read_text()
    (repo / FILE).write_text(
        text.replace("provider: keys", f"provider: keys, mfa_process: 'touch {trace}'")
    )
    return trace


def line(home: Home, *words: str) -> Result:
    done = subprocess.run(
        [*LINE, *words], env=home.env(), cwd="/", capture_output=True, text=True, timeout=PATIENCE,
        start_new_session=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("option", ["--config", "--found"])
def test_the_line_of_setup_is_held_to_trust(repo: Path, signed_up: Home, option: str) -> None:
    words = ("creds", "dev", option, str(repo / FILE))
    assert "AccessKeyId" in line(signed_up, *words).ok().out
    trace = pulled(repo)
    done = line(signed_up, *words)
    assert (done.code, done.out) == (4, "")
    assert "config trust" in done.err
    assert not trace.exists()


def test_a_running_agent_keeps_to_it(repo: Path, signed_up: Home) -> None:
    signed_up.environ["AWSLOGIN_AGENT"] = "auto"
    words = ("creds", "dev", "--found", str(repo / FILE))
    try:
        line(signed_up, *words).ok()
        line(signed_up, *words).ok()
        pulled(repo)
        assert line(signed_up, *words).code == 4
    finally:
        signed_up.run("agent", "stop")


def test_config_and_found_exclude_each_other(repo: Path, signed_up: Home) -> None:
    done = signed_up.run("creds", "dev", "--config", FILE, "--found", FILE)
    assert done.code == 2
    assert "--found" in done.err


@pytest.mark.parametrize("named", [FILE, f"./{FILE}", f"/proc/self/cwd/{FILE}"])
def test_a_relative_variable_gives_no_trust(repo: Path, signed_up: Home, named: str) -> None:
    pulled(repo)
    environ = {"AWSLOGIN_CONFIG": named}
    assert "dev" in signed_up.run("list", env=environ).ok().out
    assert signed_up.run("creds", "dev", env=environ).code == 4
    assert signed_up.run("creds", "dev", env={"AWSLOGIN_CONFIG": str(repo / FILE)}).code == 0


@pytest.mark.parametrize("how", ["own", "variable"])
def test_a_file_that_is_extended_from_elsewhere_is_held_to_trust(
    repo: Path, signed_up: Home, how: str
) -> None:
    """As `init --from PATH` writes it: whoever changes the repository is not whoever named it."""
    team = repo / FILE
    own = signed_up.folder / "awslogin" / "config.yaml"
    if how == "variable":
        (signed_up.folder / "mine").mkdir()
        own = signed_up.config("", "mine/team.yaml")
    own.write_text(f'version: 1\nextends: ["{team}"]\n')
    elsewhere = signed_up.folder / "elsewhere"
    elsewhere.mkdir()
    assert signed_up.run("dev", cwd=elsewhere).code == 4
    signed_up.run("config", "trust", str(own)).ok()
    assert signed_up.run("dev", cwd=elsewhere).code == 0
    signed_up.run("setup", cwd=elsewhere).ok()
    assert f"--found {own}" in (signed_up.folder / ".aws" / "config").read_text()
    trace = pulled(repo)
    for words in (("dev",), ("creds", "dev"), ("exec", "dev", "--", "true")):
        done = signed_up.run(*words, cwd=elsewhere)
        assert (done.code, done.out) == (4, "")
        assert "config trust" in done.err
    if how == "own":  # an older line of `setup`
        assert line(signed_up, "creds", "dev", "--config", str(own)).code == 4
    assert not trace.exists()


@pytest.mark.parametrize(
    "named", ["/proc/self/cwd", "//proc/self/cwd", "/./proc/thread-self/cwd", "/dev/fd/../cwd"]
)
def test_another_file_in_each_process_gives_no_trust(
    repo: Path, signed_up: Home, named: str
) -> None:
    file = f"{named}/{FILE}"
    pulled(repo)
    assert signed_up.run("dev", env={"AWSLOGIN_CONFIG": file}).code == 4
    program = f"version: 1\nproviders: {{p: {{type: process, command: [{named}/x]}}}}\n"
    signed_up.config(f"{program}profiles: {{dev: {{provider: p}}}}\n")
    assert "in each process" in signed_up.run("dev").err


@pytest.mark.parametrize("word", ["/proc/self/pagemap", "/proc/self/mem", "x" * 300])
def test_words_of_a_command_that_are_no_honest_files(
    repo: Path, signed_up: Home, word: str
) -> None:
    """Without an end, unreadable, too long to be a name: nobody waits, and nothing breaks."""
    (repo / FILE).write_text(
        (repo / FILE)
        .read_text()
        .replace("provider: keys", f"provider: keys, mfa_process: 'true {word}'")
    )
    signed_up.run("list").ok()
    assert signed_up.run("dev").code == 4
    signed_up.run("config", "trust").ok()
    signed_up.run("dev").ok()


def test_a_person_may_demand_trust_for_the_variable_too(repo: Path, signed_up: Home) -> None:
    environ = {"AWSLOGIN_CONFIG": str(repo / FILE)}
    settings = Path(signed_up.environ["AWSLOGIN_HOME"]) / "settings.yaml"
    settings.write_text("demand_trust: always\n")
    assert signed_up.run("creds", "dev", env=environ).code == 0
    pulled(repo)
    assert signed_up.run("creds", "dev", env=environ).code == 4
    assert signed_up.run("creds", "dev", "--config", FILE).code == 0
    settings.write_text("demand_trust: found\n")
    assert signed_up.run("creds", "dev", env=environ).code == 0


def test_a_file_of_another_user_is_not_found(repo: Path, signed_up: Home) -> None:
    inner = repo / "inner"
    inner.mkdir()
    shutil.copy(repo / FILE, inner / FILE)
    os.chown(inner / FILE, 12345, 12345)
    assert signed_up.run("config", "path", cwd=inner).ok().out.strip() == str(repo / FILE)
    (repo / FILE).unlink()
    done = signed_up.run("list", cwd=inner)
    assert done.code == 2
    assert f"{inner / FILE} belongs to another user" in done.err


MFA = 'mfa_serial: "arn:aws:iam::111122223333:mfa/bob", mfa_process: "{}"'


def with_command(repo: Path, command: str) -> None:
    text = (repo / FILE).read_text()
    (repo / FILE).write_text(
        text.replace("provider: keys", "provider: keys, " + MFA.format(command))
    )


def script(path: Path, home: Home, code: str = "000000") -> Path:
    """A script that notes where it ran."""
    path.write_text(f"#!/bin/sh\npwd >> {home.folder}/ran\necho {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("command", ["./mfa.sh", "sh mfa.sh"])
def test_trust_covers_the_script_that_is_named(repo: Path, signed_up: Home, command: str) -> None:
    script(repo / "mfa.sh", signed_up)
    with_command(repo, command)
    signed_up.run("config", "trust", "--yes").ok()
    inner = repo / "inner"
    inner.mkdir()
    script(inner / "mfa.sh", signed_up, "evil")
    assert signed_up.run("creds", "dev", cwd=inner).code == 3  # AWS refuses the code
    ran = signed_up.folder / "ran"
    assert set(ran.read_text().split()) == {str(repo)}
    ran.unlink()
    script(repo / "mfa.sh", signed_up, "111111")
    assert signed_up.run("creds", "dev").code == 4
    assert not ran.exists()


def test_trust_belongs_to_a_place(repo: Path, signed_up: Home) -> None:
    other = signed_up.folder / "other"
    other.mkdir()
    shutil.copy(repo / FILE, other / FILE)
    assert signed_up.run("creds", "dev", cwd=other).code == 4
    signed_up.run("creds", "dev").ok()
    signed_up.run("config", "trust", "--yes", cwd=other).ok()
    signed_up.run("config", "trust", "--revoke", cwd=other).ok()
    assert signed_up.run("creds", "dev", cwd=other).code == 4


def test_trust_given_to_an_older_version_holds(repo: Path, signed_up: Home) -> None:
    trusted = Path(signed_up.environ["AWSLOGIN_HOME"]) / "trusted.json"
    digest = hashlib.sha256((repo / FILE).read_bytes()).hexdigest()
    trusted.write_text(json.dumps({digest: str(repo / FILE)}))
    assert signed_up.run("creds", "dev").code == 0
    trusted.write_text(json.dumps({digest: "/elsewhere/awslogin.yaml"}))
    assert signed_up.run("creds", "dev").code == 4


@pytest.mark.parametrize("command", ["../mfa.sh", "/proc/self/cwd/mfa.sh", "./none.sh"])
def test_a_command_elsewhere_is_refused(repo: Path, signed_up: Home, command: str) -> None:
    script(repo / "mfa.sh", signed_up)
    script(signed_up.folder / "mfa.sh", signed_up)
    with_command(repo, command)
    signed_up.run("config", "trust", "--yes").ok()
    done = signed_up.run("creds", "dev")
    assert (done.code, done.out) == (2, "")
    assert not (signed_up.folder / "ran").exists()


VARIABLE = "  x: {provider: keys, session_name: '${%s}'}\n"


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "DATABASE_URL", "GH_PAT", "SSH_AUTH_SOCK", "PATH", "AWSLOGIN_VARX"]
)
def test_only_named_variables_are_filled_in(repo: Path, signed_up: Home, name: str) -> None:
    with (repo / FILE).open("a") as file:
        file.write(VARIABLE % name)
    done = signed_up.run("explain", "x", env={name: "hunter2"})
    assert done.code == 2
    assert name in done.err
    assert "AWSLOGIN_VAR_" in done.err
    assert "hunter2" not in done.out + done.err


def test_an_untrusted_file_shows_no_values_of_variables(repo: Path, signed_up: Home) -> None:
    with (repo / FILE).open("a") as file:
        file.write(VARIABLE % "AWSLOGIN_VAR_A")
    environ = {"AWSLOGIN_VAR_A": "hunter2"}
    for words in (("explain", "x"), ("config", "show"), ("list", "--output", "json")):
        shown = signed_up.run(*words, env=environ).ok().out
        assert "hunter2" not in shown
    signed_up.run("config", "trust", "--yes").ok()
    assert "hunter2" in signed_up.run("explain", "x", env=environ).ok().out


@pytest.mark.parametrize(
    "options",
    [
        "url: 'https://${USER}.evil.example/'",
        "url: 'https://sso.corp.example:${AWSLOGIN_VAR_A}/'",
        "url: '${AWSLOGIN_VAR_A}'",
        "url: 'https://sso.corp.example/', hosts: ['${AWSLOGIN_VAR_A}']",
    ],
)
def test_no_variable_names_a_host(home: Home, options: str) -> None:
    provider = f"type: saml, idp: form, {options}"
    home.config(config(providers={"sso": provider}, p="provider: sso"))
    done = home.run("explain", "p", env={"AWSLOGIN_VAR_A": "https://evil.example/"})
    assert done.code == 2
    assert "address" in done.err


HIDDEN = r"""
  evil: {provider: keys, "\x6d\x66\x61_process": "\x63\x75\x72\x6c evil.example"}
"""


def test_the_question_ends_with_what_it_does(repo: Path, signed_up: Home) -> None:
    file = repo / FILE
    text = file.read_text().replace(
        "providers:",
        "providers:\n  sso: {type: saml, idp: form, url: 'https://\u0441orp.example/', "
        "username: '${USER}'}",
    )
    file.write_text(text.rstrip() + HIDDEN + "#\n" * 300 + "# " + " " * 6000 + "x\u3164\n")
    terminal = Terminal(signed_up, "creds", "dev")
    terminal.wait_for("as it is shown")
    shown = terminal.asked
    end = shown[shown.index("What it does once") :]
    assert "Changed since you trusted it" in shown
    assert "profiles.evil.mfa_process: curl evil.example" in end
    assert "sso: xn--orp-" in end
    assert "USER" in end
    assert "\u3164" not in shown
    assert len(end.splitlines()) < 24
    terminal.answer("as it is shown", "y")
    assert terminal.finish().code == 0
    assert signed_up.run("creds", "dev").code == 0


def test_no_command_hides_behind_many_others(repo: Path, signed_up: Home) -> None:
    head = (repo / FILE).read_text().partition("profiles:")[0]
    lines = [f"  p{n}: {{provider: keys, mfa_process: 'otp {n}'}}\n" for n in range(30)]
    long = f"  q: {{provider: keys, mfa_process: 'otp {'a' * 400}; curl q.example'}}\n"
    same = [f"  r{n}: {{provider: keys, mfa_process: same}}\n" for n in range(90)]
    (repo / FILE).write_text(f"{head}profiles:\n{''.join([*lines, long, *same])}")
    terminal = Terminal(signed_up, "config", "trust")
    for _ in range(2):
        terminal.answer("Go on?", "y")
    terminal.wait_for("as it is shown")
    end = terminal.asked[terminal.asked.index("What it does once") :]
    assert "p29.mfa_process: otp 29" in end
    assert "curl q.example" in end
    assert "r0.mfa_process and 89 more: same" in end
    assert len(end[end.rindex("Go on?") :].splitlines()) < 24
    terminal.answer("as it is shown", "y")
    terminal.finish().ok()
    assert signed_up.run("list").ok()
    revoked = signed_up.run("config", "trust", "--revoke").ok()
    assert "not trusted" in revoked.out
    terminal = Terminal(signed_up, "config", "trust")
    terminal.answer("Go on?", "n")
    terminal.finish().ok()
    assert signed_up.run("creds", "p1").code == 4


def test_a_no_leaves_it_untrusted(repo: Path, signed_up: Home) -> None:
    pulled(repo)
    terminal = Terminal(signed_up, "creds", "dev")
    terminal.answer("as it is shown", "n")
    assert terminal.finish().code == 4
    assert signed_up.run("creds", "dev").code == 4


class TestFilesOfOthers:
    """What others could have written is not believed."""

    @pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
    def test_a_folder(self, repo: Path, signed_up: Home, mode: int) -> None:
        folder = Path(signed_up.environ["AWSLOGIN_HOME"])
        folder.chmod(mode)
        self.refused(signed_up, folder, f"{mode:04o}")

    def test_a_folder_above(self, repo: Path, signed_up: Home) -> None:
        signed_up.folder.chmod(0o777)
        self.refused(signed_up, signed_up.folder, "0777")
        signed_up.folder.chmod(0o1777)
        signed_up.run("creds", "dev").ok()

    def test_a_list_of_trust(self, repo: Path, signed_up: Home) -> None:
        file = Path(signed_up.environ["AWSLOGIN_HOME"]) / "trusted.json"
        file.chmod(0o666)
        self.refused(signed_up, file, "0666")

    def test_settings(self, repo: Path, signed_up: Home) -> None:
        file = Path(signed_up.environ["AWSLOGIN_HOME"]) / "settings.yaml"
        file.write_text("agent: off\n")
        file.chmod(0o666)
        self.refused(signed_up, file, "0666", AWSLOGIN_CONFIG=str(repo / FILE))

    def test_the_own_config_of_another_owner(self, repo: Path, signed_up: Home) -> None:
        file = Path(signed_up.environ["AWSLOGIN_HOME"]) / "config.yaml"
        (repo / FILE).rename(file)
        signed_up.run("creds", "dev").ok()
        os.chown(file, 12345, 12345)
        self.refused(signed_up, file, "12345")

    @staticmethod
    def refused(home: Home, path: Path, words: str, **environ: str) -> None:
        done = home.run("creds", "dev", env=environ)
        assert (done.code, done.out) == (2, "")
        assert str(path) in done.err
        assert words in done.err
        assert "chmod" in done.err or "chown" in done.err


def test_own_folders_are_private_from_the_first(signed_up: Home, sandbox: Sandbox) -> None:
    del signed_up.environ["AWSLOGIN_HOME"]
    signed_up.config(config("dev", sandbox=sandbox))
    os.umask(0o002)
    try:
        signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    finally:
        os.umask(0o022)
    folders = [path for path in signed_up.folder.rglob("*") if path.name == "awslogin"]
    made = [path for path in folders if ".local" in path.parts]
    assert made
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


def test_a_folder_that_was_there_is_not_narrowed(repo: Path, signed_up: Home) -> None:
    folder = Path(signed_up.environ["AWSLOGIN_HOME"])
    folder.chmod(0o755)
    signed_up.run("login", "dev", "--force").ok()
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_relative_state_folder_starts_no_agent(repo: Path, signed_up: Home) -> None:
    environ = {"AWSLOGIN_HOME": None, "AWSLOGIN_AGENT": None, "XDG_STATE_HOME": "state"}
    signed_up.run("creds", "dev", env=environ)
    assert not (repo / "state").exists()


def test_a_relative_home_is_refused(repo: Path, signed_up: Home) -> None:
    done = signed_up.run("creds", "dev", env={"AWSLOGIN_HOME": "state"})
    assert (done.code, done.out) == (2, "")
    assert "AWSLOGIN_HOME" in done.err
    assert not (repo / "state").exists()
