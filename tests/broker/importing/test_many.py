"""Thousands of profiles: no step looks at all profiles for each profile."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable

import pytest

from tests.broker.importing.conftest import Machine

FEW, MANY = 20, 80


def aws(number: int) -> str:
    account = f"{number:012d}"
    role = f"arn:aws:iam::{account}:role/X\nduration_seconds = 7200\nmfa_serial = GAHT123456\n"
    return (
        f"[profile a{number}]\nsso_start_url = https://c{number}.awsapps.com/start\n"
        f"sso_region = eu-west-1\nsso_account_id = {account}\nsso_role_name = Admin\n"
        f"[profile 'b {number}']\nsource_profile = a{number}\nrole_arn = {role}"
        f"[profile c{number}]\ncredential_process = /opt/tool {number}\noutput = json\n"
        f"[profile d{number}]\nsource_profile = nobody\nrole_arn = {role}"
    )


def sso(number: int) -> str:
    head = (
        "SSOConfig:\n  x:\n    SSORegion: eu-west-1\n    StartUrl: https://x.example/start\n"
        "    Accounts:\n"
    )
    roles = f"Roles: {{A: {{Tags: {{a: b}}}}, B: {{Via: '{number:012d}:A'}}}}"
    return (head if number == 0 else "") + f"      {number}: {{Name: n {number}, {roles}}}\n"


def alike(number: int) -> str:
    """Names that are one by our rule, each beside a profile that brings in the one before."""
    name = f"{number:b}".replace("0", "!").replace("1", "%")
    include = f"include_profile = b{number - 1}\n" if number else "mfa_serial = GAHT123456\n"
    role = f"role_arn = arn:aws:iam::{number:012d}:role/X\n"
    return f"[profile 'a{name}']\n{role}[profile b{number}]\n{include}{role}"


FILES: dict[str, tuple[str, str, Callable[[int], str], int]] = {
    "aws-config": ("aws-config", ".aws/config", aws, 3),
    "aws-vault": ("aws-vault", ".aws/config", aws, 3),
    "names alike": ("aws-vault", ".aws/config", alike, 2),
    "aws-sso-cli": ("aws-sso-cli", ".config/aws-sso/config.yaml", sso, 2),
}


@pytest.mark.parametrize("case", FILES)
def test_work_grows_with_the_number_of_profiles(machine: Machine, case: str) -> None:
    source, path, text, each = FILES[case]

    def calls(number: int) -> int:
        machine.write(path, "".join(text(n) for n in range(number)))
        with cProfile.Profile() as profile:
            taken = machine.take(source)
        assert len(taken.profiles) == each * number
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    calls(2)  # what is imported once
    assert calls(MANY) < (MANY / FEW) * 1.3 * calls(FEW)
