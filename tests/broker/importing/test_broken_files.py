"""Half-written, damaged and hostile files: each is read, or refused with its name."""

from __future__ import annotations

import random

import pytest

from broker.errors import AwsLoginError
from broker.importing.reading import MAX_BYTES
from tests.broker.importing import test_aws_config, test_role_tools, test_saml_tools
from tests.broker.importing.conftest import Machine, Taken

FILES = {
    "aws-config": (".aws/config", test_aws_config.CONFIG),
    "aws-vault": (".aws/config", test_role_tools.AWS_VAULT),
    "saml2aws": (".saml2aws", test_saml_tools.SAML2AWS),
    "aws-sso-cli": (".config/aws-sso/config.yaml", test_role_tools.AWS_SSO),
    "granted": (".granted/config", test_role_tools.GRANTED_CONFIG),
    "gimme-aws-creds": (".okta_aws_login_config", test_saml_tools.GIMME),
    "okta-aws-cli": (".okta/okta.yaml", test_saml_tools.OKTA),
    "aws-azure-login": (".aws/config", test_saml_tools.AZURE),
    "atmos": ("atmos.yaml", test_role_tools.ATMOS),
}
ODD = "\0 \ud7ff \u202e \x85 ' \" { [ ] } \t &a *a !x ${HOME} % = | - # ~ 1e999 [profile ä \\ ../"
ROUNDS = 40


def taken_or_refused(machine: Machine, source: str) -> Taken | None:
    """What comes over, None where the file is refused as it should be."""
    try:
        return machine.take(source)
    except AwsLoginError as error:
        refusal = error
    assert refusal.exit_code == 2
    assert FILES[source][0].rpartition("/")[2] in refusal.message
    return None


@pytest.mark.parametrize("source", FILES)
def test_damaged_files(machine: Machine, source: str) -> None:
    path, text = FILES[source]
    chance = random.Random(source)
    for _ in range(ROUNDS):
        place, end = sorted(chance.sample(range(len(text) + 1), 2))
        odd = chance.choice(ODD.split(" "))
        kinds = [
            text[:place],
            text[:place] + text[end:],
            text[:place] + odd + text[place:],
            text[:place] + odd * 3 + text[end:],
            text[:end] + text[place:],
        ]
        machine.write(path, chance.choice(kinds))
        taken_or_refused(machine, source)


@pytest.mark.parametrize("source", FILES)
@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\xff\xfe[\x00a\x00]\x00", b"\x00" * 100, b"[" * 5000, b"{" * 5000, b"- " * 5000],
    ids=["empty", "blank", "utf16", "nul", "heads", "braces", "dashes"],
)
def test_files_of_another_kind(machine: Machine, source: str, content: bytes) -> None:
    machine.write(FILES[source][0], content)
    taken = taken_or_refused(machine, source)
    assert taken is None or taken.profiles == {}


@pytest.mark.parametrize("source", FILES)
def test_other_ends_of_lines_and_a_byte_order_mark_change_nothing(
    machine: Machine, source: str
) -> None:
    path, text = FILES[source]
    machine.write(path, text)
    usual = taken_or_refused(machine, source)
    machine.write(path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    other = taken_or_refused(machine, source)
    assert usual
    assert other
    assert (other.providers, other.profiles) == (usual.providers, usual.profiles)


@pytest.mark.parametrize("source", FILES)
def test_text_that_is_not_utf_8_is_told_by_its_line(machine: Machine, source: str) -> None:
    path, text = FILES[source]
    first, rest = text.split("\n", 1)
    machine.write(path, f"{first}\n# \xe4\n{rest}".encode("latin-1", "ignore"))
    with pytest.raises(AwsLoginError, match=":2 is not UTF-8 text") as refused:
        machine.look(source)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("source", FILES)
def test_a_huge_file_is_refused(machine: Machine, source: str) -> None:
    path, text = FILES[source]
    place = machine.write(path, text)
    with place.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(AwsLoginError, match="is larger than") as refused:
        machine.look(source)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("source", FILES)
def test_what_stands_twice_is_read_as_the_tool_reads_it_or_refused(
    machine: Machine, source: str
) -> None:
    path, text = FILES[source]
    machine.write(path, text)
    once = taken_or_refused(machine, source)
    machine.write(path, f"{text}\n{text}")
    twice = taken_or_refused(machine, source)
    assert once
    assert twice is None or twice.profiles == once.profiles
