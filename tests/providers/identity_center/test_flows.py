"""The two ways of signing in, and which one is taken."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from broker.errors import ConfigError, LoginRefused, NetworkError, UnexpectedReply, UsageError
from broker.ports import browser_reachability
from broker.testing import FakeClock, MemorySecrets, ScriptedUi
from providers.identity_center.options import IdentityCenterOptions
from tests.providers.identity_center.conftest import STAGE, Make, Visitor
from tests.sandbox import Sandbox
from tests.support import PATIENCE


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Not a container, whatever machine this is."""
    monkeypatch.setattr(browser_reachability, "_CONTAINER_FILES", ("/no/such/file",))
    monkeypatch.setattr(browser_reachability, "_CONTAINER_VARIABLES", ("AWSLOGIN_TEST_CONTAINER",))
    monkeypatch.setattr("platform.release", lambda: "6.1.0-13-amd64")
    monkeypatch.setattr("sys.platform", "linux")
    return monkeypatch


def test_pkce_ends_on_our_page(make: Make, sandbox: Sandbox) -> None:
    ui = Visitor(sandbox)
    provider = make(ui=ui, flow="pkce")
    assert provider.login(STAGE).access_key_id.startswith("ASIA")
    (address,) = ui.browsed
    assert address in ui.shown[0]
    query = parse_qs(urlsplit(address).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["scopes"] == ["sso:account:access"]
    assert query["redirect_uri"][0].startswith("http://127.0.0.1:")
    (registered,) = sandbox.calls("oidc", "/client/register")
    assert registered.json["redirectUris"] == ["http://127.0.0.1/oauth/callback"]
    assert registered.json["issuerUrl"] == sandbox.start_url


def test_pkce_denied(make: Make, sandbox: Sandbox) -> None:
    with pytest.raises(LoginRefused, match="denied"):
        make(ui=Visitor(sandbox, deny=True), flow="pkce").login(STAGE)


def test_a_registration_that_may_be_dead_is_not_kept(make: Make, sandbox: Sandbox) -> None:
    """A page that refuses it never leads back: the person gives up, or the time is over."""

    class GivesUp(Visitor):
        def browse(self, url: str) -> bool:
            raise KeyboardInterrupt

    secrets = MemorySecrets(FakeClock())
    with pytest.raises(KeyboardInterrupt):
        make(ui=GivesUp(sandbox), flow="pkce", secrets=secrets).login(STAGE)
    make(ui=Visitor(sandbox), flow="pkce", secrets=secrets).login(STAGE)
    assert len(sandbox.calls("oidc", "/client/register")) == 2


@pytest.mark.parametrize(
    ("back", "kind"),
    [
        ({"error": "access_denied", "error_description": "not you"}, LoginRefused),
        ({"error": "server_error"}, NetworkError),
        ({"error": "temporarily_unavailable", "error_description": "later"}, NetworkError),
        ({"error": "invalid_request", "error_description": "no such client"}, UnexpectedReply),
        ({}, UnexpectedReply),
    ],
)
def test_what_the_page_says_is_told_apart(
    make: Make, sandbox: Sandbox, back: dict[str, str], kind: type[Exception]
) -> None:
    class Refused(Visitor):
        def _decide(self, url: str) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            answer = back | {"state": query["state"]}
            self.page = requests.get(query["redirect_uri"], params=answer, timeout=PATIENCE)

    with pytest.raises(kind, match=back.get("error_description")):
        make(ui=Refused(sandbox), flow="pkce").login(STAGE)
    assert sandbox.calls("oidc", "/token") == []


def test_pkce_on_a_taken_port(make: Make, sandbox: Sandbox) -> None:
    taken = int(sandbox.urls["sts"].rpartition(":")[2])
    with pytest.raises(UsageError, match=str(taken)) as failed:
        make(flow="pkce", callback_port=taken).login(STAGE)
    assert "callback_port" in failed.value.hint


@pytest.mark.parametrize(
    ("environ", "flow"),
    [
        ({}, "pkce"),
        ({"SSH_CONNECTION": "1 2 3 4"}, "device"),
        ({"SSH_TTY": "/dev/pts/1"}, "device"),
        ({"WSL_DISTRO_NAME": "Debian"}, "device"),
        ({"AWSLOGIN_TEST_CONTAINER": "podman"}, "device"),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "device"),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": "wayland-0"}, "pkce"),
    ],
)
def test_auto_takes_what_can_work_here(
    make: Make, sandbox: Sandbox, desktop: pytest.MonkeyPatch, environ: dict[str, str], flow: str
) -> None:
    for name, value in environ.items():
        desktop.setenv(name, value)
    make(flow="auto").login(STAGE)
    assert bool(sandbox.calls("oidc", "/authorize")) == (flow == "pkce")
    assert bool(sandbox.calls("oidc", "/device_authorization")) == (flow == "device")


def test_containers_are_known_by_their_files(desktop: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert browser_reachability.browser_is_here({"DISPLAY": ":0"})
    desktop.setattr(browser_reachability, "_CONTAINER_FILES", (str(tmp_path),))
    assert not browser_reachability.browser_is_here({"DISPLAY": ":0"})


def test_a_mac_has_a_browser_unless_it_is_reached_by_ssh(desktop: pytest.MonkeyPatch) -> None:
    desktop.setattr("sys.platform", "darwin")
    assert browser_reachability.browser_is_here({})
    assert not browser_reachability.browser_is_here({"SSH_CONNECTION": "1 2 3 4"})


def test_no_browser_means_a_code(make: Make, sandbox: Sandbox, desktop: object) -> None:
    make(flow="auto", ui=Visitor(sandbox, may_browse=False)).login(STAGE)
    assert len(sandbox.calls("oidc", "/device_authorization")) == 1


def test_over_ssh_no_browser_is_started(make: Make, sandbox: Sandbox, desktop: object) -> None:
    ui = Visitor(sandbox)
    desktop.setenv("SSH_CONNECTION", "1 2 3 4")  # type: ignore[attr-defined]
    make(ui=ui).login(STAGE)
    assert ui.browsed == []


def test_polling_ends_with_the_codes_life(make: Make, sandbox: Sandbox) -> None:
    sandbox.oidc.device_life = 22
    sandbox.oidc.interval = 5
    clock = FakeClock()
    start = clock.monotonic()
    with pytest.raises(LoginRefused, match="before its code expired"):
        make(ui=ScriptedUi([]), clock=clock).login(STAGE)
    assert clock.monotonic() - start == pytest.approx(22)
    assert len(sandbox.calls("oidc", "/token")) < 5


def test_an_expired_code_is_told(make: Make, sandbox: Sandbox) -> None:
    refused = '{"error": "expired_token"}'
    sandbox.fault("oidc", status=400, body=refused, action="/token")
    with pytest.raises(LoginRefused, match="expired before it was confirmed"):
        make().login(STAGE)


def test_a_failing_poll_is_passed_over_but_not_for_ever(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("oidc", status=503, action="/token", times=2)
    make().login(STAGE)
    clock = FakeClock()
    sandbox.fault("oidc", status=503, action="/token")
    start = clock.monotonic()
    with pytest.raises(NetworkError):
        make(clock=clock).login(STAGE)
    assert 60 < clock.monotonic() - start < 80


def test_a_registration_that_fails_is_tried_again(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("oidc", status=500, action="/client/register", times=1)
    make().login(STAGE)


def test_slow_down_adds_five_seconds_though_json_alone_names_it(
    make: Make, sandbox: Sandbox
) -> None:
    for error in ("slow_down", "authorization_pending", "slow_down"):
        sandbox.fault("oidc", status=400, body=f'{{"error": "{error}"}}', action="/token", times=1)
    clock = FakeClock()
    make(clock=clock).login(STAGE)
    assert clock.slept[:4] == [1, 6, 6, 11]


def test_a_pause_that_polling_is_asked_for_is_made(make: Make, sandbox: Sandbox) -> None:
    for headers in ({"Retry-After": "8"}, {}):
        sandbox.fault("oidc", status=429, body="{}", headers=headers, action="/token", times=1)
    clock = FakeClock()
    make(clock=clock).login(STAGE)
    assert clock.slept[:3] == [1, 9, 14]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("/device_authorization", "[]"),
        ("/device_authorization", '{"deviceCode": "c", "userCode": "u", "verificationUri": 7}'),
        ("/device_authorization", '{"deviceCode": ["c"], "userCode": "u", "verificationUri": "x"}'),
        ("/token", "[1]"),
        ("/token", '{"accessToken": ["x"], "expiresIn": 3600}'),
        ("/token", '{"accessToken": "x", "expiresIn": 1000000000000}'),
    ],
)
def test_a_reply_of_another_shape_is_told(
    make: Make, sandbox: Sandbox, action: str, body: str
) -> None:
    sandbox.fault("oidc", status=200, body=body, action=action)
    with pytest.raises(UnexpectedReply):
        make().login(STAGE)


def test_an_interval_that_is_none_is_five_seconds(make: Make, sandbox: Sandbox) -> None:
    for interval in ("-3", "0"):
        sandbox.fault(
            "oidc",
            status=200,
            body='{"deviceCode": "code", "userCode": "u", "verificationUri": "https://x",'
            f' "expiresIn": 6, "interval": {interval}}}',
            action="/device_authorization",
        )
        clock = FakeClock()
        with pytest.raises(LoginRefused):
            make(clock=clock, ui=ScriptedUi([])).login(STAGE)
        assert clock.slept[0] == 5
        sandbox.heal("oidc")


def test_a_forgotten_registration_is_made_anew(make: Make, sandbox: Sandbox) -> None:
    provider = make()
    provider.login(STAGE)
    provider.logout()
    sandbox.oidc.clients.clear()
    provider.login(STAGE)
    assert len(sandbox.calls("oidc", "/client/register")) == 2


def test_a_wrong_start_url_and_a_wrong_region_are_told_apart(make: Make, sandbox: Sandbox) -> None:
    with pytest.raises(ConfigError, match="does not know") as failed:
        make(start_url=f"{sandbox.start_url}x").login(STAGE)
    assert "start_url" in failed.value.hint
    sandbox.oidc.right_region = "eu-central-1"
    with pytest.raises(ConfigError, match="it is in eu-central-1") as failed:
        make().login(STAGE)
    assert "region: eu-central-1" in failed.value.hint
    sandbox.oidc.right_region = None
    with pytest.raises(ConfigError, match="it is in us-east-2"):
        make(start_url="https://ssoins-1.portal.us-east-2.app.aws").login(STAGE)


def test_a_hostile_verification_address_is_not_opened(make: Make, sandbox: Sandbox) -> None:
    ui = Visitor(sandbox)
    body = (
        '{"deviceCode": "abcdef", "userCode": "A\\u001b[2J", "expiresIn": 5,'
        ' "verificationUri": "file:///etc/passwd"}'
    )
    sandbox.fault("oidc", status=200, body=body, action="/device_authorization")
    with pytest.raises(Exception, match="web address"):
        make(ui=ui).login(STAGE)
    assert ui.browsed == []


@pytest.mark.parametrize("end", ["/", "/#/", "/\\#/", " ", "/?tab=accounts#x"])
def test_a_start_url_as_people_paste_it(sandbox: Sandbox, end: str) -> None:
    options = IdentityCenterOptions(start_url=f"{sandbox.start_url}{end}", region="eu-west-1")
    assert options.start_url == sandbox.start_url
