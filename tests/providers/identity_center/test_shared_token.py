"""One sign-in with AWS CLI: its file, as botocore's own SSOTokenProvider reads and writes it."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.errors import InteractionRequired
from broker.testing import ScriptedUi
from providers.identity_center import IdentityCenter
from providers.identity_center.shared_token import _NEEDED
from tests.providers.identity_center.conftest import STAGE, Make
from tests.sandbox import Sandbox

NAME = "corp-session"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Path:
    """A home folder with AWS CLI's config of that sso-session."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / ".aws" / "config"
    config.parent.mkdir()
    config.write_text(
        f"[sso-session {NAME}]\nsso_start_url = {sandbox.start_url}/#/\nsso_region = eu-west-1\n"
        f"sso_registration_scopes = sso:account:access\n"
        f"[profile cli]\nsso_session = {NAME}\nsso_account_id = 111122223333\n"
        "sso_role_name = Developer\nregion = eu-west-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return tmp_path


def file_of(home: Path) -> Path:
    name = hashlib.sha1(NAME.encode()).hexdigest()
    return home / ".aws" / "sso" / "cache" / f"{name}.json"


def token_of_boto(home: Path, *, later: float = 0) -> str:
    """What botocore takes from that file, `later` seconds from now.

    Imported here, as it binds `SSLContext` and the provider must come first.
    """
    import botocore.session
    from botocore.tokens import SSOTokenProvider
    from botocore.utils import JSONFileCache

    cache = JSONFileCache(str(file_of(home).parent))
    provider = SSOTokenProvider(
        botocore.session.Session(profile="cli"),
        cache=cache,
        time_fetcher=lambda: datetime.now(UTC) + timedelta(seconds=later),
        profile_name="cli",
    )
    loaded = provider.load_token()
    assert loaded
    return str(loaded.get_frozen_token().token)


def test_botocore_takes_our_token_and_we_take_the_one_it_refreshes(
    make: Make, sandbox: Sandbox, machine: Path
) -> None:
    make(share_token_cache=NAME).login(STAGE)
    path = file_of(machine)
    kept = json.loads(path.read_text())
    assert set(kept) == {
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
        "refreshToken",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of_boto(machine) == kept["accessToken"]
    refreshed = token_of_boto(machine, later=3000)
    assert refreshed != kept["accessToken"]
    sandbox.oidc.tokens.pop(kept["accessToken"], None)
    make(share_token_cache=NAME, ui=ScriptedUi()).login(STAGE)
    used = sandbox.calls("portal", "/federation/credentials")[-1]
    assert used.headers["x-amz-sso_bearer_token"] == refreshed
    assert token_of_boto(machine) == refreshed


def test_the_sdk_gets_credentials_on_our_sign_in(
    make: Make, sandbox: Sandbox, machine: Path
) -> None:
    make(share_token_cache=NAME).login(STAGE)
    import botocore.session
    from botocore.credentials import SSOProvider
    from botocore.tokens import SSOTokenProvider
    from botocore.utils import JSONFileCache

    session = botocore.session.Session(profile="cli")
    cache = JSONFileCache(str(file_of(machine).parent))
    provider = SSOProvider(
        load_config=lambda: session.full_config,
        client_creator=session.create_client,
        profile_name="cli",
        token_cache=cache,
        token_provider=SSOTokenProvider(session, cache=cache, profile_name="cli"),
    )
    credentials = provider.load().get_frozen_credentials()
    assert credentials.access_key in sandbox.world.keys


def test_a_refresh_token_that_the_cli_spent_meanwhile_costs_nothing(
    make: Make, sandbox: Sandbox, machine: Path
) -> None:
    provider = make(share_token_cache=NAME, ui=None)
    provider.login(STAGE)
    old = file_of(machine).read_text()
    refreshed = token_of_boto(machine, later=3000)
    new = file_of(machine).read_text()
    stale = json.loads(old) | {"expiresAt": "2020-01-01T00:00:00UTC"}
    file_of(machine).write_text(json.dumps(stale))
    sandbox.fault("oidc", hang=0.5, action="/token", times=1)
    other = make(share_token_cache=NAME, ui=ScriptedUi())
    oidc = other._regions.all[0].token._oidc
    real = oidc.create_token

    def while_the_cli_writes(*words: object, **more: str) -> object:
        sandbox.heal("oidc")
        file_of(machine).write_text(new)
        return real(*words, **more)  # type: ignore[arg-type]

    oidc.create_token = while_the_cli_writes  # type: ignore[assignment, method-assign]
    other.login(STAGE)
    used = sandbox.calls("portal", "/federation/credentials")[-1]
    assert used.headers["x-amz-sso_bearer_token"] == refreshed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"accessToken": 1}',
        '{"accessToken": "x", "expiresAt": "2027-01-01T00:00:00Z", "clientId": "x"}',
        json.dumps(dict.fromkeys(_NEEDED, "soon") | {"startUrl": "https://x.awsapps.com/start"}),
    ],
)
def test_a_file_that_is_not_ours_is_no_sign_in(make: Make, machine: Path, text: str) -> None:
    file_of(machine).parent.mkdir(parents=True)
    file_of(machine).write_text(text)
    with pytest.raises(InteractionRequired):
        make(share_token_cache=NAME, ui=ScriptedUi()).login(STAGE)


def test_another_instances_token_is_neither_used_nor_removed(
    make: Make, sandbox: Sandbox, machine: Path
) -> None:
    make(share_token_cache=NAME).login(STAGE)
    token = file_of(machine).read_text()
    for change in ({"region": "eu-west-2"}, {"startUrl": "https://other.awsapps.com/start"}):
        file_of(machine).write_text(json.dumps(json.loads(token) | change))
        alone = make(share_token_cache=NAME, ui=ScriptedUi())
        with pytest.raises(InteractionRequired):
            alone.login(STAGE)
        alone.logout()
        assert file_of(machine).exists()
    file_of(machine).write_text(token)
    make(share_token_cache=NAME, ui=ScriptedUi()).logout()
    assert not file_of(machine).exists()
    assert sandbox.oidc.tokens == {}


def test_without_the_option_nothing_is_written_there(make: Make, machine: Path) -> None:
    make().login(STAGE)
    assert not file_of(machine).parent.exists()


def test_sessions_belong_to_the_token_that_they_were_taken_with(make: Make, machine: Path) -> None:
    """Not to whoever signs in with AWS CLI later, and to nobody after its logout."""
    provider = make(share_token_cache=NAME)

    def who() -> str | None:
        return IdentityCenter.signs_in_as(provider.options, {})

    assert str(file_of(machine)) in IdentityCenter.decided_by(provider.options)
    before = who()
    assert before == who()
    provider.login(STAGE)
    ann = who()
    kept = json.loads(file_of(machine).read_text())
    file_of(machine).write_text(json.dumps(kept | {"accessToken": "another person's"}))
    bob = who()
    file_of(machine).unlink()
    assert len({before, ann, bob, who()}) == 4
