"""The names of sessions and sign-ins, by literal values: a new version signs nobody in anew.

A plugin's new option changes the ids of its sign-ins, unless its options' `sign_in` leaves it out
where it has its default.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from broker.broker import Broker
from broker.config import Config, Profile, load
from broker.config.models import ProfileModel
from broker.credentials import Request, RoleParameters
from broker.testing import ScriptedUi

TEAM = """\
version: 1
team: payments
defaults: {region: eu-west-1, duration: 1h, session_name: ann}
providers:
  keys:  {type: static}
  other-keys:  {type: static}
  corp:  {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
  okta:  {type: saml, idp: okta, url: https://corp.okta.com/home/amazon_aws/0oa1/272,
          username: "${USER}@corp.example"}
  entra: {type: saml, idp: entra, tenant: 00000000-0000-0000-0000-000000000000,
          app_id: 00000000-0000-0000-0000-000000000000, mfa: push, hosts: [login.corp.example]}
  page:  {type: saml, idp: browser, url: https://idp.corp.example/start, browser: chrome}
  ci:    {type: web-identity, token: {env: AWS_OIDC_TOKEN}, audience: sts.example}
  hub:   {type: web-identity, token: github}
profiles:
  dev:   {provider: keys, mfa_serial: "arn:aws:iam::111122223333:mfa/ann"}
  plain: {provider: other-keys, region: cn-north-1, duration: 12h}
  own:   {provider: keys, account: "111122223333", role: Developer, duration: 12h}
  byown: {source: dev, role_arn: "arn:aws:iam::111122223333:role/team/Audit"}
  stage: {provider: corp, account: "111122223333", role: Developer}
  prod:  {provider: [ci, okta], account: "444455556666", role: Admin, tags: {tier: prod}}
  audit: {source: prod, role_arn: "arn:aws:iam::777788889999:role/Audit", external_id: "4711"}
  deep:  {source: audit, role_arn: "arn:aws:iam::777788889999:role/Deep", session_name: "${USER}.x"}
  entra: {provider: entra, role_arn: "arn:aws-us-gov:iam::444455556666:role/A",
          region: us-gov-west-1}
  page:  {provider: page, account: "444455556666", role: Admin, duration: 30m}
  hub:   {provider: hub, role_arn: "arn:aws:iam::777788889999:role/Deploy"}
  every: {provider: keys, role_arn: "arn:aws:iam::777788889999:role/All", mfa_process: totp,
          mfa_serial: "arn:aws:iam::777788889999:mfa/ann", external_id: "x", duration: 2h,
          session_tags: {team: blue, cost: "7"}, transitive_tags: [team], source_identity: ann,
          policy: {Version: "2012-10-17"}, policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}
"""

TEAMLESS = """\
version: 1
defaults: {session_name: ann}
providers: {keys: {type: static}}
profiles: {dev: {provider: keys}}
"""


def token() -> str:
    claims = json.dumps({"iss": "https://ci.example", "sub": "repo:a/b"}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


ANN = {"USER": "ann", "USERNAME": "ann", "HOME": "/home/ann"}
CI = {"AWS_OIDC_TOKEN": token()}
HUB = {"GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
NAMED = {"AWSLOGIN_USERNAME": "ben", "AWSLOGIN_USERNAME_OTHER_KEYS": "cid"}
ENDPOINTS = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_ENDPOINT_URL": "http://127.0.0.1:8"}
REGION = {"AWS_REGION": "eu-north-1"}


def config(folder: Path, text: str, more: Mapping[str, str]) -> tuple[Config, Broker]:
    path = folder / "config.yaml"
    path.write_text(text)
    environ = {**ANN, "AWSLOGIN_HOME": str(folder / "home"), "AWSLOGIN_AGENT": "off", **more}
    loaded = load(str(path), environ, folder)
    return loaded, Broker(loaded, ScriptedUi(), environ)


def ids(broker: Broker, profile: Profile) -> tuple[str, str]:
    identity = broker.plugins.identity(profile)
    return identity.sign_in_id, identity.session_id


@pytest.mark.parametrize(
    ("profile", "environ", "sign_in", "session"),
    [
        ("dev", {}, "45ae6a51d0e2cbe2949574596fac97b7426b56fd",
         "ae1d49a3be57df7e2a85b90ee52e1c7a9d4b7049"),
        ("plain", {}, "279ed10ad40d0580c52d809961ce101462fc1de0",
         "111d22ade5d5c941ff3f170a77410e31d2a85af0"),
        ("own", {}, "30e888174dc7b8734a91a83564f4acc717f28e91",
         "5f3b62963a51c1a4f2f6f041906c44d6e9db0b2e"),
        ("byown", {}, "45ae6a51d0e2cbe2949574596fac97b7426b56fd",
         "243ce58884891cc350546596f2cde6925433bfd7"),
        ("stage", {}, "c94e99840058ee872d54dafdc9d9e954b65b037a",
         "7eaa76e04930850a716c627fb1eec078d896fd64"),
        ("prod", {}, "52af626ffcdcbcb0435704e09f1cb9e4887505e6",
         "83b3c6b010016ec52fa6e09800f9b75ef42e64fc"),
        ("audit", {}, "52af626ffcdcbcb0435704e09f1cb9e4887505e6",
         "18d0d65b71af230a53535df252d522f8a8609588"),
        ("deep", {}, "52af626ffcdcbcb0435704e09f1cb9e4887505e6",
         "e508e3c8c85d07cfc4c346cd341dd89d80568b69"),
        ("entra", {}, "67c36e2d4f6f24c3f3a7333ef0f64db53eb6f20f",
         "94aa7fff8b73ebec8913e6761afd889bfd1b7bf2"),
        ("page", {}, "caa4150aa82a9ef06f5320df6fa0c1a119d4ac5a",
         "410d67f4a0459790254b0f4c8baac03b7b114762"),
        ("hub", {}, "26bd9708e007f4988827566aff387a1e4b27f011",
         "8a2350b55788307b4e552e4d6f4d3873b32d8e65"),
        ("every", {}, "c042c3e901933dbbcddfe4f4704ea5398d1695e0",
         "7e300f1e40ac4fca5fbd9f6135ae9c5f850828ab"),
        ("prod", CI, "439645449089a701b962c2954c92e1e2bc183e55",
         "c1771248373f882fd9e64a544a26a99f062f1574"),
        ("audit", CI, "439645449089a701b962c2954c92e1e2bc183e55",
         "7640680400d3ae0a9a0aaa39f2c1e5d86e78c60c"),
        ("hub", HUB, "862d9e5f8b67184774296043f0d6378d4c3a966d",
         "115e378a694766792a1cbf0702eb2d84ecaf606b"),
        ("dev", NAMED, "95e52cc1f6cc273fdf01b001d9b0d5f1d0eb8a84",
         "638cab8a0f7ca2048fa029ef3ae4950e874ba8c8"),
        ("plain", NAMED, "0e1dd504e8557929182d9fe693ac366ac8d4eb64",
         "fd18f3dfcf3a9bcd677ae63c6b8a0eb0a56bd953"),
        ("stage", NAMED, "c94e99840058ee872d54dafdc9d9e954b65b037a",
         "7eaa76e04930850a716c627fb1eec078d896fd64"),
        ("page", NAMED, "58d10526fac19f027315a00a1fff90803d8a3668",
         "fbd5f5699c04fe4a6e43fd625df9b855401ec16e"),
        ("dev", ENDPOINTS, "9bab4a4f276c1ee199b9aa60832767e7c16b149d",
         "0034e9246488d5e83c1a180e723f673c07c7c34c"),
        ("stage", ENDPOINTS, "5b87bdab2e2673acf50f3c5897247aadf9e400fd",
         "2d0afea813b71de5012f9ed86a26bcb7801cc633"),
        ("every", REGION, "c042c3e901933dbbcddfe4f4704ea5398d1695e0",
         "7e300f1e40ac4fca5fbd9f6135ae9c5f850828ab"),
    ],
)  # fmt: skip
def test_ids_stay(
    tmp_path: Path, profile: str, environ: Mapping[str, str], sign_in: str, session: str
) -> None:
    loaded, broker = config(tmp_path, TEAM, environ)
    found = loaded.profile(profile)
    assert ids(broker, found) == (sign_in, session)


def test_further_regions_are_no_other_sign_in(tmp_path: Path) -> None:
    """Each further one's is kept under that of the first."""
    text = TEAM.replace("/start, region: eu-west-1", "/start, region: [eu-west-1, eu-central-1]")
    loaded, broker = config(tmp_path, text, {})
    assert ids(broker, loaded.profile("stage")) == (
        "c94e99840058ee872d54dafdc9d9e954b65b037a",
        "7eaa76e04930850a716c627fb1eec078d896fd64",
    )


def test_ids_stay_without_a_team(tmp_path: Path) -> None:
    """Of the person's own config; static keys of other files are those of their own places."""
    loaded, broker = config(tmp_path, TEAMLESS, {**REGION, "AWSLOGIN_HOME": str(tmp_path)})
    found = loaded.profile("dev")
    assert ids(broker, found) == (
        "10ff25d4d49fa6b8cde58b717b506cef6b98e26d",
        "3769cc03899ed63999b50db6ef439d940f4ead0f",
    )


def test_ids_stay_with_a_duration_from_the_command_line(tmp_path: Path) -> None:
    loaded, broker = config(tmp_path, TEAM, {})
    found = loaded.profile("own").with_duration(5400)
    assert ids(broker, found) == (
        "30e888174dc7b8734a91a83564f4acc717f28e91",
        "a0a2a66b9c744b345ca310d8bbfc7f0112c123bb",
    )


OTHER: dict[str, Any] = {
    "region": "eu-west-2",
    "account": "111122223333",
    "role": "Other",
    "role_arn": "arn:aws:iam::777788889999:role/Other",
    "duration": 3600,
    "mfa_serial": "arn:aws:iam::777788889999:mfa/ben",
    "mfa_process": "oathtool",
    "external_id": "y",
    "session_name": "ben",
    "session_tags": {"team": "red"},
    "transitive_tags": ("cost",),
    "source_identity": "ben",
    "policy": "{}",
    "policy_arns": ("arn:aws:iam::aws:policy/AdministratorAccess",),
}


@pytest.mark.parametrize("field", [field.name for field in fields(RoleParameters)])
def test_each_role_parameter_makes_another_session(tmp_path: Path, field: str) -> None:
    loaded, broker = config(tmp_path, TEAM, {})
    every = loaded.profile("every")
    other = replace(every, **{field: OTHER[field]})
    assert ids(broker, other) != ids(broker, every)


def test_what_shapes_a_session_stands_in_one_list() -> None:
    def own(model: type[RoleParameters]) -> set[str]:
        return {field.name for field in fields(model)} - OTHER.keys()

    assert own(RoleParameters) == set()
    assert own(Request) == {"profile", "keys_profile", "force"}
    assert own(Profile) == {
        "name", "team", "provider_names", "source", "tags", "keys_profile", "origins",
        "sign_in_region", "narrowed",
    }  # fmt: skip
    assert ProfileModel.model_fields.keys() - {"provider", "source", "tags"} == OTHER.keys()
