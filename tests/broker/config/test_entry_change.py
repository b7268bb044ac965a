"""A profile's entry is changed key by key, and all else stays byte for byte."""

from __future__ import annotations

import pytest

from broker.config.entry_change import ProfileEntry
from broker.errors import ConfigError

CHANGES = {
    "provider": "corp",
    "mfa_serial": None,
    "mfa_process": None,
    "account": "111122223333",
    "role": "team/Dev",
}
FORMS = [
    (
        "profiles:\n  dev: {provider: keys, mfa_serial: x}  # mine\n  other: {provider: keys}\n",
        ('profiles:\n  dev: {provider: corp, account: "111122223333", role: team/Dev}  # mine\n'
        "  other: {provider: keys}\n"),
    ),
    (
        "profiles:\n  dev: {mfa_serial: x, provider: keys}\n",
        'profiles:\n  dev: {provider: corp, account: "111122223333", role: team/Dev}\n',
    ),
    (
        ("profiles:\n  # of ann\n  dev:\n    mfa_serial: x # hers\n    # why\n"
        "    provider: keys # old\n"
        "    region: eu-west-1\n\n  # next\n  other: {provider: keys}\n"),
        ("profiles:\n  # of ann\n  dev:\n    # why\n    provider: corp # old\n"
        '    account: "111122223333"\n    role: team/Dev\n    region: eu-west-1\n\n  # next\n'
        "  other: {provider: keys}\n"),
    ),
    (
        "profiles:\n  dev:\n    provider:\n      - ci\n      - keys\n    mfa_serial: x",
        'profiles:\n  dev:\n    provider: corp\n    account: "111122223333"\n    role: team/Dev\n',
    ),
    (
        "profiles:\r\n  dev:\r\n    provider: keys\r\n    mfa_serial: x\r\n",
        ('profiles:\r\n  dev:\r\n    provider: corp\r\n    account: "111122223333"\r\n'
        "    role: team/Dev\r\n"),
    ),
    (
        "profiles: {dev: {mfa_serial: x, provider: keys, mfa_process: y, policy: z, tags: {}}}\n",
        ('profiles: {dev: {provider: corp, account: "111122223333", role: team/Dev,'
        " policy: z, tags: {}}}\n"),
    ),
    (
        "profiles: {dev: {provider: [ci, keys], mfa_serial: x, role: Old}, a: {provider: b}}\n",
        ('profiles: {dev: {provider: corp, account: "111122223333", role: team/Dev},'
        " a: {provider: b}}\n"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), FORMS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_change_and_back(before: str, after: str, mark: bytes) -> None:
    old = ProfileEntry(mark + before.encode(), "f", "dev")
    content = old.with_values(CHANGES)
    assert content.decode() == mark.decode() + after
    new = ProfileEntry(content, "f", "dev")
    back = new.replaced(old.text)
    assert back.rstrip() == (mark + before.encode()).rstrip()


@pytest.mark.parametrize(
    "text",
    [
        "profiles:\n  dev: &x {provider: keys}\n  other: *x\n",
        "base: &x {provider: keys}\nprofiles:\n  dev:\n    <<: *x\n",
        "profiles:\n  dev: 1\n",
        "profiles: {}\n",
        "profiles:\n  other: {provider: keys}\n",
    ],
)
def test_what_cannot_be_changed_safely(text: str) -> None:
    with pytest.raises(ConfigError, match="profile `dev`"):
        ProfileEntry(text.encode(), "f", "dev").with_values(CHANGES)
