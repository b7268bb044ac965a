"""`rotate`, `add --totp`, `remove` and the age of keys, through the installed command."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from tests.configs import config
from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home, Result

CONFIG = config("dev", "ann", "deploy", "guarded", twin="provider: keys", none="provider: keys")
DAY = 24 * 3600


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    add(signed_up, "dev", sandbox.bob).ok()
    return signed_up


def add(home: Home, profile: str, keys: Any) -> Result:
    return home.run("add", profile, "--stdin", stdin=keys.json)


def test_rotate(team: Home, sandbox: Sandbox) -> None:
    old = sandbox.bob.key_id
    team.run("deploy").ok()
    done = team.run("rotate", "dev", "--output", "json").ok().json
    (new,) = sandbox.user("bob").keys
    assert done == {
        "profile": "dev", "done": "rotated", "access_key_id": new, "old_access_key_id": old,
        "old": "deleted", "profiles": ["dev"],
    }  # fmt: skip
    assert team.run("dev", "--force").ok()
    assert team.holds_in_plain(sandbox.secrets()) == []


def test_rotate_in_words(team: Home, sandbox: Sandbox) -> None:
    add(team, "twin", sandbox.bob).ok()
    old = sandbox.bob.key_id
    shown = team.run("rotate", "twin", "--keep-inactive").ok().out
    (_, new) = sandbox.user("bob").keys
    assert shown == f"twin: {new} stored (also for dev), {old} left inactive\n"
    assert team.run("dev", "--force").ok()


def test_rotate_takes_one_code(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    code = sandbox.code("ann")
    team.run("rotate", "ann", env={"AWSLOGIN_MFA_CODE": code}).ok()
    team.run("guarded").ok()
    sent = [c.form["TokenCode"] for c in sandbox.calls("sts") if "TokenCode" in c.form]
    assert sent == [code]


def test_rotate_asks_a_person_for_nothing_but_the_code(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    done = terminal.run(
        [COMMAND, "rotate", "ann"],
        env=team.env(),
        answers=[("One-time code of .*:", sandbox.code("ann"))],
    )
    assert done.code == 0, done.screen


def test_rotate_without_a_code(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    assert team.run("rotate", "ann", "--output", "json").error["exit"] == 4
    assert sandbox.calls("iam") == []


def test_killed_after_create_access_key(team: Home, sandbox: Sandbox) -> None:
    """The server has made the key, and the command dies before it reads the reply."""
    old = sandbox.bob.key_id
    made = threading.Event()
    handle = sandbox.services["iam"]._handle

    def slow(asked: Any) -> Any:
        answer = handle(asked)
        if asked.action == "CreateAccessKey":
            made.set()
            died.wait(PATIENCE)
        return answer

    died = threading.Event()
    sandbox.services["iam"]._handle = slow
    with team.start("rotate", "dev") as process:
        assert made.wait(PATIENCE)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    died.set()
    sandbox.services["iam"]._handle = handle
    assert len(sandbox.user("bob").keys) == 2
    team.run("dev").ok()
    team.run("rotate", "dev").ok()
    (new,) = sandbox.user("bob").keys
    assert new != old
    team.run("dev", "--force").ok()


def test_delete_refused(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.denied_actions = {"DeleteAccessKey"}
    done = team.run("rotate", "dev", "--output", "json")
    assert done.error["exit"] == 8
    assert "awslogin rotate dev" in done.error["hint"]
    assert team.run("dev", "--force").ok()
    sandbox.world.denied_actions = set()
    assert team.run("rotate", "dev").ok()
    assert len(sandbox.user("bob").keys) == 1


def test_two_keys(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.add_keys(sandbox.user("bob"))
    assert team.run("rotate", "dev", "--output", "json").error["exit"] == 2


def test_rotate_all_that_are_old(team: Home, sandbox: Sandbox) -> None:
    """Their age is AWS's: keys that were added today may be old. Those of two profiles go once."""
    add(team, "twin", sandbox.bob).ok()
    sandbox.bob.created -= 100 * DAY
    young = sandbox.world.add_user("arn:aws:iam::111122223333:user/young")
    add(team, "none", sandbox.world.add_keys(young)).ok()
    sandbox.world.keys[young.keys[0]].created = sandbox.world.now()
    before = list(young.keys)
    done = team.run("rotate", "--all", "--older-than", "90d", "--output", "json").ok().json
    assert [(row["profile"], row["done"]) for row in done] == [
        ("dev", "rotated"),
        ("none", "unchanged"),
    ]
    assert done[0]["profiles"] == ["dev", "twin"]
    assert young.keys == before
    team.run("twin").ok()
    again = team.run("rotate", "--all", "--older-than", "90d").ok().out
    assert again.count("not old enough") == 3


def test_rotate_all_tells_each_failure(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    done = team.run("rotate", "--all", "--output", "json")
    assert done.code == 4
    assert [row["profile"] for row in done.json] == ["dev"]
    (line,) = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert line["error"]["profile"] == "ann"


def test_words_that_do_not_go_together(team: Home) -> None:
    assert team.run("rotate", "dev", "--all").code == 2
    assert team.run("rotate", "deploy").code == 2
    assert team.run("rotate", "none", "--output", "json").error["exit"] == 7


def test_list_shows_the_age_and_contacts_nobody(team: Home, sandbox: Sandbox) -> None:
    (row,) = [r for r in team.run("list", "--output", "json").ok().json if r["profile"] == "dev"]
    assert row["key_age_days"] == 0
    assert row["key_since"].endswith("Z")
    locked = {"AWSLOGIN_KEYRING": "none", "AWSLOGIN_PASSPHRASE": None}
    shown = team.run("list", env=locked).ok().out.splitlines()
    assert shown[0].endswith("KEY AGE")
    assert shown[1].endswith("0d")
    assert sandbox.requests == []
    team.run("remove", "dev").ok()
    assert "KEY AGE" not in team.run("list").ok().out


def test_new_keys_forget_what_the_old_ones_gave(team: Home, sandbox: Sandbox) -> None:
    """The role's session too: it is another user's."""
    team.run("deploy").ok()
    add(team, "dev", sandbox.ann).ok()
    assert team.run("deploy", "--output", "json").ok().json["from_cache"] is False
    team.run("remove", "dev").ok()
    assert team.run("status", "--output", "json").json == []


@pytest.mark.parametrize("form", ["spaced", "otpauth", "json"])
def test_a_seed_gives_codes(team: Home, sandbox: Sandbox, form: str) -> None:
    add(team, "ann", sandbox.ann).ok()
    seed = sandbox.user("ann").mfa[0].seed
    text = {
        "spaced": " ".join(seed[i : i + 4].lower() for i in range(0, len(seed), 4)) + "\n",
        "otpauth": f"otpauth://totp/AWS:ann?secret={seed}&issuer=AWS&digits=6",
        "json": json.dumps({"TotpSeed": seed}),
    }[form]
    team.run("add", "ann", "--totp", "--stdin", stdin=text).ok()
    assert team.run("guarded", "--no-input").ok()
    assert team.holds_in_plain([seed]) == []


def test_remove_takes_the_seed_too(team: Home, sandbox: Sandbox) -> None:
    seed = sandbox.user("ann").mfa[0].seed
    add(team, "ann", sandbox.ann).ok()
    team.run("add", "ann", "--totp", "--stdin", stdin=seed).ok()
    team.run("remove", "ann").ok()
    add(team, "ann", sandbox.ann).ok()
    assert team.run("guarded", "--no-input").code == 4


@pytest.mark.parametrize("text", ["", "hello!", "JBSWY3DP", "otpauth://totp/x?secret=JBSWY3DP"])
def test_what_is_no_seed(team: Home, text: str) -> None:
    done = team.run("add", "ann", "--totp", "--stdin", stdin=text)
    assert done.code == 2
    assert not text or text not in done.err


def test_a_seed_of_another_kind(team: Home) -> None:
    seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    text = f"otpauth://totp/x?secret={seed}&algorithm=SHA256"
    done = team.run("add", "ann", "--totp", "--stdin", stdin=text)
    assert done.code == 2
    assert "SHA1" in done.err
    assert seed not in done.err


def test_a_wrong_code_on_a_terminal(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    wrong = ["000000", "000001", "000002"]
    assert sandbox.code("ann") not in wrong
    done = terminal.run(
        [COMMAND, "ann"],
        env=team.env(),
        answers=[("One-time code of .*:", code) for code in wrong],
    )
    assert done.code == 3, done.screen
    assert len(sandbox.calls("sts", "GetSessionToken")) == 3


def test_a_wrong_code_of_a_machine(team: Home, sandbox: Sandbox) -> None:
    add(team, "ann", sandbox.ann).ok()
    done = team.run("ann", "--output", "json", env={"AWSLOGIN_MFA_CODE": "000000"})
    assert done.error["exit"] == 3
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_a_security_key_is_refused_on_a_role_too(team: Home) -> None:
    u2f = 'mfa_serial: "arn:aws:iam::111122223333:u2f/user/ann/key"'
    team.config(f"{CONFIG}  keyed: {{provider: keys, {u2f}}}\n  hop: {{source: dev, {u2f}, "
                'role_arn: "arn:aws:iam::111122223333:role/Deploy"}\n')  # fmt: skip
    for profile in ("keyed", "hop"):
        error = team.run(profile, "--output", "json").error
        assert error["exit"] == 2
        assert "security key" in error["message"]
