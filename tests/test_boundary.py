"""The error boundary: odd words, odd streams, odd folders, and texts that would fool a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import broker
from tests.configs import config, form
from tests.crowd import held, until
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home, installation
from tests.terminal import Terminal

MAIN = str(Path(broker.__file__).with_name("__main__.py"))
CONFIG = config(
    head="default_profile: dev\ndefaults: {region: eu-west-1}\n",
    dev="provider: keys, tags: {tier: dev}",
    bad="provider: kyes",
)


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.mark.parametrize(
    "words", [("",), ("exec", "", "--", "true"), ("remove", ""), ("creds", "")]
)
def test_an_empty_name_is_not_the_default_profile(team: Home, words: tuple[str, ...]) -> None:
    done = team.run(*words)
    assert (done.code, "empty" in done.err) == (2, True)
    team.run("dev").ok()


def test_a_duration_of_nothing(team: Home) -> None:
    assert team.run("dev", "--duration", "0").code == 2


def test_options_before_a_command_of_a_group(team: Home) -> None:
    report = team.run("--output", "json", "config", "check").json
    assert [problem["profile"] for problem in report["problems"]] == ["bad"]
    assert team.run("--output", "json", "agent", "status").ok().json["running"] is False
    assert team.run("config", "--output", "json", "path").ok().json["trusted"] is True
    assert "which one" in team.run("config").err
    assert "Usage" in team.run("config", "--help").ok().out
    file = team.environ["AWSLOGIN_CONFIG"]
    assert team.run("--config", file, "config", "path").ok().out.strip() == file


def test_a_spoiled_profile_spoils_itself_alone(team: Home) -> None:
    assert "dev" in team.run("config", "show").ok().out
    assert [row["profile"] for row in team.run("--tag", "tier=dev", "--output", "json").ok().json]
    team.config(CONFIG + "  gone: {provider: kyes}\n")
    assert team.run("status").ok()


def test_without_stderr_stdout_holds_the_result_alone(team: Home) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec 2>&-; exec {COMMAND} creds dev"],
        env=team.env(), cwd=team.work, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["Version"] == 1


@pytest.mark.parametrize("redirection", [">/dev/full", "<&-"])
def test_streams_that_do_not_work(team: Home, redirection: str) -> None:
    words = "add dev --stdin" if redirection == "<&-" else "creds dev"
    done = subprocess.run(
        ["sh", "-c", f"exec {COMMAND} {words} {redirection}"],
        env=team.env(), cwd=team.work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def shell(team: Home, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line], env=team.env(dict(variables)), cwd=team.work,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


ASKED_BY_POWERSHELL = {"_AWSLOGIN_COMPLETE": "powershell_complete", "COMP_WORDS": "awslogin\n"}


@pytest.mark.parametrize("words", ["list", "creds dev", "--help", "completion bash"])
def test_a_pipe_that_nobody_reads(team: Home, words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [COMMAND, *words.split()], env=team.env(), cwd=team.work,
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 130
    assert not [line for line in done.stderr.splitlines() if not line.startswith("warning: bad")]


def test_what_a_shell_asks_is_inside_the_boundary(team: Home) -> None:
    done = shell(team, f"exec {COMMAND} >/dev/full", **ASKED_BY_POWERSHELL)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


@pytest.mark.parametrize(
    ("words", "code"), [("list", 0), ("creds nope --verbose", 2), ("exec dev -- nope", 127)]
)
def test_a_stderr_that_takes_nothing_changes_nothing(team: Home, words: str, code: int) -> None:
    done = shell(team, f"exec {COMMAND} {words} 2>/dev/full")
    assert (done.returncode, bool(done.stdout)) == (code, code == 0)


def test_ctrl_c_is_one_line(team: Home, sandbox: Sandbox) -> None:
    with held(sandbox, "sts"):
        process = team.start("creds", "dev")
        until(lambda: sandbox.calls("sts"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert json.loads(err)["error"]["code"] == "interrupted"
    assert err.count("\n") == 1


INTERRUPTING = """\
import json, os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

def dumps(*args, dumps=json.dumps):  # the error's line
    os.kill(os.getpid(), signal.SIGINT)
    return dumps(*args)

sys.meta_path.insert(0, Finder())
json.dumps = dumps
"""


@pytest.mark.parametrize("is_line_of_setup", [False, True])
@pytest.mark.parametrize("command", ["creds", "whoami"])
def test_ctrl_c_while_loading_and_once_more(
    team: Home, command: str, *, is_line_of_setup: bool
) -> None:
    script, packages = installation(team.folder / "venv")
    (packages / "sitecustomize.py").write_text(INTERRUPTING)
    python = str(script.with_name("python"))
    door = [python, "-I", "-S", MAIN] if is_line_of_setup else [str(script)]
    done = subprocess.run(
        [*door, command, "dev"], env=team.env(), cwd=team.work,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    (line,) = done.stderr.strip().splitlines()
    assert "interrupted" in line
    plain = is_line_of_setup or command == "whoami"  # an SDK shows it to a person
    assert line.startswith("{") != plain


def test_a_command_takes_ctrl_c_as_ever(team: Home) -> None:
    script = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    for words in (("exec", "dev"), ("exec", "dev", "--server")):
        assert team.run(*words, "--", sys.executable, "-c", script).ok().out == "set()\n"


def test_in_a_folder_that_is_gone(team: Home) -> None:
    gone = team.folder / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f"rmdir {gone} && exec {COMMAND} dev"],
        env=team.env(), cwd=gone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_home_that_cannot_be_one(team: Home) -> None:
    done = team.run("dev", "--output", "json", env={"AWSLOGIN_HOME": "/dev/null/x"})
    assert (done.code, done.error["code"]) == (2, "usage")
    assert "/dev/null/x" in done.error["message"]


@pytest.mark.parametrize("variable", ["AWSLOGIN_HOME", "AWSLOGIN_CONFIG", "AWS_CONFIG_FILE"])
def test_the_home_of_nobody(team: Home, variable: str) -> None:
    """`~ghost` stays as it is, as in shells."""
    for command in ("setup", "status"):
        done = team.run(command, env={variable: "~ghost/x"})
        assert done.code == (0 if variable == "AWS_CONFIG_FILE" else 2)


def test_a_debug_page_leaves_the_folder_as_it_is(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(config(providers={"sso": form(sandbox.idp.url)}, prod="provider: sso"))
    signed_up.work.chmod(0o755)
    sandbox.fault("idp", status=200, body="<title>Odd</title>")
    assert signed_up.run("prod", "--debug-page", "page.html").code == 6
    assert signed_up.work.stat().st_mode & 0o777 == 0o755
    assert (signed_up.work / "page.html").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    ["mfa_process: touch x\r    region: eu-west-1   ", "session_name: \u202egnp.exe", "a: \x1b[2J"],
)
def test_a_file_cannot_overwrite_what_is_shown_of_it(home: Home, line: str) -> None:
    file = home.work / "awslogin.yaml"
    file.write_bytes((CONFIG + f"  evil: {{provider: keys}}\n# {line}\n").encode())
    assert home.run("config", "trust").code == 2
    terminal = Terminal(home, "config", "trust", "awslogin.yaml")
    terminal.answer("as it is shown", "y")
    shown = terminal.finish().err
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "\r" not in shown.replace("\r\n", "")
    assert home.run("list").code == 2


def test_an_unknown_key_cannot_speak_to_the_terminal(home: Home) -> None:
    (home.work / "awslogin.yaml").write_text('version: 1\n"\\e[2J": x\n')
    done = home.run("config", "check")
    assert done.code == 2
    assert "\x1b" not in done.out + done.err


def test_a_region_of_the_environment_is_held_to_its_form(team: Home) -> None:
    sound = "  sound: {provider: keys, region: eu-west-1}\n"
    team.config(CONFIG.replace("defaults: {region: eu-west-1}\n", "") + sound)
    evil = "eu-west-1\n[profile evil]\ncredential_process = /bin/evil"
    assert team.run("dev", env={"AWS_REGION": evil}).code == 2
    team.run("setup", env={"AWS_REGION": evil})
    assert "evil" not in (team.folder / ".aws" / "config").read_text()


@pytest.mark.parametrize(
    "profiles",
    [
        "".join(
            f"  p{n}: {{source: p{n + 1}, role_arn: 'arn:aws:iam::111122223333:role/x'}}\n"
            for n in range(1500)
        )
        + "  p1500: {provider: keys}\n",
        "  q0: {provider: keys}\n"
        + "".join(
            f"  q{n + 1}: {{source: q{n}, role_arn: 'arn:aws:iam::111122223333:role/x'}}\n"
            for n in range(1500)
        ),
    ],
)
def test_a_chain_without_end(home: Home, profiles: str) -> None:
    home.config(CONFIG + profiles)
    done = home.run("config", "check")
    assert done.code == 2
    assert "more than 50 sources" in done.out
    home.run("list").ok()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: true"),
        ("dev: {", "dev: {account: 0x19DF7E6D05, "),
        ("tier: dev", "tier: !!bool foo"),
        ("tier: dev", "tier: !!int ''"),
        ("tier: dev", "tier: !!timestamp foo"),
        ("{provider: keys, tags: {tier: dev}}", "null"),
    ],
)
def test_yaml_that_is_wrong_in_an_odd_way(home: Home, old: str, new: str) -> None:
    home.config(CONFIG.replace(old, new))
    done = home.run("dev", "--output", "json")
    assert (done.code, done.error["code"]) == (2, "config")


def test_an_arrow_where_the_stream_takes_ascii_alone(team: Home) -> None:
    assert "providers" in team.run("explain", "dev", env={"PYTHONIOENCODING": "ascii"}).ok().out


def test_the_words_behind_the_dashes_are_the_commands(team: Home) -> None:
    assert "Traceback" not in team.run("exec", "nope", "--", "x", "--verbose").err
    assert team.run("exec", "dev", "--", "").code == 127


def test_a_shared_failure_holds_no_password(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(config(providers={"sso": form(sandbox.idp.url)}, prod="provider: sso"))
    password = "pa&ss word"
    page = f"<title>x</title><p class=error>No: {password}</p>"
    sandbox.fault("idp", status=200, body=page, action="/idp/password")
    assert signed_up.run("prod", env={"AWSLOGIN_PASSWORD": password}).code == 3
    assert signed_up.holds_in_plain([password]) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"]
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "mount", *options, str(place)], check=True)
    yield place
    subprocess.run([*root, "umount", str(place)], check=True)


def test_a_full_disk_keeps_no_session_but_gives_it(team: Home, small_disk: Path) -> None:
    home = small_disk / "home"
    shutil.copytree(team.folder / "awslogin", home)
    team.environ["AWSLOGIN_HOME"] = str(home)
    team.run("dev").ok()  # folders and locks
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    done = team.run("dev", "--force", "--output", "json").ok()
    assert done.json["from_cache"] is False
    assert "No space left" in done.err
    assert "not kept" in done.err


@pytest.mark.parametrize("host", ["https://[bad", "a b", "http://plain.example", "x@y.example"])
def test_a_host_that_is_none(home: Home, host: str) -> None:
    sso = form("https://sso.example/", f"hosts: ['{host}']")
    home.config(config(providers={"sso": sso}, prod="provider: sso"))
    assert home.run("config", "check").code == 2


def test_when_all_fail_stdout_is_empty(team: Home) -> None:
    team.environ["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:9"
    done = team.run("--all", "--output", "json")
    assert (done.code, done.out) == (2, "")
