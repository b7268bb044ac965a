"""Two Regions of one instance, one of them dead, at AWS's own host names."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    RoleRefused,
)
from broker.testing import FakeClock, MemorySecrets, ScriptedUi, make_ports
from providers.identity_center import IdentityCenter
from providers.identity_center.options import IdentityCenterOptions
from tests.providers.identity_center.conftest import STAGE, Visitor
from tests.sandbox.regions import FIRST, SECOND, TwoRegions

BOTH = [FIRST, SECOND]
DEAD = ("refused", "tls", "503")
Make = Callable[..., IdentityCenter]


class Person(Visitor):
    """Confirms the code in whichever Region shows it."""

    def __init__(self, regions: TwoRegions) -> None:
        super().__init__(regions._sandbox)
        self._regions = regions

    def browse(self, url: str) -> bool:
        return ScriptedUi.browse(self, url)

    def show(self, message: str) -> None:
        ScriptedUi.show(self, message)
        for oidc in self._regions.oidc.values():
            for device in oidc.devices.values():
                if device.user_code in message:
                    oidc.approve(device.user_code)


@pytest.fixture
def make(regions: TwoRegions) -> Make:
    clock = FakeClock()
    secrets = MemorySecrets(clock)

    def one(*, ui: ScriptedUi | None = None, **options: Any) -> IdentityCenter:
        values = {"start_url": regions.start_url, "region": BOTH, "flow": "device"}
        ports = make_ports(regions.env(), ui=ui or Person(regions), clock=clock, secrets=secrets)
        return IdentityCenter("corp", IdentityCenterOptions.model_validate(values | options), ports)

    return one


def die(regions: TwoRegions, region: str, how: str) -> None:
    if how == "503":
        regions.fault(region, 503)
    else:
        regions.dead[region] = how


def gives(regions: TwoRegions) -> list[str]:
    """Which Regions have given credentials."""
    return [r for r in BOTH if regions.calls(r, "/federation/credentials")]


def test_the_first_region_serves_alone(make: Make, regions: TwoRegions) -> None:
    provider = make()
    assert provider.serving(STAGE) is None
    provider.login(STAGE)
    assert gives(regions) == [FIRST]
    assert regions.calls(SECOND) == []
    assert provider.serving(STAGE) == FIRST


@pytest.mark.parametrize("how", DEAD)
def test_the_second_serves_by_its_own_sign_in(make: Make, regions: TwoRegions, how: str) -> None:
    assert make().sign_in_everywhere() == []
    die(regions, FIRST, how)
    provider = make(ui=ScriptedUi())
    provider.login(STAGE)
    assert SECOND in gives(regions)
    assert provider.serving(STAGE) == SECOND
    regions.heal(FIRST)
    back = make(ui=ScriptedUi())
    back.login(STAGE)
    assert back.serving(STAGE) == FIRST


@pytest.mark.parametrize("how", ["tls", "refused"])
def test_without_any_sign_in_the_person_signs_in_where_it_works(
    make: Make, regions: TwoRegions, how: str
) -> None:
    die(regions, FIRST, how)
    make().login(STAGE)
    assert gives(regions) == [SECOND]
    (registered,) = regions.calls(SECOND, "/client/register")
    assert registered.json["clientType"] == "public"
    again = make(ui=ScriptedUi())  # nobody is there now, and the first Region has no sign-in
    again.login(STAGE)
    assert again.serving(STAGE) == SECOND


def test_nobody_there_and_no_second_sign_in_names_the_command(
    make: Make, regions: TwoRegions
) -> None:
    make(region=FIRST).login(STAGE)
    die(regions, FIRST, "refused")
    with pytest.raises(InteractionRequired) as failed:
        make(ui=ScriptedUi()).login(STAGE)
    assert "--all-regions" in failed.value.hint
    assert f"{FIRST} cannot be reached" in failed.value.message


def test_regions_that_are_silent_share_the_time_of_one(
    make: Make, regions: TwoRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().sign_in_everywhere()
    monkeypatch.setattr("broker.ports.aws_sender.DEADLINE", 1.0)
    monkeypatch.setattr("broker.ports.aws_sender.DEADLINE_IN_ALL", 1.0)
    monkeypatch.setattr("providers.identity_center.portal.FAILED_TRIES", 1)
    for region in BOTH:
        regions.silence(region)
    start = time.monotonic()
    with pytest.raises(NetworkError, match=f"{FIRST}.*not answer in time.*{SECOND}.*not answer"):
        make(ui=ScriptedUi()).login(STAGE)
    assert time.monotonic() - start >= 0.9  # half a second each, not a whole one


def test_a_port_that_is_closed(
    make: Make, regions: TwoRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a proxy between: the host is there, and refuses the connection."""
    make().sign_in_everywhere()
    hosts = {f"oidc.{FIRST}.amazonaws.com", f"portal.sso.{FIRST}.amazonaws.com"}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    known = socket.getaddrinfo

    def resolved(host: Any, *words: Any, **more: Any) -> Any:
        if host in hosts:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]
        return known(host, *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setenv("NO_PROXY", ",".join(hosts))
    provider = make(ui=ScriptedUi())
    provider.login(STAGE)
    assert provider.serving(STAGE) == SECOND


def test_none_can_be_reached(make: Make, regions: TwoRegions) -> None:
    die(regions, FIRST, "refused")
    die(regions, SECOND, "tls")
    for ui in (None, ScriptedUi()):
        with pytest.raises(NetworkError, match=f"(?s){FIRST}.*{SECOND}"):
            make(ui=ui).login(STAGE)


def refused(regions: TwoRegions) -> type[AwsLoginError]:
    regions._sandbox.world.people["ann"].assigned.clear()
    return RoleRefused


def revoked(regions: TwoRegions) -> type[AwsLoginError]:
    regions.oidc[FIRST].tokens.clear()
    regions.oidc[FIRST].refresh.clear()
    return InteractionRequired


def throttled(regions: TwoRegions) -> type[AwsLoginError]:
    regions.fault(FIRST, 429)
    return NetworkError


@pytest.mark.parametrize("spoil", [refused, revoked, throttled])
def test_a_region_that_answers_is_never_passed_over(
    make: Make, regions: TwoRegions, spoil: Callable[[TwoRegions], type[AwsLoginError]]
) -> None:
    make().sign_in_everywhere()
    error = spoil(regions)
    for _ in range(2):
        with pytest.raises(error):
            make(ui=ScriptedUi()).login(STAGE)
    assert regions.calls(SECOND, "/federation/credentials") == []


def test_a_denied_sign_in_is_no_reason_to_ask_elsewhere(make: Make, regions: TwoRegions) -> None:
    class Denies(Person):
        def show(self, message: str) -> None:
            for device in list(regions.oidc[FIRST].devices.values()):
                regions.oidc[FIRST].deny(device.user_code)

    with pytest.raises(LoginRefused, match="denied"):
        make(ui=Denies(regions)).login(STAGE)
    assert regions.calls(SECOND) == []


def test_one_region_more_or_less_signs_nobody_in_anew(make: Make, regions: TwoRegions) -> None:
    make(region=FIRST).login(STAGE)
    make(ui=ScriptedUi()).login(STAGE)
    make(ui=ScriptedUi(), region=[FIRST]).login(STAGE)
    assert len(regions.calls(FIRST, "/device_authorization")) == 1


def test_each_region_has_its_own_portal_and_sign_in(make: Make, regions: TwoRegions) -> None:
    """The strict second Region knows neither the first one's address nor its registration."""
    provider = make()
    provider.sign_in_everywhere()
    for region in BOTH:
        (started,) = regions.calls(region, "/device_authorization")
        assert started.json["startUrl"] == regions.oidc[region].start_url
        assert len(regions.oidc[region].tokens) == 1
    assert isinstance(provider.ports.secrets, MemorySecrets)
    kept = provider.ports.secrets.sealed.entries
    assert {"signin-test-token", f"signin-test-{SECOND}-token"} <= {*kept}


def test_logout_ends_both_and_a_dead_one_keeps_no_token(make: Make, regions: TwoRegions) -> None:
    make().sign_in_everywhere()
    die(regions, FIRST, "refused")
    with pytest.raises(NetworkError):
        make(ui=ScriptedUi()).logout()
    assert regions.oidc[SECOND].tokens == {}
    regions.heal(FIRST)
    with pytest.raises(InteractionRequired):
        make(ui=ScriptedUi()).login(STAGE)


def test_discover_is_served_too(make: Make, regions: TwoRegions) -> None:
    make().sign_in_everywhere()
    die(regions, FIRST, "503")
    assert make(ui=ScriptedUi()).discover()
    assert regions.calls(SECOND, "/assignment/accounts")


def test_a_dead_region_is_asked_last_for_a_minute(make: Make, regions: TwoRegions) -> None:
    provider = make()
    provider.sign_in_everywhere()
    die(regions, FIRST, "503")
    provider.login(STAGE)
    asked = len(regions.calls(FIRST))
    provider.login(STAGE)
    assert len(regions.calls(FIRST)) == asked
    regions.heal(FIRST)
    assert isinstance(provider.ports.clock, FakeClock)
    provider.ports.clock.advance(61)
    provider.login(STAGE)
    assert provider.serving(STAGE) == FIRST


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ([], "1 to 4"),
        ([FIRST, FIRST], "different"),
        ([FIRST, ""], "different"),
        ([FIRST, 1], "no region"),
        ([FIRST, "Ireland"], "'Ireland' is no region"),
        (7, "7 is no region"),
        ({"a": 1}, "no region"),
        (["eu-west-1\n"], "no region"),
        ([FIRST, "eu-wset-1"], "there is no region eu-wset-1; did you mean"),
        ([FIRST, "us-gov-west-1"], "one partition"),
        ([f"eu-west-{n}" for n in range(1, 6)], "1 to 4"),
    ],
)
def test_lists_that_are_none(region: object, said: str) -> None:
    given = {"start_url": "https://corp.awsapps.com/start", "region": region}
    with pytest.raises(ValidationError, match=said):
        IdentityCenterOptions.model_validate(given)


def test_a_host_that_tells_a_region_of_none() -> None:
    given = {"start_url": "https://ssoins-1.portal.us-east-1.app.aws", "region": BOTH}
    with pytest.raises(ValidationError, match="tells us-east-1, which `region` does not list"):
        IdentityCenterOptions.model_validate(given)


def test_a_shared_token_has_one_region() -> None:
    given = {"start_url": "https://corp.awsapps.com/start", "region": BOTH}
    with pytest.raises(ValidationError, match="takes one `region`"):
        IdentityCenterOptions.model_validate(given | {"share_token_cache": "corp"})


def test_the_dump_is_json() -> None:
    given = {"start_url": "https://corp.awsapps.com/start", "region": BOTH}
    dumped = IdentityCenterOptions.model_validate(given).model_dump(mode="json")
    assert json.loads(json.dumps(dumped))["region"] == BOTH
