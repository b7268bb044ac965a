"""`extends` from a git server: what is contacted, when, with whose consent, and its failures."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import NetworkError
from broker.ports.git import Repositories
from broker.ports.git_reference import Reference
from tests.crowd import until
from tests.repositories import GitServer, Repository, served
from tests.support import Home
from tests.terminal import Terminal

BASE = """\
version: 1
providers: {keys: {type: static}}
profiles: {dev: {provider: keys, region: eu-west-1}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "served" / "team")


@pytest.fixture
def git(repository: Repository) -> Iterator[GitServer]:
    with served(repository.folder.parent) as server:
        yield server


def address(git: GitServer, commit: str) -> str:
    return f"git+http://{git.host}/team/.git@{commit}#team.yaml"


def found(home: Home, *extends: str) -> Path:
    path = home.work / "awslogin.yaml"
    lines = "".join(f'  - "{one}"\n' for one in extends)
    path.write_text(f"version: 1\nextends:\n{lines}")
    return path


def test_a_commit_is_fetched_once_by_trust_alone(
    home: Home, git: GitServer, repository: Repository
) -> None:
    commit = repository.commit(team=BASE)
    found(home, address(git, commit))
    for words in (["list"], ["dev"], ["config", "check"], ["config", "update"], ["completion"]):
        home.run(*words)
    assert git.asked == []
    done = home.run("config", "trust").ok()
    assert f"fetching http://{git.host}/team/.git from 127.0.0.1" in done.err
    asked = len(git.asked)
    assert asked
    assert home.run("list", "--output", "json").ok().json[0]["profile"] == "dev"
    home.run("config", "trust").ok()
    assert len(git.asked) == asked


def test_a_person_agrees_before_a_host_is_contacted(
    home: Home, git: GitServer, repository: Repository
) -> None:
    commit = repository.commit(team=BASE)
    found(home, address(git, commit))
    refusing = Terminal(home, "config", "trust")
    refusing.answer(r"Contact 127\.0\.0\.1\?", "n")
    refused = refusing.finish()
    assert refused.code == 4
    assert "127.0.0.1 was not to be contacted" in refusing.screen
    assert git.asked == []
    agreeing = Terminal(home, "config", "trust")
    agreeing.answer(r"Contact 127\.0\.0\.1\?", "y")
    agreeing.answer(r"Trust .* as it is shown\?", "y")
    agreeing.finish().ok()
    assert home.run("list", "--output", "json").ok().json[0]["profile"] == "dev"


def test_an_update_asks_before_it_contacts_what_the_new_commit_names(
    home: Home, git: GitServer, repository: Repository, tmp_path: Path
) -> None:
    old = repository.commit(team=BASE)
    config = home.config(f'version: 1\nextends: ["{repository.at(old)}"]\n')
    home.run("config", "update").ok()
    other = f"git+http://{git.host}/team/.git@{old}#team.yaml"
    repository.commit(team=f'version: 1\nextends: ["{other}"]\n')
    updating = Terminal(home, "config", "update")
    updating.answer(r"Contact 127\.0\.0\.1\?", "n")
    assert updating.finish().code == 4
    assert git.asked == []
    assert old in config.read_text()


@pytest.mark.parametrize(
    ("refuses", "says"), [(401, "git cannot read"), (404, "git cannot read"), (503, "503")]
)
def test_a_refusal_is_told_and_asks_nobody(
    home: Home, git: GitServer, repository: Repository, refuses: int, says: str
) -> None:
    commit = repository.commit(team=BASE)
    found(home, address(git, commit))
    git.refuses = refuses
    error = home.run("config", "trust", "--output", "json").error
    assert error["exit"] == 5
    assert says in error["message"]
    assert home.run("list").code == 2


def test_a_redirect_leads_to_no_other_way(
    home: Home, git: GitServer, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit(team=BASE)
    found(home, address(git, commit))
    git.leads_to = f"file://{tmp_path}/served"
    assert home.run("config", "trust", "--output", "json").error["exit"] == 5
    with served(repository.folder.parent) as other:  # one by http is followed: the pin is a hash
        git.leads_to = f"http://{other.host}"
        home.run("config", "trust").ok()
        assert other.asked


def test_a_server_that_never_answers(
    git: GitServer, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = Reference.parse(address(git, repository.commit(team=BASE)))
    assert reference
    git.hangs = threading.Event()
    monkeypatch.setattr("broker.ports.git.FETCH_SECONDS", 1)
    environ = {"PATH": os.environ["PATH"], "AWSLOGIN_HOME": str(tmp_path / "state")}
    with pytest.raises(NetworkError, match="did not end within"):
        Repositories(environ).fetch(reference)
    until(lambda: not [words for words in command_lines() if git.host in words])


def command_lines() -> Iterator[str]:
    """Of every process that runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def test_nobody_serves(home: Home, git: GitServer, repository: Repository) -> None:
    commit = repository.commit(team=BASE)
    found(home, f"git+http://127.0.0.1:1/team/.git@{commit}#team.yaml")
    assert home.run("config", "trust", "--output", "json").error["exit"] == 5
