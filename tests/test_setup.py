"""`setup`: boto3 and the AWS CLI sign in through the installed `credential_process`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal

CONFIG = config("dev", default="provider: keys", bad="provider: kyes")
MINE = """\
# my own file
[default]
region = eu-north-1   # an inline comment is part of the value

[profile mine]
s3 =
    max_concurrent_requests = 20
"""
ASK = (
    "import boto3; sts = boto3.Session(profile_name='dev').client('sts');"
    "print(sts.get_caller_identity()['Arn'])"
)


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def aws_config(home: Home, text: str | None = None) -> Path:
    path = home.folder / ".aws" / "config"
    if text is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path


def test_boto3_signs_in_in_any_folder(team: Home, tmp_path: Path) -> None:
    team.run("setup").ok()
    env = team.env({"AWSLOGIN_CONFIG": None})
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(":user/bob")


def test_the_aws_cli_signs_in(team: Home) -> None:
    team.run("setup").ok()
    aws = str(Path(sys.executable).parent / "aws")
    done = subprocess.run(
        [aws, "--profile", "dev", "--output", "json", "sts", "get-caller-identity"],
        env=team.env(), cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["Arn"].endswith(":user/bob")


def test_all_else_stays_byte_for_byte(team: Home) -> None:
    path = aws_config(team, MINE)
    path.chmod(0o640)
    done = team.run("setup").ok()
    assert "default left out" in done.err
    assert "bad left out" in done.err
    after = path.read_text()
    assert after.startswith(MINE)
    assert "[profile dev]" in after
    assert path.stat().st_mode & 0o777 == 0o640
    again = team.run("setup").ok()
    assert "unchanged" in again.out
    team.run("setup", "--remove").ok()
    assert path.read_text() == MINE


@pytest.mark.parametrize("text", [MINE.rstrip("\n"), "", "[default]\r\nregion=x\r\n"])
def test_remove_restores_every_ending(team: Home, text: str) -> None:
    path = aws_config(team)
    path.parent.mkdir()
    path.write_bytes(text.encode())
    team.run("setup").ok()
    assert b"[profile dev]" in path.read_bytes()
    team.run("setup", "--remove").ok()
    assert path.read_bytes() == text.encode()


def test_lines_after_the_block_stay(team: Home) -> None:
    path = aws_config(team, MINE)
    team.run("setup").ok()
    path.write_text(path.read_text() + "[profile later]\nregion = x\n")
    team.config(CONFIG.replace("  dev: {", "  other: {provider: keys}\n  dev: {"))
    team.run("setup").ok()
    after = path.read_text()
    assert after.endswith("[profile later]\nregion = x\n")
    assert after.count("[profile dev]") == 1
    assert "[profile other]" in after


def test_a_symlink_stays_one(team: Home) -> None:
    real = team.folder / "dotfiles"
    real.write_text(MINE)
    path = aws_config(team)
    path.parent.mkdir()
    path.symlink_to(real)
    team.run("setup").ok()
    assert path.is_symlink()
    assert "[profile dev]" in real.read_text()


def test_another_file_and_a_dry_run(team: Home) -> None:
    elsewhere = team.folder / "elsewhere"
    elsewhere.write_text(MINE)
    env = {"AWS_CONFIG_FILE": str(elsewhere)}
    shown = team.run("setup", "--dry-run", env=env).ok()
    assert "+[profile dev]" in shown.out
    assert elsewhere.read_text() == MINE
    team.run("setup", env=env).ok()
    assert "[profile dev]" in elsewhere.read_text()
    assert not aws_config(team).exists()


def test_a_damaged_block_is_mended(team: Home) -> None:
    text = MINE + "[profile x]\nregion = y\n"
    path = aws_config(team, f"# <<< awslogin <<<\n{text}# >>> awslogin >>> made by hand\n")
    team.run("setup").ok()
    assert path.read_text().startswith(text)
    team.run("setup", "--remove").ok()
    assert path.read_text() == text


def clone(home: Home, name: str, profile: str) -> Path:
    """A team's repository with a trusted config of its own."""
    folder = home.folder / name
    folder.mkdir()
    (folder / "awslogin.yaml").write_text(
        re.sub("team: .*", f"team: {name}", config("dev").replace("dev:", f"{profile}:"))
    )
    home.run("config", "trust", "awslogin.yaml", "--yes", env=FOUND, cwd=folder).ok()
    return folder


FOUND = {"AWSLOGIN_CONFIG": None}


def test_a_found_file_stays_held_to_trust(signed_up: Home, sandbox: Sandbox) -> None:
    folder = clone(signed_up, "one", "dev")
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json, env=FOUND, cwd=folder).ok()
    signed_up.run("setup", env=FOUND, cwd=folder).ok()
    assert f"creds dev --found {folder}/awslogin.yaml\n" in aws_config(signed_up).read_text()
    env = signed_up.env(FOUND)
    ask = [sys.executable, "-c", ASK]
    assert subprocess.run(ask, env=env, cwd="/", check=False).returncode == 0
    with (folder / "awslogin.yaml").open("a") as file:
        file.write("# changed\n")
    done = subprocess.run(ask, env=env, cwd="/", capture_output=True, text=True, check=False)
    assert "config trust" in done.stderr
    named = signed_up.run("setup", "--config", str(folder / "awslogin.yaml"), env=FOUND)
    assert (named.code, "config trust" in named.err) == (4, True)


def test_lines_of_an_older_version_are_told_and_replaced(signed_up: Home) -> None:
    folder = clone(signed_up, "one", "dev")
    signed_up.run("setup", env=FOUND, cwd=folder).ok()
    path = aws_config(signed_up)
    new = path.read_text()
    path.write_text(new.replace("--found", "--config"))
    other = clone(signed_up, "two", "stage")
    told = signed_up.run("setup", env=FOUND, cwd=other).ok()
    assert f"older version name {folder}/awslogin.yaml" in told.err
    signed_up.run("setup", "--remove", env=FOUND, cwd=other).ok()
    done = signed_up.run("setup", env=FOUND, cwd=folder).ok()
    assert "older version" in done.err
    assert path.read_text() == new


def test_each_repository_has_a_block_of_its_own(signed_up: Home) -> None:
    one, two = clone(signed_up, "one", "dev"), clone(signed_up, "two", "stage")
    for folder in (one, two, one):
        signed_up.run("setup", env=FOUND, cwd=folder).ok()
    text = aws_config(signed_up).read_text()
    assert "[profile dev]" in text
    assert "[profile stage]" in text
    three = clone(signed_up, "three", "dev")
    done = signed_up.run("setup", env=FOUND, cwd=three).ok()
    assert f"that of {one}/awslogin.yaml" in done.err
    named = signed_up.run("setup", "--prefix", "c-", env=FOUND, cwd=three).ok()
    assert "left out" not in named.err
    assert "[profile c-dev]" in aws_config(signed_up).read_text()
    signed_up.run("setup", "--name-format", "{team}.{profile}", env=FOUND, cwd=three).ok()
    assert "[profile c-dev]" not in aws_config(signed_up).read_text()
    _, _, mine = aws_config(signed_up).read_text().partition("[profile three.dev]")
    assert "creds dev --found" in mine
    signed_up.run("setup", "--remove", env=FOUND, cwd=one).ok()
    assert "[profile dev]" not in aws_config(signed_up).read_text()
    signed_up.run("setup", "--remove", "--all", env=FOUND, cwd=signed_up.work).ok()
    assert not aws_config(signed_up).exists()


@pytest.mark.parametrize("name_format", ["{nosuch}", "{profile!r}x", "{profile.name}", "a b", "{"])
def test_a_name_format_that_makes_no_name(team: Home, name_format: str) -> None:
    assert team.run("setup", "--name-format", name_format).code == 2
    assert not aws_config(team).exists()


def test_a_section_of_ones_own_is_taken_over_until_it_comes_back(team: Home) -> None:
    before = MINE + "[profile dev]\nrole_arn = x\nsource_profile = mine\n# mine too\n"
    path = aws_config(team, before)
    assert "--take-over" in team.run("setup").ok().err
    done = team.run("setup", "--take-over", "--output", "json").ok()
    assert done.json["taken_over"] == ["dev", "default"]
    ask = [sys.executable, "-c", ASK]
    assert b":user/bob" in subprocess.run(ask, env=team.env(), check=True, stdout=-1).stdout
    assert "unchanged" in team.run("setup").ok().out
    team.run("setup", "--remove").ok()
    assert path.read_text() == before


def without_comments(path: Path) -> None:
    """As a tool that writes the file anew from what it has read."""
    kept = [line for line in path.read_text().splitlines() if line and line[0] not in "#;"]
    path.write_text("".join(f"{line}\n" for line in kept))


@pytest.mark.parametrize("command", ["setup --remove", "uninstall --yes"])
def test_what_was_taken_over_comes_back_though_the_comments_are_gone(
    team: Home, command: str
) -> None:
    own = "[profile dev]\nrole_arn = x\ns3 =\n  max = 2\nsource_profile = mine\n"
    path = aws_config(team, MINE + own)
    team.run("setup", "--take-over").ok()
    without_comments(path)
    assert own not in path.read_text()
    assert team.run("setup").ok()  # ours go on, and nothing comes back yet
    without_comments(path)
    team.run(*command.split()).ok()
    assert own in path.read_text()
    assert path.read_text().count("[profile dev]") == 1
    assert "credential_process" not in path.read_text()
    if command.startswith("setup"):
        team.run("setup", "--take-over").ok()
        team.run("setup", "--remove").ok()
        assert path.read_text().count("[profile dev]") == 1


def test_a_copy_of_what_was_taken_over_holds_no_secret(team: Home) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    keys = f"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {secret}\n"
    own = f"[profile dev]\n{keys}"
    path = aws_config(team, own)
    team.run("setup", "--take-over").ok()
    assert team.holds_in_plain([secret]) == [path]
    without_comments(path)
    team.run("setup", "--remove").ok()
    assert "aws_access_key_id" in path.read_text()
    assert "a line of this section is left out" in path.read_text()


def test_what_others_put_into_our_section_is_kept_or_named(team: Home) -> None:
    path = aws_config(team, MINE)
    team.run("setup").ok()
    path.write_text(path.read_text() + "output = json\n")
    assert "unchanged" not in team.run("setup").ok().out
    assert "output = json\n# <<<" in path.read_text()
    done = team.run("setup", "--remove", "--output", "json").ok()
    assert done.json["dropped"] == {"dev": ["output"]}
    assert "output" in done.err
    assert path.read_text() == MINE


def test_a_region_that_aws_configure_set_gives_way_and_is_named(team: Home) -> None:
    path = aws_config(team)
    team.run("setup").ok()
    path.write_text(path.read_text().replace("eu-west-1", "us-east-1"))
    done = team.run("setup").ok()
    assert "region us-east-1 of [dev] gives way" in done.err
    assert "us-east-1" not in path.read_text()
    assert "gives way" not in team.run("setup").ok().err


def test_our_own_sections_are_nothing_to_import(team: Home) -> None:
    team.run("setup").ok()
    assert team.run("import").ok().out == "no other tool's set-up was found here\n"


def test_an_sdk_shows_one_sentence_that_ends_in_the_command(team: Home, sandbox: Sandbox) -> None:
    team.config(config("prod", sandbox=sandbox))
    team.run("setup").ok()
    aws = str(Path(sys.executable).parent / "aws")
    done = subprocess.run(
        [aws, "--profile", "prod", "sts", "get-caller-identity"],
        env=team.env({"AWSLOGIN_CONFIG": None}),
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.endswith("; run awslogin login prod")


def test_a_file_that_no_sdk_reads_is_told(team: Home) -> None:
    path = aws_config(team, MINE + "[default]\nregion = again\n")
    done = team.run("setup").ok()
    assert "no SDK can use them" in done.out
    assert "line 8 begins a section that is there already" in done.err
    assert "do not read" in team.run("setup", "--remove").ok().err
    assert path.read_text() == MINE + "[default]\nregion = again\n"


def test_paths_with_spaces(team: Home) -> None:
    folder = team.folder / "with space"
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    team.run("setup", "--config", str(folder / "c.yaml")).ok()
    env = team.env({"AWSLOGIN_CONFIG": None})
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(":user/bob")


def exact(home: Home, before: bytes) -> bytes:
    """Setup, a second setup, a changed one, and back again; what setup wrote."""
    path = aws_config(home)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(before)
    home.run("setup").ok()
    after = path.read_bytes()
    assert "unchanged" in home.run("setup").ok().out
    home.config(CONFIG + "  more: {provider: keys}\n")
    home.run("setup").ok()
    assert b"[profile more]" in path.read_bytes()
    home.config(CONFIG)
    home.run("setup").ok()
    assert path.read_bytes() == after
    home.run("setup", "--remove").ok()
    assert path.read_bytes() == before
    return after


@pytest.mark.parametrize(
    "before",
    [
        b"[default]\r\nregion = eu-north-1\r\n",
        b"[default]\r\nregion = eu-north-1",
        b"[default]\nregion = eu-north-1\n\n\n",
        b"\xef\xbb\xbf[profile caf\xe9]\nregion = x\n",
        b"\n",
        b"\r\n",
        b"# \xff\x00 bytes\n[profile mine]\noutput = json",
    ],
)
def test_every_byte_comes_back(team: Home, before: bytes) -> None:
    after = exact(team, before)
    assert after.startswith(before)
    block = after[len(before) :]
    assert (b"\r\n" in before) == (b"\r\n" in block)
    assert b"\r\n" not in block or block.count(b"\n") == block.count(b"\r\n")


def test_a_block_in_the_middle_stays_there(team: Home) -> None:
    path = aws_config(team, MINE)
    team.run("setup").ok()
    tail = b"[profile later]\r\nregion = x"
    path.write_bytes(path.read_bytes() + tail)
    team.run("setup").ok()
    assert path.read_bytes().endswith(b"# <<< awslogin <<<\n" + tail)
    team.run("setup", "--remove").ok()
    assert path.read_bytes() == MINE.encode() + tail


def test_clients_read_a_block_with_the_files_own_line_ends(team: Home) -> None:
    aws_config(team).parent.mkdir()
    aws_config(team).write_bytes(b"[profile mine]\r\nregion = x\r\n")
    team.run("setup").ok()
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=team.env(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(":user/bob")


def test_a_file_that_setup_made_goes_again(team: Home) -> None:
    path = aws_config(team)
    team.run("setup").ok()
    assert path.stat().st_mode & 0o777 == 0o600
    team.config(CONFIG + "  more: {provider: keys}\n")
    team.run("setup").ok()
    team.run("setup", "--remove").ok()
    assert not path.exists()
    team.run("setup", "--remove").ok()


def test_what_the_person_wrote_into_it_since_stays(team: Home) -> None:
    path = aws_config(team)
    team.run("setup").ok()
    path.write_text(path.read_text() + "[profile later]\nregion = x\n")
    team.run("setup", "--remove").ok()
    assert path.read_text() == "[profile later]\nregion = x\n"


def test_conflicts_are_named_and_alike_names_are_none(team: Home) -> None:
    aws_config(team, "[sso-session dev]\n[services dev]\n[dev]\nregion = x\n[profile  other]\n")
    team.config(CONFIG + "  other: {provider: keys}\n")
    (team.folder / ".aws" / "credentials").write_text("[dev]\naws_access_key_id = AKIAMINE\n")
    done = team.run("setup", "--output", "json").ok()
    assert done.json["profiles"] == ["dev", "default"]
    assert set(done.json["left_out"]) == {"bad", "other"}
    assert "[profile other]" in done.json["left_out"]["other"]
    assert "+[profile dev]" in done.json["diff"]
    assert "dev: the section [dev] of" in done.err
    (team.folder / ".aws" / "credentials").write_text("[dev]\n[other]\nregion = x\n")
    assert "wins" not in team.run("setup", "--dry-run").ok().err
    assert "other left out" in done.err


@pytest.mark.parametrize("folder", ["with (round) & more", "it^is~here{x}", "é"])
def test_odd_folders(team: Home, folder: str) -> None:
    place = team.folder / folder
    place.mkdir()
    (place / "c.yaml").write_text(CONFIG)
    team.run("setup", "--config", str(place / "c.yaml")).ok()
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=team.env({"AWSLOGIN_CONFIG": None}), cwd="/",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith(":user/bob")


@pytest.mark.parametrize("folder", ["a\\b", "a$b", "a`b", "a#b", "a'b", 'a"b', "a\nb", "a\udcff"])
def test_folders_that_no_line_can_carry(team: Home, folder: str) -> None:
    place = team.folder / folder
    place.mkdir()
    (place / "c.yaml").write_text(CONFIG)
    assert team.run("setup", "--config", str(place / "c.yaml")).code == 2
    assert not aws_config(team).exists()


def test_what_is_no_file_is_left_alone(team: Home) -> None:
    assert team.run("setup", env={"AWS_CONFIG_FILE": "/dev/null"}).code == 2
    assert Path("/dev/null").is_char_device()
    assert team.run("setup", env={"AWS_CONFIG_FILE": str(team.work)}).code == 2
    failed = team.run("setup", "--output", "json", env={"AWS_CONFIG_FILE": "/proc/none/config"})
    assert (failed.error["code"], failed.code) == ("usage", 2)


def test_on_a_terminal_it_shows_the_change_and_asks(team: Home) -> None:
    path = aws_config(team, MINE)
    for answer, text in (("n", MINE), ("y", None)):
        terminal = Terminal(team, "setup")
        terminal.answer(r"Write this\?", answer)
        done = terminal.finish().ok()
        assert "+[profile dev]" in done.err
        assert text is None or path.read_text() == text
    assert "[profile dev]" in path.read_text()
    Terminal(team, "setup", "--remove", "--yes").finish().ok()
    assert path.read_text() == MINE


def test_a_change_meanwhile_is_not_overwritten(team: Home) -> None:
    path = aws_config(team, MINE)
    terminal = Terminal(team, "setup")
    terminal.wait_for(r"Write this\?")
    path.write_text(MINE + "[profile new]\n")
    terminal.type("y\n")
    assert terminal.finish().code == 2
    assert path.read_text() == MINE + "[profile new]\n"


def test_nothing_is_left_beside_the_file(team: Home) -> None:
    aws_config(team, MINE)
    team.run("setup").ok()
    team.run("setup", "--remove").ok()
    assert [path.name for path in aws_config(team).parent.iterdir()] == ["config"]
