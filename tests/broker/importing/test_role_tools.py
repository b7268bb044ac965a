"""aws-vault, aws-sso-cli, granted and atmos: roles that stand on one another."""

from __future__ import annotations

import json

import pytest

from broker.errors import UsageError
from tests.broker.importing.conftest import Machine

MFA = "arn:aws:iam::123456789012:mfa/johnsmith"
ROLE = "arn:aws:iam::123456789012:role"

AWS_VAULT = f"""\
[default]
region=us-east-1
; The "common" profile here operates as a "config fragment" rather than a profile
[profile common]
region=eu-west-1
mfa_serial={MFA}
source_profile = root

[profile root]
include_profile = common
mfa_process = pass otp my_aws_mfa

[profile order-dev]
include_profile = common
role_arn={ROLE}/developers
session_tags = key1=value1, key2=value2
transitive_session_tags = key1,key2
source_identity=your_user_name
duration_seconds = 43200

[profile old-style]
parent_profile = common
role_arn={ROLE}/administrators

[profile jon]
mfa_serial = {MFA}
source_profile=jon

[profile own-role]
role_arn={ROLE}/direct
source_profile=own-role
mfa_process = oathtool --totp -b JBSWY3DPEHPK3PXP

[profile sso]
sso_start_url=https://corp.awsapps.com/start#/
sso_region=eu-west-1
sso_account_id=123456789012
sso_role_name=Admin # the boss

[profile token]
role_arn={ROLE}/role2
web_identity_token_process = oidccli raw

[profile circle]
include_profile = circle2
[profile circle2]
include_profile = circle
chain_session = true
credential_process = /opt/tool
"""


def test_aws_vault(machine: Machine) -> None:
    machine.write(".aws/config", AWS_VAULT)
    taken = machine.take("aws-vault")
    assert taken.profiles == {
        "root": {
            "provider": "keys",
            "mfa_serial": MFA,
            "mfa_process": "pass otp my_aws_mfa",
            "region": "eu-west-1",
        },
        "order-dev": {
            "source": "root",
            "role_arn": f"{ROLE}/developers",
            "source_identity": "your_user_name",
            "session_tags": {"key1": "value1", "key2": "value2"},
            "transitive_tags": ["key1", "key2"],
            "duration": "12h",
            "mfa_serial": MFA,
            "region": "eu-west-1",
        },
        "old-style": {
            "source": "root",
            "role_arn": f"{ROLE}/administrators",
            "mfa_serial": MFA,
            "region": "eu-west-1",
        },
        "jon": {"provider": "keys", "mfa_serial": MFA, "region": "us-east-1"},
        "own-role": {"provider": "keys", "role_arn": f"{ROLE}/direct", "region": "us-east-1"},
        "sso": {
            "provider": "corp",
            "account": "123456789012",
            "role": "Admin",
            "region": "us-east-1",
        },
        "circle2": {"provider": "circle2"},
    }
    assert {
        ("common", ""),
        ("default", ""),
        ("own-role", "mfa_process"),
        ("token", "web_identity_token_process"),
        ("circle", ""),
        ("circle2", "include_profile"),
        ("circle2", "chain_session"),
    } <= {*taken.left_out}
    assert b"JBSWY3DP" not in taken.merged.content


def test_a_line_that_asks_aws_vault_itself_is_what_aws_vault_does(machine: Machine) -> None:
    """So nothing that came over needs aws-vault any more."""
    machine.write(
        ".aws/config",
        "[profile jon]\ncredential_process = aws-vault export --no-session --format=json jon\n"
        f"[profile work]\nmfa_serial = {MFA}\n"
        "credential_process = /usr/local/bin/aws-vault --prompt=osascript exec -d 1h --json work\n"
        f"[profile admin]\nsource_profile = jon\nrole_arn = {ROLE}/Admin\n"
        "[profile jon-eu]\nregion = eu-west-1\ncredential_process = aws-vault export jon\n"
        "[profile other]\ncredential_process = /opt/aws-vault-like export jon\n",
    )
    taken = machine.take("aws-vault")
    assert taken.profiles == {
        "jon": {"provider": "keys"},
        "work": {"provider": "keys", "mfa_serial": MFA},
        "admin": {"source": "jon", "role_arn": f"{ROLE}/Admin"},
        "jon-eu": {"source": "jon", "region": "eu-west-1"},
        "other": {"provider": "other"},
    }


def test_a_sign_in_without_its_region_names_what_is_missing(machine: Machine) -> None:
    machine.write(".aws/config", "[profile a]\nsso_start_url = https://c.awsapps.com/start\n")
    taken = machine.take("aws-vault")
    assert "`sso_region`" in taken.left_out["a", "sso_start_url"]


def test_where_aws_vaults_keychain_cannot_be_asked_no_profile_is_lost(machine: Machine) -> None:
    machine.write(
        ".aws/config",
        "[default]\nregion = eu-west-1\n[profile home]\n[profile work]\nsession_tags = a=b\n"
        "[profile alias]\nsource_profile = work\n",
    )
    taken = machine.take("aws-vault")
    user = {"provider": "keys", "region": "eu-west-1"}
    alias = {"source": "work", "region": "eu-west-1"}
    assert taken.profiles == {"home": user, "work": user, "alias": alias}
    assert "role alone" in taken.left_out["work", "session_tags"]


def test_sections_of_one_name_are_one_where_the_tool_has_it_so(machine: Machine) -> None:
    machine.write(
        ".aws/config",
        "[profile a]\nregion = x\n[profile a]\nregion = eu-west-1\nmfa_serial=GAHT123\n",
    )
    assert machine.take("aws-vault").profiles == {
        "a": {"provider": "keys", "mfa_serial": "GAHT123", "region": "eu-west-1"}
    }
    with pytest.raises(UsageError, match="config:3 has the section"):
        machine.look("aws-config")


def test_the_names_of_aws_vaults_encrypted_files(machine: Machine) -> None:
    machine.write(".awsvault/keys/dev", "sealed")
    machine.write(".awsvault/keys/team%2Fprod", "sealed")
    machine.write(".awsvault/keys/sts.AssumeRole,ZGV2,,1700000000", "sealed")
    taken = machine.take("aws-vault")
    assert taken.profiles == {"dev": {"provider": "keys"}, "team-prod": {"provider": "keys"}}
    assert "awslogin add" in taken.left_out["aws-vault's keychain", ""]
    assert machine.look("aws-vault").key_names == []


AWS_SSO = """\
SSOConfig:
    Default:
        SSORegion: us-east-1
        StartUrl: https://d-754545454.awsapps.com/start
        DefaultRegion: us-east-1
        Accounts:
            258234615182:
                Name: OurCompany Control Tower Playground
                DefaultRegion: eu-west-1
                Tags:
                  Type: Main Account
                Roles:
                  AWSAdministratorAccess:
                    DefaultRegion: ca-central-1
                    Tags:
                      Type: Admin
                      Foo: yes
                  LimitedAccess:
                    Profile: limited
            072668187369:
                Roles:
                  AssumeRoleAdmin:
                    Via: "arn:aws:iam::258234615182:role/LimitedAccess"
                    SourceIdentity: ann
                    ExternalId: 42
                  Further:
                    Via: "arn:aws:iam::072668187369:role/AssumeRoleAdmin"
                  Elsewhere:
                    Via: "arn:aws:iam::502470824893:role/NotListed"
                  Wrong:
                    Via: nonsense
    Another:
        SSORegion: cn-north-1
        StartUrl: https://start.home.awsapps.cn/directory/corp
    Broken:
        SSORegion: eu-west-1
DefaultSSO: Default
AuthWorkflow: device_code
SecureStore: json
"""


def test_aws_sso_cli(machine: Machine) -> None:
    machine.write(".config/aws-sso/config.yaml", AWS_SSO)
    taken = machine.take("aws-sso-cli")
    sign_in = {"type": "identity-center", "flow": "device"}
    assert taken.providers == {
        "Default": {
            **sign_in,
            "start_url": "https://d-754545454.awsapps.com/start",
            "region": "us-east-1",
        },
        "Another": {
            **sign_in,
            "start_url": "https://start.home.awsapps.cn/directory/corp",
            "region": "cn-north-1",
        },
    }
    chained = "arn:aws:iam::072668187369:role"
    assert taken.profiles == {
        "258234615182-AWSAdministratorAccess": {
            "provider": "Default",
            "account": "258234615182",
            "role": "AWSAdministratorAccess",
            "region": "ca-central-1",
            "tags": {"Type": "Admin", "Foo": "yes"},
        },
        "limited": {
            "provider": "Default",
            "account": "258234615182",
            "role": "LimitedAccess",
            "region": "eu-west-1",
            "tags": {"Type": "Main Account"},
        },
        "072668187369-AssumeRoleAdmin": {
            "source": "limited",
            "role_arn": f"{chained}/AssumeRoleAdmin",
            "external_id": "42",
            "source_identity": "ann",
            "region": "us-east-1",
        },
        "072668187369-Further": {
            "source": "072668187369-AssumeRoleAdmin",
            "role_arn": f"{chained}/Further",
            "region": "us-east-1",
        },
        "072668187369-Elsewhere": {
            "source": "502470824893-NotListed",
            "role_arn": f"{chained}/Elsewhere",
            "region": "us-east-1",
        },
        "502470824893-NotListed": {
            "provider": "Default",
            "account": "502470824893",
            "role": "NotListed",
            "region": "us-east-1",
        },
    }
    assert {("072668187369:Wrong", "Via"), ("Broken", "StartUrl")} <= {*taken.left_out}


def test_aws_sso_clis_names_and_what_it_has_seen(machine: Machine) -> None:
    machine.write(".aws-sso/config.yaml", AWS_SSO.partition("        Accounts")[0] + (
        "ProfileFormat: '{{ FirstItem .AccountName (.AccountAlias | nospace) }}:{{ .RoleName }}'\n"
    ))  # fmt: skip
    roles = {"Admin": {"Arn": "arn:aws:iam::000000001234:role/Admin"}, "Ops": {"Profile": "ops"}}
    cache = {
        "SSO": {"Default": {"Roles": {"Accounts": {"1234": {"Alias": "My Team", "Roles": roles}}}}}
    }
    machine.write(".aws-sso/cache.json", json.dumps(cache))
    taken = machine.take("aws-sso-cli")
    assert {name: values["account"] for name, values in taken.profiles.items()} == {
        "MyTeam-Admin": "000000001234",
        "ops": "000000001234",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SSOConfig:\n  a: 1\n  a: 2\n", ":3"),
        ("SSOConfig:\n\t- x", ":2"),
        ("SSOConfig: {a: {a: " * 50 + "x" + "}}" * 50, ":1"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(
            f"{chr(99 + n)}: &{chr(99 + n)} [*{chr(98 + n)}, *{chr(98 + n)}]\n" for n in range(22)
        ), ":1"),
    ],
    ids=["twice", "tab", "deep", "bomb"],
)  # fmt: skip
def test_broken_yaml_is_told_by_its_line(machine: Machine, text: str, line: str) -> None:
    machine.environ["AWS_SSO_CONFIG"] = str(machine.write("sso.yaml", text))
    with pytest.raises(UsageError, match=f"sso.yaml{line} "):
        machine.look("aws-sso-cli")


GRANTED = """\
[profile g]
granted_sso_start_url = https://corp.awsapps.com/start/
granted_sso_region = eu-west-1
granted_sso_account_id = 123456789012
granted_sso_role_name = Admin
granted_sso_registration_scopes = sso:account:access
credential_process = granted credential-process --profile g
common_fate_generated_from = aws-sso
granted_color = red
[profile keys]
credential_process = granted credential-process --profile keys
[profile p]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Dev
"""
GRANTED_CONFIG = """\
DefaultBrowser = "FIREFOX"
CustomBrowserPath = ""
Ordering = "Frecency"

[ProfileRegistry]
PrefixAllProfiles = false
PrefixDuplicateProfiles = true
[ProfileRegistry.RequiredKeys]
team = "payments"
[[ProfileRegistry.Registries]]
name = "acme"
url = "git@github.example:acme/granted.git"
path = "team"
[[ProfileRegistry.Registries]]
name = "absent"
url = "git@github.example:acme/other.git"
[SSO]
[SSO.other]
StartURL = "https://other.awsapps.com/start"
SSORegion = "us-east-1"
"""
REGISTRY = """\
[profile p]
role_arn = arn:aws:iam::123456789012:role/{{ .Required.team }}
source_profile = g
[profile lost]
role_arn = arn:aws:iam::123456789012:role/{{ .Variables.nothing }}
source_profile = g
"""


def test_granted(machine: Machine) -> None:
    machine.write(".aws/config", GRANTED)
    machine.write(".granted/config", GRANTED_CONFIG)
    machine.write(
        ".granted/registries/acme/team/granted.yml",
        "awsConfig:\n  - ./config\n  - ../../../config\n",
    )
    machine.write(".granted/registries/acme/team/config", REGISTRY)
    taken = machine.take("granted")
    assert taken.providers == {
        "corp": {
            "type": "identity-center",
            "start_url": "https://corp.awsapps.com/start",
            "region": "eu-west-1",
        },
        "other": {
            "type": "identity-center",
            "start_url": "https://other.awsapps.com/start",
            "region": "us-east-1",
        },
    }
    assert taken.profiles == {
        "g": {"provider": "corp", "account": "123456789012", "role": "Admin"},
        "p": {"provider": "corp", "account": "123456789012", "role": "Dev"},
        "acme.p": {"source": "g", "role_arn": "arn:aws:iam::123456789012:role/payments"},
    }
    assert {
        ("keys", "credential_process"),
        ("g", "granted_color"),
        ("registry absent", "url"),
        ("registry acme", "awsConfig"),
        ("profile lost", "role_arn"),
    } <= {*taken.left_out}
    assert machine.look("granted").hints == ["awslogin discover other --write"]


def test_granted_in_another_place_and_broken(machine: Machine) -> None:
    machine.environ["XDG_CONFIG_HOME"] = str(machine.home / "xdg")
    machine.write("xdg/granted/config", "x = 1\ny = = 2\n")
    with pytest.raises(UsageError, match="granted/config:2 "):
        machine.look("granted")


ATMOS = """\
base_path: "./"
vendor: !include other.yaml
auth:
  providers:
    company-sso:
      kind: aws/iam-identity-center
      region: us-east-1
      start_url: https://company.awsapps.com/start/
      auto_provision_identities: true
    okta-saml:
      kind: aws/saml
      region: us-east-1
      url: https://company.okta.com/app/amazon_aws/abc123/sso/saml
      driver: Browser
    github-oidc:
      kind: github/oidc
      region: us-east-1
      spec: {audience: sts.us-east-1.amazonaws.com}
    gcp: {kind: gcp/adc}
  identities:
    base-admin:
      kind: aws/permission-set
      default: true
      via: {provider: company-sso}
      principal: {name: AdminAccess, account: {id: "123456789012"}}
    by-name:
      kind: aws/permission-set
      via: {provider: company-sso}
      principal: {name: AdminAccess, account: {name: development}}
    prod-admin:
      kind: aws/assume-role
      via: {identity: base-admin}
      principal:
        assume_role: arn:aws:iam::999999999999:role/ProductionAdmin
        session_name: atmos-prod
        external_id: "7"
        duration: 45m
    saml:
      kind: aws/assume-role
      via: {provider: okta-saml}
      principal: {assume_role: "arn:aws:iam::123456789012:role/AdminRole", duration: 4h}
    deploy:
      kind: aws/assume-role
      via: {provider: github-oidc}
      principal: {assume_role: "arn:aws:iam::123456789012:role/GitHubActionsRole"}
    emergency-user:
      kind: aws/user
      credentials:
        access_key_id: !env EMERGENCY_AWS_ACCESS_KEY_ID
        secret_access_key: not in our yaml
        region: us-east-1
        mfa_arn: arn:aws:iam::123456789012:mfa/username
      alias: breakglass
    root-audit:
      kind: aws/assume-root
      via: {identity: base-admin}
    azure: {kind: azure/subscription}
    orphan:
      kind: aws/assume-role
      via: {provider: gcp}
      principal: {assume_role: "arn:aws:iam::123456789012:role/X"}
"""


def test_atmos(machine: Machine) -> None:
    machine.write("atmos.yaml", ATMOS)
    taken = machine.take("atmos")
    assert taken.providers == {
        "company-sso": {
            "type": "identity-center",
            "start_url": "https://company.awsapps.com/start",
            "region": "us-east-1",
        },
        "okta-saml": {
            "type": "saml",
            "idp": "browser",
            "url": "https://company.okta.com/app/amazon_aws/abc123/sso/saml",
        },
        "github-oidc": {
            "type": "web-identity",
            "token": "github",
            "audience": "sts.us-east-1.amazonaws.com",
        },
        "keys": {"type": "static"},
    }
    assert taken.profiles == {
        "base-admin": {
            "provider": "company-sso",
            "account": "123456789012",
            "role": "AdminAccess",
        },
        "prod-admin": {
            "source": "base-admin",
            "role_arn": "arn:aws:iam::999999999999:role/ProductionAdmin",
            "session_name": "atmos-prod",
            "external_id": "7",
            "duration": "45m",
        },
        "saml": {
            "provider": "okta-saml",
            "role_arn": "arn:aws:iam::123456789012:role/AdminRole",
            "duration": "4h",
        },
        "deploy": {
            "provider": "github-oidc",
            "role_arn": "arn:aws:iam::123456789012:role/GitHubActionsRole",
        },
        "emergency-user": {
            "provider": "keys",
            "mfa_serial": "arn:aws:iam::123456789012:mfa/username",
            "region": "us-east-1",
        },
    }
    assert {*taken.left_out} == {
        ("gcp", "kind"),
        ("base-admin", "default"),
        ("by-name", "principal"),
        ("emergency-user", "credentials"),
        ("emergency-user", "alias"),
        ("root-audit", "kind"),
        ("azure", "kind"),
        ("orphan", "via"),
    }
    assert b"not in our yaml" not in taken.merged.content


def test_atmos_puts_its_files_over_one_another(machine: Machine) -> None:
    machine.write(".atmos/atmos.yaml", ATMOS)
    machine.write("repo/atmos.yaml", "auth:\n  providers:\n    okta-saml: {driver: Okta}\n")
    machine.write("repo/profiles/ci/auth.yaml", "auth:\n  identities:\n    saml: {kind: gcp/x}\n")
    machine.environ["ATMOS_CLI_CONFIG_PATH"] = str(machine.home / "repo")
    assert machine.take("atmos").providers["okta-saml"]["idp"] == "okta"
    machine.environ["ATMOS_PROFILE"] = "ci"
    assert "saml" not in machine.take("atmos").profiles


def test_atmos_imports_local_files(machine: Machine) -> None:
    machine.write(
        "infra/atmos.yaml",
        "base_path: ..\nimport: [auth/*.yaml, more, https://elsewhere.example/x.yaml]\n"
        "auth: {providers: {okta-saml: {driver: Okta}}}\n",
    )
    machine.write("auth/one.yaml", ATMOS)
    machine.write("more.yaml", "import: [more]\nauth: {identities: {saml: {kind: gcp/x}}}\n")
    machine.environ["ATMOS_CONFIG"] = "infra/atmos.yaml"
    taken = machine.take("atmos")
    machine.write(
        "infra/atmos.yaml", "base_path: ..\nimport: ['auth/**/*.yaml', '*/none', /x/**/y]\n"
    )
    assert [*machine.take("atmos").profiles][:1] == ["base-admin"]
    assert taken.providers["okta-saml"]["idp"] == "okta"
    assert "prod-admin" in taken.profiles
    assert "saml" not in taken.profiles
    assert ("atmos.yaml", "import") in taken.left_out
    imports = "import: ['auth/**/*.yaml', '*/none', /nowhere/**/y]"
    machine.write("infra/atmos.yaml", f"base_path: ..\n{imports}\n")
    assert "prod-admin" in machine.take("atmos").profiles
