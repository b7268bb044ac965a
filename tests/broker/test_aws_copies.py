"""Copies of AWS files without `[default]`'s credentials; botocore says what a file means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.configloader import load_config, raw_config_parse

from broker.aws_copies import without_default_credentials

KEYS = "aws_access_key_id = AKIA\naws_secret_access_key = s\n"
MINE = "[profile mine]\naws_access_key_id = AKIAMINE\nrole_arn = x\n"
CONFIGS = [
    f"[default]\n{KEYS}{MINE}",
    f"[profile default]\nregion = x\n{KEYS}{MINE}",
    f"{MINE}[default]\nregion = x\n{KEYS.replace(' = ', ':')}",
    f"[default]\n{KEYS.upper().replace(' = ', '=')}{MINE}",
    f"[default]\r\nregion = x\r\n{KEYS}{MINE}".replace("\n", "\r\n"),
    f"  [default]\n  region = x\n  aws_access_key_id = AKIA\n  output = json\n{MINE}",
    "[default]\ncredential_process = a\n  b\n\n  # c\n  d\noutput = json\n" + MINE,
    "[default]\ns3 =\n  role_arn = nested, no credential\n  x = y\noutput = json\n" + MINE,
    f"[default]\nregion = x\n  [profile y]\n{KEYS}{MINE}",
    f"[default]\n# a comment\n; another\nsso_session = a\nsso_account_id = 1\n\nregion = x\n{MINE}",
    f"[default]\nlogin_session = a\nweb_identity_token_file = b\nrole_session_name = c\n{MINE}",
    f"[default]\ncredential_source = Environment\nmfa_serial = x\nexternal_id = y\n{MINE}",
    f"{MINE}[sso-session default]\nsso_region = x\nsso_start_url = y\n[default]\n{KEYS}",
    f"[default]\n{KEYS}",
]
GONE = {
    "aws_access_key_id", "aws_secret_access_key", "credential_process", "role_arn", "sso_session",
    "sso_account_id", "login_session", "web_identity_token_file", "role_session_name",
    "credential_source", "mfa_serial", "external_id",
}  # fmt: skip


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_keeps_all_but_the_credentials_of_default(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(text.encode())
    environ = {"AWS_CONFIG_FILE": str(path), "AWSLOGIN_HOME": str(tmp_path / "home")}
    environ |= {"AWS_SHARED_CREDENTIALS_FILE": "/none", "BOTO_CONFIG": "/none"}
    before = load_config(str(path))
    with without_default_credentials(environ) as variables:
        if "nested" in text:
            assert variables == {}
            return
        assert variables.keys() == {"AWS_CONFIG_FILE"}
        after = load_config(variables["AWS_CONFIG_FILE"])
    expected: dict[str, Any] = before
    default = expected["profiles"]["default"]
    expected["profiles"]["default"] = {k: v for k, v in default.items() if k not in GONE}
    assert after == expected
    assert not Path(variables["AWS_CONFIG_FILE"]).exists()


def test_a_credentials_file(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[mine]\n{KEYS}[default]\n{KEYS}aws_session_token = t\nx = y\n")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWSLOGIN_HOME": str(tmp_path / "home")}
    environ |= {"AWS_CONFIG_FILE": "/none", "BOTO_CONFIG": "/none"}
    with without_default_credentials(environ) as variables:
        after = raw_config_parse(variables["AWS_SHARED_CREDENTIALS_FILE"])
    assert after == {
        "mine": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"},
        "default": {"x": "y"},
    }


def test_what_is_no_file_is_no_matter(tmp_path: Path) -> None:
    environ = {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path),
        "BOTO_CONFIG": "/none",
        "AWSLOGIN_HOME": str(tmp_path / "home"),
    }
    with without_default_credentials(environ) as variables:
        assert variables == {}
    assert not (tmp_path / "home").exists()
