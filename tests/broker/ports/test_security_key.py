"""Security keys: for whom they sign, their PIN, their touch, and how each of them fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fido2.hid import ConnectionFailure

from broker.errors import (
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    LoginRefused,
    UnexpectedReply,
)
from broker.ports.security_key import INSTALL, SecurityKeys
from broker.ports.webauthn import KeyAnswer, KeyChallenge
from broker.testing import ScriptedUi
from tests.sandbox.relying_party import RelyingParty, unpadded
from tests.sandbox.soft_key import SoftKey

PAGE = "https://login.corp.example/challenge?token=1"
ORIGIN, RP_ID = "https://login.corp.example", "corp.example"


class TellingUi(ScriptedUi):
    """Keeps what is waited for."""

    def waiting(self, message: str) -> None:
        self.shown.append(message)


def site(key: SoftKey, verification: str = "preferred") -> RelyingParty:
    made = RelyingParty(ORIGIN, RP_ID, verification)
    made.register("ann", *key.register(RP_ID))
    return made


def challenge(party: RelyingParty, **more: object) -> KeyChallenge:
    asked = KeyChallenge(
        page=PAGE,
        challenge=unpadded(party.challenge("ann")),
        rp_id=RP_ID,
        credentials=[one.id for one in party.keys["ann"]],
        verification=party.verification,
    )
    return replace(asked, **more)  # type: ignore[arg-type]


def answer(key: SoftKey, asked: KeyChallenge, *answers: str) -> tuple[KeyAnswer, TellingUi]:
    ui = TellingUi(answers)
    return SecurityKeys(lambda: [key]).answer(asked, ui), ui


def refusal(*keys: SoftKey, asked: KeyChallenge, answers: list[str] | None) -> AwsLoginError:
    with pytest.raises(AwsLoginError) as refused:
        SecurityKeys(lambda: keys).answer(asked, TellingUi(answers))
    return refused.value


def fault(party: RelyingParty, given: KeyAnswer) -> str:
    return party.why_not(
        "ann", given.credential, given.client_data, given.authenticator_data, given.signature
    )


def test_a_touch_signs_and_is_asked_for() -> None:
    key = SoftKey("YubiKey 5")
    party = site(key)
    given, ui = answer(key, challenge(party))
    assert fault(party, given) == ""
    assert ui.shown == ["touch YubiKey 5 to sign in at login.corp.example"]
    assert ui.asked == []
    assert key.closed == 1


@pytest.mark.parametrize(
    "error", [OSError("gone"), ValueError("odd"), KeyError(1), ConnectionFailure("Wrong channel")]
)
def test_a_key_that_breaks_is_no_bug(error: Exception) -> None:
    key = SoftKey()
    asked = challenge(site(key))
    key.breaks = error
    refused = refusal(key, asked=asked, answers=[])
    assert "answered with an error" in refused.message
    assert key.closed == 1


def test_looking_for_keys_keeps_none_of_them() -> None:
    key = SoftKey()
    assert SecurityKeys(lambda: [key]).are_present()
    assert key.closed == 1


def test_an_answer_is_good_once() -> None:
    key = SoftKey()
    party = site(key)
    given, _ = answer(key, challenge(party))
    assert fault(party, given) == ""
    assert "used" in fault(party, given)


@pytest.mark.parametrize("verification", ["required", "preferred"])
def test_a_pin_is_asked_hidden_with_key_and_host_named(verification: str) -> None:
    key = SoftKey("YubiKey 5", pin="135790")
    party = site(key, verification=verification)
    given, ui = answer(key, challenge(party), "135790")
    assert fault(party, given) == ""
    assert ui.asked == ["PIN of YubiKey 5, to sign in at login.corp.example"]
    assert given.authenticator_data[32] & 4


def test_a_pin_is_not_asked_where_it_is_discouraged() -> None:
    key = SoftKey(pin="135790")
    party = site(key, verification="discouraged")
    given, ui = answer(key, challenge(party))
    assert (fault(party, given), ui.asked) == ("", [])


def test_a_wrong_pin_may_be_corrected_and_says_how_many_are_left() -> None:
    key = SoftKey(pin="135790")
    party = site(key, verification="required")
    given, ui = answer(key, challenge(party), "wrong", "135790")
    assert fault(party, given) == ""
    assert any("7 tries left" in said for said in ui.shown)


def test_three_wrong_pins_end_it_before_the_key_locks_itself() -> None:
    key = SoftKey(pin="135790")
    error = refusal(key, asked=challenge(site(key)), answers=["a", "b", "c", "135790"])
    assert isinstance(error, LoginRefused)
    assert "unplug" in error.hint
    assert key.retries == 5
    assert key.asked_for == []


def test_a_locked_key_says_so() -> None:
    key = SoftKey(pin="135790")
    key.retries = 0
    assert "locked" in refusal(key, asked=challenge(site(key)), answers=["135790"]).message


def test_a_site_that_wants_a_pin_of_a_key_without_one() -> None:
    key = SoftKey()
    error = refusal(key, asked=challenge(site(key, verification="required")), answers=[])
    assert "has no PIN" in error.message


def test_nobody_touches_it() -> None:
    key = SoftKey()
    key.touches = False
    assert "in time" in refusal(key, asked=challenge(site(key)), answers=[]).message


def test_a_key_that_is_not_registered() -> None:
    party = site(SoftKey())
    error = refusal(SoftKey(), asked=challenge(party), answers=[])
    assert "registered" in error.message
    assert isinstance(error, LoginRefused)


def test_of_several_keys_the_person_picks_one() -> None:
    keys = [SoftKey("YubiKey 5"), SoftKey("YubiKey 5"), SoftKey("Titan")]
    party = site(keys[1])
    ui = TellingUi(["YubiKey 5 (2)"])
    given = SecurityKeys(lambda: keys).answer(challenge(party), ui)
    assert fault(party, given) == ""
    assert [key.closed for key in keys] == [1, 1, 1]
    assert keys[0].asked_for == keys[2].asked_for == []


def test_no_key_is_plugged_in() -> None:
    error = refusal(asked=challenge(site(SoftKey())), answers=[])
    assert isinstance(error, InteractionRequired)
    assert "plugged in" in error.message
    assert "idp: browser" in error.hint


def test_nobody_is_here() -> None:
    key = SoftKey()
    error = refusal(key, asked=challenge(site(key)), answers=None)
    assert isinstance(error, InteractionRequired)
    assert key.asked_for == []


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SecurityKeys, "are_supported", False)
    error = refusal(SoftKey(), asked=challenge(site(SoftKey())), answers=[])
    assert isinstance(error, ConfigError)
    assert INSTALL in error.hint


@pytest.mark.parametrize(
    ("page", "rp_id"),
    [
        (PAGE, "other.example"),
        (PAGE, "example"),
        (PAGE, "example.com"),
        (PAGE, "n.corp.example"),
        (PAGE, "rp.example"),
        (PAGE, "corp.example."),
        ("https://corp.co.uk/", "co.uk"),
        ("https://corp.github.io/", "github.io"),
        ("https://evil.example/?login.corp.example", RP_ID),
        ("https://login.corp.example.evil.com/", RP_ID),
        ("https://login.corp.example@evil.com/", RP_ID),
        ("http://login.corp.example/", RP_ID),
        ("http://127.0.0.1:1/", "localhost"),
        ("http://127.0.0.1:1/", "0.0.1"),
    ],
)
def test_no_key_signs_in_anothers_name(page: str, rp_id: str) -> None:
    key = SoftKey()
    key.register(rp_id)
    error = refusal(key, asked=KeyChallenge(page, b"x" * 16, rp_id), answers=[])
    assert isinstance(error, UnexpectedReply)
    assert key.asked_for == []


@pytest.mark.parametrize(
    ("page", "rp_id", "origin"),
    [
        ("https://Login.Corp.example:443/x", "corp.example", "https://login.corp.example"),
        ("https://login.corp.example:8443/", "", "https://login.corp.example:8443"),
        ("http://127.0.0.1:8080/", "127.0.0.1", "http://127.0.0.1:8080"),
    ],
)
def test_the_origin_is_the_pages_as_browsers_write_it(page: str, rp_id: str, origin: str) -> None:
    key = SoftKey()
    key.register(rp_id or "login.corp.example")
    given, _ = answer(key, KeyChallenge(page, b"x" * 16, rp_id))
    assert f'"origin":"{origin}"' in given.client_data.decode().replace(" ", "")
