"""The token: refreshed early and once, replaced when it is refused, ended by logout."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from broker.errors import InteractionRequired, LoginRefused, NetworkError, RoleRefused
from broker.provider import Request
from broker.testing import FakeClock, MemorySecrets, ScriptedUi
from providers.identity_center import IdentityCenter
from tests.providers.identity_center.conftest import STAGE, Make, Visitor
from tests.sandbox import DEV, PROD, Sandbox


class Kept:
    """What one sign-in leaves on a machine."""

    def __init__(self, make: Make, **options: object) -> None:
        self.clock = FakeClock()
        self.secrets = MemorySecrets(self.clock)
        self._make = make
        self._options = options
        self.provider().login(STAGE)

    def provider(self, ui: ScriptedUi | None = None) -> IdentityCenter:
        return self._make(clock=self.clock, secrets=self.secrets, ui=ui, **self._options)

    def alone(self) -> IdentityCenter:
        """With nobody there."""
        return self.provider(ScriptedUi())


@pytest.fixture
def kept(make: Make) -> Kept:
    return Kept(make)


def advance(kept: Kept, sandbox: Sandbox, seconds: float) -> None:
    kept.clock.advance(seconds)
    sandbox.world.advance(seconds)


def refreshes(sandbox: Sandbox) -> list[str]:
    asked = [a.json for a in sandbox.calls("oidc", "/token")]
    return [body["refreshToken"] for body in asked if body["grantType"] == "refresh_token"]


def test_it_is_refreshed_before_its_end(kept: Kept, sandbox: Sandbox) -> None:
    advance(kept, sandbox, 3600 - 301)
    kept.alone().login(STAGE)
    assert refreshes(sandbox) == []
    advance(kept, sandbox, 2)
    kept.alone().login(STAGE)
    advance(kept, sandbox, 3400)
    kept.alone().login(STAGE)
    assert len(set(refreshes(sandbox))) == 2


def test_a_refresh_token_that_does_not_rotate_is_kept(kept: Kept, sandbox: Sandbox) -> None:
    advance(kept, sandbox, 3500)
    reply = '{"accessToken": "new-token", "expiresIn": 3600}'
    sandbox.fault("oidc", status=200, body=reply, action="/token", times=1)
    kept.alone().login(STAGE)  # the portal refuses that token, so it is refreshed again
    first, second = refreshes(sandbox)
    assert first == second


def test_a_failing_refresh_does_not_stop_a_token_that_still_holds(
    kept: Kept, sandbox: Sandbox
) -> None:
    advance(kept, sandbox, 3400)
    sandbox.fault("oidc", status=503, action="/token")
    kept.alone().login(STAGE)
    advance(kept, sandbox, 300)
    with pytest.raises(NetworkError):
        kept.alone().login(STAGE)


def test_a_revoked_session_needs_the_person_again(kept: Kept, sandbox: Sandbox) -> None:
    sandbox.oidc.tokens.clear()
    sandbox.oidc.refresh.clear()
    for _ in range(2):
        with pytest.raises(InteractionRequired, match="ended or was revoked"):
            kept.alone().login(STAGE)
    assert len(refreshes(sandbox)) == 1
    kept.provider().login(STAGE)


def test_many_threads_with_a_refused_token_refresh_once(kept: Kept, sandbox: Sandbox) -> None:
    sandbox.oidc.tokens.clear()
    provider = kept.alone()
    with ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda _: provider.login(STAGE).access_key_id, range(12)))
    assert len(set(got)) == 12
    assert len(refreshes(sandbox)) == 1


def test_many_threads_ask_the_person_once(kept: Kept, sandbox: Sandbox) -> None:
    sandbox.oidc.tokens.clear()
    sandbox.oidc.refresh.clear()
    ui = Visitor(sandbox, deny=True)
    provider = kept.provider(ui)

    def refused(_: int) -> bool:
        with pytest.raises(LoginRefused, match="denied"):
            provider.login(STAGE)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(refused, range(24)))
    assert len(ui.shown) == 1


def test_logout_ends_the_session_at_the_portal_even_after_the_access_tokens_end(
    kept: Kept, sandbox: Sandbox
) -> None:
    advance(kept, sandbox, 2 * 3600)
    assert sandbox.oidc.refresh
    kept.alone().logout()
    assert len(sandbox.calls("portal", "/logout")) == 1
    assert sandbox.oidc.refresh == {}
    with pytest.raises(InteractionRequired):
        kept.alone().login(STAGE)


def test_logout_forgets_even_when_the_portal_is_away(kept: Kept, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=503)
    with pytest.raises(NetworkError):
        kept.alone().logout()
    sandbox.heal("portal")
    with pytest.raises(InteractionRequired):
        kept.alone().login(STAGE)


def test_without_scopes_there_is_no_refresh_token(make: Make, sandbox: Sandbox) -> None:
    kept = Kept(make, scopes=[])
    assert sandbox.oidc.refresh == {}
    advance(kept, sandbox, 7 * 3600)
    kept.alone().login(STAGE)
    advance(kept, sandbox, 3600)
    with pytest.raises(InteractionRequired):
        kept.alone().login(STAGE)


def test_an_unassigned_role_is_no_reason_to_sign_in_again(kept: Kept, sandbox: Sandbox) -> None:
    lost = Request(profile="lost", region="eu-west-1", account=PROD, role="Admin")
    with pytest.raises(RoleRefused, match="Admin in 444455556666"):
        kept.alone().login(lost)
    assert refreshes(sandbox) == []


def test_a_clock_that_is_off_is_told(kept: Kept, sandbox: Sandbox) -> None:
    ui = ScriptedUi()
    kept.clock.advance(-1800)
    kept.provider(ui).login(STAGE)
    assert "30 minutes behind" in ui.warned[0]
    kept.clock.advance(1800 + 2 * 3600)
    kept.provider(ui).login(STAGE)
    assert "120 minutes ahead" in ui.warned[-1]


def test_what_shapes_a_sign_in(make: Make) -> None:
    def shape(**options: object) -> object:
        return make(**options).options.sign_in(team="a", username="ann")

    assert shape() == shape(flow="pkce", callback_port=8400, share_token_cache="x")
    assert shape() != shape(region="eu-west-2")
    assert shape() != shape(scopes=["sso:account:access", "x:y:z"])
    assert shape() != shape(start_url="https://other.awsapps.com/start")
    assert DEV


def test_a_token_that_refreshes_but_is_refused_again_is_left(kept: Kept, sandbox: Sandbox) -> None:
    refused = '{"message": "Session token not found or invalid"}'
    kind = {"x-amzn-errortype": "UnauthorizedException"}
    sandbox.fault(
        "portal", status=401, body=refused, headers=kind, action="/federation/credentials"
    )
    with pytest.raises(InteractionRequired, match="ended or was revoked"):
        kept.alone().login(STAGE)
    assert len(refreshes(sandbox)) == 1
    sandbox.heal("portal")
    sandbox.fault(
        "portal", status=401, body=refused, headers=kind, action="/federation/credentials", times=2
    )
    kept.provider().login(STAGE)
    kept.alone().login(STAGE)


def test_a_duration_that_has_no_effect_is_told(kept: Kept) -> None:
    ui = ScriptedUi()
    kept.provider(ui).login(replace(STAGE, duration=12 * 3600))
    assert "`duration` of stage has no effect" in ui.warned[0]
    kept.provider(ui).login(replace(STAGE, duration=3600))
    assert len(ui.warned) == 1
