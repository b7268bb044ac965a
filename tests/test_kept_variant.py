"""A fresh session without an agent: handed out without YAML and models, and never a changed one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from broker import kept_variant, launch
from broker.agent.variant import variant_of
from broker.broker import Broker
from broker.cli.app import App
from broker.config.loading import empty
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.ports import keychain
from broker.ports.clock import Clock
from broker.ports.ui import Ui
from broker.seal import SealedFiles, sealed_here
from broker.warm import place_of
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config("dev", "deploy")
DEAR = {"yaml", "pydantic", "click", "botocore", "boto3", "requests", "rich"}
LAUNCH = [sys.executable, "-I", "-S", "-X", "importtime", str(launch.__file__)]
FORMS = (("creds", "deploy"), ("deploy", "--output", "json"), ("env", "deploy"), ("deploy",))


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """Both profiles have a session."""
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    while not any(signed_up.folder.rglob("variant-*")):  # the config must have some age
        signed_up.run("deploy").ok()
    return signed_up


def loaded(home: Home, *words: str) -> tuple[set[str], str]:
    """The libraries that a start loads, and its stdout."""
    done = subprocess.run(
        [*LAUNCH, *words], env=home.env(), cwd=home.work, capture_output=True, text=True, check=True
    )
    names = re.findall(r"\| +([a-z_0-9]+)$", done.stderr, re.MULTILINE)
    return set(names), done.stdout


@pytest.mark.parametrize("words", FORMS)
def test_no_dear_library_is_loaded(team: Home, words: tuple[str, ...]) -> None:
    names, out = loaded(team, *words)
    assert not names & DEAR
    assert re.sub(r"\(.* left\)", "", out) == re.sub(
        r"\(.* left\)", "", team.run(*words, "--no-input", "--timeout", "9").ok().out
    )


def arn(home: Home, **env: str | None) -> str:
    found: str = home.run("deploy", "--output", "json", env=env).ok().json["arn"]
    return found


def test_an_edited_role_is_never_the_old_one(team: Home) -> None:
    assert ":assumed-role/Deploy/" in arn(team)
    team.config(CONFIG.replace("role/Deploy", "role/ReadOnly"))
    for _ in range(2):
        assert ":assumed-role/ReadOnly/" in arn(team)
    team.config(CONFIG)
    assert ":assumed-role/Deploy/" in arn(team)


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
    team.run("config", "trust", "--yes").ok()
    team.run("deploy").ok()
    while sum(1 for _ in team.folder.rglob("variant-*")) < 2:
        team.run("deploy").ok()
    assert not loaded(team, "creds", "deploy")[0] & DEAR
    team.run("config", "trust", "--revoke").ok()
    for words in FORMS:
        assert team.run(*words).code == 4


def test_another_environment_is_another_way(team: Home) -> None:
    assert team.run("creds", "deploy", env={"AWSLOGIN_PASSPHRASE": "another"}).code != 0
    assert team.run("creds", "deploy", env={"AWSLOGIN_PASSPHRASE": None}).code == 7
    assert team.run("creds", "deploy", env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}).code == 5
    assert team.run("creds", "deploy", env={"AWSLOGIN_KEYRING": "none"}).code != 0
    assert not loaded(team, "creds", "deploy")[0] & DEAR


def test_changed_settings_count(team: Home) -> None:
    (team.folder / "awslogin" / "settings.yaml").write_text("agent_confirm: {}\nnonsense: 1\n")
    assert team.run("creds", "deploy").code == 2


def test_what_is_logged_out_is_not_served(team: Home, sandbox: Sandbox) -> None:
    before = len(sandbox.calls("sts", "AssumeRole"))
    team.run("logout", "deploy").ok()
    assert team.run("deploy", "--output", "json").ok().json["from_cache"] is False
    assert len(sandbox.calls("sts", "AssumeRole")) == before + 1


def test_a_folder_that_others_may_write_is_refused(team: Home) -> None:
    (team.folder / "awslogin").chmod(0o777)
    assert team.run("creds", "deploy").code == 2


def kept(home: Home) -> Path:
    (file,) = home.folder.rglob("variant-*")
    return file


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(b"\0" * 200),
        lambda file: file.write_bytes(next(file.parent.glob("session-*")).read_bytes()),
        lambda file: (file.unlink(), file.symlink_to("/dev/null")),
    ],
)
def test_a_spoiled_record_is_none(team: Home, spoil: Callable[[Path], object]) -> None:
    spoil(kept(team))
    assert ":assumed-role/Deploy/" in arn(team)


def test_it_tells_nothing_of_the_variables(team: Home, sandbox: Sandbox) -> None:
    secrets = [*sandbox.secrets(), team.environ["AWSLOGIN_PASSPHRASE"]]
    assert team.holds_in_plain(secrets) == []
    assert b"AWSLOGIN" not in kept(team).read_bytes()
    assert kept(team).stat().st_mode & 0o777 == 0o600


def sealed_files(home: Home) -> SealedFiles:
    environ = home.env()
    ui = Ui(environ, may_ask=False, quiet=True)
    return sealed_here(environ, keychain.LazyKeychain(ui, environ))


@pytest.mark.parametrize(
    "record",
    ["null", "[1]", '["x"]', "[{}]", '[{"files": []}]', "[" * 5000, "\ud800",
     '[{"session_id": 1, "files": [], "variables": 1, "values": "", "asked": 0}]'],
)  # fmt: skip
def test_a_record_of_another_shape_is_none(team: Home, record: str) -> None:
    """As an older or later version may have sealed it."""
    name = kept(team).name.removesuffix(".sealed")
    sealed_files(team).write(name, record.encode(errors="surrogatepass"))
    for _ in range(2):
        assert ":assumed-role/Deploy/" in arn(team)


def test_another_version_keeps_its_own(team: Home) -> None:
    """It may decide otherwise whose session it is."""
    team.changes["broker.kept_variant.__version__"] = "99.0"  # type: ignore[assignment]
    before = kept(team)
    team.run("deploy").ok()
    assert set(team.folder.rglob("variant-*")) > {before}


def test_what_changed_since_the_command_began_is_not_kept(
    team: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings may have been read before, and have their fingerprint from after."""
    for name, value in team.env().items():
        monkeypatch.setenv(name, value)
    app = App(
        config=None, found=None, output=None, no_input=True, no_browser=True, verbose=False,
        debug=False, quiet=True,
    )  # fmt: skip
    profile = app.profile("deploy")
    settings = team.folder / "awslogin" / "settings.yaml"
    settings.write_text("events: on\n")
    while not is_trustworthy(file_fingerprint(str(settings))):
        pass
    at = place_of("")
    variant = variant_of(app.config, profile, app.environ, at, "id", began_ns=app.began_ns)
    assert variant
    assert not variant.lasting


def test_the_full_program_goes_on_with_the_keychain_that_was_opened(
    team: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a silent one is waited for twice, and an encrypted file's key is made twice."""
    monkeypatch.setattr(keychain, "opened", None)
    environ = team.env()
    place = place_of("", environ=environ)
    assert kept_variant.answer(place, "nobody", "json", environ) is None
    assert keychain.opened
    app_ui = Ui(environ, may_ask=False, quiet=True)
    assert Broker(empty(environ), app_ui, environ).keychain is keychain.opened


def test_a_vault_that_is_locked_is_the_full_programs(
    team: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a person is asked for its passphrase."""
    monkeypatch.setattr(keychain, "opened", None)
    environ = team.env({"AWSLOGIN_PASSPHRASE": None})
    place = place_of("", environ=environ)
    assert kept_variant.answer(place, "deploy", "json", environ, may_ask=True) is None
    assert keychain.opened is None


def test_a_config_that_comes_to_stand_nearer_counts(team: Home) -> None:
    del team.environ["AWSLOGIN_CONFIG"]
    file, elsewhere = team.folder / "awslogin.yaml", team.folder / "elsewhere.yaml"
    file.write_text(CONFIG)
    team.run("config", "trust", "--yes").ok()
    while sum(1 for _ in team.folder.rglob("variant-*")) < 2:
        team.run("deploy").ok()
    nearer = team.work / "awslogin.yaml"
    nearer.write_text(CONFIG)
    assert team.run("creds", "deploy").error["exit"] == 4
    nearer.unlink()
    assert ":assumed-role/Deploy/" in arn(team)
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert team.run("creds", "deploy").error["exit"] == 4, "it was trusted at its own place"


@pytest.mark.parametrize("setting", ["agent_confirm: tier", "demand_trust: always"])
def test_a_setting_that_asks_for_more_counts_at_once(team: Home, setting: str) -> None:
    before = set(team.folder.rglob("variant-*"))
    team.config(CONFIG.replace("deploy: {", "deploy: {tags: {tier: prod}, "), "tagged.yaml")
    while set(team.folder.rglob("variant-*")) == before:
        team.run("deploy").ok()
    (team.folder / "awslogin" / "settings.yaml").write_text(f"{setting}\n")
    for words in FORMS:
        assert team.run(*words).code == 4


def test_files_that_are_put_back_after_logout_serve_nothing(team: Home) -> None:
    files = {file: file.read_bytes() for file in team.folder.rglob("*.sealed")}
    team.run("logout", "deploy").ok()
    for file, content in files.items():
        file.write_bytes(content)
    assert team.run("deploy", "--output", "json").ok().json["from_cache"] is False


@pytest.mark.parametrize(("minutes", "is_served"), [(40, True), (46, False), (61, False)])
def test_a_session_that_nears_its_end_is_not_served(
    team: Home, monkeypatch: pytest.MonkeyPatch, minutes: int, is_served: bool
) -> None:
    class Later(Clock):
        def now(self) -> datetime:
            return super().now() + timedelta(minutes=minutes)

    monkeypatch.setattr(kept_variant, "Clock", Later)
    monkeypatch.setattr(keychain, "opened", None)
    environ = team.env()
    text = kept_variant.answer(place_of("", environ=environ), "deploy", "json", environ)
    assert (text is not None) == is_served


INTERRUPTED = """
import signal, sys
from broker import kept_variant, launch
def answer(*_, **__):
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    raise KeyboardInterrupt
kept_variant.answer = answer
launch.warm.hold_interrupts()
sys.exit(launch.full_program(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", FORMS)
def test_ctrl_c_while_the_keychain_is_waited_for(team: Home, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        env=team.env({"PYTHONPATH": str(Path(launch.__file__).parent.parent)}),
        cwd=team.work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr
    assert "AKIA" not in done.stdout
