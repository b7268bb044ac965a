"""Rotation: refused or killed anywhere, working keys are in the keychain and a rerun finishes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.errors import (
    AwsLoginError,
    KeychainError,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UsageError,
)
from broker.ports.iam_keys import wait_until_known
from broker.provider import Credentials
from broker.secret import Secret
from broker.testing import FakeClock, ScriptedUi
from tests.providers.rotating import FileKeychain, provider, rotate
from tests.sandbox import FOR_EVER, Sandbox
from tests.sandbox.world import Keys

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("x" * 40))
DEV, TWIN = "team/keys/keys/dev", "team/keys/keys/twin"


class Bob:
    """Bob's keys in a keychain, under two profiles."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.sandbox, self.folder = sandbox, folder
        self.keychain = FileKeychain(folder)
        self.first = sandbox.bob.key_id
        for entry in (DEV, TWIN):
            self.keychain.set(entry, as_entry(sandbox.bob))

    def rotate(self, keychain: Any = None, clock: FakeClock | None = None, **more: Any) -> Any:
        made = provider(keychain or self.keychain, self.sandbox.env(), clock)
        return rotate(made, "dev", "twin", **more)

    @property
    def at_aws(self) -> list[str]:
        return self.sandbox.user("bob").keys

    def works(self, entry: str = DEV) -> bool:
        """Whether the profile's keys sign, as `login` finds them."""
        made = provider(self.keychain, self.sandbox.env())
        keys = made.user_keys(entry.rpartition("/")[2])
        made.ports.aws.caller_identity(keys, "eu-west-1")
        return True

    def entries(self) -> set[str]:
        return set(json.loads((self.folder / "keychain.json").read_text()))

    def is_done(self) -> bool:
        """One key at AWS, a new one, in both profiles, and nothing else in the keychain."""
        (key,) = self.at_aws
        stored = {(self.keychain.get(entry) or Secret("")).reveal() for entry in (DEV, TWIN)}
        assert self.entries() == {DEV, TWIN}
        assert key != self.first
        return stored == {as_entry(self.sandbox.world.keys[key]).reveal()}


def as_entry(keys: Keys) -> Secret:
    return Secret(json.dumps({"AccessKeyId": keys.key_id, "SecretAccessKey": keys.secret}))


@pytest.fixture
def bob(sandbox: Sandbox, tmp_path: Path) -> Bob:
    return Bob(sandbox, tmp_path)


def test_new_keys_for_old(bob: Bob) -> None:
    done = bob.rotate()
    assert (done.old_access_key_id, done.old_is) == (bob.first, "deleted")
    assert done.profiles == ("dev", "twin")
    assert bob.is_done()


def test_a_new_key_takes_time_to_be_known(bob: Bob) -> None:
    bob.sandbox.world.key_propagation_calls = 4
    clock = FakeClock()
    bob.rotate(clock=clock)
    assert bob.is_done()
    assert sum(clock.slept) < 30


def test_patience_is_bounded_and_a_rerun_goes_on(bob: Bob) -> None:
    bob.sandbox.world.key_propagation_calls = 10**6
    with pytest.raises(NetworkError, match="does not work yet"):
        bob.rotate()
    assert bob.works()
    assert bob.works(TWIN)
    for keys in bob.sandbox.world.keys.values():
        keys.unknown_calls = 0
    bob.rotate()
    assert bob.is_done()
    assert len(bob.sandbox.calls("iam", "CreateAccessKey")) == 1


def test_killed_at_every_step(sandbox: Sandbox, tmp_path: Path) -> None:
    seen = []
    command = [sys.executable, "-m", "tests.providers.rotating", json.dumps(sandbox.env())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as rotating:
        assert rotating.stdin
        assert rotating.stdout
        for step in range(200):
            user = sandbox.user("bob")
            user.keys.clear()
            sandbox.world.add_keys(user)
            bob = Bob(sandbox, tmp_path / str(step))
            rotating.stdin.write(f"{bob.folder}\t{step}\n")
            code, _, where = rotating.stdout.readline().strip().partition("\t")
            if code == "0":
                break
            assert code == str(-signal.SIGKILL)
            seen.append(where)
            assert bob.works(), where
            assert bob.works(TWIN), where
            bob.rotate()
            assert bob.is_done(), where
        rotating.stdin.close()
    assert bob.is_done(), "a step that does not come kills nobody"
    assert seen.count("after CreateAccessKey") == 1
    assert seen.count(f"before {DEV}") == 2, "replacing an entry is cut in the middle too"
    assert {"after ListAccessKeys", "after GetCallerIdentity", "after DeleteAccessKey"} <= {*seen}


ACTIONS = ["ListAccessKeys", "CreateAccessKey", "DeleteAccessKey", "GetCallerIdentity"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"status": 200, "body": "?"}])
def test_a_call_that_fails(bob: Bob, action: str, fault: dict[str, Any]) -> None:
    service = "sts" if action == "GetCallerIdentity" else "iam"
    bob.sandbox.fault(service, action=action, **fault)
    with pytest.raises(AwsLoginError) as failed:
        bob.rotate()
    assert failed.value.exit_code in {5, 6}
    bob.sandbox.heal(service)
    assert bob.works()
    bob.rotate()
    assert bob.is_done()


@pytest.mark.parametrize("action", ACTIONS[:3])
def test_a_call_that_is_refused(bob: Bob, action: str) -> None:
    bob.sandbox.world.denied_actions = {action}
    with pytest.raises(RoleRefused) as failed:
        bob.rotate()
    assert action in failed.value.message
    assert f"iam:{action}" in failed.value.hint
    assert bob.works()
    assert bob.works(TWIN)
    bob.sandbox.world.denied_actions = set()
    bob.rotate()
    assert bob.is_done()


def test_delete_refused_says_which_key_is_left(bob: Bob) -> None:
    bob.sandbox.world.denied_actions = {"DeleteAccessKey"}
    with pytest.raises(RoleRefused) as failed:
        bob.rotate()
    assert f"the old one {bob.first} is still active" in failed.value.message
    with pytest.raises(RoleRefused):
        bob.rotate()
    assert len(bob.at_aws) == 2
    assert len(bob.sandbox.calls("iam", "CreateAccessKey")) == 1


def test_a_refused_create_leaves_no_note(bob: Bob) -> None:
    """Else a key that the person makes by hand meanwhile would be taken for ours."""
    bob.sandbox.world.denied_actions = {"CreateAccessKey"}
    with pytest.raises(RoleRefused):
        bob.rotate()
    assert bob.entries() == {DEV, TWIN}


def test_a_lost_reply_is_not_asked_for_again(bob: Bob) -> None:
    """CreateAccessKey is never repeated; the key that it made is taken back by the rerun."""
    made: list[Keys] = []
    iam = bob.sandbox.services["iam"]
    handle = iam._handle

    def lose(asked: Any) -> Any:
        answer = handle(asked)
        if asked.action == "CreateAccessKey" and not made:
            made.append(bob.sandbox.world.keys[bob.at_aws[-1]])
            answer.status, answer.body = 500, ""
        return answer

    iam._handle = lose
    with pytest.raises(NetworkError):
        bob.rotate()
    assert len(bob.sandbox.calls("iam", "CreateAccessKey")) == 1
    bob.rotate()
    assert made[0].key_id not in bob.at_aws
    assert bob.is_done()


def test_a_lost_key_that_aws_does_not_list_yet(bob: Bob) -> None:
    """AWS makes no third one; when it lists the lost one, that is taken back."""
    iam = bob.sandbox.services["iam"]
    handle = iam._handle

    def lose(asked: Any) -> Any:
        answer = handle(asked)
        if asked.action == "CreateAccessKey":
            answer.status, answer.body = 500, ""
        return answer

    iam._handle = lose
    with pytest.raises(NetworkError):
        bob.rotate()
    user = bob.sandbox.user("bob")
    lost = bob.at_aws[-1]

    def late(asked: Any) -> Any:
        if asked.action == "ListAccessKeys":
            user.keys.remove(lost)
        answer = handle(asked)
        if asked.action == "ListAccessKeys":
            user.keys.append(lost)
        return answer

    iam._handle = late
    with pytest.raises(UsageError, match="two access keys") as failed:
        bob.rotate()
    assert "wait" in failed.value.hint
    assert bob.works()
    iam._handle = handle
    bob.rotate()
    assert lost not in bob.at_aws
    assert bob.is_done()


class Failing(FileKeychain):
    """A keychain that refuses to write one entry."""

    def __init__(self, folder: Path, entry: str) -> None:
        super().__init__(folder)
        self._entry = entry

    def set(self, name: str, value: Secret) -> None:
        if name == self._entry:
            raise KeychainError("locked")
        super().set(name, value)


@pytest.mark.parametrize(
    "entry", ["rotation/dev", "rotated/dev", "rotated/twin", "keys/dev", "keys/twin"]
)
def test_a_keychain_that_refuses(bob: Bob, entry: str) -> None:
    with pytest.raises(KeychainError):
        bob.rotate(Failing(bob.folder, f"team/keys/{entry}"))
    assert bob.works()
    if entry in {"rotation/dev", "rotated/dev"}:
        assert bob.at_aws == [bob.first], "what cannot be stored is not kept at AWS"
    bob.rotate()
    assert bob.is_done()


def test_two_keys_are_too_many(bob: Bob) -> None:
    other = bob.sandbox.world.add_keys(bob.sandbox.user("bob"))
    with pytest.raises(UsageError, match=other.key_id):
        bob.rotate()
    assert bob.sandbox.calls("iam", "CreateAccessKey") == []
    assert bob.entries() == {DEV, TWIN}


def test_a_key_that_somebody_uses_is_never_taken_back(bob: Bob) -> None:
    """Killed before the call, and meanwhile the person makes and uses a key elsewhere."""
    bob.sandbox.fault("iam", action="CreateAccessKey", status=503)
    with pytest.raises(NetworkError):
        bob.rotate()
    bob.sandbox.heal("iam")
    other = bob.sandbox.world.add_keys(bob.sandbox.user("bob"))
    made = provider(bob.keychain, bob.sandbox.env())
    made.ports.aws.caller_identity(Credentials(other.key_id, Secret(other.secret)), "eu-west-1")
    with pytest.raises(UsageError, match=other.key_id):
        bob.rotate()
    assert other.key_id in bob.at_aws


def test_the_old_key_can_be_left_inactive(bob: Bob) -> None:
    done = bob.rotate(keep_inactive=True)
    assert done.old_is == "inactive"
    assert bob.sandbox.world.keys[bob.first].active is False
    assert bob.works()
    second = bob.rotate(keep_inactive=True)
    assert second.old_access_key_id == done.access_key_id
    assert bob.first not in bob.at_aws
    assert len(bob.at_aws) == 2


@pytest.mark.parametrize("keep_inactive", [False, True])
def test_an_old_key_that_aws_does_not_list_goes_all_the_same(
    bob: Bob, *, keep_inactive: bool
) -> None:
    empty = (
        "<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata/>"
        "</ListAccessKeysResult></ListAccessKeysResponse>"
    )
    bob.sandbox.fault("iam", status=200, body=empty, action="ListAccessKeys")
    done = bob.rotate(keep_inactive=keep_inactive)
    if keep_inactive:
        assert done.old_is == "inactive"
        assert not bob.sandbox.world.keys[bob.first].active
    else:
        assert bob.is_done()


def test_an_old_key_that_is_gone_is_not_called_inactive(bob: Bob) -> None:
    bob.sandbox.fault("iam", action="UpdateAccessKey", status=503)
    with pytest.raises(NetworkError):
        bob.rotate(keep_inactive=True)
    bob.sandbox.heal("iam")
    user = bob.sandbox.user("bob")
    user.keys.remove(bob.first)
    del bob.sandbox.world.keys[bob.first]
    assert bob.rotate(keep_inactive=True).old_is == "deleted"


def test_a_key_that_was_deleted_at_aws_while_waiting(bob: Bob) -> None:
    bob.sandbox.world.key_propagation_calls = 10**6
    with pytest.raises(NetworkError):
        bob.rotate()
    bob.sandbox.world.key_propagation_calls = 0
    gone = bob.at_aws.pop()
    del bob.sandbox.world.keys[gone]
    note = json.loads((bob.keychain.get("team/keys/rotation/dev") or Secret("")).reveal())
    note["at"] = "2026-01-01T00:00:00Z"
    bob.keychain.set("team/keys/rotation/dev", Secret(json.dumps(note)))
    bob.rotate()
    assert bob.is_done()


def test_a_silent_server_ends_the_wait(bob: Bob) -> None:
    bob.sandbox.fault("iam", action="CreateAccessKey", hang=FOR_EVER)
    made = provider(bob.keychain, bob.sandbox.env())
    client = made.ports.aws.client("iam", "eu-west-1", made.user_keys("dev"), once=True)
    assert client.meta.config.read_timeout <= 25
    assert client.meta.config.retries["total_max_attempts"] == 1


class Replicas:
    """STS whose replicas answer in turn: `answers` says whether each knows the key."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def caller_identity(self, keys: Any, region: str) -> None:
        if not self.answers.pop(0):
            raise LoginRefused("GetCallerIdentity: InvalidClientTokenId")


def test_a_key_that_one_replica_does_not_know_is_waited_for() -> None:
    """One success proves little: the next call may be answered by a replica that lags behind."""
    clock, sts = FakeClock(), Replicas(False, True, False, True, True, False, True, True, True)
    wait_until_known(sts, clock, ScriptedUi(), KEYS, "eu-west-1", then="")  # type: ignore[arg-type]
    assert sts.answers == []
    assert sum(clock.slept) > 4


def test_a_key_that_stays_unknown_to_a_replica() -> None:
    clock, sts = FakeClock(), Replicas(*[True, False] * 100)
    with pytest.raises(NetworkError, match="does not work yet"):
        wait_until_known(sts, clock, ScriptedUi(), KEYS, "eu-west-1", then="")  # type: ignore[arg-type]
