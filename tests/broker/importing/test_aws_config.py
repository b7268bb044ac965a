"""The AWS CLI's own profiles: what each setting becomes, and files as botocore reads them."""

from __future__ import annotations

import pytest

from broker.errors import UsageError
from tests.broker.importing.conftest import Machine

CONFIG = """\
# mine
[default]
region = eu-west-1
output = json

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start/#/
sso_region = eu-west-1
sso_registration_scopes = sso:account:access

[profile dev]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Developer
region = eu-central-1
cli_pager =
s3 =
  max_concurrent_requests = 20
  addressing_style = path
[profile legacy]
SSO_START_URL = https://old.awsapps.com/start
sso_region : us-east-1
sso_account_id=444455556666
sso_role_name=Admin
[profile "my prod"]
source_profile = dev
role_arn = arn:aws:iam::444455556666:role/team/Admin
external_id = 4711
duration_seconds = 7200
role_session_name = ann
[profile deploy]
source_profile = my prod
role_arn = arn:aws:iam::444455556666:role/Deploy
[profile machine]
role_arn = arn:aws:iam::444455556666:role/X
credential_source = Ec2InstanceMetadata
[profile ci]
web_identity_token_file = /var/run/token
role_arn = arn:aws:iam::444455556666:role/CI
role_session_name = job
[profile tool]
credential_process = "/opt/my tool" --account 1
[profile leaky]
credential_process = /opt/tool --password hunter2
[profile ours]
credential_process = /usr/bin/awslogin creds prod
[profile console]
login_session = arn:aws:sts::444455556666:assumed-role/Admin/ann
[profile root]
login_session = arn:aws:iam::444455556666:root
[profile user]
mfa_serial = arn:aws:iam::111122223333:mfa/ann
[profile role]
source_profile = user
role_arn = arn:aws:iam::444455556666:role/R
duration_seconds = 7200
mfa_serial = GAHT12345678
[profile self]
source_profile = self
role_arn = arn:aws:iam::444455556666:role/Own
[profile lost]
source_profile = nowhere
role_arn = arn:aws:iam::444455556666:role/R
[profile later]
source_profile = lost
role_arn = arn:aws:iam::444455556666:role/R
[services local]
s3 =
  endpoint_url = http://localhost:1
"""
CREDENTIALS = """\
[user]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
[self]
aws_access_key_id = AKIAIOSFODNN7EXAMPLF
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ
[alone]
aws_access_key_id = AKIAIOSFODNN7EXAMPLG
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
[temporary]
aws_access_key_id = ASIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
aws_session_token = xyz
"""


@pytest.fixture
def cli(machine: Machine) -> Machine:
    machine.write(".aws/config", CONFIG)
    machine.write(".aws/credentials", CREDENTIALS)
    return machine


def test_every_kind_of_profile(cli: Machine) -> None:
    taken = cli.take("aws-config")
    assert taken.providers == {
        "corp": {
            "type": "identity-center",
            "start_url": "https://corp.awsapps.com/start",
            "region": "eu-west-1",
        },
        "old": {
            "type": "identity-center",
            "start_url": "https://old.awsapps.com/start",
            "region": "us-east-1",
        },
        "web-identity": {"type": "web-identity", "token": {"file": "/var/run/token"}},
        "tool": {"type": "process", "command": ["/opt/my tool", "--account", "1"]},
        "console": {"type": "aws-login"},
        "keys": {"type": "static"},
    }
    role = "arn:aws:iam::444455556666:role"
    assert taken.profiles == {
        "dev": {
            "provider": "corp",
            "account": "111122223333",
            "role": "Developer",
            "region": "eu-central-1",
        },
        "legacy": {"provider": "old", "account": "444455556666", "role": "Admin"},
        "my-prod": {
            "source": "dev",
            "role_arn": f"{role}/team/Admin",
            "external_id": "4711",
            "session_name": "ann",
        },
        "deploy": {"source": "my-prod", "role_arn": "arn:aws:iam::444455556666:role/Deploy"},
        "ci": {"provider": "web-identity", "role_arn": f"{role}/CI", "session_name": "job"},
        "tool": {"provider": "tool"},
        "console": {"provider": "console", "role_arn": f"{role}/Admin"},
        "root": {"provider": "console", "account": "444455556666"},
        "user": {"provider": "keys", "mfa_serial": "arn:aws:iam::111122223333:mfa/ann"},
        "role": {
            "source": "user",
            "role_arn": f"{role}/R",
            "duration": "2h",
            "mfa_serial": "GAHT12345678",
        },
        "self": {"provider": "keys", "role_arn": f"{role}/Own"},
        "alone": {"provider": "keys"},
    }
    assert taken.merged.renamed == {"my prod": "my-prod"}


def test_what_stays_behind_is_named_with_its_reason(cli: Machine) -> None:
    left_out = cli.take("aws-config").left_out
    assert left_out.keys() == {
        ("default", ""),
        ("dev", "cli_pager"),
        ("dev", "s3"),
        ("my prod", "duration_seconds"),
        ("machine", "credential_source"),
        ("leaky", "credential_process"),
        ("ours", "credential_process"),
        ("lost", "source_profile"),
        ("later", "source_profile"),
        ("temporary", "aws_session_token"),
    }
    assert "at most 1 hour" in left_out["my prod", "duration_seconds"]
    assert "hunter2" not in str(left_out)
    assert "secret" in left_out["leaky", "credential_process"]


def test_no_secret_of_theirs_goes_into_the_yaml(cli: Machine) -> None:
    content = cli.take("aws-config").merged.content
    assert not [word for word in (b"AKIA", b"wJalr", b"hunter2", b"xyz") if word in content]


def test_other_places_of_the_files(cli: Machine) -> None:
    (cli.home / ".aws/config").rename(cli.home / "elsewhere")
    assert "dev" not in cli.take("aws-config").profiles
    cli.environ["AWS_CONFIG_FILE"] = "~/elsewhere"
    assert "dev" in cli.take("aws-config").profiles


def test_only_the_profiles_that_are_named_and_what_they_stand_on(cli: Machine) -> None:
    taken = cli.take("aws-config", only=("deploy",))
    assert [*taken.profiles] == ["dev", "my-prod", "deploy"]
    assert [*taken.providers] == ["corp"]
    assert {source for source, _ in taken.left_out} == {"dev", "my prod"}


@pytest.mark.parametrize(
    "content",
    [
        CONFIG.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + CONFIG.encode(),
        b"\n\n" + CONFIG.encode().rstrip(b"\n"),
    ],
    ids=["crlf", "bom", "no end"],
)
def test_other_ends_of_lines_and_beginnings(machine: Machine, content: bytes) -> None:
    machine.write(".aws/credentials", CREDENTIALS)
    machine.write(".aws/config", CONFIG)
    plain = machine.take("aws-config").profiles
    machine.write(".aws/config", content)
    assert machine.take("aws-config").profiles == plain


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[profile a]\nregion = x\n[profile a]\nregion = y\n", 3),
        (b"[profile a]\nregion = x\nregion = y\n", 3),
        (b"[profile a]\nregion = \xfc\n", 2),
        (b"[profile a]\n<<<<<<< HEAD\n", 2),
        (b"region = x\n", 1),
        (b"[profile a\nregion = x\n", 1),
        (b"[profile a]\nx = 1\n\x00\x00\n", 3),
    ],
)
def test_a_broken_file_is_told_by_its_line(machine: Machine, content: bytes, line: int) -> None:
    machine.write(".aws/config", content)
    with pytest.raises(UsageError, match=rf"config:{line} "):
        machine.look("aws-config")


def test_a_folder_in_the_place_of_the_file(machine: Machine) -> None:
    (machine.home / ".aws/config").mkdir(parents=True)
    with pytest.raises(UsageError, match="is not a file"):
        machine.look("aws-config")


def test_a_start_url_that_no_service_has_is_told(machine: Machine) -> None:
    machine.write(
        ".aws/config",
        "[sso-session s]\nsso_start_url = http://corp.example/start\nsso_region = eu-west-1\n"
        "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = R\n",
    )
    taken = machine.take("aws-config")
    assert (taken.providers, taken.profiles) == ({}, {})
    assert "plain http" in taken.left_out["p", "sso_start_url"]


def test_values_that_aws_does_not_take_stay_behind_alone(machine: Machine) -> None:
    machine.write(
        ".aws/config",
        "[sso-session s]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n"
        "[profile p]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = R\n"
        "region = Ireland\n"
        "[profile q]\nsource_profile = p\nrole_arn = arn:aws:iam::1:role/x\n"
        "[profile r]\nsource_profile = p\nrole_arn = arn:aws:iam::111122223333:role/x\n"
        "role_session_name = ${USER}\nduration_seconds = soon\n",
    )
    taken = machine.take("aws-config")
    assert [*taken.profiles] == ["p", "r"]
    assert {*taken.left_out} == {
        ("p", "region"),
        ("q", "role_arn"),
        ("r", "duration_seconds"),
        ("r", "role_session_name"),
    }


def test_two_sessions_of_one_address_are_two_sign_ins(machine: Machine) -> None:
    session = "sso_start_url = https://corp.example/start\nsso_region = eu-west-1\n"
    profile = "sso_account_id = 111122223333\nsso_role_name = R\n"
    machine.write(
        ".aws/config",
        f"[sso-session ann]\n{session}[sso-session admin]\n{session}"
        f"[profile a]\nsso_session = ann\n{profile}[profile b]\nsso_session = admin\n{profile}"
        f"[profile c]\n{session}{profile}",
    )
    taken = machine.take("aws-config")
    assert {name: values["provider"] for name, values in taken.profiles.items()} == {
        "a": "ann",
        "b": "admin",
        "c": "ann",
    }
    config = (
        b"version: 1\nproviders:\n  mine: {type: identity-center, region: eu-west-1,"
        b" start_url: https://corp.example/start}\n"
    )
    taken = machine.take("aws-config", config)
    assert [*taken.providers] == ["mine", "admin"]
    assert [values["provider"] for values in taken.profiles.values()] == ["mine", "admin", "mine"]


@pytest.mark.parametrize("source", ["aws-config", "granted", "aws-vault"])
def test_a_section_that_the_tool_does_not_read_is_named(machine: Machine, source: str) -> None:
    role = "source_profile = dev\nrole_arn = arn:aws:iam::111122223333:role/X\n"
    machine.write(
        ".aws/config",
        "[profile dev]\ncredential_process = /opt/tool\n"
        f"[prod]\n{role}[profile two words]\n{role}[plugins]\nrole_arn = x\n",
    )
    taken = machine.take(source)
    if source == "aws-vault":  # it reads names with spaces as they stand
        assert [*taken.profiles] == ["dev", "two-words"]
        return
    assert [*taken.profiles] == ["dev"]
    assert "[profile prod]" in taken.left_out["prod", ""]
    assert "quotes" in taken.left_out["profile two words", ""]
    assert not [source for source, _ in taken.left_out if source == "plugins"]
