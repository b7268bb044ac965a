"""A keychain entry is used for what it was kept for, and for nothing else, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.ports.vault import Vault
from broker.secret import Secret
from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, PASSPHRASE, Home

STATIC = "version: 1\nproviders: {keys: {type: static}}\nprofiles: {dev: {provider: keys}}\n"


def saml(url: str, *, team: str = "", more: str = "", provider: str = "corp") -> str:
    """A config whose provider keeps Ann's password."""
    return (
        f"version: 1\n{team}\ndefaults: {{region: eu-west-1}}\n"
        f"providers: {{{provider}: {{type: saml, idp: form, username: ann,"
        f" remember_password: true, url: '{url}'{more}}}}}\n"
        f"profiles: {{dev: {{provider: {provider}, account: '111122223333', role: ReadOnly}}}}\n"
    )


def vault(home: Home) -> Vault:
    """The machine's keychain, opened by the test."""
    return Vault(home.folder / "awslogin" / "vault", lambda new, attempt: Secret(PASSPHRASE))


def keep_password(home: Home, sandbox: Sandbox) -> None:
    """Sign in once at a terminal, and let the password be kept."""
    done = terminal.run(
        [COMMAND, "login", "--force", "dev"],
        env=home.env(),
        answers=[
            ("Password of ann.*:", sandbox.world.people["ann"].password),
            ("Keep this password.*", "y"),
        ],
    )
    assert done.code == 0, done.screen
    home.run("logout", "--all").ok()
    sandbox.requests.clear()


def posted(sandbox: Sandbox) -> str:
    """All that was sent to a sandbox."""
    return "".join(repr(request) for request in sandbox.requests)


@pytest.mark.parametrize("team", ["", "team: payments"])
def test_a_password_stays_with_its_site(signed_up: Home, sandbox: Sandbox, team: str) -> None:
    signed_up.config(saml(sandbox.idp.url, team=team))
    keep_password(signed_up, sandbox)
    assert signed_up.run("dev", "--no-input").ok()
    with Sandbox() as other:
        signed_up.config(saml(other.idp.url, team=team))
        refused = signed_up.run("dev", "--no-input", "--force")
        assert refused.code == 4
        assert sandbox.world.people["ann"].password not in posted(other)
        assert "the keychain holds the password of ann for provider corp" in refused.err
        assert sandbox.idp.url.split("/")[2] in refused.err
    signed_up.config(saml(sandbox.idp.url, team=team))
    assert signed_up.run("dev", "--no-input", "--force").ok()


def test_a_further_host_is_another_purpose(signed_up: Home, sandbox: Sandbox) -> None:
    """An entry of `hosts` may receive the password: whoever adds one asks for it anew."""
    signed_up.config(saml(sandbox.idp.url))
    keep_password(signed_up, sandbox)
    signed_up.config(saml(sandbox.idp.url, more=", hosts: [evil.example]"))
    assert signed_up.run("dev", "--no-input").code == 4


def test_without_a_team_the_files_place_counts(signed_up: Home, sandbox: Sandbox) -> None:
    """Two repositories with a profile and a provider of the same names."""
    one, two = (signed_up.folder / name for name in ("one", "two"))
    for folder in (one, two):
        folder.mkdir()
        (folder / "awslogin.yaml").write_text(STATIC)
        signed_up.run("config", "trust", "--yes", cwd=folder).ok()
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json, cwd=one).ok()
    assert signed_up.run("dev", cwd=one).ok()
    foreign = signed_up.run("dev", "--output", "json", cwd=two)
    assert foreign.error["exit"] == 7, "neither the keys nor the session of the other one"
    assert str(one / "awslogin.yaml") in foreign.err
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.ann.json, cwd=two).ok()
    signed_up.run("remove", "dev", cwd=two).ok()
    shown = signed_up.run("whoami", "dev", "--output", "json", cwd=one).ok().json
    assert shown["arn"].endswith("user/bob")


def test_a_seed_answers_for_its_own_kind(signed_up: Home, sandbox: Sandbox) -> None:
    """The seed of the profile `dev` of `keys` is not that of a user `dev` at a page."""
    signed_up.config("team: t\n" + STATIC)
    seed = sandbox.user("ann").mfa[0].seed
    signed_up.run("add", "dev", "--totp", "--stdin", stdin=seed).ok()
    signed_up.config(
        saml(sandbox.idp.url, team="team: t", provider="keys").replace(
            "username: ann", "username: dev"
        )
    )
    names = vault(signed_up).names()
    assert [name.split("~")[0] for name in names if "totp" in name] == ["t/keys/totp/dev"]
    signed_up.run("add", "dev", "--totp", "--stdin", stdin=seed).ok()
    assert len([name for name in vault(signed_up).names() if "totp/dev" in name]) == 2


OLD = ("payments/keys/keys/dev", "payments/keys/totp/dev")


@pytest.fixture
def upgraded(signed_up: Home, sandbox: Sandbox) -> Home:
    """A machine on which an older version has kept keys."""
    signed_up.config("team: payments\n" + STATIC)
    vault(signed_up).set(OLD[0], Secret(sandbox.bob.json))
    return signed_up


def test_old_keys_are_taken_over_once(upgraded: Home) -> None:
    error = upgraded.run("dev", "--output", "json").error
    assert error["exit"] == 4
    assert "awslogin login dev" in error["hint"]
    done = terminal.run([COMMAND, "dev"], env=upgraded.env(), answers=[("Is it for that.*", "y")])
    assert done.code == 0, done.screen
    assert OLD[0] not in vault(upgraded).names()
    assert upgraded.run("dev", "--force").ok()


def test_old_keys_that_are_for_something_else(upgraded: Home, sandbox: Sandbox) -> None:
    """A person who says no is not asked again, and nothing is lost."""
    done = terminal.run(
        [COMMAND, "dev"],
        env=upgraded.env(),
        answers=[("Is it for that.*", "n"), ("Add an access key now.*", "n")],
    )
    assert done.code == 7, done.screen
    assert upgraded.run("dev", "--output", "json").error["exit"] == 7
    assert OLD[0] in vault(upgraded).names()


def test_one_question_for_all_that_an_older_version_kept(upgraded: Home, sandbox: Sandbox) -> None:
    mfa = 'mfa_serial: "arn:aws:iam::111122223333:mfa/ann"'
    upgraded.config("team: payments\n" + STATIC.replace("keys}}", f"keys, {mfa}}}}}"))
    vault(upgraded).set(OLD[0], Secret(sandbox.ann.json))
    vault(upgraded).set(OLD[1], Secret(sandbox.user("ann").mfa[0].seed))
    done = terminal.run([COMMAND, "dev"], env=upgraded.env(), answers=[("Is it for that.*", "y")])
    assert done.code == 0, done.screen
    assert not set(OLD) & set(vault(upgraded).names())


def test_sessions_outlive_the_upgrade(upgraded: Home, sandbox: Sandbox) -> None:
    """The key that seals them keeps its entry."""
    vault(upgraded).delete(OLD[0])
    upgraded.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    upgraded.run("dev").ok()
    assert "sealing-key" in vault(upgraded).names()


def test_a_readable_name_that_holds_no_secret(signed_up: Home, sandbox: Sandbox) -> None:
    path = signed_up.config(STATIC)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    index = Path(signed_up.folder / "awslogin" / "keychain-entries.json")
    assert str(path) in index.read_text()
    assert index.stat().st_mode & 0o777 == 0o600
    assert signed_up.holds_in_plain(sandbox.secrets()) == []
    signed_up.run("remove", "dev").ok()
    assert str(path) not in index.read_text()


@pytest.mark.parametrize("words", [("logout", "--all"), ("logout", "dev"), ("remove", "dev")])
def test_sealed_files_that_are_put_back_serve_nobody(
    signed_up: Home, sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    signed_up.config(STATIC)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.run("dev").ok()
    sealed = signed_up.folder / "awslogin" / "sealed"
    before = {path: path.read_bytes() for path in sealed.glob("*.sealed")}
    signed_up.run(*words).ok()
    for path, content in before.items():
        path.write_bytes(content)
    assert signed_up.run("status", "--output", "json").ok().json == []
    again = signed_up.run("dev", "--output", "json")
    assert again.code == 7 if "remove" in words else again.ok().json["from_cache"] is False


def test_a_vault_that_is_damaged_is_a_keychain_that_fails(signed_up: Home) -> None:
    signed_up.config(STATIC)
    path = signed_up.folder / "awslogin" / "vault"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sealed": "AAAA"}))
    assert signed_up.run("dev", "--output", "json").error["exit"] == 7


def test_a_password_as_a_mounted_secret_has_it(signed_up: Home, sandbox: Sandbox) -> None:
    """With the line's end that an editor or a Kubernetes secret leaves behind it."""
    signed_up.config(saml(sandbox.idp.url))
    password = sandbox.world.people["ann"].password
    assert signed_up.run("dev", env={"AWSLOGIN_PASSWORD": f"{password}\r\n"}).ok()
