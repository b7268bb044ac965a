"""Our sections of `~/.aws/config` among what others write: botocore reads, `aws configure` writes.

The long run: `AWSLOGIN_FUZZ=20000 pytest tests/broker/test_aws_config.py`.
"""

from __future__ import annotations

import configparser
import io
import os
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError

from broker.aws_config import TAKEN_OVER, profiles, rewritten
from broker.aws_readable import unreadable

ROUNDS = int(os.environ.get("AWSLOGIN_FUZZ", "150"))
A, B = "/repos/a/awslogin.yaml", "/repos/b c/awslogin.yaml"
PROGRAM = "/usr/bin/python3 -I -S /opt/x/broker/__main__.py"


def ours(file: str, *names: str, how: str = "found") -> dict[str, list[str]]:
    quoted = f'"{file}"' if " " in file else file
    return {
        name: [
            "[default]" if name == "default" else f"[profile {name}]",
            f"credential_process = {PROGRAM} creds {name} --{how} {quoted}",
            "region = eu-west-1",
        ]
        for name in names
    }


def write(content: bytes | None, file: str, *names: str, **more: Any) -> bytes:
    result = rewritten(content, ours(file, *names), file=file, **more)
    return result.content or b""


def parsed(content: bytes, folder: Path) -> dict[str, Any] | None:
    """What botocore reads; None where it does not."""
    path = folder / "config"
    path.write_bytes(content)
    try:
        return load_config(str(path))["profiles"]  # type: ignore[no-any-return]
    except ConfigParseError:
        return None


def aws_configure(content: bytes, folder: Path, section: str, key: str, value: str) -> bytes:
    """What `aws configure set KEY VALUE --profile …` makes of the file."""
    writer = import_module("awscli.customizations.configure.writer").ConfigFileWriter()
    path = folder / "written"
    path.write_bytes(content)
    name = section if section == "default" else f"profile {section}"
    writer.update_config({"__section__": name, key: value}, str(path))
    return path.read_bytes()


def without_comments(content: bytes) -> bytes:
    """What tools do that read a file into sections and write these."""
    parser = configparser.RawConfigParser(default_section="\0")
    parser.read_file(io.StringIO(content.decode(), newline=None))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue().encode()


def without_last_comment(content: bytes) -> bytes:
    """What go-ini does: a comment belongs to the section behind it, the last to none."""
    lines = content.splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].startswith(b"#")):
        lines.pop()
    return b"".join(lines)


MINE = b"# mine\n[default]\nregion = x\n\n[profile mine]\ns3 =\n    max = 20\n"


def test_a_setting_of_aws_configure_stays_with_its_section_or_goes_with_it(tmp_path: Path) -> None:
    for before in (b"", MINE, MINE.rstrip(b"\n")):
        block = write(before, A, "dev", "last")
        changed = aws_configure(block, tmp_path, "last", "output", "json")
        again = write(changed, A, "dev", "last", "more")
        values = parsed(again, tmp_path)
        assert values
        assert values["last"]["output"] == "json"
        assert "output" not in values["more"]
        gone = rewritten(again, {}, file=A)
        assert gone.dropped == {"last": ["output"]}
        assert gone.content == before


def test_a_second_repository_keeps_the_firsts_sections(tmp_path: Path) -> None:
    both = write(write(MINE, A, "dev"), B, "stage")
    assert set(parsed(both, tmp_path) or {}) == {"default", "mine", "dev", "stage"}
    assert both.count(b"# >>> awslogin >>>") == both.count(b"# <<< awslogin <<<") == 2
    assert write(both, A, "dev") == both
    assert rewritten(both, {}, file=A).content == write(MINE, B, "stage")
    assert rewritten(both, {}, file=None).content == MINE


@pytest.mark.parametrize("rewrite", [without_comments, without_last_comment])
def test_sections_are_found_without_their_comments(
    rewrite: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    changed = rewrite(write(write(MINE, A, "dev"), B, "stage"))
    assert set(parsed(write(changed, A, "dev", "new"), tmp_path) or {}) == {
        "default", "mine", "dev", "stage", "new"
    }  # fmt: skip
    gone = rewritten(changed, {}, file=None).content
    assert parsed(gone or b"", tmp_path) == parsed(MINE, tmp_path)
    assert b"awslogin" not in (gone or b"")


def test_a_section_that_was_taken_over_comes_back_byte_for_byte(tmp_path: Path) -> None:
    for before in (MINE, MINE.replace(b"\n", b"\r\n"), b"[profile mine]\nrole_arn = x"):
        taken = write(before, A, "mine", take_over={"mine"})
        values = parsed(taken, tmp_path)
        assert values
        assert "s3" not in values["mine"]
        assert "role_arn" not in values["mine"]
        assert TAKEN_OVER.encode() in taken
        assert write(taken, A, "mine") == taken
        assert rewritten(taken, {}, file=A).content == before
        given_back = parsed(write(taken, A, "other"), tmp_path) or {}
        assert given_back["mine"] == (parsed(before, tmp_path) or {})["mine"]


def test_lines_of_other_programs_are_not_ours() -> None:
    text = (
        "[profile a]\ncredential_process = aws-vault export --format=json a\n"
        "[profile b]\ncredential_process = /usr/bin/awslogin creds b\n"
        "[profile c]\ncredential_process = /opt/notawslogin creds c --config /x\n"
        f"[profile d]\ncredential_process = {PROGRAM} creds d --config /x y\n"
        '[profile e]\ncredential_process = "C:\\a b\\awslogin.exe" creds e --found "C:\\c d"\n'
    )
    found = profiles(text.encode())
    assert [name for name, line in found.items() if line] == ["d", "e"]


BROKEN = {
    "a section twice": b"[profile a]\nx = 1\n[profile a]\n",
    "a key twice": b"[profile a]\nx = 1\nx = 2\n",
    "a key before a section": b"x = 1\n[profile a]\n",
    "a header without end": b"[profile a]\nx = 1\n[profile b\n",
    "conflict marks": b"[profile a]\n<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> b\n",
    "a byte order mark": b"\xef\xbb\xbf[profile a]\n",
    "UTF-16": "[profile a]\nx = 1\n".encode("utf-16"),
    "Latin-1": b"[profile a]\nx = \xe9\n",
    "a nested line without =": b"[profile a]\ns3 =\n  nothing\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_no_sdk_reads_is_told(content: bytes, tmp_path: Path) -> None:
    assert parsed(content, tmp_path) is None
    assert unreadable(content)


PIECES = (
    "# a comment\n", "\n", "; another\n", "[sso-session s]\nsso_region = x\n",
    "[services s]\ns3 =\n  endpoint_url = http://x\n", "[plugins]\ncli = 1\n", "   \n", "\t\n",
)  # fmt: skip
SETTINGS = (
    "region = x\n", "output=json\n", "s3 =\n    a = b\n\n    c = d\n", "Region : y\n",
    "sso_session = s\n", "  indented = 1\n", "# inside\n", "credential_process = /bin/other\n",
)  # fmt: skip


def a_file(dice: random.Random) -> bytes:
    names = dice.sample(["default", "mine", "profile", "a b", "x", "creds"], dice.randint(0, 4))
    text = dice.choice(["", "\n", "# top\n"])
    for piece in dice.sample(PIECES, dice.randint(0, 4)):
        text += piece
    for name in names:
        quoted = f'"{name}"' if " " in name else name
        text += "[default]\n" if name == "default" else f"[profile {quoted}]\n"
        text += "".join(dice.sample(SETTINGS, dice.randint(0, 4)))
        text += dice.choice(["", "\n", "# between\n"])
    text = dice.choice([text, text.rstrip("\n")])
    return (text.replace("\n", "\r\n") if dice.random() < 0.2 else text).encode()


def test_whatever_others_write_stays_readable_and_theirs(tmp_path: Path) -> None:
    dice = random.Random(20261125)
    for _ in range(ROUNDS):
        one_life_of_a_file(dice, tmp_path)


def one_life_of_a_file(dice: random.Random, folder: Path) -> None:
    before = a_file(dice)
    theirs = parsed(before, folder)
    if theirs is None:
        assert unreadable(before)
        return
    assert unreadable(before) is None
    content = before
    added: dict[str, dict[str, str]] = {}
    untouched = True
    for _ in range(dice.randint(1, 6)):
        names = [f"p{number}" for number in sorted(dice.sample(range(5), dice.randint(1, 3)))]
        held = {name: line for name, line in profiles(content).items() if line}
        act = dice.choice(["a", "a", "b", "set", "mine", "comments", "last", "remove"])
        if act in "ab":
            file = {"a": A, "b": B}[act]
            names = [name for name in names if name not in held or held[name].file == file]
            content = write(content, file, *names)
            assert write(content, file, *names) == content
            added = {
                name: keys
                for name, keys in added.items()
                if name in names or (name in held and held[name].file != file)
            }
        elif act == "set" and held:
            name = dice.choice(list(held))
            key = dice.choice(["output", "cli_pager", "max_attempts"])
            content = aws_configure(content, folder, name, key, "v")
            added.setdefault(name, {})[key] = "v"
            untouched = False
        elif act == "mine":
            content = aws_configure(content, folder, "later", "output", "v")
            theirs.setdefault("later", {})["output"] = "v"
            untouched = False
        elif act == "comments":
            content = without_comments(content)
            untouched = False
        elif act == "last":
            content = without_last_comment(content)
            untouched = False
        elif act == "remove":
            content = rewritten(content, {}, file=None).content or b""
            added = {}
        values = parsed(content, folder)
        assert values is not None, content
        held = {name: line for name, line in profiles(content).items() if line}
        assert {name: v for name, v in values.items() if name not in held} == theirs
        for name, keys in added.items():
            assert keys.items() <= values[name].items(), (name, content)
    rest = rewritten(content, {}, file=None).content or b""
    if untouched:
        assert rest == before
    assert parsed(rest, folder) == theirs
    assert b"awslogin" not in rest
