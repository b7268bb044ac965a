"""The agent and the warm path, through the installed command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
import requests

from broker.paths import state_dir
from broker.warm import agent_folder, connect, receive, send
from tests.configs import config
from tests.crowd import until
from tests.patient import LIMITS, PATIENT
from tests.sandbox import Sandbox
from tests.strangers import NOBODY, as_nobody, started_as_nobody
from tests.support import COMMAND, PASSPHRASE, PATIENCE, Home, readable
from tests.terminal import Terminal

CONFIG = """\
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  keys: {type: static}
profiles:
  dev: {provider: keys}
  deploy: {source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy"}
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Iterator[Home]:
    """Bob's keys are in the vault; an agent may be started."""
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    del signed_up.environ["AWSLOGIN_AGENT"]
    time.sleep(0.1)  # a config that has changed just now proves nothing
    yield signed_up
    signed_up.run("agent", "stop")


def status(home: Home) -> dict[str, object]:
    document: dict[str, object] = home.run("agent", "status", "--output", "json").ok().json
    return document


LAUNCH = [*PATIENT[:-1], "-X", "importtime", PATIENT[-1]]
"""What the script runs, telling what it imports."""


def answered_by_the_agent(home: Home, *words: str, also: Collection[str] = ()) -> bool:
    """Whether a command got its answer without loading more than the warm path."""
    line = [*LAUNCH, *words]
    done = subprocess.run(
        line, env=home.env(), cwd=home.work, capture_output=True, text=True, check=True
    )
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", "pass"],
        env=home.env(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    def loaded(told: str) -> set[str]:
        return {line.rpartition("|")[2].strip() for line in told.splitlines() if "|" in line}

    return loaded(done.stderr) - loaded(bare.stderr) - {*also} <= {
        "broker", "broker.launch", "broker.warm", "broker.minimal_os", "_socket",
    }  # fmt: skip


def test_the_second_command_is_answered_by_the_agent_alone(team: Home, sandbox: Sandbox) -> None:
    first = team.run("creds", "dev").ok()
    assert status(team)["sessions"] == 1
    for words in (("creds", "dev"), ("env", "dev"), ("dev", "--output", "json")):
        assert answered_by_the_agent(team, *words), words
    assert team.run("creds", "dev").ok() == first
    assert "export AWS_ACCESS_KEY_ID=" in team.run("env", "dev", "--output", "env").ok().out
    assert team.run("dev", "--output", "json").ok().json["from_cache"] is True
    assert team.run("login", "dev", "--output=json").ok().json["profile"] == "dev"
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_text_for_a_person_is_what_the_whole_program_prints(team: Home) -> None:
    for name in ("dev", "deploy"):
        assert "session:  new" in team.run(name).ok().out
        assert answered_by_the_agent(team, name, also={"broker.time_left"})
        whole = team.run(name, env={"AWSLOGIN_AGENT": "off"}).ok().out
        warm = team.run(name).ok().out
        later = team.run(name, env={"AWSLOGIN_AGENT": "off"}).ok().out
        assert warm in {whole, later}  # a minute may end meanwhile
        assert " JST (" in team.run(name, env={"TZ": "Asia/Tokyo"}).ok().out


def test_the_version_needs_no_library(team: Home) -> None:
    assert team.run("--version", fresh=True).ok().out == team.run("version").ok().out
    assert answered_by_the_agent(team, "--version")


def test_the_line_of_setup_takes_the_same_door(team: Home) -> None:
    team.run("setup").ok()
    line = (team.folder / ".aws" / "config").read_text().partition("credential_process = ")[2]
    line = line.partition("\n")[0]
    assert " -I -S " in line
    cold = subprocess.run(["sh", "-c", line], env=team.env(), capture_output=True, check=True)
    warm = subprocess.run(
        ["sh", "-c", line.replace(" -I ", " -X importtime -I ")],
        env=team.env(), capture_output=True, check=True,
    )  # fmt: skip
    assert cold.stdout == warm.stdout
    assert b"broker.cli" not in warm.stderr
    assert b"site" not in [word.strip() for word in warm.stderr.replace(b"|", b"\n").splitlines()]


def test_a_full_disk_is_told(team: Home) -> None:
    team.run("creds", "dev").ok()
    assert answered_by_the_agent(team, "creds", "dev")
    done = subprocess.run(
        ["sh", "-c", f"exec {COMMAND} creds dev >/dev/full"],
        env=team.env(), cwd=team.work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No space left" in json.loads(done.stderr)["error"]["message"]


def test_an_edited_role_is_never_the_old_one(team: Home) -> None:
    assert ":assumed-role/Deploy/" in team.run("deploy", "--output", "json").ok().json["arn"]
    assert answered_by_the_agent(team, "deploy", "--output", "json")
    team.config(CONFIG.replace("role/Deploy", "role/ReadOnly"))
    for _ in range(2):
        arn = team.run("deploy", "--output", "json").ok().json["arn"]
        assert ":assumed-role/ReadOnly/" in arn


def test_an_edit_that_keeps_size_and_time_is_seen(team: Home) -> None:
    path = team.config(CONFIG)
    time.sleep(0.1)
    team.run("deploy", "--output", "json").ok()
    before = path.stat()
    path.write_text(CONFIG.replace("role/Deploy", "role/Deplow"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert team.run("deploy", "--output", "json").error["exit"] == 8


@pytest.mark.parametrize(
    "changed",
    [
        {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"},
        {"AWSLOGIN_USERNAME": "eve"},
        {"AWSLOGIN_PASSPHRASE": "another one"},
        {"AWSLOGIN_KEYRING": "none"},
        {"CI": "true"},
        {"AWSLOGIN_AGENT": "off"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_environment_is_another_door(
    team: Home, sandbox: Sandbox, changed: dict[str, str]
) -> None:
    team.run("creds", "dev").ok()
    team.environ |= changed
    line = [*LAUNCH, "creds", "dev"]
    done = subprocess.run(
        line, env=team.env(), cwd=team.work, capture_output=True, text=True, check=False
    )
    assert "broker.hardening" in done.stderr  # not the agent's answer


def test_a_variable_that_the_config_names_is_part_of_it(team: Home) -> None:
    team.config(CONFIG.replace('role/Deploy"', 'role/Deploy", session_name: "${AWSLOGIN_VAR_WHO}"'))
    time.sleep(0.1)
    for who in ("ann", "ben", "ann"):
        team.environ["AWSLOGIN_VAR_WHO"] = who
        for _ in range(2):
            session = team.run("deploy", "--output", "json").ok().json
            assert session["arn"].endswith(f"/{who}")


def test_a_file_that_was_found_is_served_as_long_as_it_is_trusted(team: Home) -> None:
    del team.environ["AWSLOGIN_CONFIG"]
    path = team.work / "awslogin.yaml"
    path.write_text(CONFIG)
    assert team.run("creds", "dev").error["exit"] == 4
    team.run("config", "trust").ok()
    time.sleep(0.1)
    team.run("creds", "dev").ok()
    assert answered_by_the_agent(team, "creds", "dev")
    team.run("config", "trust", "--revoke").ok()
    assert team.run("creds", "dev").error["exit"] == 4
    team.run("config", "trust").ok()
    path.write_text(CONFIG + "# changed\n")
    assert team.run("creds", "dev").error["exit"] == 4


def test_logout_and_lock_wipe(team: Home, sandbox: Sandbox) -> None:
    team.run("creds", "dev").ok()
    team.run("logout", "dev").ok()
    assert status(team)["sessions"] == 0
    team.run("creds", "dev").ok()
    assert len(sandbox.calls("sts", "GetSessionToken")) == 2
    team.run("agent", "lock").ok()
    assert status(team)["sessions"] == 0
    assert status(team)["running"] is True
    team.run("creds", "dev").ok()
    team.run("logout", "--all", env={"AWSLOGIN_AGENT": "off"}).ok()
    assert status(team)["sessions"] == 0


def test_who_removes_the_sealed_files_has_forgotten(team: Home, sandbox: Sandbox) -> None:
    team.run("creds", "dev").ok()
    for file in (team.folder / "awslogin" / "sealed").glob("session-*"):
        file.unlink()
    assert status(team)["sessions"] == 0
    team.run("creds", "dev").ok()
    assert len(sandbox.calls("sts", "GetSessionToken")) == 2


def test_force_replaces_what_the_agent_has(team: Home) -> None:
    old = team.run("dev", "--output", "json").ok().json
    new = team.run("dev", "--force", "--output", "json").ok().json
    assert old["access_key_id"] != new["access_key_id"]
    assert team.run("dev", "--output", "json").ok().json["access_key_id"] == new["access_key_id"]


def test_start_status_stop(team: Home) -> None:
    assert status(team)["running"] is False
    for word in ("status", "stop"):
        assert team.run("agent", word).ok().out == "not running\n"
    started = team.run("agent", "start", "--output", "json").ok().json
    assert set(started) == {"running", "pid", "socket", "sessions"}
    assert Path(started["socket"]).is_socket()
    assert team.run("agent", "start", "--output", "json").ok().json == started
    assert team.run("agent", "stop", "--output", "json").ok().json["running"] is False
    assert not Path(started["socket"]).exists()


def test_explain_says_whether_the_agent_holds_the_session(team: Home) -> None:
    assert team.run("explain", "dev", "--output", "json").ok().json["cache"]["agent"] is False
    team.run("dev").ok()
    assert team.run("explain", "dev", "--output", "json").ok().json["cache"]["agent"] is True
    assert "; the agent holds it too]" in team.run("explain", "dev").ok().out
    team.run("agent", "lock").ok()
    assert team.run("explain", "dev", "--output", "json").ok().json["cache"]["agent"] is False


def test_a_killed_agent_is_followed_by_another(team: Home, sandbox: Sandbox) -> None:
    team.run("creds", "dev").ok()
    pid = status(team)["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    team.run("creds", "dev").ok()
    assert answered_by_the_agent(team, "creds", "dev")
    assert status(team)["pid"] != pid
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_a_stopped_agent_holds_nobody_up(team: Home) -> None:
    team.run("creds", "dev").ok()
    pid = status(team)["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    team.changes |= dict.fromkeys(LIMITS, 0.1)
    try:
        team.run("creds", "dev").ok()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stopped_agent_is_ended_by_stop(team: Home) -> None:
    pid = team.run("agent", "start", "--output", "json").ok().json["pid"]
    os.kill(pid, signal.SIGSTOP)
    watched = os.pidfd_open(pid)
    try:
        team.changes |= dict.fromkeys(LIMITS, 0.1)
        assert team.run("agent", "stop").ok().out == "stopped\n"
        assert readable(watched, PATIENCE)
    finally:
        os.close(watched)
    team.changes |= LIMITS
    assert team.run("agent", "stop").ok().out == "not running\n"
    assert team.run("agent", "start", "--output", "json").ok().json["pid"] != pid


@pytest.mark.parametrize("variable", [{"AWSLOGIN_AGENT": "off"}, {"CI": "true"}])
def test_none_is_started_where_none_may_be(team: Home, variable: dict[str, str]) -> None:
    team.environ |= variable
    team.run("creds", "dev").ok()
    assert not Path(agent_folder(team.env()), "socket").exists()


def test_a_persons_settings_switch_it_off(team: Home) -> None:
    settings = team.folder / "awslogin" / "settings.yaml"
    settings.write_text("agent: off\n")
    team.run("creds", "dev").ok()
    assert status(team)["running"] is False
    assert team.run("agent", "start").code == 2
    settings.write_text("agnet: off\n")
    assert "agnet" in team.run("agent", "status").err


def test_switched_off_it_ends_and_nothing_waits_for_it(team: Home) -> None:
    team.run("creds", "dev").ok()
    settings = team.folder / "awslogin" / "settings.yaml"
    settings.write_text("agent: off\n")
    time.sleep(0.1)
    team.run("creds", "dev").ok()
    assert status(team)["running"] is False


def test_a_machine_that_slept_past_its_end_is_served_nothing(team: Home) -> None:
    (team.folder / "awslogin" / "settings.yaml").write_text("agent_idle: 4s\n")
    pid = team.run("agent", "start", "--output", "json").ok().json["pid"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(4.2)
    link = connect(agent_folder(team.env()))
    send(link, b"status")
    os.kill(pid, signal.SIGCONT)
    link.settimeout(PATIENCE)
    with contextlib.suppress(ConnectionResetError):
        assert receive(link) == []
    link.close()


def test_it_outlives_a_lack_of_file_descriptors(team: Home) -> None:
    command = f"ulimit -n 40; exec {COMMAND} agent start"
    subprocess.run(["sh", "-c", command], env=team.env(), capture_output=True, check=True)
    before = status(team)["pid"]
    links = [connect(agent_folder(team.env())) for _ in range(60)]
    for link in links:
        link.close()
    assert status(team)["pid"] == before


def memory_of(pid: int) -> bytes:
    """What a process can write to."""
    found = b""
    process = Path("/proc", str(pid))
    with (process / "mem").open("rb", 0) as memory:
        for region in (process / "maps").read_text().splitlines():
            place, mode, *_ = region.split()
            first, last = (int(part, 16) for part in place.split("-"))
            if mode.startswith("rw"):
                memory.seek(first)
                with contextlib.suppress(OSError):  # a thread's stack has gone meanwhile
                    found += memory.read(last - first)
    return found


def test_no_copy_outlives_lock(team: Home) -> None:
    session = team.run("dev", "--output", "json").ok().json
    for form in ("json", "env", "process"):
        team.run("dev", "--output", form).ok()
    pid = status(team)["pid"]
    assert isinstance(pid, int)
    secrets = [session[name].encode() for name in ("secret_access_key", "session_token")]
    assert all(secret in memory_of(pid) for secret in secrets)
    team.run("agent", "lock").ok()
    assert not any(secret in memory_of(pid) for secret in secrets)


def test_it_ends_when_nobody_asks(team: Home) -> None:
    (team.folder / "awslogin" / "settings.yaml").write_text("agent_idle: 1s\n")
    team.run("creds", "dev").ok()
    socket_ = Path(agent_folder(team.env()), "socket")
    until(lambda: not socket_.exists())


def test_it_ends_with_its_folder(team: Home) -> None:
    pid = team.run("agent", "start", "--output", "json").ok().json["pid"]
    Path(agent_folder(team.env()), "socket").unlink()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_it_is_detached_and_knows_nothing_of_the_caller(team: Home) -> None:
    team.environ["AWS_SECRET_ACCESS_KEY"] = "not for the agent"
    team.run("creds", "dev").ok()
    process = Path("/proc", str(status(team)["pid"]))
    for number in "012":
        assert (process / "fd" / number).readlink() == Path(os.devnull)
    open_files = [str(file.readlink()) for file in (process / "fd").iterdir()]
    assert not [name for name in open_files if name.startswith("pipe:")]
    environ = (process / "environ").read_text()
    assert "not for the agent" not in environ
    assert PASSPHRASE not in environ
    limits = (process / "limits").read_text()
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4:6] == [
        "0",
        "0",
    ]
    assert (process / "cwd").readlink() == Path("/")
    assert int((process / "stat").read_text().split()[5]) == int(process.name)  # its own session


ASK = """
import socket, sys
link = socket.socket(socket.AF_UNIX); link.settimeout(120)
link.connect(sys.argv[1])
link.sendall((6).to_bytes(4, "big") + b"status")
print(len(link.recv(100)))
"""


@pytest.fixture
def reachable(team: Home) -> Iterator[Home]:
    """The same machine, whose state lies where other users may look for it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(team.folder / "awslogin", Path(folder, "awslogin"))
        Path(folder).chmod(0o755)
        team.environ["AWSLOGIN_HOME"] = f"{folder}/awslogin"
        yield team
        team.run("agent", "stop")


def test_a_second_user_is_refused(reachable: Home) -> None:
    reachable.run("creds", "dev").ok()
    socket_ = Path(str(status(reachable)["socket"]))
    assert "PermissionError" in as_nobody(ASK, str(socket_)).err
    opened = {socket_: 0o777, socket_.parent: 0o755, socket_.parent.parent: 0o755}
    for path, mode in opened.items():
        path.chmod(mode)
    done = as_nobody(ASK, str(socket_))
    socket_.parent.chmod(0o700)
    assert done.out == "0\n" or "Reset" in done.err or "BrokenPipe" in done.err, done
    assert status(reachable)["running"] is True


LISTEN = """
import os, socket, sys, time
link = socket.socket(socket.AF_UNIX); link.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777)
link.listen(); print("up", flush=True); link.settimeout(120)
peer, _ = link.accept(); peer.settimeout(120)
print(len(peer.recv(1000)))
"""


def test_a_socket_of_another_user_is_told_nothing(reachable: Home) -> None:
    folder = Path(agent_folder(reachable.env()))
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o777)
    folder.parent.chmod(0o755)
    with started_as_nobody(LISTEN, str(folder / "socket")) as foreign:
        assert foreign.stdout
        assert foreign.stdout.readline() == "up\n"
        folder.chmod(0o700)
        reachable.run("creds", "dev").ok()
        assert foreign.stdout.readline() in {"0\n", ""}
        foreign.kill()


def test_a_folder_of_another_user_is_not_used(team: Home) -> None:
    folder = Path(agent_folder(team.env()))
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    team.run("creds", "dev").ok()
    assert not list(folder.iterdir())
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    team.run("creds", "dev").ok()
    assert not list(folder.iterdir())
    assert team.run("agent", "start").code == 7


def test_a_long_path_has_a_short_private_folder(team: Home, sandbox: Sandbox) -> None:
    team.environ["AWSLOGIN_HOME"] = str(team.folder / ("long" * 30))
    team.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    team.run("creds", "dev").ok()
    assert answered_by_the_agent(team, "creds", "dev")
    place = Path(str(status(team)["socket"]))
    assert len(str(place)) < 100
    assert place.parent.stat().st_mode & 0o777 == 0o700
    team.run("agent", "stop").ok()
    assert not place.parent.exists()


def test_a_shell_may_ask_the_agents_endpoint(team: Home, sandbox: Sandbox) -> None:
    script = (
        'eval "$("$1" env dev --server)"; "$2" -c "import boto3;'
        " print(boto3.client('sts').get_caller_identity()['Arn'])\"; env"
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", COMMAND, sys.executable],
        env=team.env({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"}),
        cwd=team.work, capture_output=True, text=True, check=True,
    )  # fmt: skip
    arn, *environ = done.stdout.splitlines()
    assert arn.endswith(":user/bob")
    assert not [line for line in environ if line.startswith(("AWS_ACCESS", "AWS_SECRET"))]
    (address,) = [line.partition("=")[2] for line in environ if "FULL_URI" in line]
    (token,) = [line.partition("=")[2] for line in environ if "AUTHORIZATION_TOKEN" in line]
    reply = requests.get(address, headers={"Authorization": token}, timeout=PATIENCE)
    assert reply.json()["AccessKeyId"].startswith("ASIA")
    assert requests.get(address, timeout=PATIENCE).status_code == 403
    team.run("agent", "lock").ok()
    team.run("creds", "dev").ok()
    assert (
        requests.get(address, headers={"Authorization": token}, timeout=PATIENCE).status_code == 403
    )
    anew = team.run("env", "dev", "--server", "--output", "env").ok().out
    assert token not in anew
    token = anew.partition("AUTHORIZATION_TOKEN=")[2].split()[0].strip("';")
    assert requests.get(address, headers={"Authorization": token}, timeout=PATIENCE).ok
    assert team.run("env", "dev", "--server", env={"AWSLOGIN_AGENT": "off"}).code == 2


def test_a_typed_passphrase_unlocks_sessions_and_no_keys(team: Home) -> None:
    """The agent gets the key that seals sessions, never the vault's: that would open all of it."""
    del team.environ["AWSLOGIN_PASSPHRASE"]
    terminal = Terminal(team, "dev")
    terminal.answer("Passphrase of the awslogin vault", PASSPHRASE)
    terminal.finish().ok()
    assert team.run("status", "--output", "json").ok().json[0]["fresh"]
    locked = team.run("deploy", "--output", "json").error
    assert (locked["exit"], "is locked" in locked["message"]) == (7, True)
    team.run("agent", "lock").ok()
    assert team.run("status", "--output", "json").ok().json == []


def test_the_agents_folder_is_where_state_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    for environ in ({"HOME": "/home/ann"}, {"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}):
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert Path(agent_folder(environ)) == state_dir(environ) / "agent"
    assert agent_folder({"AWSLOGIN_HOME": "/x"}) == str(
        state_dir({"AWSLOGIN_HOME": "/x"}) / "agent"
    )


def test_frames_that_are_none_end_the_connection(team: Home) -> None:
    team.run("agent", "start").ok()
    for junk in (b"\xff\xff\xff\xff", b"\0\0\0\1x", b"\0\0\0\5get\0a", b"\0\0\0\3put"):
        link = connect(agent_folder(team.env()))
        link.sendall(junk)
        assert link.recv(10) == b""
        link.close()
    link = connect(agent_folder(team.env()))
    assert isinstance(link, socket.SocketType) or link
    send(link, b"status")
    assert receive(link)[0] == b"running"
    link.close()


def test_a_command_inside_exec_has_its_parents_sessions_without_the_passphrase(
    team: Home, sandbox: Sandbox
) -> None:
    team.run("creds", "deploy").ok()
    inside = team.run("exec", "dev", "--", COMMAND, "creds", "deploy").ok()
    assert inside.json["AccessKeyId"]
    assert len(sandbox.calls("sts", "AssumeRole")) == 1
    environ = team.run("exec", "dev", "--", "env").ok().out
    assert "PASSPHRASE" not in environ
    team.run("agent", "lock").ok()
    token = environ.partition("AWSLOGIN_AGENT_TOKEN=")[2].split()[0]
    late = {"AWSLOGIN_PASSPHRASE": None, "AWSLOGIN_AGENT_TOKEN": token}
    assert team.run("creds", "deploy", env=late).code == 7


def test_a_person_may_want_to_be_asked(team: Home, sandbox: Sandbox) -> None:
    team.config(config("dev", guarded="provider: keys, tags: {tier: prod}"))
    team.run("add", "guarded", "--stdin", stdin=sandbox.bob.json).ok()
    (team.folder / "awslogin" / "settings.yaml").write_text("agent_confirm: tier=prod\n")
    assert team.run("creds", "dev").ok()
    assert team.run("creds", "guarded").error["exit"] == 4
    assert team.run("env", "guarded", "--server").code == 2
    for _ in range(2):
        terminal = Terminal(team, "creds", "guarded")
        terminal.answer(r"Hand out the session of guarded to \S+\?", "y")
        assert terminal.finish().json["AccessKeyId"]
    assert status(team)["sessions"] == 1
    for words in (("exec", "guarded", "--", "true"), ("guarded",)):
        terminal = Terminal(team, *words)
        terminal.answer("Hand out the session", "n")
        assert terminal.finish().code == 3


def test_a_person_is_asked_for_each_of_several_profiles(team: Home, sandbox: Sandbox) -> None:
    team.config(config("dev", guarded="provider: keys, tags: {tier: prod}"))
    team.run("add", "guarded", "--stdin", stdin=sandbox.bob.json).ok()
    (team.folder / "awslogin" / "settings.yaml").write_text("agent_confirm: tier=prod\n")
    for words in (("dev", "guarded"), ("--all",)):
        done = team.run("login", *words, "--output", "json")
        assert done.code == 4
        assert [session["profile"] for session in done.json] == ["dev"]
        assert "guarded" in done.err
    terminal = Terminal(team, "login", "dev", "guarded", "--output", "json")
    terminal.answer("Hand out the session of guarded", "y")
    assert [session["profile"] for session in terminal.finish().ok().json] == ["dev", "guarded"]
