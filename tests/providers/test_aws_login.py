"""`aws login`: the sign-in in the browser or by a pasted code, the refresh, what is pinned."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from broker.broker import Broker
from broker.config import load
from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    RoleRefused,
    UnexpectedReply,
)
from broker.fresh import FreshSession
from broker.login import Login, SessionRequirements
from broker.ports.aws import Aws
from broker.provider import Credentials, Provider, Request
from broker.testing import FakeClock, MemorySecrets, ProviderContract, ScriptedUi, make_ports
from providers.aws_login import AwsLogin
from providers.aws_login.service import base_of
from tests.sandbox import DEV, PROD, Sandbox
from tests.support import PATIENCE, Home
from tests.terminal import Terminal

ADMIN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
REQUEST = Request(profile="prod", region="eu-west-1")


class Visitor(ScriptedUi):
    """A person whose browser follows what is opened, or who pastes what its last page shows."""

    def __init__(self, change: Callable[[str], str] = str, *, browser: bool = True) -> None:
        super().__init__([], may_browse=browser)
        self._change = change
        self.page = ""

    def browse(self, url: str) -> bool:
        threading.Thread(target=self._visit, args=(url,), daemon=True).start()
        return True

    def _visit(self, url: str) -> None:
        first = requests.get(url, timeout=PATIENCE, allow_redirects=False)
        if "Location" in first.headers:
            requests.get(self._change(first.headers["Location"]), timeout=PATIENCE)

    def ask(self, question: str, *, secret: bool = False, variable: str = "") -> str:
        address = re.search(r"http\S+", self.shown[-1])
        assert address
        page = requests.get(address[0], timeout=PATIENCE).text
        shown = re.search(r"<code id=authorization>([^<]+)", page)
        assert shown
        return self._change(shown[1])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Make = Callable[..., AwsLogin]


@pytest.fixture
def make(sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Make:
    secrets = MemorySecrets(clock)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)

    def made(ui: ScriptedUi | None = None, **options: Any) -> AwsLogin:
        options = {"flow": "browser", **options}
        ports = make_ports(sandbox.env(), ui=ui or Visitor(), clock=clock, secrets=secrets)
        return AwsLogin("console", AwsLogin.Options.model_validate(options), ports)

    return made


def tokens_asked(sandbox: Sandbox) -> list[str]:
    return [asked.json["grantType"] for asked in sandbox.calls("signin", "/v1/token")]


class TestAwsLogin(ProviderContract):
    type = "aws-login"

    @pytest.fixture
    def provider(self, make: Make) -> Provider[Any]:
        return make()

    @pytest.fixture
    def request_(self) -> Request:
        return REQUEST

    @pytest.fixture
    def stranded(self) -> Provider[Any]:
        options = AwsLogin.Options()
        return AwsLogin("console", options, make_ports({}, ui=ScriptedUi(), clock=FakeClock()))


def works(sandbox: Sandbox, got: Credentials) -> str:
    return Aws(sandbox.env()).caller_identity(got, "eu-west-1")["Arn"]


@pytest.mark.parametrize("flow", ["browser", "code"])
def test_signs_in_then_refreshes_silently(
    make: Make, sandbox: Sandbox, clock: FakeClock, flow: str
) -> None:
    got = make(flow=flow).login(REQUEST)
    assert (got.arn, got.account_id) == (ADMIN, PROD)
    assert works(sandbox, got) == ADMIN
    assert got.expires_at
    assert got.expires_at - clock.now() <= timedelta(minutes=15)
    nobody = ScriptedUi()
    for _ in range(3):
        again = make(nobody, flow=flow).login(REQUEST)
        assert again.arn == ADMIN
        assert works(sandbox, again) == ADMIN
    assert tokens_asked(sandbox) == ["authorization_code", *["refresh_token"] * 3]


def test_auto_takes_the_browser_where_it_reaches_us_else_the_code(
    make: Make, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ports.browser_reachability._in_container", lambda _: False)
    make(flow="auto").login(REQUEST)
    monkeypatch.setenv("SSH_CONNECTION", "a b c d")
    elsewhere = make(flow="auto")
    elsewhere.ports.secrets.forget("console")
    elsewhere.login(REQUEST)
    clients = [asked.json["clientId"] for asked in sandbox.calls("signin", "/v1/token")]
    assert [client.rpartition("/")[2] for client in clients] == ["same-device", "cross-device"]


@pytest.mark.parametrize(
    ("pinned", "right"),
    [
        ({"account": PROD}, True),
        ({"role_arn": f"arn:aws:iam::{PROD}:role/Admin"}, True),
        ({"role_arn": f"arn:aws:iam::{PROD}:role/team/path/Admin", "account": PROD}, True),
        ({"account": DEV}, False),
        ({"role_arn": f"arn:aws:iam::{DEV}:role/Admin"}, False),
        ({"role_arn": f"arn:aws:iam::{PROD}:role/Admi"}, False),
        ({"role_arn": f"arn:aws:iam::{PROD}:role/ReadOnly", "account": PROD}, False),
    ],
)
def test_the_account_and_role_are_pinned(
    make: Make, sandbox: Sandbox, pinned: dict[str, Any], right: bool
) -> None:
    request = Request(profile="prod", region="eu-west-1", **pinned)
    if right:
        assert make().login(request).arn == ADMIN
        return
    with pytest.raises(RoleRefused, match="the console is signed in") as failed:
        make().login(request)
    assert "switch" in failed.value.hint
    with pytest.raises(InteractionRequired):  # nothing was kept
        make(ScriptedUi()).login(request)


def test_a_user_is_in_no_role(make: Make, sandbox: Sandbox) -> None:
    sandbox.console_login.arn = f"arn:aws:iam::{PROD}:user/Admin"
    with pytest.raises(RoleRefused):
        make().login(
            Request(profile="p", region="eu-west-1", role_arn=f"arn:aws:iam::{PROD}:role/Admin")
        )
    assert make().login(REQUEST).arn == f"arn:aws:iam::{PROD}:user/Admin"


def test_another_pin_or_partition_is_another_sign_in() -> None:
    options = AwsLogin.Options()

    def pinned(region: str = "eu-west-1", **more: Any) -> str | None:
        return AwsLogin.signs_in_for(options, Request(profile="p", region=region, **more))

    assert pinned() is None
    role = f"arn:aws:iam::{PROD}:role/Admin"
    found = [pinned(), pinned("cn-north-1"), pinned(account=DEV), pinned(account=PROD)]
    found += [pinned(account=PROD, role_arn=role), pinned(role_arn=role)]
    assert len({*found}) == len(found)
    assert pinned("eu-central-1") == pinned()


def test_after_twelve_hours_a_person_is_needed(
    make: Make, sandbox: Sandbox, clock: FakeClock
) -> None:
    make().login(REQUEST)
    clock.advance(12 * 3600 + 1)
    with pytest.raises(InteractionRequired) as failed:
        make(ScriptedUi()).login(REQUEST)
    assert "awslogin login prod" in failed.value.hint
    assert tokens_asked(sandbox) == ["authorization_code"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, "TOKEN_EXPIRED"),
        (403, "USER_CREDENTIALS_CHANGED"),
        (400, "invalid_grant"),
    ],
)
def test_a_sign_in_that_is_over_is_not_tried_again(
    make: Make, sandbox: Sandbox, status: int, error: str
) -> None:
    make().login(REQUEST)
    sandbox.fault("signin", status=status, body=json.dumps({"error": error}), times=1)
    with pytest.raises(InteractionRequired, match="has ended"):
        make(ScriptedUi()).login(REQUEST)
    count = len(tokens_asked(sandbox))
    with pytest.raises(InteractionRequired):
        make(ScriptedUi()).login(REQUEST)
    assert len(tokens_asked(sandbox)) == count
    assert make().login(REQUEST).arn == ADMIN  # a person signs in anew


def test_the_missing_policy_is_named(make: Make, sandbox: Sandbox) -> None:
    sandbox.console_login.lacks_permission = True
    with pytest.raises(LoginRefused) as failed:
        make().login(REQUEST)
    assert "SignInLocalDevelopmentAccess" in failed.value.hint


def test_a_denied_sign_in(make: Make, sandbox: Sandbox) -> None:
    sandbox.console_login.deny = True
    for flow in ("browser", "code"):
        with pytest.raises(LoginRefused, match="denied"):
            make(flow=flow).login(REQUEST)


def test_a_nonce_is_given_once_when_asked_for(make: Make, sandbox: Sandbox) -> None:
    sandbox.console_login.wants_nonce = "n-0S6"
    assert make().login(REQUEST).arn == ADMIN
    error = json.dumps({"error": "use_dpop_nonce"})
    sandbox.fault("signin", status=400, body=error, headers={"DPoP-Nonce": "again"})
    with pytest.raises(UnexpectedReply):
        make(ScriptedUi()).login(REQUEST)
    assert len(tokens_asked(sandbox)) == 4


@pytest.mark.parametrize(
    "pasted",
    [
        lambda shown: shown[:-8],
        lambda _: "not base64 at all",
        lambda _: "Y29kZT1hYmM",  # a code without state
        lambda _: "c3RhdGU9b3RoZXImY29kZT1hYmM=",  # of another sign-in
    ],
)
def test_a_pasted_code_of_another_sign_in(
    make: Make, sandbox: Sandbox, pasted: Callable[[str], str]
) -> None:
    with pytest.raises(AwsLoginError) as failed:
        make(Visitor(pasted), flow="code").login(REQUEST)
    assert failed.value.exit_code == 3
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), flow="code").login(REQUEST)


def id_token(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


def answer(**changed: Any) -> str:
    keys = {"accessKeyId": "ASIA", "secretAccessKey": "s" * 20, "sessionToken": "t" * 20}
    document = {"accessToken": keys, "expiresIn": 900, "refreshToken": "r" * 20, **changed}
    return json.dumps(document)


@pytest.mark.parametrize(
    "body",
    [
        "<html>a proxy",
        "[]",
        "{}",
        answer(accessToken="x"),
        answer(accessToken={"accessKeyId": "A"}),
        answer(expiresIn="soon"),
        answer(expiresIn=-1),
        answer(expiresIn=10**30),
        answer(refreshToken=None),
        answer(refreshToken=7),
        answer(),  # without an ID token nobody knows who is signed in
        answer(idToken="a.b.c"),
        answer(idToken="x." + "eyJzdWIiOiJhbm4ifQ" + "."),
        answer(idToken=id_token(sub=ADMIN, exp=1_000_000_000)),
        answer(idToken=id_token(sub=ADMIN, exp="soon")),
        answer(idToken=id_token(sub=ADMIN, exp=10**400)),
        answer(idToken=id_token(sub=[ADMIN])),
    ],
)
def test_odd_replies_keep_nothing(make: Make, sandbox: Sandbox, body: str) -> None:
    sandbox.fault("signin", body=body, action="/v1/token")
    with pytest.raises(UnexpectedReply):
        make().login(REQUEST)
    with pytest.raises(InteractionRequired):
        make(ScriptedUi()).login(REQUEST)


def test_a_refresh_with_anothers_token_gives_nothing(make: Make, sandbox: Sandbox) -> None:
    make().login(REQUEST)
    other = id_token(sub=ADMIN.replace("ann", "mallory"))
    sandbox.fault("signin", body=answer(idToken=other), action="/v1/token", times=1)
    with pytest.raises(UnexpectedReply, match="somebody else"):
        make(ScriptedUi()).login(REQUEST)
    assert make(ScriptedUi()).login(REQUEST).arn == ADMIN


def test_a_refused_token_exchange_is_sent_once(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("signin", status=500, action="/v1/token")
    with pytest.raises(AwsLoginError) as failed:
        make().login(REQUEST)
    assert failed.value.exit_code == 5
    assert len(tokens_asked(sandbox)) == 1


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.signin.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.signin.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.signin.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu"),
    ],
)
def test_every_partition_has_its_host(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    ports = make_ports({}, clock=FakeClock())
    assert base_of(region, ports) == f"https://{host}"
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert base_of(region, ports) == f"https://signin.{region}.api.aws"


def test_a_pasted_code_and_then_nobody(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(
        "version: 1\n"
        "providers: {console: {type: aws-login, flow: code}}\n"
        f'profiles: {{prod: {{provider: console, account: "{PROD}", role: Admin}}}}\n'
    )
    refused = signed_up.run("prod", "--output", "json")
    assert refused.code == 4
    terminal = Terminal(signed_up, "prod")
    page = terminal.wait_for(r"(http://\S+/v1/authorize\S+)")[1]
    shown = re.search(r"authorization>([^<]+)", requests.get(page, timeout=PATIENCE).text)
    assert shown
    terminal.answer("Authorization code", shown[1])
    terminal.finish().ok()
    kept = signed_up.run("prod", "--output", "json").ok().json
    assert kept["from_cache"]
    assert (kept["type"], kept["arn"]) == ("aws-login", ADMIN)
    anew = signed_up.run("prod", "--output", "json", "--force").ok().json
    assert not anew["from_cache"]
    grants = sandbox.console_login.grants
    assert not signed_up.holds_in_plain([token for grant in grants for token in grant.tokens])
    assert not signed_up.holds_in_plain(["PRIVATE KEY"])
    signed_up.run("logout", "prod").ok()
    assert signed_up.run("prod", "--output", "json").code == 4


def test_one_pins_logout_is_not_anothers(signed_up: Home, sandbox: Sandbox) -> None:
    """A sign-in belongs to provider, pinned account and role: so does its end."""
    signed_up.config(
        "version: 1\n"
        "providers: {console: {type: aws-login, flow: code}}\n"
        "profiles:\n"
        f'  prod: {{provider: console, account: "{PROD}", role: Admin}}\n'
        f'  again: {{provider: console, account: "{PROD}", role: Admin}}\n'
        f'  dev: {{provider: console, account: "{DEV}"}}\n'
        "  any: {provider: console}\n"
    )

    def sign_in(name: str, arn: str) -> None:
        sandbox.console_login.arn = arn
        terminal = Terminal(signed_up, name)
        page = terminal.wait_for(r"(http://\S+/v1/authorize\S+)")[1]
        shown = re.search(r"authorization>([^<]+)", requests.get(page, timeout=PATIENCE).text)
        assert shown
        terminal.answer("Authorization code", shown[1])
        terminal.finish().ok()

    sign_in("prod", ADMIN)
    sign_in("dev", f"arn:aws:sts::{DEV}:assumed-role/Developer/ann")
    assert signed_up.run("again", "--output", "json").ok().json["arn"] == ADMIN
    assert signed_up.run("any", "--output", "json").code == 4
    signed_up.run("logout", "dev").ok()
    assert signed_up.run("prod", "--force", "--output", "json").ok().json["arn"] == ADMIN
    assert signed_up.run("dev", "--output", "json").code == 4
    assert [row["profile"] for row in signed_up.run("status", "--output", "json").ok().json] == [
        "prod",
        "again",
    ]


class OnePerson(Visitor):
    """The same, whichever provider asks."""

    def of(self, provider: str) -> ScriptedUi:
        del provider
        return self


def test_fifteen_minutes_are_renewed_in_time(
    signed_up: Home, sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of that life counts, whatever `--min-ttl` asks for; whoever serves it renews it."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    path = signed_up.config(
        "version: 1\nproviders: {console: {type: aws-login, flow: browser}}\n"
        "profiles: {prod: {provider: console, region: eu-west-1}}\n"
    )
    ui = OnePerson()
    config = load(str(path), signed_up.environ, signed_up.work)
    login = Login(Broker(config, ui, signed_up.environ, clock))
    profile = config.profile("prod")

    def later(minutes: float) -> None:
        clock.advance(60 * minutes)
        sandbox.world.advance(60 * minutes)

    def is_kept(**minutes: float) -> bool:
        min_ttl = timedelta(**minutes) if minutes else timedelta(minutes=15)
        return login.session(profile, SessionRequirements(min_ttl=min_ttl)).from_cache

    first = login.session(profile, SessionRequirements())
    later(7)
    assert is_kept()
    assert is_kept(hours=2)
    later(1)
    assert is_kept(minutes=5)
    assert not is_kept()
    assert is_kept(hours=2)
    served = FreshSession(login, profile, SessionRequirements(), first, ui=ui, clock=clock)
    for _ in range(10):
        handed_out = served.current()
        served.renew_if_used()
        later(2)
        left = (handed_out.expires_at or clock.now()) - clock.now()
        assert left > timedelta(minutes=4)
    assert tokens_asked(sandbox).count("authorization_code") == 1
    assert tokens_asked(sandbox).count("refresh_token") <= 4
