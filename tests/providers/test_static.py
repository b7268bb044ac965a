"""Static keys: codes that are never sent twice, roles of each length, tags, policies, sources."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.errors import ConfigError, InteractionRequired, LoginRefused, RoleRefused
from broker.ports.clock import Clock
from broker.ports.secrets import Secrets
from broker.ports.urls import host_of
from broker.ports.used_codes import UsedCodes
from broker.provider import Request
from broker.secret import Secret
from broker.testing import (
    FakeClock,
    MemoryFiles,
    MemoryKeychain,
    ScriptedUi,
    make_ports,
)
from providers.static import Static
from providers.static.codes import Codes
from tests.sandbox import DEV, Sandbox

MFA = f"arn:aws:iam::{DEV}:mfa/ann"
DEPLOY = f"arn:aws:iam::{DEV}:role/Deploy"
MFA_ONLY = f"arn:aws:iam::{DEV}:role/MfaOnly"
ENDED = (
    "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>over</Message></Error></ErrorResponse>"
)


class Machine:
    """One machine's keychain and folder of spent codes; each `process` is a new provider."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.clock = FakeClock()
        self.clock.advance(30 - self.clock.now().timestamp() % 30)  # at the start of a window
        self._follow()
        self.keychain = MemoryKeychain({"team/keys/keys/dev": sandbox.ann.json})
        self.files = MemoryFiles()

    def _follow(self) -> None:
        """The sandbox's clock goes as this machine's."""
        self.sandbox.world.now = lambda: self.clock.now().timestamp()  # type: ignore[method-assign]

    def process(
        self, *answers: str, sign_in: str = "one", alone: bool = False, **environ: str
    ) -> Static:
        ui = ScriptedUi(None if alone else answers, environ=environ)
        secrets = Secrets(
            self.keychain,
            self.files,
            self.clock,
            scope="team/keys",
            sign_in=sign_in,
            used_codes=UsedCodes(self.folder / "codes", self.clock),
        )
        ports = make_ports(self.sandbox.env(), ui=ui, clock=self.clock, secrets=secrets)
        return Static("keys", Static.Options(), ports)

    @property
    def sent(self) -> list[str]:
        """The codes that STS was sent."""
        return [c.form["TokenCode"] for c in self.sandbox.calls("sts") if "TokenCode" in c.form]

    def wrong(self) -> str:
        """A code that the device does not show about now."""
        near = {self.sandbox.code("ann", ahead=n) for n in (-1, 0, 1, 2, 3)}
        return next(code for code in ("000000", "111111", "222222") if code not in near)


@pytest.fixture
def machine(sandbox: Sandbox, tmp_path: Path) -> Machine:
    return Machine(sandbox, tmp_path)


def ask(role: str | None = None, hours: int | None = None, **more: Any) -> Request:
    return Request(
        profile="dev",
        keys_profile="dev",
        region="eu-west-1",
        role_arn=role,
        duration=hours * 3600 if hours else None,
        mfa_serial=MFA,
        session_name="ann",
        **more,
    )


def ui_of(provider: Static) -> ScriptedUi:
    ui = provider.ports.ui
    assert isinstance(ui, ScriptedUi)
    return ui


def test_a_person_types_a_code(machine: Machine) -> None:
    provider = machine.process(machine.sandbox.code("ann"))
    provider.login(ask())
    host = host_of(machine.sandbox.urls["sts"])
    assert ui_of(provider).asked == [f"One-time code of {MFA} for {host}"]
    assert machine.sandbox.world.granted[-1]["mfa"] is True


def test_spaces_in_a_code_do_not_matter(machine: Machine) -> None:
    code = machine.sandbox.code("ann")
    machine.process(f"{code[:3]} {code[3:]}").login(ask())


def test_a_person_may_correct_a_wrong_code(machine: Machine) -> None:
    provider = machine.process(machine.wrong(), machine.sandbox.code("ann"))
    provider.login(ask())
    assert len(machine.sent) == 2
    assert "AWS refused that code" in ui_of(provider).shown[0]


def test_a_person_may_correct_it_twice_and_no_more(machine: Machine) -> None:
    wrong = [machine.wrong().replace(machine.wrong()[-1], digit, 1) for digit in "3456"]
    provider = machine.process(*wrong)
    with pytest.raises(LoginRefused, match="MultiFactorAuthentication"):
        provider.login(ask())
    assert len(machine.sent) == 3


def test_what_is_no_code_is_not_sent(machine: Machine) -> None:
    provider = machine.process("12345", "wrong", machine.sandbox.code("ann"))
    provider.login(ask())
    assert machine.sent == [machine.sandbox.code("ann")]


def test_a_machine_sends_one_code(machine: Machine) -> None:
    provider = machine.process("never asked", AWSLOGIN_MFA_CODE=machine.wrong())
    with pytest.raises(LoginRefused):
        provider.login(ask())
    assert len(machine.sent) == 1
    assert ui_of(provider).asked == []


def test_without_code_and_person(machine: Machine) -> None:
    with pytest.raises(InteractionRequired):
        machine.process(alone=True).login(ask())
    assert machine.sandbox.calls("sts") == []


def test_the_environments_code_is_sent_once_in_all_processes(machine: Machine) -> None:
    code = machine.sandbox.code("ann")
    machine.process(alone=True, AWSLOGIN_MFA_CODE=code).login(ask())
    other = machine.process(alone=True, sign_in="another", AWSLOGIN_MFA_CODE=code)
    with pytest.raises(LoginRefused, match="used already"):
        other.login(ask())
    assert machine.sent == [code]


def test_a_kept_session_that_aws_refuses_is_replaced_once(machine: Machine) -> None:
    machine.process(machine.sandbox.code("ann")).login(ask(MFA_ONLY))
    machine.sandbox.fault("sts", status=403, body=ENDED, action="AssumeRole", times=1)
    following = machine.sandbox.code("ann", ahead=1)
    machine.process(following).login(ask(MFA_ONLY))
    machine.process(alone=True).login(ask(MFA_ONLY))
    assert machine.sent[1:] == [following]
    machine.sandbox.fault("sts", status=403, body=ENDED, action="AssumeRole")
    with pytest.raises(InteractionRequired):
        machine.process(alone=True).login(ask(MFA_ONLY))


def test_a_new_session_that_aws_refuses_costs_no_second_code(machine: Machine) -> None:
    machine.sandbox.fault("sts", status=403, body=ENDED, action="AssumeRole")
    codes = machine.sandbox.code("ann"), machine.sandbox.code("ann", ahead=1)
    with pytest.raises(LoginRefused, match="over"):
        machine.process(*codes).login(ask(MFA_ONLY))
    assert machine.sent == [codes[0]]


def test_a_typed_code_that_was_used_is_not_sent(machine: Machine) -> None:
    code = machine.sandbox.code("ann")
    machine.process(code).login(ask())
    provider = machine.process(code, machine.sandbox.code("ann", ahead=1), sign_in="another")
    provider.login(ask())
    assert len(set(machine.sent)) == len(machine.sent) == 2
    assert "used already" in ui_of(provider).shown[0]


def test_a_seed_never_gives_a_code_twice(machine: Machine) -> None:
    """Not to another process or profile, not after a logout; the next window's is waited for."""
    seed = machine.sandbox.user("ann").mfa[0].seed
    machine.keychain.set("team/keys/totp/dev", Secret(seed))
    for sign_in in ("one", "two", "three"):
        machine.process(alone=True, sign_in=sign_in).login(ask())
    assert len(set(machine.sent)) == len(machine.sent) == 3
    assert 25 < sum(machine.clock.slept) < 65


def test_a_process_gives_codes(machine: Machine, tmp_path: Path) -> None:
    """It may print more than the code, as `ykman` does; a code that was used is asked for again."""
    code, following = machine.sandbox.code("ann"), machine.sandbox.code("ann", ahead=1)
    script = tmp_path / "codes.py"
    script.write_text(
        f"import os, pathlib\n"
        f"seen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        f"n = len(seen.read_text()) if seen.exists() else 0\n"
        f"seen.write_text('x' * (n + 1))\n"
        f"assert not [name for name in os.environ if name.startswith('AWSLOGIN_')]\n"
        f"print('AWS:ann', [{code!r}, {code!r}, {following!r}][n])\n"
    )
    command = f"{sys.executable} {script}"
    machine.process(alone=True).login(ask(mfa_process=command))
    machine.process(alone=True, sign_in="two").login(ask(mfa_process=command))
    assert machine.sent == [code, following]


@pytest.mark.parametrize("command", ["exit 3", "echo sorry", "true"])
def test_a_process_that_fails(machine: Machine, command: str) -> None:
    with pytest.raises(ConfigError, match="mfa_process"):
        machine.process(alone=True).login(ask(mfa_process=command))
    assert machine.sandbox.calls("sts") == []


def test_one_code_serves_all_roles_of_an_hour(machine: Machine) -> None:
    provider = machine.process(machine.sandbox.code("ann"))
    provider.login(ask(MFA_ONLY))
    provider.login(ask(DEPLOY, 1))
    machine.process(alone=True).login(ask(MFA_ONLY, 1))
    assert len(machine.sent) == 1
    assert [g["signed_by"] for g in machine.sandbox.world.granted if "role" in g] == ["session"] * 3


def test_the_users_own_session_needs_no_code_of_its_own(machine: Machine) -> None:
    """After a role's: it is the same session. Forced, or of an asked length, it is a new one."""
    machine.process(machine.sandbox.code("ann")).login(ask(MFA_ONLY))
    machine.process(alone=True).login(ask())
    assert len(machine.sent) == 1
    kept = machine.files.entries["signin-one-mfa-session"]
    machine.process(machine.sandbox.code("ann", ahead=1)).login(ask(hours=1))
    assert machine.files.entries["signin-one-mfa-session"] == kept, "the longer one serves roles"
    machine.clock.advance(30)
    machine.process(machine.sandbox.code("ann", ahead=1)).login(ask(force=True))
    assert len(machine.sent) == 3


def test_a_longer_role_takes_a_code_of_its_own(machine: Machine) -> None:
    machine.process(machine.sandbox.code("ann")).login(ask(MFA_ONLY))
    machine.process(machine.sandbox.code("ann", ahead=1)).login(ask(MFA_ONLY, 8))
    assert len(set(machine.sent)) == 2
    assert machine.sandbox.world.granted[-1]["seconds"] == 8 * 3600
    assert machine.sandbox.world.granted[-1]["signed_by"] == "user"


def test_a_wrong_code_is_told_from_a_refused_role(machine: Machine) -> None:
    nobody = f"arn:aws:iam::{DEV}:role/Nobody"
    provider = machine.process(machine.sandbox.code("ann"), "000000", "000001")
    with pytest.raises(RoleRefused):
        provider.login(ask(nobody, 8))
    assert len(machine.sent) == 1


def test_all_that_shapes_a_role_is_sent(machine: Machine) -> None:
    machine.process(machine.sandbox.code("ann")).login(
        ask(
            DEPLOY,
            external_id="4711",
            session_tags={"project": "payments", "team": "core"},
            transitive_tags=("project",),
            source_identity="ann@corp",
            policy='{"Version":"2012-10-17","Statement":[]}',
            policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
        )
    )
    granted = machine.sandbox.world.granted[-1]
    assert granted["external_id"] == "4711"
    assert granted["tags"] == {"project": "payments", "team": "core"}
    assert granted["transitive"] == ["project"]
    assert granted["source_identity"] == "ann@corp"
    assert granted["policy"] == '{"Version":"2012-10-17","Statement":[]}'
    assert granted["policy_arns"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]


def test_a_users_policy_is_not_taken_for_a_limit(machine: Machine) -> None:
    provider = machine.process(machine.sandbox.code("ann"))
    provider.login(ask(policy="{}"))
    assert "counts for `console` alone" in ui_of(provider).warned[0]


def test_spent_codes_survive_damage_and_are_forgotten_in_time(tmp_path: Path) -> None:
    clock = FakeClock()
    codes = UsedCodes(tmp_path, clock)
    assert codes.spend("device", "123456")
    assert not UsedCodes(tmp_path, Clock()).spend("device", "123456")
    assert codes.spend("another", "123456")
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    plain = hashlib.sha256(b"device 123456").hexdigest()[:32]
    assert not [text for text in ("123456", plain) if text in kept]
    clock.advance(3600)
    assert codes.spend("device", "123456")
    for path in tmp_path.iterdir():
        path.write_text("{damaged")
    assert codes.spend("device", "123456")


def test_a_wrong_device_is_no_wrong_code(machine: Machine) -> None:
    """AWS says of a serial that is not the user's that it must be verified: once is enough."""
    provider = machine.process("111111", "222222", "333333")

    def refuse(code: str) -> None:
        raise LoginRefused("unable to validate MFA code. Please verify your MFA serial number")

    with pytest.raises(LoginRefused, match="serial"):
        Codes(provider.ports, ask()).use(refuse)
    assert len(ui_of(provider).asked) == 1
