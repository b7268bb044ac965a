"""`import aws-credentials`: what is stored, what stays, and what leaves the file with consent."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, Home

CONFIG = config("dev", "deploy", ann="provider: keys")


@pytest.fixture
def team(signed_up: Home) -> Home:
    signed_up.config(CONFIG)
    return signed_up


@pytest.fixture
def file(team: Home, sandbox: Sandbox) -> Path:
    """As people have it: comments, odd spacing, a session, CRLF, no end of the last line."""
    path = team.folder / ".aws" / "credentials"
    path.parent.mkdir()
    ann, bob = sandbox.ann, sandbox.bob
    path.write_bytes(
        b"# mine, don't touch\n"
        b"[default]\n"
        b"region = eu-west-1\n"
        b"\n"
        b"[dev]\r\n"
        b"# aws_secret_access_key = an old one\r\n"
        b"AWS_ACCESS_KEY_ID=" + bob.key_id.encode() + b"\r\n"
        b"aws_secret_access_key   =   " + bob.secret.encode() + b"\r\n"
        b"output = json\r\n"
        b"[ann]\n"
        b"aws_secret_access_key : " + ann.secret.encode() + b"\n"
        b"s3 =\n  max_concurrent_requests = 20\n"
        b"aws_access_key_id : " + ann.key_id.encode() + b"\n"
        b"[temporary]\n"
        b"aws_access_key_id = ASIAIOSFODNN7EXAMPLE\n"
        b"aws_secret_access_key = x\n"
        b"aws_session_token = y\n"
        b"[elsewhere]\n"
        b"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
        b"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
        b"; the end"
    )
    path.chmod(0o640)
    return path


def without(content: bytes, *names: str) -> bytes:
    """The file without the key lines of these sections, said in another way than the code does."""
    kept, section = [], ""
    for line in content.split(b"\n"):
        if line.startswith(b"["):
            section = line.strip(b"[]\r").decode()
        word = line.split(b"=")[0].split(b":")[0].strip().lower()
        if section in names and word in {b"aws_access_key_id", b"aws_secret_access_key"}:
            continue
        kept.append(line)
    return b"\n".join(kept)


def test_without_consent_the_file_stays(team: Home, sandbox: Sandbox, file: Path) -> None:
    before = file.read_bytes()
    done = team.run("import", "aws-credentials").ok()
    assert file.read_bytes() == before
    assert "still holds them in plain text" in done.err
    assert "elsewhere" in done.err
    team.run("dev").ok()
    team.run("ann").ok()
    assert not [secret for secret in sandbox.secrets() if secret in done.out + done.err]


@pytest.mark.parametrize("consent", ["--yes", "--remove"])
def test_with_consent_the_keys_leave_and_all_else_stays(
    team: Home, sandbox: Sandbox, file: Path, consent: str
) -> None:
    before = file.read_bytes()
    done = team.run("import", "aws-credentials", consent, "--output", "json").ok().json
    assert done["removed"] is True
    assert {row["profile"]: row["access_key_id"] for row in done["imported"]} == {
        "dev": sandbox.bob.key_id,
        "ann": sandbox.ann.key_id,
    }
    assert file.read_bytes() == without(before, "dev", "ann")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert team.holds_in_plain([sandbox.bob.secret, sandbox.ann.secret]) == []
    team.run("deploy").ok()


def test_a_symlink_stays_one(team: Home, file: Path) -> None:
    target = team.folder / "dotfiles-credentials"
    before = file.read_bytes()
    file.rename(target)
    file.symlink_to(target)
    team.run("import", "aws-credentials", "dev", "--yes").ok()
    assert file.is_symlink()
    assert target.read_bytes() == without(before, "dev")


def test_profiles_that_live_on_the_keys_are_named_before_these_go(team: Home, file: Path) -> None:
    config = file.with_name("config")
    config.write_text("[profile role]\nrole_arn = x\nsource_profile = dev\n")
    kept = team.run("import", "aws-credentials", "dev", "--keep").ok()
    assert "source_profile" not in kept.err
    done = team.run("import", "aws-credentials", "dev", "--yes").ok()
    assert "[profile role] say `source_profile = dev`" in done.err


def test_keep_wins_over_yes(team: Home, file: Path) -> None:
    before = file.read_bytes()
    team.run("import", "aws-credentials", "--keep", "--yes").ok()
    assert file.read_bytes() == before


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("n", False)])
def test_a_person_is_asked(team: Home, file: Path, answer: str, removed: bool) -> None:
    before = file.read_bytes()
    done = terminal.run(
        [COMMAND, "import", "aws-credentials", "dev"],
        env=team.env(),
        answers=[(r"Take them out of the file\? \[y/N\]", answer)],
    )
    assert done.code == 0, done.screen
    assert file.read_bytes() == (without(before, "dev") if removed else before)
    assert "secret_access_key   =" not in done.screen


def test_keys_that_aws_refuses_are_neither_stored_nor_removed(
    team: Home, sandbox: Sandbox, file: Path
) -> None:
    before = file.read_bytes()
    sandbox.bob.active = False
    done = team.run("import", "aws-credentials", "--yes", "--output", "json")
    assert done.code == 3
    assert [row["profile"] for row in done.json["imported"]] == ["ann"]
    assert file.read_bytes() == without(before, "ann")
    assert team.run("dev").code == 7


def test_keys_in_the_keychain_are_not_overwritten(team: Home, sandbox: Sandbox, file: Path) -> None:
    team.run("import", "aws-credentials").ok()
    team.run("rotate", "dev").ok()
    sandbox.world.keys["AKIAIOSFODNN7EXAMPLF"] = sandbox.bob
    before = file.read_bytes()
    done = team.run("import", "aws-credentials", "dev", "--yes", "--output", "json")
    assert done.error["exit"] == 2
    assert "other keys" in done.error["message"]
    assert file.read_bytes() == before


def test_again_to_take_them_out(team: Home, file: Path) -> None:
    before = file.read_bytes()
    team.run("import", "aws-credentials").ok()
    team.run("import", "aws-credentials", "--yes").ok()
    assert file.read_bytes() == without(before, "dev", "ann")


def test_a_section_for_a_profile_of_another_name(team: Home, sandbox: Sandbox, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"[dev]", b"[default2]"))
    team.run("import", "aws-credentials", "default2", "--as", "dev").ok()
    assert team.run("whoami", "dev").ok().out.count("user/bob")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "no section [nobody]"),
        (("temporary",), "no section [temporary]"),
        (("elsewhere",), "elsewhere: {provider: keys}"),
        (("--as", "dev"), "--as takes one SECTION"),
        (("dev", "--as", "deploy"), "those of dev"),
    ],
)
def test_what_cannot_be_imported(
    team: Home, sandbox: Sandbox, file: Path, words: tuple[str, ...], said: str
) -> None:
    before = file.read_bytes()
    done = team.run("import", "aws-credentials", *words, "--yes")
    assert done.code == 2
    assert said in done.err
    assert file.read_bytes() == before
    assert sandbox.calls("sts") == []


def test_without_a_config_it_says_what_to_write(team: Home, file: Path) -> None:
    del team.environ["AWSLOGIN_CONFIG"]
    done = team.run("import", "aws-credentials")
    assert done.code == 2
    text = done.err.partition("for example:\n")[2]
    team.config(text)
    team.run("import", "aws-credentials", "dev", "ann", "--yes").ok()


def test_files_that_cannot_be_cut_safely_stay(team: Home, sandbox: Sandbox, file: Path) -> None:
    bob = sandbox.bob
    text = f"[dev]\naws_access_key_id = {bob.key_id}\naws_secret_access_key =\n  {bob.secret}\n"
    file.write_text(text)
    done = team.run("import", "aws-credentials", "dev", "--yes")
    assert done.code == 2
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["no section\n", "[dev]\nx = 1\n[dev]\ny = 2\n", "\xff\xfe"])
def test_files_that_the_sdks_do_not_read(team: Home, file: Path, text: str) -> None:
    file.write_bytes(text.encode("latin-1"))
    done = team.run("import", "aws-credentials", "--yes")
    assert done.code == 2
    assert str(file) in done.err


def test_help_says_which_sources_there_are(team: Home) -> None:
    assert "aws-credentials" in team.run("import", "--help").ok().out
    done = team.run("import", "no-such-tool")
    assert done.code == 2


def test_nothing_to_import(team: Home, file: Path) -> None:
    file.write_text("[default]\nregion = eu-west-1\n")
    assert "no keys" in team.run("import", "aws-credentials").ok().out
    assert team.run("import", "aws-credentials", "--output", "json").ok().json["imported"] == []


def test_no_file(team: Home) -> None:
    assert team.run("import", "aws-credentials").code == 2


def test_dry_run_says_what_would_be_taken_and_asks_nobody(
    team: Home, sandbox: Sandbox, file: Path
) -> None:
    before = file.read_bytes()
    done = team.run("import", "aws-credentials", "--dry-run", "--yes").ok()
    assert f"dev: {sandbox.bob.key_id} would go into the keychain" in done.out
    document = team.run("import", "aws-credentials", "--dry-run", "--output", "json").ok().json
    assert [row["profile"] for row in document["imported"]] == ["dev", "ann"]
    assert [one["source"] for one in document["left_out"]] == ["elsewhere"]
    assert file.read_bytes() == before
    assert sandbox.calls("sts") == []
    assert team.run("dev", "--output", "json").error["exit"] == 7
    assert "aws-credentials: 3 keys" in team.run("import").ok().out
