"""The block of discovered profiles: names that stay, and a file that stays otherwise."""

from __future__ import annotations

import random
import string

import pytest
import yaml

from broker.config.discovered import updated
from broker.config.naming import check_template
from broker.errors import ConfigError, UsageError
from broker.provider import Account

A, B, C = "111122223333", "444455556666", "777788889999"
ACCOUNTS = [Account(A, "pay dev", ("Admin", "Developer")), Account(B, "prod", ("team/ReadOnly",))]
FILE = """\
# the team's file
version: 1
profiles:
    # by hand
    stage: {provider: corp, account: "111122223333", role: Developer}  # ours

# below
providers:
    corp: {type: identity-center}   # not checked here
"""


def update(text: str, accounts: list[Account] = ACCOUNTS, **more: object) -> str:
    return updated(text.encode(), "f.yaml", "corp", accounts, **more).decode()  # type: ignore[arg-type]


def profiles(text: str) -> dict[str, tuple[str, str]]:
    found = yaml.safe_load(text)["profiles"]
    return {name: (value["account"], value["role"]) for name, value in found.items()}


def without_block(text: str) -> str:
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        inside = inside or "# >>> awslogin discover" in line
        if not inside:
            lines.append(line)
        inside = inside and "# <<< awslogin discover" not in line
    return "".join(lines)


def test_adds_a_block_and_changes_nothing_else() -> None:
    after = update(FILE)
    assert without_block(after) == FILE
    assert profiles(after) == {
        "stage": (A, "Developer"),
        "pay-dev-Admin": (A, "Admin"),
        "pay-dev-Developer": (A, "Developer"),
        "prod-team-ReadOnly": (B, "team/ReadOnly"),
    }
    assert after.index("stage:") < after.index("# >>>") < after.index("# below")
    assert '\n    pay-dev-Admin: {provider: corp, account: "111122223333", role: Admin}\n' in after


def test_a_second_run_changes_nothing() -> None:
    after = update(FILE)
    assert update(after) == after


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\n",
        "version: 1",
        "version: 1\nprofiles:\n",
        "version: 1\nprofiles:  # none yet\n# end",
        "profiles:\nversion: 1\n",
        "version: 1\nprofiles:\n  x: {provider: corp, account: '1', role: y}",
        "version: 1\nprofiles:\n- &a x\n".replace("- &a x", "  x:\n    provider: corp"),
        "version: 1\nprofiles:\n  x:\n    policy: |\n      {}\n\n\n  # after\nteam: x\n",
        "version: 1\nprofiles:\n  x: {provider: corp,\n     account: '1'\n  }\n# end\n",
        "version: 1\r\nprofiles:\r\n  x: {provider: corp}\r\nteam: t\r\n",
        "\ufeffversion: 1\nprofiles:\n  x: {provider: corp}\n",
        "version: 1\nprofiles:\n  y: &y {provider: corp}\n  x: *y\nteam: t\n",
        "  version: 1\n  profiles:\n      x: {provider: corp}\n  team: t\n",
    ],
)
def test_finds_a_place_in_files_of_all_kinds(text: str) -> None:
    before = yaml.safe_load(text.lstrip("\ufeff"))
    after = update(text)
    found = yaml.safe_load(after.lstrip("\ufeff"))
    assert len(found["profiles"]) == len(before.get("profiles") or {}) + 3
    assert {**found, "profiles": 0} == {**before, "profiles": 0}
    gone = update(after, [], prune=True)
    assert gone.replace("profiles:", "").split() == text.replace("profiles:", "").split()
    assert ("\r\n" in after) == ("\r\n" in text)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in text


def test_an_empty_mapping_makes_room() -> None:
    after = update("version: 1\nprofiles: {}  # none\nteam: t\n")
    assert len(profiles(after)) == 3
    assert "profiles:  # none\n" in after


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1, "profiles": {}}',
        "version: 1\nprofiles: {x: {provider: corp}}\n",
        "version: 1\nprofiles:\n  # >>> awslogin discover corp >>> x\n  x: {provider: corp}\n",
        "version: 1\n--- \nprofiles:\n",
    ],
)
def test_says_so_where_there_is_no_safe_place(text: str) -> None:
    with pytest.raises(ConfigError):
        update(text)


def test_names_stay_when_accounts_are_renamed_or_share_a_name() -> None:
    after = update(FILE)
    renamed = [Account(A, "payments", ("Admin", "Developer")), Account(B, "prod", ())]
    assert update(after, renamed) == after
    twin = [*ACCOUNTS, Account(C, "pay dev", ("Admin",))]
    grown = profiles(update(after, twin))
    assert grown["pay-dev-Admin"] == (A, "Admin")
    assert grown[f"pay-dev-Admin-{C}"] == (C, "Admin")
    both = profiles(update(FILE, twin))
    assert both[f"pay-dev-Admin-{A}"] == (A, "Admin")
    assert both[f"pay-dev-Admin-{C}"] == (C, "Admin")
    assert both["pay-dev-Developer"] == (A, "Developer")
    assert profiles(update(FILE, twin[::-1])) == both


def test_prune_takes_out_what_is_gone_and_nothing_else_does() -> None:
    after = update(FILE)
    less = [Account(A, "pay dev", ("Admin",))]
    assert update(after, less) == after
    pruned = update(after, less, prune=True)
    assert set(profiles(pruned)) == {"stage", "pay-dev-Admin"}
    assert update(pruned, [], prune=True) == FILE


def test_what_a_person_added_to_an_entry_stays() -> None:
    after = update(FILE).replace(
        "role: Admin}", "role: Admin,\n      tags: {tier: prod}}  # careful\n    # a remark"
    )
    more = [*ACCOUNTS, Account(C, "audit", ("Audit",))]
    grown = update(after, more)
    assert "tags: {tier: prod}}  # careful\n    # a remark\n" in grown
    assert yaml.safe_load(grown)["profiles"]["pay-dev-Admin"]["tags"] == {"tier": "prod"}
    other = update(grown, more, template="{account_id}.{role}")
    assert yaml.safe_load(other)["profiles"][f"{A}.Admin"]["tags"] == {"tier": "prod"}
    assert "pay-dev" not in other


def test_a_template_is_remembered() -> None:
    after = update(FILE, template="{role}@{account_name}")
    assert "Admin@pay-dev" in profiles(after)
    more = update(after, [*ACCOUNTS, Account(C, "audit", ("Audit",))])
    assert "Audit@audit" in profiles(more)


def test_names_of_others_are_never_taken() -> None:
    text = FILE.replace("stage:", "pay-dev-Admin:")
    after = profiles(update(text, taken={"prod-team-ReadOnly"}))
    assert after["pay-dev-Admin"] == (A, "Developer")
    assert after[f"pay-dev-Admin-{A}"] == (A, "Admin")
    assert f"prod-team-ReadOnly-{B}" in after
    same = FILE.replace("stage:", "pay-dev-Developer:")
    assert list(profiles(update(same))).count("pay-dev-Developer") == 1
    assert f"pay-dev-Developer-{A}" not in profiles(update(same))


def test_two_providers_have_a_block_each() -> None:
    both = updated(update(FILE).encode(), "f", "other", ACCOUNTS).decode()
    assert f"pay-dev-Admin-{A}" in profiles(both)
    assert update(both) == both
    assert "awslogin discover other" in update(both, [], prune=True)


@pytest.mark.parametrize("name", ["on", 'Ärzte: "x" {y}\n# z', "日本", "-", "1e3", "null", ""])
def test_any_account_name_makes_a_valid_profile(name: str) -> None:
    after = update(FILE, [Account(B, name, ("null",))])
    (made,) = set(profiles(after)) - {"stage"}
    assert profiles(after)[made] == (B, "null")
    assert update(after, [Account(B, name, ("null",))]) == after


def test_what_would_be_yaml_of_its_own_is_left_out() -> None:
    hostile = [Account(A, "x", ("A}\n  evil: {x",)), Account('1"}', "x", ("Admin",))]
    assert update(FILE, hostile) == FILE


@pytest.mark.parametrize("template", ["", "x", "{name}", "{role} {account_id}", "{role}\n", "{}"])
def test_wrong_templates(template: str) -> None:
    with pytest.raises(UsageError):
        check_template(template)


def test_many_names_are_all_different_and_stay() -> None:
    chosen = random.Random(7)
    words = ["".join(chosen.choices(string.ascii_letters + " /é", k=2)) for _ in range(30)]
    accounts = [
        Account(
            f"{number:012}",
            chosen.choice(words),
            tuple({chosen.choice(words).strip(" é") or "r" for _ in "abc"}),
        )
        for number in range(200)
    ]
    accounts = [
        Account(
            a.account_id,
            a.account_name,
            tuple(r.replace(" ", "_").replace("é", "e") for r in a.roles),
        )
        for a in accounts
    ]
    after = update(FILE, accounts)
    wanted = {(a.account_id, role) for a in accounts for role in a.roles}
    assert {v for k, v in profiles(after).items() if k != "stage"} == wanted
    chosen.shuffle(accounts)
    assert update(after, accounts) == after
