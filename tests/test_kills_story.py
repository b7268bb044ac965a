"""Killed before any change to a file: nothing is half written, and a second run ends whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.configs import config
from tests.kills import moments, run_killed
from tests.repositories import Repository
from tests.sandbox import Sandbox
from tests.support import Home, cheap_vault

BASE = "version: 1\nproviders: {keys: {type: static}}\nprofiles: {dev: {provider: keys}}\n"


def machines(folder: Path, sandbox: Sandbox, seed: int, among: int) -> list[tuple[int, Home]]:
    """A new machine for each moment."""
    made = []
    for moment in moments(seed, among):
        home = Home(folder / str(moment), sandbox.env())
        cheap_vault(home.folder / "awslogin" / "vault")
        made.append((moment, home))
    return made


def left_behind(home: Home) -> list[Path]:
    """Temporary files of writers that were killed."""
    return [path for path in home.files() if ".awslogin-" in path.name]


def test_init(sandbox: Sandbox, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "team")
    head = "team: payments\ndefault_profile: prod\n"
    commit = repository.commit(team=config("prod", sandbox=sandbox, head=head))
    words = ("init", "--from", repository.at(commit), "--setup", "--yes")
    for moment, home in machines(tmp_path, sandbox, 19, 60):
        home.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
        done = run_killed(home, moment, *words)
        own = home.folder / "awslogin" / "config.yaml"
        assert not own.exists() or repository.at(commit) in own.read_text()
        if done is None:
            again = home.run(*words)
            if again.code == 2:  # the config is there: its hint says how to go on
                assert "`awslogin init`" in again.err
                again = home.run("init", "--setup", "--yes")
            again.ok()
        assert home.run("prod", "--output", "json").ok().json["from_cache"]
        assert "creds prod" in (home.folder / ".aws" / "config").read_text()
        assert left_behind(home) == []
        shutil.rmtree(home.folder)
        if done:
            break


def test_config_update(sandbox: Sandbox, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "team")
    old = repository.commit(team=BASE)
    new = repository.commit(team=BASE.replace("dev", "stage"))
    for moment, home in machines(tmp_path, sandbox, 20, 26):
        path = home.work / "awslogin.yaml"
        text = f"version: 1 # mine\nextends:\n  - {repository.at(old)} # main\n"
        path.write_text(text)
        home.run("config", "trust", "--yes").ok()
        done = run_killed(home, moment, "config", "update", "--yes")
        assert path.read_text() in {text, text.replace(old, new)}
        again = home.run("config", "update", "--yes")
        if again.code == 4:  # killed between the file and its trust
            assert "config trust" in again.err
            home.run("config", "trust", "--yes").ok()
            home.run("config", "update", "--yes").ok()
        assert path.read_text() == text.replace(old, new)
        assert home.run("stage", "--output", "json").error["code"] == "keychain"
        assert [path.name for path in home.work.iterdir()] == [path.name]
        shutil.rmtree(home.folder)
        if done:
            break


def test_config_trust(sandbox: Sandbox, tmp_path: Path) -> None:
    for moment, home in machines(tmp_path, sandbox, 21, 8):
        path = home.work / "awslogin.yaml"
        path.write_text(BASE)
        done = run_killed(home, moment, "config", "trust", "--yes")
        home.run("config", "trust", "--yes").ok()
        assert home.run("config", "path", "--output", "json").ok().json["trusted"]
        assert left_behind(home) == []
        if done:
            break


def test_the_kept_config(sandbox: Sandbox, tmp_path: Path) -> None:
    for moment, home in machines(tmp_path, sandbox, 23, 4):
        home.config(BASE)

        def records(home: Home = home) -> list[Path]:
            return list(home.folder.rglob("configs/*.json"))

        while not records():  # until the file is old enough
            home.run("list").ok()
        records()[0].unlink()
        done = run_killed(home, moment, "list")
        home.run("list").ok()
        assert [json.loads(path.read_text())["names"] for path in records()] == [["dev"]]
        assert left_behind(home) == []
        if done:
            break


def test_import_of_profiles(sandbox: Sandbox, tmp_path: Path) -> None:
    theirs = (
        "[profile a]\nsso_start_url = https://c.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 111122223333\nsso_role_name = A\n"
    )
    for moment, home in machines(tmp_path, sandbox, 22, 8):
        path = home.config(f"# mine\n{BASE}")
        (home.folder / ".aws").mkdir()
        (home.folder / ".aws" / "config").write_text(theirs)
        done = run_killed(home, moment, "import", "aws-config", "--yes")
        assert path.read_text().startswith("# mine\nversion: 1\n")
        home.run("list").ok()
        home.run("import", "aws-config", "--yes").ok()
        names = [row["profile"] for row in home.run("list", "--output", "json").ok().json]
        assert names == ["dev", "a"]
        assert left_behind(home) == []
        if done:
            break


def test_import_of_two_keys(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each key is in the file until the keychain holds it."""
    keys = {"dev": sandbox.bob, "ann": sandbox.ann}
    words = ("import", "aws-credentials", "--remove", "--yes")
    text = "".join(
        f"[{name}]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}\n"
        for name, key in keys.items()
    )
    for moment, home in machines(tmp_path, sandbox, 22, 24):
        home.config(config("dev", ann="provider: keys"))
        file = home.folder / ".aws" / "credentials"
        file.parent.mkdir()
        file.write_text(text)
        done = run_killed(home, moment, *words)
        for name, key in keys.items():
            in_file = key.secret in file.read_text()
            assert in_file or home.run("whoami", name).code == 0, (moment, name)
        if done is None:
            home.run(*words)
        assert "aws_secret" not in file.read_text()
        assert [home.run("whoami", name).code for name in keys] == [0, 0]
        assert left_behind(home) == []
        assert home.holds_in_plain([key.secret for key in keys.values()]) == []
        shutil.rmtree(home.folder)
        if done:
            break
