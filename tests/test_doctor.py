"""`doctor` on machines that are well, and on machines that are not; `uninstall` of all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from broker.aws_files import backup_of
from broker.config import load
from broker.doctor import Machine, examination, examine, network
from broker.ports import probes
from broker.ports.probes import bus_fault, name_fault
from tests.configs import config
from tests.patient import LIMITS
from tests.sandbox import Sandbox
from tests.support import Home


@pytest.fixture
def well(signed_up: Home, sandbox: Sandbox) -> Home:
    """A machine on which nothing is wrong."""
    signed_up.config(config("dev", "stage", "prod", sandbox=sandbox))
    return signed_up


def findings(home: Home, *words: str, code: int = 0, **more: Any) -> dict[str, list[Any]]:
    done = home.run("doctor", "--output", "json", *words, **more)
    assert done.code == code, done.out + done.err
    found: dict[str, list[Any]] = {}
    for finding in done.json["findings"]:
        assert set(finding) == {"id", "severity", "message", "mend"}
        found.setdefault(finding["id"], []).append(finding)
    return found


def severities(found: Mapping[str, list[Any]]) -> dict[str, str]:
    order = ("ok", "info", "warning", "error")
    return {
        name: max((one["severity"] for one in of_name), key=order.index)
        for name, of_name in found.items()
    }


def test_a_machine_that_is_well(well: Home, sandbox: Sandbox) -> None:
    found = findings(well)
    seen = severities(found)
    assert "error" not in seen.values(), found
    for name in ("config", "trust", "keychain", "state", "clock", "network", "setup", "tls"):
        assert seen[name] == "ok", found[name]
    assert len(found["network"]) == 2
    done = well.run("doctor").ok()
    assert "✓ keychain" in done.out


def wrong(found: Mapping[str, list[Any]], name: str, severity: str, words: str) -> Any:
    (one,) = [finding for finding in found[name] if finding["severity"] == severity]
    assert words in one["message"], one
    return one


def test_the_clock_is_off(well: Home, sandbox: Sandbox) -> None:
    sandbox.fault("sts", body="{}", headers={"Date": formatdate(0, usegmt=True)})
    one = wrong(findings(well, code=2), "clock", "error", "s off from")
    assert "timedatectl" in one["mend"]


def test_what_is_wrong_with_files(well: Home) -> None:
    aws = well.folder / ".aws"
    aws.mkdir()
    keys = "aws_access_key_id = AKIA\naws_secret_access_key = s3cret-never-shown\n"
    (aws / "credentials").write_text(f"[old]\n{keys}")
    gone = "/opt/gone/python -I -S /opt/gone/broker/__main__.py creds dev"
    (aws / "config").write_text(
        f"[profile dev]\ncredential_process = {gone}\n"
        "[profile x]\ncredential_process = /bin/true\nlogin_session = arn\n"
    )
    done = well.run("doctor", "--output", "json")
    assert done.code == 2
    assert "s3cret" not in done.out + done.err
    found = findings(well, code=2)
    assert wrong(found, "credentials-file", "warning", "old")["mend"].startswith("awslogin import")
    assert wrong(found, "setup", "error", "/opt/gone/python")["mend"] == "awslogin setup"
    wrong(found, "setup", "warning", "login_session")
    (aws / "config").write_text("[profile x]\nregion = a\n[profile x]\n")
    wrong(findings(well, code=2), "setup", "error", "config:3")


def test_what_is_wrong_with_the_environment(well: Home, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    env = {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "never-shown-at-all",
        "AWS_CA_BUNDLE": str(tmp_path / "missing.pem"),
        "SSL_CERT_FILE": str(tmp_path / "no.pem"),
        "HTTPS_PROXY": "socks4:nonsense",
        "AWS_ENDPOINT_URL_IAM": "https://mallory.example",
    }
    found = findings(well, code=2, env=env)
    wrong(found, "environment", "warning", "AWS_ACCESS_KEY_ID")
    assert {one["severity"] for one in found["tls"]} == {"error"}
    wrong(found, "proxy", "error", "HTTPS_PROXY")
    wrong(
        findings(well, code=2, env={"AWS_REGION": "eu-wset-1"}), "environment", "error", "eu-west"
    )
    assert wrong(found, "endpoints", "warning", "mallory.example")["mend"].endswith("_IAM")
    assert "never-shown" not in str(found)


def test_a_provider_that_is_not_reached(well: Home, sandbox: Sandbox) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        well.config(config(providers={"sso": f"type: saml, idp: form, url: '{url}'"}))
        wrong(findings(well, code=5), "network", "error", "sso: ")


def test_no_config_a_spoiled_one_and_one_that_is_not_trusted(well: Home) -> None:
    del well.environ["AWSLOGIN_CONFIG"]
    (well.folder / "config.yaml").unlink()
    assert wrong(findings(well), "config", "warning", "there is no config")["mend"]
    file = well.work / "awslogin.yaml"
    file.write_text("version: 1\nproviders: {x: {type: no-such}}\nprofils: {}\n")
    wrong_ones = [one for one in findings(well, code=2)["config"] if one["severity"] == "error"]
    assert any("awslogin.yaml:3" in one["message"] for one in wrong_ones)
    file.write_text(
        "version: 1\nproviders: {x: {type: saml, idp: form, url: 'https://x.example'}}\n"
    )
    found = findings(well)
    assert "config trust" in wrong(found, "trust", "warning", "not trusted")["mend"]
    assert "network" not in found  # nobody of an untrusted file is contacted


def test_no_keychain_and_a_wrong_passphrase(well: Home) -> None:
    found = findings(well, env={"AWSLOGIN_KEYRING": "none"})
    assert severities(found)["keychain"] == "info"
    found = findings(well, code=7, env={"AWSLOGIN_PASSPHRASE": "not this one, surely"})
    assert severities(found)["keychain"] == "error"


def test_a_folder_that_others_may_read_is_mended_with_consent(well: Home) -> None:
    folder = well.folder / "awslogin"
    folder.chmod(0o755)
    found = findings(well)
    assert wrong(found, "state", "warning", "others may read")["mend"] == f"chmod 0700 {folder}"
    assert folder.stat().st_mode & 0o777 == 0o755  # nothing changes without --fix
    mended = findings(well, "--fix", "--yes")
    assert severities(mended)["state"] == "ok"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_killed_writers_left_is_named_and_swept(well: Home) -> None:
    assert severities(findings(well))["leftovers"] == "ok"
    aws = well.folder / ".aws"
    aws.mkdir()
    left = [
        folder / ".credentials.awslogin-0123456789abcdef"
        for folder in (aws, well.folder / "awslogin")
    ]
    for path in left:
        path.write_text("every plain key")
    found = findings(well)
    assert {one["mend"] for one in found["leftovers"]} == {f"rm {path}" for path in left}
    assert all(path.exists() for path in left)
    assert severities(findings(well, "--fix", "--yes"))["leftovers"] == "ok"
    assert not any(path.exists() for path in left)


def test_the_backup_of_an_interrupted_write_is_named_and_stays(well: Home) -> None:
    file = well.folder / ".aws" / "config"
    backups = well.folder / "awslogin" / "backups"
    backups.mkdir(mode=0o700)
    backup = backups / backup_of(file).name
    backup.write_text("[profile mine]\n")
    for words in ((), ("--fix", "--yes")):
        one = wrong(findings(well, *words), "leftovers", "warning", "interrupted")
        assert one["mend"].startswith(f"cp {backup} {file}")
    assert backup.exists()


def test_a_silent_host_does_not_hold_it(
    well: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault("portal", hang=600)
    monkeypatch.setattr(examination, "WITHIN_SECONDS", 0.5)
    environ = well.env()
    machine = Machine(environ, well.work, lambda: load(None, environ, well.work))
    (late,) = [one for one in examine(machine) if one.id == "network"]
    assert late.severity == "warning"


def test_a_config_that_is_never_read_does_not_hold_it(
    well: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "WITHIN_SECONDS", 0.5)
    pipe = well.folder / "pipe.yaml"
    os.mkfifo(pipe)
    environ = well.env()
    found = examine(Machine(environ, well.work, lambda: load(str(pipe), environ, well.work)))
    late = [one for one in found if one.id == "config"]
    assert [one.severity for one in late] == ["warning"]
    assert "within" in late[0].message
    assert late[0].mend
    with pipe.open("wb"):  # let its thread go
        pass


def test_a_silent_provider_hides_no_other(
    well: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault("portal", hang=600)
    monkeypatch.setattr(network, "ANSWER_SECONDS", 5.0)
    environ = well.env()
    machine = Machine(environ, well.work, lambda: load(None, environ, well.work))
    found = {one.message.partition(":")[0]: one for one in network.providers(machine)}
    silent = [one for one in found.values() if one.severity == "error"]
    assert len(found) == 2
    assert ["did not answer within 5 s" in one.message for one in silent] == [True]


def test_names_without_an_address(well: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = well.env()
    machine = Machine(environ, well.work, lambda: load(None, environ, well.work))
    (good,) = network.names(machine)
    assert good.severity == "ok"
    monkeypatch.setattr(network, "name_fault", lambda _: "Name or service not known")
    (bad,) = network.names(machine)
    assert (bad.severity, bad.code) == ("error", 5)
    assert "127.0.0.1: Name or service not known" in bad.message
    assert name_fault("no name.example")


def test_the_desktop_bus(well: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/gone"}
    one = wrong(findings(well, env=gone), "dbus", "warning", f"{tmp_path}/gone: No such file")
    assert "DBUS_SESSION_BUS_ADDRESS" in one["mend"]
    monkeypatch.setattr(probes, "BUS_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen()
        assert "does not answer" in bus_fault(f"unix:path={tmp_path}/bus,guid=1")
    assert bus_fault("tcp:host=localhost") == ""


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "garbage", "pipe"])
def test_a_ca_file_that_serves_no_tls(well: Home, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ca.pem"
    begin, end = (f"-----{word} CERTIFICATE-----\n" for word in ("BEGIN", "END"))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "missing":
        path.write_text(f"{begin}AAAA\n{end}" if kind == "garbage" else "")
    environ = {"SSL_CERT_FILE": str(path)}
    (one,) = network.certificates(Machine(environ, tmp_path, lambda: load(None, {}, tmp_path)))
    assert one.severity == "error"
    assert str(path) in one.message
    assert "SSL_CERT_FILE" in one.mend


def test_a_state_folder_that_is_none(well: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environ = {"AWSLOGIN_HOME": str(tmp_path / "file")}
    found = findings(well, code=2, env=environ)
    wrong(found, "state", "error", "is no folder")
    assert all(one["mend"] for name in found for one in found[name] if one["severity"] == "error")


def test_keys_that_sdks_take_before_our_line(well: Home) -> None:
    well.run("setup").ok()
    keys = "aws_access_key_id = AKIA\naws_secret_access_key = s3cret\n"
    (well.folder / ".aws" / "credentials").write_text(f"[dev]\n{keys}")
    one = wrong(findings(well), "setup", "warning", "[dev] holds keys, which SDKs take before")
    assert one["mend"].startswith("take [dev] out of")


def test_an_agent_that_hangs_is_ended_with_consent(well: Home) -> None:
    well.environ.pop("AWSLOGIN_AGENT", None)
    pid = well.run("agent", "start", "--output", "json").ok().json["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        well.changes |= dict.fromkeys(LIMITS, 0.1)
        one = wrong(findings(well), "agent", "warning", "does not answer")
        assert one["mend"] == "awslogin agent stop"
        assert severities(findings(well, "--fix", "--yes"))["agent"] == "ok"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_two_installations(well: Home) -> None:
    for name in ("one", "two"):
        (well.folder / name).mkdir()
        (well.folder / name / "awslogin").write_text(f"#!/bin/sh\n# {name}\n")
        (well.folder / name / "awslogin").chmod(0o755)
    path = f"{well.folder / 'one'}:{well.folder / 'two'}:{os.environ['PATH']}"
    wrong(findings(well, env={"PATH": path}), "installation", "warning", "installations")


def test_uninstall_takes_our_lines_out_of_start_up_files(well: Home) -> None:
    start = well.folder / "dotfiles"
    start.write_text(
        "alias ls='ls -l'\n"
        'eval "$(awslogin completion bash)"  # names\n'
        "source <(/opt/bin/awslogin shell-init bash)\n"
        "awslogin login dev || true\n"
    )
    start.chmod(0o640)
    (well.folder / ".bashrc").symlink_to(start)
    done = well.run("uninstall", "--yes").ok()
    assert "the line `source <(/opt/bin/awslogin shell-init bash)` of ~/.bashrc" in done.out
    assert "~/.bashrc names awslogin: take those lines out by hand" in done.err
    assert start.read_text() == "alias ls='ls -l'\nawslogin login dev || true\n"
    assert start.stat().st_mode & 0o777 == 0o640
    assert (well.folder / ".bashrc").is_symlink()


def test_uninstall_shows_and_then_removes_all_but_the_yaml(well: Home, sandbox: Sandbox) -> None:
    well.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    well.run("dev").ok()
    well.run("setup").ok()
    refused = well.run("uninstall")
    assert refused.code == 4
    dry = well.run("uninstall", "--dry-run", "--output", "json").ok().json
    assert dry["removed"] == []
    assert any("vault" in what for what in dry["found"])
    assert any(".aws/config" in what for what in dry["found"])
    assert (well.folder / "awslogin" / "vault").exists()
    done = well.run("uninstall", "--yes", "--output", "json").ok().json
    assert done["removed"] == done["found"] == dry["found"]
    assert not (well.folder / "awslogin").exists()
    assert not (well.folder / ".aws" / "config").exists()
    assert (well.folder / "config.yaml").exists()
    assert "nothing here" in well.run("uninstall").ok().out
