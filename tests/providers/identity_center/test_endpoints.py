"""Where each partition's Identity Center answers; nothing is sent."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from broker.ports import Ports
from broker.testing import make_ports
from providers.identity_center import IdentityCenter
from providers.identity_center.oidc import Oidc
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.place import Place
from providers.identity_center.start_url import region_in

CLIENT = {"clientId": "id", "clientSecret": "s", "expiresAt": "2030-01-01T00:00:00Z"}


def oidc_of(options: IdentityCenterOptions, ports: Ports) -> Oidc:
    return Oidc("corp", options, Place(options, ports, options.regions[0]), ports)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
        ("us-gov-east-1", "us-gov-east-1.amazonaws.com"),
        ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
        ("cn-northwest-1", "cn-northwest-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_hosts_of_each_partition(region: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"):
        monkeypatch.delenv(name, raising=False)
    options = IdentityCenterOptions(start_url="https://x.awsapps.com/start", region=region)
    ports = make_ports({})
    address = oidc_of(options, ports).authorize_url(CLIENT, "http://127.0.0.1:1/", "s", "c")
    assert address.startswith(f"https://oidc.{host}/authorize?")
    portal = ports.aws.client("sso", region).meta.endpoint_url
    assert portal == f"https://portal.sso.{host}"


def test_an_endpoint_may_end_in_a_slash() -> None:
    ports = make_ports({"AWS_ENDPOINT_URL_SSO_OIDC": "http://127.0.0.1:9/"})
    options = IdentityCenterOptions(start_url="https://x.awsapps.com/start", region="eu-west-1")
    address = oidc_of(options, ports).authorize_url(CLIENT, "r", "s", "c")
    assert urlsplit(address).path == "/authorize"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://x.awsapps.com/start", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start/", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start#/", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start/#/?tab=accounts", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start?a=b", "https://x.awsapps.com/start"),
        ("https://ssoins-1.portal.eu-west-1.app.aws", "https://ssoins-1.portal.eu-west-1.app.aws"),
        (
            "https://identitycenter.amazonaws.com/ssoins-1",
            "https://identitycenter.amazonaws.com/ssoins-1",
        ),
    ],
)
def test_forms_of_the_start_url(given: str, meant: str) -> None:
    assert IdentityCenterOptions(start_url=given, region="eu-west-1").start_url == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "x.awsapps.com/start",
        "http://x.awsapps.com/start",
        "ftp://x/",
        "https://",
        "https://ann:secret@sso.corp.example/",
        "https://sso.corp.example:99999/",
        "https://sso.corp.example/a\nb",
        "https://[::1/",
    ],
)
def test_no_start_urls(wrong: str) -> None:
    with pytest.raises(ValidationError):
        IdentityCenterOptions(start_url=wrong, region="eu-west-1")


def test_the_region_that_a_start_url_names() -> None:
    assert region_in("https://ssoins-1.portal.us-gov-west-1.app.aws") == "us-gov-west-1"
    assert region_in("https://ssoins-1.eu-west-1.portal.amazonaws.com") == "eu-west-1"
    assert region_in("https://my-own-1.awsapps.com/start") is None
    assert region_in("https://corp.awsapps.com/start") is None
    assert region_in("https://sso.eu-west-1.corp.example/start") is None
    assert region_in("http://sso.eu-west-1.portal.amazonaws.com/") is None


@pytest.mark.parametrize(
    ("start_url", "oidc", "portal"),
    [
        (
            "https://ssoins-1.portal.us-east-2.app.aws",
            "oidc.us-east-2.api.aws",
            "portal.sso.us-east-2.api.aws",
        ),
        (
            "https://ssoins-1.us-east-2.portal.amazonaws.com",
            "oidc.us-east-2.amazonaws.com",
            "portal.sso.us-east-2.amazonaws.com",
        ),
    ],
)
@pytest.mark.parametrize("flow", ["pkce", "device"])
def test_a_dual_stack_portal_has_dual_stack_endpoints(
    monkeypatch: pytest.MonkeyPatch, *, start_url: str, oidc: str, portal: str, flow: str
) -> None:
    """The region stands in the host, and need not be given."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"):
        monkeypatch.delenv(name, raising=False)
    options = IdentityCenterOptions.model_validate({"start_url": start_url, "flow": flow})
    assert options.region == "us-east-2"
    center = IdentityCenter("corp", options, make_ports({}))
    (only,) = center._regions.all
    calls = only.token._oidc
    assert urlsplit(calls.authorize_url(CLIENT, "r", "s", "c")).netloc == oidc
    assert calls._client(once=True).meta.endpoint_url == f"https://{oidc}"
    assert only.portal._client().meta.endpoint_url == f"https://{portal}"


def test_a_region_that_nobody_tells() -> None:
    with pytest.raises(ValidationError, match="`region` is needed"):
        IdentityCenterOptions.model_validate({"start_url": "https://corp.awsapps.com/start"})


@pytest.mark.parametrize("region", ["us-gov-west-1", "eu-west-1", "us-east-1"])
def test_fips_asks_no_host_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """One rule for the browser's address and the calls."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    options = IdentityCenterOptions(start_url="https://x.awsapps.com/start", region=region)
    ports = make_ports({})
    page = oidc_of(options, ports).authorize_url(CLIENT, "r", "s", "c")
    assert urlsplit(page).netloc == f"oidc.{region}.amazonaws.com"
    sts = {"us-east-1": "sts-fips"}.get(region, "sts")
    assert ports.aws.host("sts", region) == f"{sts}.{region}.amazonaws.com"
    assert ports.aws.host("sso", region) == f"portal.sso.{region}.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "iam", "sts"),
    [
        ("us-east-1", "iam-fips.amazonaws.com", "sts-fips.us-east-1.amazonaws.com"),
        ("eu-west-1", "iam-fips.amazonaws.com", "sts.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "iam.us-gov.amazonaws.com", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "iam.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "iam.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "iam.us-iso-east-1.c2s.ic.gov", "sts.us-iso-east-1.c2s.ic.gov"),
    ],
)
def test_fips_hosts_of_each_partition(
    monkeypatch: pytest.MonkeyPatch, region: str, iam: str, sts: str
) -> None:
    """Those of botocore's `endpoints.json`; no other partition has one."""
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    aws = make_ports({}).aws
    assert (aws.host("iam", region), aws.host("sts", region)) == (iam, sts)
