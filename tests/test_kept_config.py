"""A config that was checked before: used without YAML and models, never when anything changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker import launch
from broker.config import load
from broker.config.kept_config import KeptConfig, config_of
from broker.provider import NoOptions, ProviderOptions
from broker.recording_environ import RecordingEnviron
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config("dev", "deploy")
MODELS = {"yaml", "pydantic", "pydantic_core"}
KINDS = """\
version: 1
team: payments
default_profile: dev
defaults: {region: eu-west-1, source_identity: "${USER}"}
providers:
  keys: {type: static}
  sso: {type: identity-center, start_url: "https://corp.awsapps.com/start", region: [eu-west-1]}
  job: {type: web-identity, token: {env: TOKEN}}
  okta: {type: saml, idp: okta, url: "https://corp.okta.com/app/x", username: "${AWSLOGIN_VAR_ME}"}
  entra: {type: saml, idp: entra, tenant: "11111111-2222-3333-4444-555555555555", app_id: "https://x"}
  people: {type: oidc, issuer: "https://id.example.com", client_id: abc}
  console: {type: aws-login}
profiles:
  dev: {provider: keys, mfa_serial: "arn:aws:iam::111122223333:mfa/ann", tags: {tier: prod}}
  deploy:
    source: dev
    role_arn: "arn:aws:iam::111122223333:role/Deploy"
    policy: {Version: "2012-10-17", Statement: []}
    policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    session_tags: {cost: "12", who: "${USER}"}
    transitive_tags: [cost]
    duration: 1h
  same: {source: deploy, region: eu-central-1}
  chained: {source: deploy, role_arn: "arn:aws:iam::777788889999:role/Audit", external_id: x}
  prod: {provider: sso, account: "444455556666", role: Admin}
  ci: {provider: [job, sso], account: "111122223333", role: Ci}
  stage: {provider: okta, account: "111122223333", role: Developer}
  azure: {provider: entra, account: "111122223333", role: Developer}
  oidc: {provider: people, role_arn: "arn:aws:iam::111122223333:role/Ci"}
  web: {provider: console}
  spoiled: {provider: nobody}
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """A home whose config has been kept; every session is a new one, as no variant is kept."""
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    keep(signed_up)
    return signed_up


def keep(home: Home, count: int = 1) -> None:
    """Run commands until the config is old enough to be kept."""
    while len(kept(home)) < count:
        home.run("deploy", "--force").ok()


def kept(home: Home) -> list[Path]:
    return list(home.folder.rglob("configs/*.json"))


def arn(home: Home, **env: str | None) -> str:
    found: str = home.run("deploy", "--force", "--output", "json", env=env).ok().json["arn"]
    return found


def loads_models(home: Home, *words: str) -> bool:
    """Whether a start loads YAML or models; it must succeed."""
    command = [sys.executable, "-I", "-S", "-X", "importtime", str(launch.__file__), *words]
    done = subprocess.run(
        command, env=home.env(), cwd=home.work, capture_output=True, text=True, check=True
    )
    return bool(MODELS & set(re.findall(r"\| +([a-z_]+)$", done.stderr, re.MULTILINE)))


@pytest.mark.parametrize("words", [("creds", "deploy", "--force"), ("dev", "--force")])
def test_a_new_session_needs_neither_yaml_nor_models(team: Home, words: tuple[str, ...]) -> None:
    assert not loads_models(team, *words)


def test_the_kept_config_says_what_the_whole_one_says(home: Home) -> None:
    home.config(KINDS)
    environ = home.env({"AWSLOGIN_VAR_ME": "ann", "AWS_REGION": "eu-west-1"})
    found = config_of(None, None, RecordingEnviron(environ), home.work)
    while not isinstance(found, KeptConfig):
        recorded = RecordingEnviron(environ)
        found = config_of(None, None, recorded, home.work)
    whole_recorded = RecordingEnviron(environ)
    whole = load(None, whole_recorded, home.work)
    for name in ("names", "team", "default_profile", "key_scope", "place", "folder", "path"):
        assert getattr(found, name) == getattr(whole, name), name
    assert whole.fingerprints.items() <= found.fingerprints.items()
    for name in whole.names[:-1]:
        assert found._record["profiles"][name], name
        assert found.profile(name) == whole.profile(name)
        assert repr(found.profile(name)) == repr(whole.profile(name))
    for name in whole.provider_names:
        theirs, ours = whole.provider(name), found.provider(name)
        assert theirs.options == ours.options or isinstance(ours.options, NoOptions)
        assert (theirs.plugin, theirs.type, theirs.origins) == (
            ours.plugin,
            ours.type,
            ours.origins,
        )
    assert whole_recorded.seen().items() <= recorded.seen().items()
    assert "_whole" not in vars(found)
    for config_here in (found, whole):
        with pytest.raises(Exception, match="there is no provider `nobody`"):
            config_here.profile("spoiled")


def test_no_options_are_as_the_bases() -> None:
    who = {"team": "x", "keys": "dev", "mfa_serial": None, "username": None}
    assert NoOptions().sign_in(**who) == ProviderOptions().sign_in(**who)
    assert NoOptions().model_dump(mode="json") == ProviderOptions().model_dump(mode="json")
    assert NoOptions().secret_sites() == ProviderOptions().secret_sites()
    assert NoOptions().region_of_its_own == ProviderOptions().region_of_its_own


def test_an_edited_role_is_never_the_old_one(team: Home) -> None:
    assert ":assumed-role/Deploy/" in arn(team)
    team.config(CONFIG.replace("role/Deploy", "role/ReadOnly"))
    for _ in range(2):
        assert ":assumed-role/ReadOnly/" in arn(team)


def test_an_edited_file_that_is_extended_counts(team: Home) -> None:
    base = team.folder / "base.yaml"
    base.write_text(CONFIG)
    team.config("version: 1\nextends: [base.yaml]\n")
    for _ in range(3):
        assert ":assumed-role/Deploy/" in arn(team)
    base.write_text(CONFIG.replace("role/Deploy", "role/ReadOnly"))
    assert ":assumed-role/ReadOnly/" in arn(team)


def test_withdrawn_trust_counts(team: Home) -> None:
    (team.work / "awslogin.yaml").write_text(CONFIG)
    del team.environ["AWSLOGIN_CONFIG"]
    assert team.run("creds", "deploy", "--force").code == 4
    team.run("config", "trust", "--yes").ok()
    keep(team, 2)
    assert ":assumed-role/Deploy/" in arn(team)
    team.run("config", "trust", "--revoke").ok()
    assert team.run("creds", "deploy", "--force").code == 4


def test_a_nearer_file_counts(team: Home) -> None:
    (team.work / "awslogin.yaml").write_text(CONFIG)
    del team.environ["AWSLOGIN_CONFIG"]
    team.run("config", "trust", "--yes").ok()
    keep(team, 2)
    nearer = team.work / "here"
    nearer.mkdir()
    (nearer / "awslogin.yaml").write_text(CONFIG.replace("role/Deploy", "role/ReadOnly"))
    assert team.run("creds", "deploy", "--force", cwd=nearer).code == 4


def test_another_value_of_a_variable_counts(team: Home) -> None:
    text = CONFIG.replace("region: eu-west-1", "session_name: '${AWSLOGIN_VAR_ME}'")
    team.config(text)
    for path in kept(team):
        path.unlink()
    team.environ["AWSLOGIN_VAR_ME"] = "ann"
    keep(team)
    assert arn(team).endswith("/ann")
    assert arn(team, AWSLOGIN_VAR_ME="ben").endswith("/ben")
    assert team.run("creds", "deploy", "--force", env={"AWSLOGIN_VAR_ME": None}).code == 2
    session = team.run("deploy", "--force", "--output", "json", env={"AWS_REGION": "eu-central-1"})
    assert session.ok().json["region"] == "eu-central-1"
    assert "AWSLOGIN_VAR_ME" in kept(team)[0].read_text()


def test_changed_settings_count(team: Home) -> None:
    settings = team.folder / "awslogin" / "settings.yaml"
    settings.write_text("demand_trust: always\n")
    assert team.run("creds", "deploy", "--force").code == 4


def test_a_folder_that_others_may_write_is_refused(team: Home) -> None:
    (team.folder / "awslogin").chmod(0o777)
    assert team.run("creds", "deploy", "--force").code == 2


def elsewhere(file: Path) -> Path:
    """As if somebody had rewritten whom the credentials are sent to."""
    file.write_text(file.read_text().replace("role/Deploy", "role/ReadOnly"))
    return file


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: file.write_bytes(b"[1]"),
        lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), "profiles": 1})),
        lambda file: file.write_text(file.read_text().replace('"region"', '"regions"')),
        lambda file: elsewhere(file).chmod(0o622),
        lambda file: (file.unlink(), file.symlink_to("/dev/null")),
    ],
)
def test_a_spoiled_record_is_none(team: Home, spoil: Callable[[Path], object]) -> None:
    (file,) = kept(team)
    spoil(file)
    assert ":assumed-role/Deploy/" in arn(team)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_another_users_record_is_none(team: Home) -> None:
    (file,) = kept(team)
    elsewhere(file)
    os.chown(file, 12345, 12345)
    assert ":assumed-role/Deploy/" in arn(team)


def test_another_versions_record_is_none(team: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = team.env()
    assert isinstance(config_of(None, None, RecordingEnviron(environ), team.work), KeptConfig)
    monkeypatch.setattr("broker.__version__", "another")
    assert not isinstance(config_of(None, None, RecordingEnviron(environ), team.work), KeptConfig)


def test_it_is_ours_alone_and_holds_no_secret(team: Home, sandbox: Sandbox) -> None:
    (file,) = kept(team)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    secrets = [*sandbox.secrets(), team.environ["AWSLOGIN_PASSPHRASE"]]
    assert team.holds_in_plain(secrets) == []


@pytest.mark.parametrize("change", [{"CI": "true"}, {}])
def test_what_must_be_looked_up_each_time_is_not_kept(home: Home, change: dict[str, str]) -> None:
    process = "version: 1\nproviders: {p: {type: process, command: [/bin/true]}}\n"
    process += "profiles: {p: {provider: p}}\n"
    home.config(CONFIG if change else process)
    environ: Any = home.env(change)
    for _ in range(3):
        assert not isinstance(
            config_of(None, None, RecordingEnviron(environ), home.work), KeptConfig
        )
    assert kept(home) == []
