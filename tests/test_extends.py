"""`extends`: files and pinned git repositories, merged, with each value's own file and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import Repository, served
from tests.support import Home

BASE = """\
version: 1
team: payments
default_profile: dev
defaults: {region: eu-west-1, duration: 1h}
providers:
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
  keys: {type: static}
profiles:
  dev: {provider: corp, account: "111122223333", role: Developer, tags: {tier: dev, cost: low}}
  old: {provider: keys}
"""
NEAR = """\
defaults: {duration: 30m}
profiles:
  dev: {role: Admin, tags: {tier: prod}}
  mine: {provider: corp, account: "444455556666", role: Admin}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "platform")


def own(home: Home, *extends: str, more: str = NEAR) -> Path:
    lines = "".join(f'  - "{one}"\n' for one in extends)
    return home.config(f"version: 1\nextends:\n{lines}{more}")


def explained(home: Home, profile: str) -> Any:
    return home.run("explain", profile, "--output", "json").ok().json


def test_what_stands_nearer_wins(home: Home, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    own(home, "base.yaml")
    rows = {row["profile"]: row for row in home.run("list", "--output", "json").ok().json}
    assert list(rows) == ["dev", "old", "mine"]
    assert (rows["dev"]["account_id"], rows["dev"]["role"]) == ("111122223333", "Admin")
    assert rows["dev"]["tags"] == {"tier": "prod"}  # a value is taken whole
    values = json.dumps(explained(home, "dev"))
    assert str(tmp_path / "base.yaml") in values
    assert str(tmp_path / "config.yaml") in values


def test_a_later_file_is_nearer_than_an_earlier_one(home: Home, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(BASE)
    (tmp_path / "two.yaml").write_text('version: 1\nprofiles: {dev: {account: "999988887777"}}\n')
    own(home, "one.yaml", "two.yaml", more="")
    rows = {row["profile"]: row for row in home.run("list", "--output", "json").ok().json}
    assert rows["dev"]["account_id"] == "999988887777"


def test_errors_stand_in_their_own_file(home: Home, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("role: Developer", "rolle: Developer"))
    own(home, "base.yaml")
    done = home.run("config", "check")
    assert done.code == 2
    assert f"{tmp_path}/base.yaml:9:" in done.out
    assert "role" in done.out


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"base": "version: 1\nextends: [config.yaml]\n"}, "circle"),
        ({"base": "version: 1\nextends: [base.yaml]\n"}, "circle"),
        ({"base": "[1, 2]"}, "mapping"),
        ({"base": "version: 2\n"}, "version: 1"),
        ({"base": "version: 1\nextends: [missing.yaml]\n"}, "missing.yaml"),
        ({"base": "version: 1\nextends: [/dev/zero]\n"}, "no regular file"),
        ({"base": "version: 1\nextends: [/proc/self/environ]\n"}, "another file in each process"),
        ({"base": "version: 1\nextends: [/proc/self/fd/0]\n"}, "another file in each process"),
        ({"base": "version: 1\nextends: [https://x.example/a.yaml]\n"}, "neither a file"),
        ({"base": 'version: 1\nextends: ["a\\0b.yaml"]\n'}, "names no file"),
        ({"base": 'version: 1\nextends: ["a\\e[31m.yaml"]\n'}, "names no file"),
        ({"base": "version: 1\nextends: [{a: b}]\n"}, "names no file"),
        ({"base": "version: 1\nextends: [7]\n"}, "names no file"),
        ({"base": "version: 1\nextends: [null]\n"}, "names no file"),
        (
            {f"n{number}": f"version: 1\nextends: [n{number + 1}.yaml]\n" for number in range(12)}
            | {"base": "version: 1\nextends: [n0.yaml]\n", "n12": "version: 1\n"},
            "more than 10",
        ),
        (
            {f"n{n}": f"version: 1\nextends: [n{n + 1}.yaml, n{n + 1}.yaml]\n" for n in range(8)}
            | {"base": "version: 1\nextends: [n0.yaml]\n", "n8": "version: 1\n"},
            "more than 50",
        ),
    ],
)
def test_what_may_not_be(home: Home, tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    own(home, "base.yaml")
    error = home.run("list", "--output", "json").error
    assert error["exit"] == 2
    assert words in error["message"]
    assert ".yaml:" in error["message"]


def test_a_pinned_commit_serves_from_the_cache(home: Home, repository: Repository) -> None:
    commit = repository.commit(team=BASE)
    own(home, repository.at(commit))
    for words in (["list"], ["env", "dev"], ["creds", "dev"]):
        missing = home.run(*words, "--output", "json")
        assert missing.code == 2
        assert "awslogin config update" in missing.error["hint"]
    home.run("config", "update").ok()
    shutil.rmtree(repository.folder)
    rows = {row["profile"]: row for row in home.run("list", "--output", "json").ok().json}
    assert rows["dev"]["role"] == "Admin"
    assert commit in json.dumps(explained(home, "dev"))


@pytest.mark.parametrize("revision", ["main", "v1", "0123abc"])
def test_what_is_no_pin_is_pinned_by_update(
    home: Home, repository: Repository, revision: str
) -> None:
    commit = repository.commit(team=BASE)
    file = own(home, repository.at(revision), more="# a comment stays\n" + NEAR)
    error = home.run("list", "--output", "json").error
    assert error["exit"] == 2
    assert "awslogin config update" in error["hint"]
    if revision == "main":
        home.run("config", "update").ok()
        assert commit in file.read_text()
        assert "# a comment stays" in file.read_text()
        home.run("list").ok()


def test_update_shows_what_changes_and_changes_the_pin_alone(
    home: Home, repository: Repository
) -> None:
    old = repository.commit(team=BASE)
    file = own(home, repository.at(old), more="# mine\n")
    home.run("config", "update").ok()
    new = repository.commit(team=BASE.replace("role: Developer", "role: ReadOnly"))
    done = home.run("config", "update", "--output", "json").ok().json
    (change,) = done["updated"]
    assert (change["from"], change["to"]) == (old, new)
    assert "profile dev: role Developer → ReadOnly" in done["consequences"]
    assert file.read_text() == own(home, repository.at(new), more="# mine\n").read_text()
    assert home.run("config", "update", "--output", "json").ok().json["updated"] == []


def test_update_leaves_comments_alone(home: Home, repository: Repository) -> None:
    old = repository.commit(team=BASE)
    comment = f"# was {repository.at(old)}\n"
    file = own(home, repository.at(old), more=comment)
    new = repository.commit(team=BASE + "  new: {provider: keys}\n")
    (updated,) = home.run("config", "update", "--output", "json").ok().json["updated"]
    assert updated["to"] == new
    assert file.read_text() == own(home, repository.at(new), more=comment).read_text()


@pytest.mark.parametrize("name", ["link.yaml", "missing.yaml", "out.yaml", "wrong.yaml"])
def test_update_to_what_cannot_be_read_changes_nothing(
    home: Home, repository: Repository, name: str
) -> None:
    (repository.folder / "link.yaml").symlink_to("/etc/passwd")
    repository.commit(team=BASE, out="version: 1\nextends: [../x]\n", wrong="[")
    file = own(home, repository.at("main", name))
    before = file.read_bytes()
    error = home.run("config", "update", "--output", "json").error
    assert error["exit"] == 2
    assert "yaml:" in error["message"]
    assert file.read_bytes() == before


def test_update_leaves_a_pin_that_is_no_more(home: Home, repository: Repository) -> None:
    commit = repository.commit(team=BASE)
    file = own(home, repository.at("0123456789" * 4))
    home.run("config", "update").ok()
    assert commit in file.read_text()


def test_a_repository_of_a_host_names_no_folder_of_this_machine(
    home: Home, repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "private")
    inner = other.at(other.commit(team=BASE))
    commit = repository.commit(team=f'version: 1\nextends: ["{inner}"]\n')
    with served(tmp_path) as git:
        own(home, f"git+http://{git.host}/platform/.git@{commit}#team.yaml")
        error = home.run("config", "update", "--output", "json").error
    assert error["exit"] == 2
    assert "leads out of the repository" in error["message"]


def test_links_and_other_folders_of_a_repository(home: Home, repository: Repository) -> None:
    (repository.folder / "link.yaml").symlink_to("/etc/passwd")
    commit = repository.commit(
        sub__team="version: 1\nextends: [../base.yaml]\n",
        base=BASE,
        out="version: 1\nextends: [../../etc/passwd]\n",
    )
    own(home, repository.at(commit, "sub/team.yaml"), more="")
    home.run("config", "update").ok()
    assert "dev" in home.run("list").ok().out
    for name in ("out.yaml", "link.yaml"):
        own(home, repository.at(commit, name), more="")
        assert home.run("list", "--output", "json").error["exit"] == 2


def test_a_changed_extended_file_is_untrusted_again(home: Home, repository: Repository) -> None:
    commit = repository.commit(team=BASE)
    base = home.work / "base.yaml"
    base.write_text("version: 1\nprofiles: {old: {region: eu-west-2}}\n")
    text = f'version: 1\nextends: ["{repository.at(commit)}", base.yaml]\n'
    (home.work / "awslogin.yaml").write_text(text)
    home.run("config", "trust").ok()  # fetches what it shows
    assert home.run("dev", "--output", "json").error["exit"] == 4  # trusted: a person is needed
    base.write_text("version: 1\nprofiles: {old: {region: eu-west-3}}\n")
    refused = home.run("dev", "--output", "json").error
    assert "trust" in refused["hint"]
