"""saml2aws, gimme-aws-creds, okta-aws-cli and aws-azure-login: SAML sign-ins of other tools."""

from __future__ import annotations

import json

import pytest

from broker.errors import UsageError
from tests.broker.importing.conftest import Machine

ROLE = "arn:aws:iam::121234567890:role"

SAML2AWS = f"""\
[default]
app_id                  =
url                     = https://id.customer.cloud
username                = user@versent.com.au
provider                = Ping
mfa                     = Auto
mfa_ip_address          =
skip_verify             = false
timeout                 = 0
aws_urn                 = urn:amazon:webservices
aws_session_duration    = 28800
aws_profile             = customer-dev
resource_id             =
subdomain               =
role_arn                = {ROLE}/customer-admin-role
http_attempts_count     = 3
http_retry_delay        = 1
region                  = us-east-1
saml_cache              = false
disable_remember_device = false

[okta]
url = https://corp.okta.com/home/amazon_aws/0ac4/965 ; the app
username = "ann"
provider = okta
mfa = PUSH
skip_verify = true
aws_profile = saml
role_arn = {ROLE}/Other
policy_arn_list = arn:aws:iam::aws:policy/ReadOnlyAccess,arn:aws:iam::aws:policy/Billing
policy_file = ~/policy.json

[okta-again]
url = https://corp.okta.com/home/amazon_aws/0ac4/965
username = ann
provider = Okta
mfa = PUSH
aws_profile = saml
role_arn = {ROLE}/Third
"""


def account(machine: Machine, text: str) -> dict[str, object]:
    """The provider that a section becomes."""
    machine.write(".saml2aws", f"[one]\n{text}\nmfa = Auto\naws_profile = saml\n")
    (provider,) = machine.take("saml2aws").providers.values()
    return dict(provider)


def test_saml2aws(machine: Machine) -> None:
    machine.write(".saml2aws", SAML2AWS)
    machine.write("policy.json", json.dumps({"Version": "2012-10-17", "Statement": []}, indent=2))
    taken = machine.take("saml2aws")
    assert taken.providers == {
        "pingfederate": {
            "type": "saml",
            "idp": "pingfederate",
            "url": "https://id.customer.cloud/idp/startSSO.ping?PartnerSpId=urn:amazon:webservices",
            "username": "user@versent.com.au",
        },
        "okta": {
            "type": "saml",
            "idp": "okta",
            "url": "https://corp.okta.com/home/amazon_aws/0ac4/965",
            "username": "ann",
            "mfa": "push",
        },
    }
    assert taken.profiles == {
        "customer-dev": {
            "provider": "pingfederate",
            "role_arn": f"{ROLE}/customer-admin-role",
            "region": "us-east-1",
            "duration": "8h",
        },
        "okta": {
            "provider": "okta",
            "role_arn": f"{ROLE}/Other",
            "policy": '{"Version":"2012-10-17","Statement":[]}',
            "policy_arns": [
                "arn:aws:iam::aws:policy/ReadOnlyAccess",
                "arn:aws:iam::aws:policy/Billing",
            ],
        },
        "okta-again": {"provider": "okta", "role_arn": f"{ROLE}/Third"},
    }
    assert {*taken.left_out} == {("okta", "skip_verify")}
    assert "AWS_CA_BUNDLE" in taken.left_out["okta", "skip_verify"]


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (
            "provider = ADFS\nurl = https://adfs.corp.example/",
            {
                "idp": "adfs",
                "url": "https://adfs.corp.example/adfs/ls/IdpInitiatedSignOn.aspx"
                "?loginToRp=urn:amazon:webservices",
            },
        ),
        (
            "provider = ADFS2\nurl = https://a.example\naws_urn = urn:amazon:webservices:govcloud",
            {
                "idp": "adfs",
                "url": "https://a.example/adfs/ls/IdpInitiatedSignOn.aspx"
                "?loginToRp=urn:amazon:webservices:govcloud",
            },
        ),
        (
            (
                "provider = AzureAD\nurl = https://account.activedirectory.windowsazure.com\n"
                "app_id = 0d05a8ca"
            ),
            {
                "idp": "entra",
                "url": "https://account.activedirectory.windowsazure.com/applications/"
                "redirecttofederatedapplication.aspx?Operation=LinkedSignIn&applicationId=0d05a8ca",
            },
        ),
        (
            "provider = Shibboleth\nurl = https://idp.uni.example",
            {
                "idp": "shibboleth",
                "url": "https://idp.uni.example/idp/profile/SAML2/Unsolicited/SSO"
                "?providerId=urn:amazon:webservices",
            },
        ),
        (
            "provider = KeyCloak\nurl = https://k.example/realms/r/protocol/saml/clients/aws/",
            {"idp": "keycloak", "url": "https://k.example/realms/r/protocol/saml/clients/aws/"},
        ),
        (
            "provider = F5APM\nurl = https://f5.example\nresource_id = /Common/aws",
            {"idp": "auto", "url": "https://f5.example/saml/idp/res?id=/Common/aws"},
        ),
        (
            (
                "provider = Browser\nurl = https://x.example\nbrowser_type = msedge-beta\n"
                "headless = true\nbrowser_executable_path = /opt/edge\nusername = ann"
            ),
            {
                "idp": "browser",
                "url": "https://x.example",
                "browser": "edge",
                "executable": "/opt/edge",
                "headless": True,
            },
        ),
        (
            "provider = GoogleApps\nurl = https://x.example",
            {"idp": "browser", "url": "https://x.example"},
        ),
        (
            "provider = JumpCloud\nurl = https://sso.jumpcloud.com/saml2/a",
            {"idp": "jumpcloud", "url": "https://sso.jumpcloud.com/saml2/a"},
        ),
        (
            "provider = NetIQ\nurl = https://n.example",
            {"idp": "netiq", "url": "https://n.example"},
        ),
    ],
)
def test_each_kind_of_saml2aws(machine: Machine, text: str, provider: dict[str, object]) -> None:
    assert account(machine, text) == {"type": "saml", **provider}


@pytest.mark.parametrize("kind", ["PingNTLM", "ShibbolethECP", "Shell", "OneLogin", "Unheard"])
def test_kinds_that_stay_behind_say_why(machine: Machine, kind: str) -> None:
    machine.write(".saml2aws", f"[a]\nprovider = {kind}\nurl = https://x.example\napp_id = 1\n")
    taken = machine.take("saml2aws")
    assert (taken.providers, taken.profiles) == ({}, {})
    assert [source for source, _ in taken.left_out] == ["a"]


def test_onelogin_with_its_client(machine: Machine) -> None:
    machine.environ["ONELOGIN_CLIENT_ID"] = "c1"
    text = "provider = OneLogin\nurl = https://c.onelogin.com\napp_id = 77\nsubdomain = c"
    assert account(machine, text) == {
        "type": "saml",
        "idp": "onelogin",
        "url": "https://c.onelogin.com",
        "app_id": "77",
        "subdomain": "c",
        "client_id": "c1",
    }


def test_another_place_of_saml2aws(machine: Machine) -> None:
    machine.environ["SAML2AWS_CONFIGFILE"] = str(machine.write("other/file", SAML2AWS))
    assert "customer-dev" in machine.take("saml2aws").profiles


def test_a_broken_file_of_saml2aws(machine: Machine) -> None:
    machine.write(".saml2aws", "[a]\nprovider Ping\n")
    with pytest.raises(UsageError, match=r"\.saml2aws:2 "):
        machine.look("saml2aws")


GIMME = f"""\
[DEFAULT]
okta_org_url = https://corp.okta.com
app_url = https://corp.okta.com/home/amazon_aws/0oa1/272
gimme_creds_server = appurl
okta_username = ann
aws_rolename = {ROLE}/A
aws_default_duration = 7200
preferred_mfa_type = token:software:totp
write_aws_creds = True
cred_profile = role
resolve_aws_alias = n
output_format = export

[prod]
aws_rolename = {ROLE}/team/B,{ROLE}/C

[engine]
client_id = 0oaclient
force_classic = False
aws_rolename = all

[duo]
preferred_mfa_type = web

[server]
app_url =
gimme_creds_server = internal
"""


def test_gimme_aws_creds(machine: Machine) -> None:
    machine.write(".okta_aws_login_config", GIMME)
    taken = machine.take("gimme-aws-creds")
    url = "https://corp.okta.com/home/amazon_aws/0oa1/272"
    okta = {"type": "saml", "idp": "okta", "url": url}
    assert taken.providers == {
        "okta": {**okta, "username": "ann", "mfa": "totp"},
        "okta-2": {**okta, "client_id": "0oaclient", "app_id": "0oa1"},
        "okta-3": {**okta, "username": "ann"},
    }
    assert taken.profiles == {
        "default": {"provider": "okta", "role_arn": f"{ROLE}/A", "duration": "2h"},
        "prod-B": {"provider": "okta", "role_arn": f"{ROLE}/team/B", "duration": "2h"},
        "prod-C": {"provider": "okta", "role_arn": f"{ROLE}/C", "duration": "2h"},
        "engine": {"provider": "okta-2", "duration": "2h"},
        "duo": {"provider": "okta-3", "role_arn": f"{ROLE}/A", "duration": "2h"},
    }
    left_out = taken.left_out
    assert {("engine", "aws_rolename"), ("duo", "preferred_mfa_type"), ("server", "app_url")} <= {
        *left_out
    }


def test_gimme_aws_creds_inherits(machine: Machine) -> None:
    machine.environ["OKTA_CONFIG"] = str(
        machine.write(
            "okta.cfg",
            "[base]\napp_url = https://c.okta.com/home/amazon_aws/0oa1/272\nokta_username = ann\n"
            f"[a]\ninherits = base\naws_rolename = {ROLE}/A\n[b]\ninherits = a\n"
            "aws_default_duration = 900\n[c]\ninherits = nobody\n",
        )
    )
    taken = machine.take("gimme-aws-creds")
    assert taken.profiles == {
        "a": {"provider": "okta", "role_arn": f"{ROLE}/A"},
        "b": {"provider": "okta", "role_arn": f"{ROLE}/A", "duration": "15m"},
    }
    assert ("c", "inherits") in taken.left_out


@pytest.mark.parametrize(
    ("text", "line"), [("[a]\nx = 1\n[a]\n", ":3"), ("x\n", ":1"), ("[a]\nx = %(y)s\n", "")]
)
def test_broken_files_of_gimme_aws_creds(machine: Machine, text: str, line: str) -> None:
    machine.write(".okta_aws_login_config", text)
    with pytest.raises(UsageError, match=f"okta_aws_login_config{line} "):
        machine.look("gimme-aws-creds")


OKTA = """\
---
awscli:
  idps:
    "arn:aws:iam::123456789012:saml-provider/company-okta-idp": "Data Production"
  roles:
    "arn:aws:iam::.*:role/admin": "Admin"
  profiles:
    staging:
      org-domain: "org-stage.okta.com"
      oidc-client-id: "0oastage"
      aws-acct-fed-app-id: "0oafed"
      aws-iam-role: "arn:aws:iam::123456789012:role/stage"
      aws-iam-idp: "arn:aws:iam::123456789012:saml-provider/okta"
      aws-session-duration: 7200
      aws-region: eu-west-1
      write-aws-credentials: true
      open-browser: true
    second:
      org-domain: https://org-stage-admin.okta.com/
      oidc-client-id: "0oastage"
      aws-acct-fed-app-id: "0oafed"
      aws-iam-idp: "arn:aws:iam::123456789012:saml-provider/okta"
      aws-iam-role: "arn:aws:iam::.*:role/x"
    machine:
      org-domain: "org.okta.com"
      private-key-file: /x
    short:
      org-domain: "org.okta.com"
      oidc-client-id: "0oa2"
    direct:
      org-domain: "org.okta.com"
      oidc-client-id: "0oa3"
      aws-acct-fed-app-id: "0oa4"
      username: ann
      password: hunter2 is not it
"""


def test_okta_aws_cli(machine: Machine) -> None:
    machine.write(".okta/okta.yaml", OKTA)
    taken = machine.take("okta-aws-cli")
    assert taken.providers == {
        "okta": {
            "type": "saml",
            "idp": "okta",
            "url": "https://org-stage.okta.com/home/amazon_aws/0oafed/272",
            "client_id": "0oastage",
            "app_id": "0oafed",
            "saml_provider_arn": "arn:aws:iam::123456789012:saml-provider/okta",
        },
        "okta-2": {
            "type": "saml",
            "idp": "okta",
            "url": "https://org.okta.com/home/amazon_aws/0oa4/272",
            "client_id": "0oa3",
            "app_id": "0oa4",
        },
    }
    assert taken.profiles == {
        "staging": {
            "provider": "okta",
            "role_arn": "arn:aws:iam::123456789012:role/stage",
            "duration": "2h",
            "region": "eu-west-1",
        },
        "second": {"provider": "okta"},
        "direct": {"provider": "okta-2"},
    }
    assert {*taken.left_out} == {
        ("staging", "write-aws-credentials"),
        ("staging", "open-browser"),
        ("second", "aws-iam-role"),
        ("machine", "private-key"),
        ("short", "aws-acct-fed-app-id"),
        ("direct", "username"),
        ("direct", "password"),
        ("awscli", "idps"),
        ("awscli", "roles"),
    }
    assert b"hunter2" not in taken.merged.content


def test_okta_aws_cli_by_its_variables_and_its_env_file(machine: Machine) -> None:
    machine.write(
        ".env",
        "OKTA_AWSCLI_ORG_DOMAIN=c.okta.com\nexport OKTA_AWSCLI_OIDC_CLIENT_ID='0oac'\n"
        'OKTA_AWSCLI_AWS_ACCOUNT_FEDERATION_APP_ID="0oaf"\nOTHER=1\n',
    )
    machine.environ["OKTA_AWSCLI_IAM_ROLE"] = "arn:aws:iam::123456789012:role/R"
    taken = machine.take("okta-aws-cli")
    assert taken.profiles == {
        "default": {"provider": "okta", "role_arn": "arn:aws:iam::123456789012:role/R"}
    }
    assert taken.providers["okta"]["url"] == "https://c.okta.com/home/amazon_aws/0oaf/272"


AZURE = """\
[default]
region = eu-west-1
azure_tenant_id=11111111-1111-1111-1111-111111111111
azure_app_id_uri=https://signin.aws.amazon.com/saml#2
azure_default_username=ann@corp.example
azure_default_role_arn=arn:aws:iam::123456789012:role/Az
azure_default_duration_hours=8
azure_default_remember_me=true
azure_default_password=hunter2 is not it
[profile gov]
region = us-gov-west-1
azure_tenant_id=corp.onmicrosoft.com
azure_app_id_uri=urn:amazon:webservices
[profile half]
azure_tenant_id=corp.onmicrosoft.com
[profile other]
region = x
"""


def test_aws_azure_login(machine: Machine) -> None:
    machine.write(".aws/config", AZURE)
    taken = machine.take("aws-azure-login")
    assert taken.providers == {
        "entra": {
            "type": "saml",
            "idp": "entra",
            "tenant": "11111111-1111-1111-1111-111111111111",
            "app_id": "https://signin.aws.amazon.com/saml#2",
            "username": "ann@corp.example",
        },
        "entra-2": {
            "type": "saml",
            "idp": "entra",
            "tenant": "corp.onmicrosoft.com",
            "app_id": "urn:amazon:webservices",
        },
    }
    assert taken.profiles == {
        "default": {
            "provider": "entra",
            "role_arn": "arn:aws:iam::123456789012:role/Az",
            "region": "eu-west-1",
            "duration": "8h",
        },
        "gov": {"provider": "entra-2", "region": "us-gov-west-1"},
    }
    assert {*taken.left_out} == {
        ("default", "azure_default_remember_me"),
        ("default", "azure_default_password"),
        ("half", "azure_tenant_id"),
    }
    assert b"hunter2" not in taken.merged.content


def test_aws_azure_login_by_its_variables(machine: Machine) -> None:
    machine.environ |= {"AZURE_TENANT_ID": "t.example", "azure_app_id_uri": "urn:x"}
    assert [*machine.take("aws-azure-login").profiles] == ["default"]
