"""Each format as its reader reads it, whatever characters a value holds."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker import render
from broker.credentials import RoleParameters
from broker.errors import UsageError
from broker.secret import Secret
from broker.session import Session

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = Session(
    profile="prod", provider="corp", type="identity-center", account_id="111122223333",
    arn="arn:aws:sts::111122223333:assumed-role/Admin/ann", partition="aws", region="eu-west-1",
    access_key_id="ASIAIOSFODNN7EXAMPLE", secret_access_key=Secret("wJalr/XUt+nFEMI="),
    session_token=Secret("FwoG//a+b="), issued_at=NOW, expires_at=NOW + timedelta(hours=1),
)  # fmt: skip
HOSTILE = [
    "plain",
    "spaces  and\ttabs ",
    """'"`$(touch pwned)${HOME}$HOME\\""",
    "\\",
    "\\'",
    "a\nb",
    "a\ntouch pwned\nb",
    "line's\nend'\n",
    "*?[a]~{x,y}",
    "#;&|<>()!^%PATH%",
    "-n",
    "‘’‚‛“”",
    "é€𝄞",
    "=",
    "",
]
STALE = dict.fromkeys(("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"), "stale")
PROBE = """for n in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION; do
printenv $n; printf '\\001'; done; printenv AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN"""


def with_secret(value: str) -> Session:
    return dataclasses.replace(SESSION, secret_access_key=Secret(value))


def read_by(words: list[str], text: str, tmp_path: Path) -> list[str]:
    """The variables that a shell has after it has read the text, as a child sees them."""
    file = tmp_path / "text"
    file.write_text(text)
    path = shutil.which(words[0])
    assert path, "run scripts/install-test-parts"
    done = subprocess.run(
        [path, *words[1:]],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FILE": str(file), **STALE},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert not (tmp_path / "pwned").exists()
    *values, unset = done.stdout.split("\001")
    assert unset == ""
    return [value.removesuffix("\n") for value in values]


QUOTED = 'eval "$(cat "$FILE")"; ' + PROBE
SHELLS = {
    "sh": ["sh", "-euc", QUOTED],
    "dash": ["dash", "-euc", QUOTED],
    "bash": ["bash", "-euc", QUOTED],
    "zsh": ["zsh", "-euc", QUOTED],
    "a sourced file": ["sh", "-euc", '. "$FILE"; ' + PROBE],
}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("shell", SHELLS)
def test_env_in_each_shell(shell: str, value: str, tmp_path: Path) -> None:
    got = read_by(SHELLS[shell], render.sh(with_secret(value)), tmp_path)
    assert got == ["ASIAIOSFODNN7EXAMPLE", value, "FwoG//a+b=", "eu-west-1"]


def test_env_takes_an_unquoted_eval_too(tmp_path: Path) -> None:
    got = read_by(["bash", "-c", f'eval $(cat "$FILE"); {PROBE}'], render.sh(SESSION), tmp_path)
    assert got == ["ASIAIOSFODNN7EXAMPLE", "wJalr/XUt+nFEMI=", "FwoG//a+b=", "eu-west-1"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("way", ["source $FILE", "cat $FILE | source", "eval (cat $FILE)"])
def test_fish(way: str, value: str, tmp_path: Path) -> None:
    got = read_by(
        ["fish", "--no-config", "-c", f"{way}; exec sh -c '{PROBE.replace(chr(39), chr(34))}'"],
        render.fish(with_secret(value)),
        tmp_path,
    )
    assert got == ["ASIAIOSFODNN7EXAMPLE", value, "FwoG//a+b=", "eu-west-1"]


def powershell_value(literal: str) -> str:
    """What PowerShell reads: single-quoted strings joined by `+`, doubled quotes, `[char]N`.

    Source: PowerShell docs, about_Quoting_Rules; the tokenizer takes four curly quotes for `'`.
    """
    quote = "['‘’‚‛]"
    part = rf"{quote}((?:[^'‘’‚‛\r\n]|['‘’‚‛]['‘’‚‛])*){quote}|\[char\](\d+)"
    assert re.fullmatch(rf"(?:{part})(?: \+ (?:{part}))*", literal), literal
    return "".join(
        chr(int(number)) if number else re.sub("(['‘’‚‛])['‘’‚‛]", r"\1", text)
        for text, number in re.findall(part, literal)
    )


@pytest.mark.parametrize("value", HOSTILE)
def test_powershell(value: str) -> None:
    lines = render.powershell(with_secret(value)).splitlines()
    assert lines[:3] == [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in STALE]
    assert [line.split(" = ")[0] for line in lines[3:]] == [
        f"$Env:AWS_{name}"
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN",
                     "CREDENTIAL_EXPIRATION", "REGION", "DEFAULT_REGION")
    ] + ["$Env:AWSLOGIN_PROFILE", "$Env:AWS_ACCOUNT_ID"]  # fmt: skip
    assert powershell_value(lines[4].partition(" = ")[2]) == value


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("it's", "'it''s'"),
        ('$x`y"z\\', "'$x`y\"z\\'"),
        ("‘’", "'‘‘’’'"),
        ("a\nb", "'a' + [char]10 + 'b'"),
        ("", "''"),
    ],
)
def test_powershells_rules(value: str, literal: str) -> None:
    assert f"$Env:AWS_SECRET_ACCESS_KEY = {literal}\n" in render.powershell(with_secret(value))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("wJalr/XUt+nFEMI=", "wJalr/XUt+nFEMI="),
        ("%PATH%", "%%PATH%%"),
        ("a&b|c<d>e^f(g)", "a&b|c<d>e^f(g)"),
        (" x ", " x "),
        ("it's", "it's"),
        ('a"b', None),
        ("a\nb", None),
        ("a\rb", None),
        ("a!b!", None),
    ],
)
def test_cmds_rules(value: str, line: str | None) -> None:
    """Between `set "` and `"` only these are special: `%`, `"`, line ends, `!` if delayed."""
    if line is None:
        with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY"):
            render.cmd(with_secret(value))
        return
    lines = render.cmd(with_secret(value)).splitlines()
    assert lines[:3] == [f'set "{name}="' for name in STALE]
    assert f'set "AWS_SECRET_ACCESS_KEY={line}"' in lines


@pytest.mark.parametrize("value", HOSTILE)
def test_dotenv(value: str, tmp_path: Path) -> None:
    """Single quotes mean the same to a shell, docker compose and python-dotenv.

    `docker run --env-file` takes quotes for a part of the value: what needs none has none.
    """
    if "'" in value or "\n" in value:
        with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY"):
            render.dotenv(with_secret(value))
        return
    text = render.dotenv(with_secret(value))
    assert text.splitlines()[1] in {
        f"AWS_SECRET_ACCESS_KEY={value}",
        f"AWS_SECRET_ACCESS_KEY='{value}'",
    }
    assert "AWS_SESSION_TOKEN=FwoG//a+b=\n" in text
    unset = "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN; "
    got = read_by(["sh", "-euc", f'set -a; . "$FILE"; {unset}{PROBE}'], text, tmp_path)
    assert got[1] == value


def runner_reads(text: str) -> dict[str, str]:
    """What GitHub's runner makes of $GITHUB_ENV: NAME=VALUE, or NAME<<WORD, lines, WORD."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, marker = line.find("="), line.find("<<")
        if marker > 0 and (equals < 0 or marker < equals):
            value = []
            while (inner := next(lines)) != line[marker + 2 :]:
                value.append(inner)
            found[line[:marker]] = "\n".join(value)
        else:
            assert equals > 0, line
            found[line[:equals]] = line[equals + 1 :]
    return found


@pytest.mark.parametrize("value", [*HOSTILE, "x\nPATH=/evil", "<<x\ny", "a\r\nb"])
def test_github(value: str, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("MINE=1")
    out = render.github(with_secret(value), {"GITHUB_ENV": str(file)})
    assert runner_reads(file.read_bytes().decode()) == {
        "MINE": "1",
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": value,
        "AWS_SESSION_TOKEN": "FwoG//a+b=",
        "AWS_CREDENTIAL_EXPIRATION": "2026-01-01T01:00:00Z",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    masks = [line.removeprefix("::add-mask::") for line in out.splitlines()]
    assert [
        mask.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") for mask in masks
    ] == ["ASIAIOSFODNN7EXAMPLE", value, "FwoG//a+b="]


def test_a_masks_percent_is_not_taken_for_a_line_end(tmp_path: Path) -> None:
    out = render.github(with_secret("a%0Ab"), {"GITHUB_ENV": str(tmp_path / "env")})
    assert "::add-mask::a%250Ab\n" in out
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def test_github_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "env").symlink_to(tmp_path / "another")
    with pytest.raises(UsageError, match="GITHUB_ENV cannot be written"):
        render.github(SESSION, {"GITHUB_ENV": str(tmp_path / "env")})
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("environ", [{}, {"GITHUB_ENV": ""}, {"GITHUB_ENV": "/no/such/folder/x"}])
def test_github_without_its_file(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="GITHUB_ENV"):
        render.github(SESSION, environ)


@pytest.mark.parametrize("value", HOSTILE)
def test_json_formats(value: str) -> None:
    session = with_secret(value)
    assert json.loads(render.as_json(session))["secret_access_key"] == value
    assert json.loads(render.process(session)) == {
        "Version": 1,
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": value,
        "SessionToken": "FwoG//a+b=",
        "Expiration": "2026-01-01T01:00:00Z",
        "AccountId": "111122223333",
    }
    assert json.loads(render.container(session))["SecretAccessKey"] == value


@pytest.mark.parametrize(
    ("arn", "asked", "shown"),
    [
        (None, {"role": "team/Dev", "account": "111122223333"}, "team/Dev"),
        (None, {"role_arn": "arn:aws:iam::111122223333:role/Audit"}, "Audit"),
        ("arn:aws:sts::111122223333:assumed-role/Picked/ann", {}, "Picked"),
        (None, {"mfa_serial": "arn:aws:iam::444455556666:mfa/ann"}, "none"),
    ],
)
def test_text_says_account_and_role_of_every_kind(
    arn: str | None, asked: dict[str, Any], shown: str
) -> None:
    session = dataclasses.replace(SESSION, arn=arn, account_id=None)
    text = render.text(session, RoleParameters(region="eu-west-1", **asked), NOW)
    lines = dict(line.split(":", 1) for line in text.splitlines())
    assert lines["role"].strip() == shown
    account = lines["account"].strip()
    assert account == "444455556666" if "mfa_serial" in asked else "awslogin whoami" in account


def test_text_shows_no_secret() -> None:
    text = render.text(SESSION, now=NOW)
    assert "prod" in text
    assert not [s for s in ("wJalr", "FwoG", "ASIA") if s in text]
