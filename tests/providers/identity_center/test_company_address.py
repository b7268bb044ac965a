"""A company's own start address: one redirect, over https, to a portal of AWS's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from broker.errors import (
    ConfigError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from broker.testing import FakeClock, MemorySecrets, ScriptedUi, make_ports
from providers.identity_center import IdentityCenter
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.place import Place
from providers.identity_center.start_url import is_aws_own
from tests.providers.identity_center.conftest import STAGE
from tests.providers.identity_center.test_regions import BOTH, Person
from tests.sandbox import Sandbox
from tests.sandbox.regions import COMPANY, FIRST, SECOND, TwoRegions
from tests.sandbox.server import Answer, Asked

ADDRESS = f"https://{COMPANY}/aws"
Make = Callable[..., IdentityCenter]


@pytest.fixture
def make(regions: TwoRegions) -> Make:
    clock = FakeClock()
    secrets = MemorySecrets(clock)

    def one(*, ui: ScriptedUi | None = None, **options: Any) -> IdentityCenter:
        values = {"start_url": ADDRESS, "flow": "device"}
        ports = make_ports(regions.env(), ui=ui or Person(regions), clock=clock, secrets=secrets)
        return IdentityCenter("corp", IdentityCenterOptions.model_validate(values | options), ports)

    return one


def asked(sandbox: Sandbox) -> list[Asked]:
    return sandbox.calls(COMPANY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_leads_to_the_portal_whose_host_tells_the_region(
    make: Make, regions: TwoRegions, sandbox: Sandbox, status: int
) -> None:
    target = f"{regions.oidc[SECOND].start_url}/#/?tab=accounts"
    regions.answer(COMPANY, lambda _: Answer(status, "", {"Location": target}))
    make().login(STAGE)
    (started,) = regions.calls(SECOND, "/device_authorization")
    assert started.json["startUrl"] == regions.oidc[SECOND].start_url
    assert regions.calls(FIRST) == []
    (request,) = asked(sandbox)
    assert (request.method, request.raw_path, request.body) == ("HEAD", "/aws", b"")
    assert not {"authorization", "cookie", "x-amz-sso_bearer_token"} & {*request.headers}


def test_the_browser_is_sent_to_that_regions_own_page(make: Make, regions: TwoRegions) -> None:
    """PKCE: the registration names the portal itself as its issuer (`issuerUrl`)."""
    regions.redirect(COMPANY, regions.start_url)
    person = Person(regions)
    person.person_seconds = 0.1
    with pytest.raises(LoginRefused):
        make(ui=person, flow="pkce").login(STAGE)
    (registered,) = regions.calls(FIRST, "/client/register")
    assert registered.json["issuerUrl"] == regions.start_url
    (page,) = person.browsed
    assert page.startswith(f"https://oidc.{FIRST}.amazonaws.com/authorize?")


@pytest.mark.parametrize("status", [405, 501])
def test_get_where_head_is_not_known(
    make: Make, regions: TwoRegions, sandbox: Sandbox, status: int
) -> None:
    def answer(one: Asked) -> Answer:
        if one.method == "HEAD":
            return Answer(status)
        return Answer(302, "", {"Location": regions.start_url})

    regions.answer(COMPANY, answer)
    make().login(STAGE)
    assert [one.method for one in asked(sandbox)] == ["HEAD", "GET"]


def test_a_kept_sign_in_asks_it_no_more(make: Make, regions: TwoRegions, sandbox: Sandbox) -> None:
    regions.redirect(COMPANY, regions.start_url)
    provider = make()
    provider.login(STAGE)
    regions.redirect(COMPANY, "https://evil.example/")
    later = make(ui=ScriptedUi())
    later.login(STAGE)
    for token in regions.oidc[FIRST].tokens.values():
        token.expires = 0
    later.login(STAGE)
    assert len(asked(sandbox)) == 1
    later.logout()
    assert regions.oidc[FIRST].tokens == {}
    with pytest.raises(ConfigError, match=r"evil\.example"):
        make().login(STAGE)


def test_an_address_that_has_moved_leads_to_a_registration_there(
    make: Make, regions: TwoRegions
) -> None:
    regions.redirect(COMPANY, regions.start_url)
    provider = make()
    provider.login(STAGE)
    provider.logout()
    regions.redirect(COMPANY, regions.oidc[SECOND].start_url)
    make().login(STAGE)
    assert len(regions.calls(SECOND, "/client/register")) == 1


def test_one_that_is_down_is_taken_where_it_led_before(make: Make, regions: TwoRegions) -> None:
    regions.redirect(COMPANY, regions.start_url)
    make().login(STAGE)
    regions.answer(COMPANY, lambda _: Answer(503))
    regions.oidc[FIRST].tokens.clear()
    regions.oidc[FIRST].refresh.clear()
    person = Person(regions)
    make(ui=person).login(STAGE)
    assert len(regions.calls(FIRST, "/device_authorization")) == 2


def test_one_that_is_down_at_first_is_a_matter_of_the_network(
    make: Make, regions: TwoRegions
) -> None:
    for region in (None, BOTH):
        regions.answer(COMPANY, lambda _: Answer(503))
        with pytest.raises(NetworkError, match=COMPANY):
            make(**({"region": region} if region else {})).login(STAGE)
    assert regions.calls(FIRST) == regions.calls(SECOND) == []


def test_nobody_there_nothing_asked(make: Make, regions: TwoRegions, sandbox: Sandbox) -> None:
    regions.redirect(COMPANY, regions.start_url)
    with pytest.raises(InteractionRequired, match=COMPANY):
        make(ui=ScriptedUi()).login(STAGE)
    assert asked(sandbox) == []


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/start",
        "http://corp.awsapps.com/start",
        "https://corp.awsapps.com.evil.example/start",
        "https://evilawsapps.com/start",
        "https://awsapps.com/start",
        "https://.awsapps.com/start",
        "https://corp.awsapps.com@evil.example/start",
        "https://ann:x@corp.awsapps.com/start",
        "https://evil.example\\.awsapps.com/start",
        "https://evil.example#.awsapps.com/start",
        "https://corp.awsapps.com:8443/start",
        "https://corp_evil.awsapps.com/start",
        "https://corp.awsapps.com./start",
        "https://xn--.portal.amazonaws.com.evil.example/",
        "//evil.example/start",
        "/start",
        "start",
        "javascript:alert(1)",
        f"https://{COMPANY}/second",
        "https://[",
    ],
)
def test_it_leads_elsewhere(make: Make, regions: TwoRegions, target: str) -> None:
    regions.redirect(COMPANY, target)
    with pytest.raises((ConfigError, UnexpectedReply)):
        make().login(STAGE)
    assert regions.calls(FIRST) == regions.calls(SECOND) == []


@pytest.mark.parametrize("answer", [Answer(200, "<html>"), Answer(404), Answer(302), Answer(401)])
def test_it_leads_nowhere(make: Make, regions: TwoRegions, answer: Answer) -> None:
    regions.answer(COMPANY, lambda _: answer)
    with pytest.raises(ConfigError, match="leads to none"):
        make().login(STAGE)


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ({}, "https://corp.awsapps.com/start", "`region` is needed"),
        ({"region": FIRST}, f"https://i.{SECOND}.portal.amazonaws.com", f"is in {SECOND}, not in"),
        ({"region": BOTH}, "https://i.portal.us-east-1.app.aws", "is in us-east-1, not in"),
    ],
)
def test_the_region_must_fit(
    make: Make, regions: TwoRegions, options: dict[str, Any], target: str, said: str
) -> None:
    regions.redirect(COMPANY, target)
    with pytest.raises(ConfigError, match=said):
        make(**options).login(STAGE)
    assert regions.calls(FIRST) == regions.calls(SECOND) == []


def test_two_regions_behind_one_address(make: Make, regions: TwoRegions) -> None:
    regions.redirect(COMPANY, regions.start_url)
    assert make(region=BOTH).sign_in_everywhere() == []
    regions.dead[FIRST] = "refused"
    provider = make(region=BOTH, ui=ScriptedUi())
    provider.login(STAGE)
    assert provider.serving(STAGE) == SECOND


def test_an_address_of_this_machine_may_lead_there_or_be_a_portal(
    make: Make, regions: TwoRegions, sandbox: Sandbox
) -> None:
    """As outside a company: http on loopback stands in for its https."""
    sandbox.fault("issuer", status=302, headers={"Location": regions.start_url})
    make(start_url=sandbox.urls["issuer"]).login(STAGE)
    assert len(regions.calls(FIRST, "/device_authorization")) == 1
    sandbox.heal("issuer")
    regions.oidc[SECOND].start_url = sandbox.urls["issuer"]
    with pytest.raises(ConfigError, match="`region` is needed"):
        _alone(regions, start_url=sandbox.urls["issuer"]).login(STAGE)
    _alone(regions, start_url=sandbox.urls["issuer"], region=SECOND).login(STAGE)


def _alone(regions: TwoRegions, **options: Any) -> IdentityCenter:
    ports = make_ports(regions.env(), ui=Person(regions))
    checked = IdentityCenterOptions.model_validate({"flow": "device"} | options)
    return IdentityCenter("corp", checked, ports)


@pytest.mark.parametrize(
    "host",
    [
        "d-1.awsapps.com",
        "start.home.awsapps.cn",
        "ssoins-1.portal.us-east-2.app.aws",
        "ssoins-1.us-gov-west-1.portal.amazonaws.com",
        "ssoins-1.cn-north-1.portal.amazonaws.com.cn",
        "ssoins-1.eusc-de-east-1.portal.amazonaws.eu",
        "ssoins-1.portal.cn-north-1.app.amazonwebservices.com.cn",
        "ssoins-1.portal.eusc-de-east-1.api.amazonwebservices.eu",
        "identitycenter.amazonaws.com",
        "identitycenter.amazonaws.com.cn",
        "identitycenter.amazonaws.eu",
        "identitycenter.us-gov.amazonaws.com",
    ],
)
def test_aws_own_hosts(host: str) -> None:
    assert is_aws_own(f"https://{host}/ssoins-1")
    assert is_aws_own(f"https://{host.upper()}:443/start")
    assert not is_aws_own(f"http://{host}/start")
    assert not is_aws_own(f"https://{host}.evil.example/start")


def test_a_companys_host_tells_no_region() -> None:
    """It may be named after the place where it stands itself."""
    given = {"start_url": "https://sso.us-east-1.corp.example"}
    assert IdentityCenterOptions.model_validate(given).region == ""
    several = IdentityCenterOptions.model_validate(given | {"region": BOTH})
    for region in BOTH:
        assert Place(several, make_ports({}), region).start_url == given["start_url"]
