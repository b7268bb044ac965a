"""`web-identity`: a CI job's token from each of its places, and what refusals say."""

from __future__ import annotations

import base64
import sys

import pytest

from tests import configs
from tests.sandbox import DEV, Sandbox
from tests.sandbox.keys import rsa_key
from tests.support import PATIENCE, Home

ROLE = f"arn:aws:iam::{DEV}:role/CiDeploy"


def config(home: Home, token: str, more: str = "", profile: str = "") -> None:
    home.config(
        configs.config(
            providers={
                "ci": f"type: web-identity, token: {token}{more}",
                "okta": configs.form("https://sso.corp.example/"),
            },
            deploy=f'provider: ci, role_arn: "{ROLE}", session_name: job{profile}',
            prod=f'provider: [ci, okta], role_arn: "{ROLE}"',
        )
    )


def sent(sandbox: Sandbox) -> list[str]:
    """The tokens that STS was shown."""
    calls = sandbox.calls("sts", "AssumeRoleWithWebIdentity")
    return [asked.form["WebIdentityToken"] for asked in calls]


@pytest.fixture
def ci(signed_up: Home) -> Home:
    """A CI job: nobody to ask, no keychain."""
    signed_up.without_vault().environ["CI"] = "true"
    return signed_up


def test_a_token_in_a_variable(ci: Home, sandbox: Sandbox) -> None:
    config(ci, "{env: MY_TOKEN}")
    token = sandbox.issuer.token()
    session = ci.run("deploy", "--output", "json", env={"MY_TOKEN": token}).ok().json
    assert session["arn"] == f"arn:aws:sts::{DEV}:assumed-role/CiDeploy/job"
    assert (session["type"], session["account_id"]) == ("web-identity", DEV)
    assert sent(sandbox) == [token]
    assert ci.holds_in_plain([token, session["session_token"]]) == []


def test_kubernetes_projects_a_file_and_exchanges_it(ci: Home, sandbox: Sandbox) -> None:
    volume = ci.folder / "serviceaccount"
    tokens = [sandbox.issuer.token(jti=str(number)) for number in range(2)]
    for number, token in enumerate(tokens):
        (volume / f"..{number}").mkdir(parents=True)
        (volume / f"..{number}" / "token").write_text(token + "\n" * number)
    (volume / "..data").symlink_to("..0")
    (volume / "token").symlink_to("..data/token")
    config(ci, f"{{file: {volume}/token}}")
    ci.run("deploy").ok()
    (volume / "..next").symlink_to("..1")
    (volume / "..next").rename(volume / "..data")
    ci.run("deploy").ok()
    assert sent(sandbox) == tokens


@pytest.mark.parametrize("agent", [None, "off"])
@pytest.mark.parametrize("path", ["token.jwt", "/proc/self/cwd/token.jwt"])
def test_a_file_of_the_working_directory_is_another_in_each(
    signed_up: Home, sandbox: Sandbox, path: str, agent: str | None
) -> None:
    tokens = {}
    for name in ("app", "site"):
        folder = signed_up.folder / name
        folder.mkdir()
        tokens[folder] = sandbox.issuer.token(sub=f"repo:corp/app:{name}")
        (folder / "token.jwt").write_text(tokens[folder])
    role = f'role_arn: "{ROLE}"'
    signed_up.config(
        configs.config(
            providers={
                "here": f"type: web-identity, token: {{file: {path}}}",
                "fixed": f"type: web-identity, token: {{file: {folder}/token.jwt}}",
            },
            here=f"provider: here, {role}",
            fixed=f"provider: fixed, {role}",
        )
    )
    try:
        while not any(signed_up.folder.rglob("variant-*")):  # until the files have some age
            signed_up.run("creds", "fixed", env={"AWSLOGIN_AGENT": agent}).ok()
        before = len(sent(sandbox))
        keys = [
            signed_up.run("creds", "here", cwd=folder, env={"AWSLOGIN_AGENT": agent}).ok().json
            for folder in (*tokens, *tokens)
        ]
    finally:
        signed_up.run("agent", "stop")
    assert sent(sandbox)[before:] == list(tokens.values())
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]
    assert sum(1 for _ in signed_up.folder.rglob("variant-*")) == 1


@pytest.mark.parametrize("audience", [None, "https://sts.corp.example"])
def test_github_gives_a_token_for_our_audience(
    ci: Home, sandbox: Sandbox, audience: str | None
) -> None:
    sandbox.register_oidc(
        f"arn:aws:iam::{DEV}:oidc-provider/ci", sandbox.issuer.url, sandbox.issuer.jwks,
        (audience or "sts.amazonaws.com",),
    )  # fmt: skip
    config(ci, "github", f', audience: "{audience}"' if audience else "")
    ci.run("deploy", env=github(sandbox)).ok()
    (asked,) = sandbox.calls("issuer", "/token")
    assert asked.query == {"api-version": "2.0", "audience": audience or "sts.amazonaws.com"}
    assert asked.headers["authorization"] == f"Bearer {sandbox.issuer.request_secret}"


def github(sandbox: Sandbox, **more: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{sandbox.issuer.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": sandbox.issuer.request_secret,
        **more,
    }


@pytest.mark.parametrize("name", ["AWS_OIDC_TOKEN", "GITLAB_OIDC_TOKEN", "CI_JOB_JWT_V2"])
def test_gitlab_puts_it_into_a_variable(ci: Home, sandbox: Sandbox, name: str) -> None:
    config(ci, "gitlab")
    ci.run("deploy", env={name: sandbox.issuer.token()}).ok()


def test_a_session_is_renewed_with_a_fresh_token(ci: Home, sandbox: Sandbox) -> None:
    config(ci, "github")
    sandbox.world.lifetime, sandbox.world.overtime = 6, PATIENCE
    code = """
import boto3, time
session, seen = boto3.Session(), set()
sts, until = session.client("sts"), time.monotonic() + 60
while len(seen) < 2 and time.monotonic() < until:
    sts.get_caller_identity()
    seen.add(session.get_credentials().get_frozen_credentials().access_key)
    time.sleep(0.3)
print(len(seen))
"""
    words = ("exec", "deploy", "--server", "--", sys.executable, "-c", code)
    assert ci.run(*words, env=github(sandbox)).ok().out == "2\n"
    assert len(sandbox.calls("issuer", "/token")) == len(sent(sandbox)) >= 2


def test_policies_go_along(ci: Home, sandbox: Sandbox) -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    config(ci, "{env: T}", profile=f', policy_arns: ["{arn}"], policy: {{Statement: []}}')
    ci.run("deploy", env={"T": sandbox.issuer.token()}).ok()
    assert sandbox.world.granted[-1]["policy_arns"] == [arn]
    assert sandbox.world.granted[-1]["policy"] == '{"Statement":[]}'


@pytest.mark.parametrize(
    ("spoilt", "exit_", "told"),
    [
        ({"seconds": -10}, 3, "has ended"),
        ({"aud": "other"}, 3, "is for other"),
        ({"iss": "https://unknown.example"}, 3, "https://unknown.example"),
        ({"key": "forged"}, 3, "could not verify"),
        ({"sub": "repo:evil/app:x"}, 8, "sub repo:evil/app:x"),
        ({"sub": "repo:evil\x1b[31m"}, 8, "sub repo:evil[31m"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_refusals_are_told_apart(
    ci: Home, sandbox: Sandbox, spoilt: dict[str, object], exit_: int, told: str
) -> None:
    config(ci, "{env: T}")
    changes = spoilt | ({"key": rsa_key("somebody else")} if "key" in spoilt else {})
    token = sandbox.issuer.token(**changes)  # type: ignore[arg-type]
    error = ci.run("deploy", "--output", "json", env={"T": token}).error
    assert error["exit"] == exit_
    assert told in error["hint"]
    assert token not in str(error)


def test_an_issuer_that_aws_cannot_reach_is_a_matter_of_time(ci: Home, sandbox: Sandbox) -> None:
    body = "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>"
    sandbox.fault("sts", status=400, body=body, action="AssumeRoleWithWebIdentity")
    config(ci, "{env: T}")
    error = ci.run("deploy", "--output", "json", env={"T": sandbox.issuer.token()}).error
    assert (error["code"], error["exit"]) == ("network", 5)


def test_an_aws_that_is_not_there(ci: Home, sandbox: Sandbox) -> None:
    config(ci, "{env: T}")
    env = {"T": sandbox.issuer.token(), "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
    error = ci.run("deploy", "--output", "json", env=env).error
    assert (error["code"], error["exit"]) == ("network", 5)


def test_a_token_for_another_audience_is_not_sent(ci: Home, sandbox: Sandbox) -> None:
    config(ci, "{env: T}", ", audience: sts.amazonaws.com")
    token = sandbox.issuer.token(aud="https://vault.corp.example")
    error = ci.run("deploy", "--output", "json", env={"T": token}).error
    assert error["exit"] == 3
    assert "https://vault.corp.example" in error["message"]
    assert sent(sandbox) == []
    both = sandbox.issuer.token(aud=["x", "sts.amazonaws.com"])  # type: ignore[arg-type]
    ci.run("deploy", env={"T": both}).ok()


@pytest.mark.parametrize(
    "text", ["not a token", "a.b", "a.b.c.d", "a.b.c d", "é.b.c", "a." + "b" * 20_000 + ".c", "\n"]
)
def test_what_is_no_token_is_not_sent(ci: Home, sandbox: Sandbox, text: str) -> None:
    file = ci.folder / "token"
    file.write_text(text)
    config(ci, f"{{file: {file}}}")
    error = ci.run("deploy", "--output", "json").error
    assert error["exit"] == 3
    assert str(file) in error["message"]
    assert sandbox.calls("sts") == []


@pytest.mark.parametrize("claims", ["[" * 12_000, "[1]", "{", '{"aud": {}, "sub": 7}', "\xff"])
def test_strange_claims_are_stss_to_judge(ci: Home, claims: str) -> None:
    config(ci, "{env: T}")
    body = base64.urlsafe_b64encode(claims.encode("latin-1")).decode()
    error = ci.run("deploy", "--output", "json", env={"T": f"e30.{body}.e30"}).error
    assert (error["exit"], "InvalidIdentityToken" in error["message"]) == (3, True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark(ci: Home, sandbox: Sandbox, encoding: str) -> None:
    (ci.folder / "token").write_text(f"{sandbox.issuer.token()}\r\n", encoding=encoding)
    config(ci, f"{{file: {ci.folder}/token}}")
    ci.run("deploy").ok()


def test_providers_that_were_passed_over_are_told_when_the_last_one_fails(ci: Home) -> None:
    """In a GitHub job without the permission the list falls through to a person's sign-in."""
    config(ci, "github")
    job = {"GITHUB_ACTIONS": "true"}
    error = ci.run("prod", "--output", "json", env=job).error
    assert "ci: ACTIONS_ID_TOKEN_REQUEST_URL is not set" in error["hint"]
    assert "permissions: {id-token: write}" in error["hint"]


def test_a_file_that_is_no_text(ci: Home) -> None:
    (ci.folder / "token").write_bytes(b"\xfd\xfe")
    config(ci, f"{{file: {ci.folder}/token}}")
    error = ci.run("deploy", "--output", "json").error
    assert (error["exit"], "cannot be read" in error["message"]) == (3, True)


@pytest.mark.parametrize(
    ("token", "env", "told"),
    [
        ("{env: T}", {}, "T is not set"),
        ("{file: /no/such/token}", {}, "no file /no/such/token"),
        ("github", {}, "ACTIONS_ID_TOKEN_REQUEST_URL is not set"),
        ("github", {"GITHUB_ACTIONS": "true"}, "id-token: write"),
        ("gitlab", {}, "AWS_OIDC_TOKEN is not set"),
        ("gitlab", {"GITLAB_CI": "true"}, "`id_tokens`"),
    ],
)
def test_without_a_token(ci: Home, token: str, env: dict[str, str], told: str) -> None:
    config(ci, token)
    error = ci.run("deploy", "--output", "json", env=env).error
    assert (error["code"], error["exit"]) == ("interaction_required", 4)
    assert told in error["message"]


@pytest.mark.parametrize(
    ("status", "body", "exit_"),
    [(401, "{}", 3), (403, "{}", 3), (200, "{}", 6), (200, "[]", 6), (200, "<html>", 6),
     (302, "{}", 6), (503, "{}", 5)],
)  # fmt: skip
def test_github_fails(ci: Home, sandbox: Sandbox, status: int, body: str, exit_: int) -> None:
    config(ci, "github")
    sandbox.fault("issuer", status=status, body=body, headers={"Location": "http://127.0.0.1:9/"})
    failed = ci.run("deploy", "--output", "json", env=github(sandbox))
    assert failed.error["exit"] == failed.code == exit_
    assert sandbox.issuer.request_secret not in failed.err


def test_the_first_that_can_work_here_is_taken_and_explain_says_why(
    ci: Home, sandbox: Sandbox
) -> None:
    config(ci, "{env: T}")
    in_ci = {"T": sandbox.issuer.token()}
    assert ci.run("prod", "--output", "json", env=in_ci).ok().json["provider"] == "ci"
    here = ci.run("explain", "prod", "--output", "json", env=in_ci).ok().json["candidates"]
    assert [(one["provider"], one["available"], one["chosen"]) for one in here] == [
        ("ci", True, True),
        ("okta", True, False),
    ]
    laptop = ci.run("explain", "prod", "--output", "json").ok().json["candidates"]
    assert laptop[0] | {"type": ""} == {
        "provider": "ci", "type": "", "available": False, "reason": "T is not set", "chosen": False,
    }  # fmt: skip
    assert laptop[1]["chosen"] is True
    text = ci.run("explain", "prod").ok().out
    assert "ci (web-identity): T is not set" in text
    assert "→ okta (saml)" in text
    assert sandbox.calls("sts", "AssumeRoleWithSAML") == []


def test_another_subject_never_gets_the_cached_session(signed_up: Home, sandbox: Sandbox) -> None:
    """On a runner that keeps its keychain, each job has what its own token may have."""
    config(signed_up, "{env: T}")
    main = {"T": sandbox.issuer.token()}
    signed_up.run("deploy", env=main).ok()
    cached = signed_up.run("deploy", "--output", "json", env=main | {"T": sandbox.issuer.token()})
    assert cached.ok().json["from_cache"] is True
    fork = {"T": sandbox.issuer.token(sub="repo:evil/app:x")}
    assert signed_up.run("deploy", env=fork).code == 8
    config(signed_up, "github")
    job = github(sandbox, GITHUB_RUN_ID="1", GITHUB_JOB="build")
    for run, asked in ((job, 1), (job, 1), (job | {"GITHUB_RUN_ID": "2"}, 2)):
        signed_up.run("deploy", env=run).ok()
        assert len(sandbox.calls("issuer", "/token")) == asked


def test_in_ci_nothing_is_kept(ci: Home, sandbox: Sandbox) -> None:
    config(ci, "{env: T}")
    ci.run("deploy", env={"T": sandbox.issuer.token()}).ok()
    kept = [path for path in (ci.folder / "awslogin").rglob("*") if path.is_file()]
    assert [p for p in kept if p.suffix != ".lock" and p.parent.name != "events"] == []


def test_the_schema_takes_each_place_and_nothing_else(home: Home) -> None:
    for token in ("{env: A, file: b}", "{}", "jenkins", "{env: 'A B'}", "{env: A, more: b}"):
        config(home, token)
        assert home.run("config", "check").code == 2, token
    for token in ("github", "gitlab", "{env: A}", "{file: /a}"):
        config(home, token)
        home.run("config", "check").ok()


@pytest.mark.parametrize("more", [{"CI": "true"}, {"AWSLOGIN_KEYRING": "none", "CI": None}])
def test_where_nothing_can_be_written_nothing_is_kept_and_all_works(
    ci: Home, sandbox: Sandbox, more: dict[str, str | None]
) -> None:
    config(ci, "{env: AWS_OIDC_TOKEN}")
    given = {
        "AWSLOGIN_HOME": "/proc/none", "HOME": "/proc/none", "AWSLOGIN_PASSPHRASE": None,
        "AWS_OIDC_TOKEN": sandbox.issuer.token(),
    }  # fmt: skip
    for words in (
        ["deploy"], ["creds", "deploy"], ["exec", "deploy", "--", "true"],
        ["exec", "deploy", "--server", "--", "true"],
    ):  # fmt: skip
        ci.run(*words, env={**given, **more}).ok()
