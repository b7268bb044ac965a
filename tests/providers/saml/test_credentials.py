"""Whose password and codes are used, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest

from broker.errors import LoginRefused
from broker.ports.urls import host_of, origin
from broker.testing import FakeClock, MemoryKeychain, MemorySecrets, ScriptedUi, make_ports
from providers.saml.credentials import Person
from tests.providers.saml.walks import Walk
from tests.sandbox import Sandbox

HERE = "https://login.corp.example/code"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ENTRY = "team/provider/password/ann"


def walk(sandbox: Sandbox, keychain: MemoryKeychain, answers: list[str] | None) -> Walk:
    return Walk(
        sandbox, "form", sandbox.idp.url, password="", answers=answers, keychain=keychain,
        remember_password=True,
    )  # fmt: skip


def test_a_password_that_worked_is_offered_to_the_keychain(sandbox: Sandbox) -> None:
    keychain, password = MemoryKeychain(), sandbox.world.people["ann"].password
    refusing = walk(sandbox, keychain, [password, "n"])
    refusing.arn()
    assert (keychain.entries, len(refusing.ui.asked)) == ({}, 2)
    walk(sandbox, keychain, [password, "y"]).arn()
    assert keychain.entries == {ENTRY: password}
    assert walk(sandbox, keychain, None).arn()


def test_a_wrong_password_is_never_kept(sandbox: Sandbox) -> None:
    keychain = MemoryKeychain()
    with pytest.raises(LoginRefused):
        walk(sandbox, keychain, ["not this one", "y"]).arn()
    assert keychain.entries == {}
    keychain.entries[ENTRY] = "an old one"
    with pytest.raises(LoginRefused):
        walk(sandbox, keychain, None).arn()
    assert keychain.entries == {}
    assert sandbox.idp.passwords_seen == 2


def test_nothing_is_offered_without_the_option(sandbox: Sandbox) -> None:
    password = sandbox.world.people["ann"].password
    asking = Walk(sandbox, "form", sandbox.idp.url, password="", answers=[password])
    assert asking.arn()
    assert asking.ui.asked == [f"Password of ann for {host_of(sandbox.idp.url)}"]


def person(clock: FakeClock, secrets: MemorySecrets, code: str = "") -> Person:
    ui = ScriptedUi(environ={"AWSLOGIN_MFA_CODE": code})
    ports = make_ports({}, ui=ui, clock=clock, secrets=secrets)
    return Person(ports, "ann", remember=False, sites={origin(HERE)})


def test_no_code_of_a_seed_is_given_twice() -> None:
    clock = FakeClock()
    secrets = MemorySecrets(clock, MemoryKeychain({"team/provider/totp/ann": SEED}))
    totp, start = pyotp.TOTP(SEED), clock.now()
    first = person(clock, secrets).code(HERE).reveal()
    second = person(clock, secrets).code(HERE).reveal()
    assert (first, second) == (totp.at(start), totp.at(start + timedelta(seconds=30)))
    assert 0 < sum(clock.slept) <= 31
    assert second == totp.at(clock.now())


def test_a_code_of_the_environment_is_sent_once() -> None:
    clock = FakeClock()
    secrets = MemorySecrets(clock)
    assert person(clock, secrets, code="123 456").code(HERE).reveal() == "123456"
    with pytest.raises(LoginRefused, match="used already"):
        person(clock, secrets, code="123456").code(HERE)
    clock.advance(601)
    assert person(clock, secrets, code="123456").code(HERE).reveal() == "123456"


def test_a_person_is_told_that_a_code_was_used() -> None:
    clock = FakeClock()
    secrets = MemorySecrets(clock)
    ui = ScriptedUi(["123456", "123456", "654321", "Rex", "Rex"])
    ports = make_ports({}, ui=ui, clock=clock, secrets=secrets)
    ann = Person(ports, "ann", remember=False, sites={origin(HERE)})
    codes = [ann.code(HERE).reveal() for _ in range(4)]
    assert codes == ["123456", "654321", "Rex", "Rex"]
    assert ui.shown == ["That code was used already: wait for the next one."]


def test_a_seed_may_be_a_whole_address() -> None:
    clock = FakeClock()
    address = pyotp.TOTP(SEED, digits=8).provisioning_uri(name="ann", issuer_name="corp")
    secrets = MemorySecrets(clock, MemoryKeychain({"team/provider/totp/ann": address}))
    assert person(clock, secrets).code(HERE).reveal() == pyotp.TOTP(SEED, digits=8).at(clock.now())


def test_a_stale_password_of_the_environment_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(LoginRefused) as refused:
        Walk(sandbox, "form", sandbox.idp.url, password="an old one").arn()
    assert "AWSLOGIN_PASSWORD of the environment gave it" in refused.value.hint
