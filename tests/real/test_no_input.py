"""`--no-input` and `CI=true`, for every command of the table: nobody is asked, nothing hangs.

Each command runs at a real terminal, beside a Secret Service that never answers and a browser that
notes when it is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.cli.main import COMMANDS
from tests.configs import HEAD, PROFILES, config
from tests.real.parts import secret_service
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal

CODES = {0, 2, 3, 4, 5, 6, 7, 8, 127}
"""All that the contract has for a failure; 1 would be a defect."""
WORDS: dict[str, list[tuple[str, ...]]] = {
    "login": [("stage",), ("prod",), ("dev",), ("--all",), ()],
    "exec": [("stage", "--", "true"), ("prod", "--server", "--", "true")],
    "serve": [("stage", "--for", "1s"), ("dev", "--for", "1s")],
    "logout": [("stage",), ("--all",)],
    "add": [("dev",), ("dev", "--stdin")],
    "setup": [(), ("--remove",)],
    "config": [("check",), ("show",), ("schema",), ("trust",), ("path",)],
}
"""What is tried of a command; of one that is not here, its bare name and a profile with it."""
MAY_WRITE = {"setup": {".aws/config"}}
"""What a command is for, outside AWSLOGIN_HOME."""


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A desktop whose Secret Service takes calls and never replies."""
    with secret_service.silent(tmp_path_factory.mktemp("bus")) as environ:
        yield environ


@pytest.fixture
def desktop(tmp_path: Path, sandbox: Sandbox, bus: dict[str, str]) -> Home:
    """A person's machine with a config that is trusted by its content alone."""
    home = Home(tmp_path / "home", sandbox.env() | bus).without_vault()
    (home.work / "awslogin.yaml").write_text(
        config(
            "stage",
            "prod",
            sandbox=sandbox,
            head=HEAD + "default_profile: stage\n",
            dev=PROFILES["ann"],
        )
    )
    home.run("config", "trust", "--no-input").ok()
    programs = home.folder / "bin"
    programs.mkdir()
    for name in ("xdg-open", "x-www-browser", "www-browser", "firefox", "browser"):
        (programs / name).write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/opened\n')
        (programs / name).chmod(0o755)
    home.environ |= {
        "PATH": f"{programs}:{home.environ['PATH']}",
        "BROWSER": str(programs / "browser"),
        "DISPLAY": ":99",
    }
    return home


def written(home: Home) -> dict[str, str]:
    """Every file of the home folder but those below AWSLOGIN_HOME, with a hash of it."""
    return {
        str(path.relative_to(home.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.files()
        if not path.is_relative_to(home.folder / "awslogin")
    }


@pytest.mark.parametrize(("flag", "env"), [("--no-input", {}), (None, {"CI": "true"})], ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_asks_nobody(
    desktop: Home, tmp_path: Path, name: str, flag: str | None, env: dict[str, str]
) -> None:
    before = written(desktop)

    def run(words: tuple[str, ...]) -> str:
        place = words.index("--") if "--" in words else len(words)
        options = [flag] if flag else []
        line = [name, *words[:place], *options, *words[place:]]
        terminal = Terminal(desktop, *line, env=env)
        done = terminal.finish()
        assert done.code in CODES, f"{line}: exit {done.code}\n{done.err}"
        assert terminal.asked == "", f"{line} asked: {terminal.asked}"
        return done.err

    with ThreadPoolExecutor(5) as pool:
        said = list(pool.map(run, WORDS.get(name, [(), ("stage",)])))
    assert not [text for text in said if "Traceback" in text]
    assert not (tmp_path / "opened").exists()
    after = written(desktop)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed <= MAY_WRITE.get(name, set())


@pytest.mark.parametrize(
    ("profile", "code"), [("stage", 4), ("prod", 4), ("mfa", 4), ("nothing-to-trust", 4)]
)
@pytest.mark.parametrize("env", [{"CI": "true"}, {}], ids=["CI", "--no-input"])
def test_what_needs_a_person_is_exit_4(
    signed_up: Home, sandbox: Sandbox, profile: str, code: int, env: dict[str, str]
) -> None:
    keys = f'{{"AccessKeyId": "{sandbox.ann.key_id}", "SecretAccessKey": "{sandbox.ann.secret}"}}'
    text = config("stage", "prod", sandbox=sandbox, mfa=PROFILES["ann"])
    if profile == "nothing-to-trust":
        (signed_up.work / "awslogin.yaml").write_text(text)
        profile = "stage"
    else:
        signed_up.config(text)
        signed_up.run("add", "mfa", "--stdin", stdin=keys).ok()
    words = [profile, "--output", "json", *([] if env else ["--no-input"])]
    terminal = Terminal(signed_up, *words, env=env)
    done = terminal.finish()
    assert (done.code, terminal.asked) == (code, "")
    assert '"code": "interaction_required"' in done.err
    assert sandbox.calls("sts", "GetSessionToken") == []
