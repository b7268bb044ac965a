"""`exec --server`: a command that asks for its session, for as long as it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.configs import config
from tests.crowd import until
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home, Result
from tests.terminal import Terminal

CONFIG = config("dev", "deploy")
ASK = """
import boto3
sts = boto3.client("sts")
print(sts.get_caller_identity()["Arn"])
"""
ENVIRON = "import json, os; print(json.dumps(dict(os.environ)))"
FILES = """
import os, stat, pathlib
for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
    path = pathlib.Path(os.environ[name])
    print(oct(stat.S_IMODE(path.stat().st_mode)), oct(stat.S_IMODE(path.parent.stat().st_mode)))
    print(path)
    print(path.read_text())
"""
TRAP = """
import os, signal, sys, time
got = []
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
    signal.signal(getattr(signal, name), lambda number, _: got.append(signal.Signals(number).name))
print("ready", flush=True)
end = time.monotonic() + 120
while not got and time.monotonic() < end:
    time.sleep(0.02)
time.sleep(0.5)
print(*got, flush=True)
sys.exit(7)
"""
KILLED = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"SIGTERM\\n"), os._exit(0)))
os.write(1, f"{os.getpid()} {os.environ['AWS_SHARED_CREDENTIALS_FILE']}\\n".encode())
while True: time.sleep(0.05)
"""
CREDENTIALS = """\
[default]
aws_access_key_id = AKIADEFAULTDEFAULT00
aws_secret_access_key = default-secret

[mine]
aws_access_key_id = AKIAMINEMINEMINEMINE
aws_secret_access_key = mine-secret
"""
AWS_CONFIG = """\
[default]
region = eu-north-1
Credential_Process = /bin/false
    --continued
s3 =
    max_concurrent_requests = 20
sso_session: corp
output = json
[profile mine]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = default
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def served(home: Home, code: str, profile: str = "dev", **env: str | None) -> Result:
    return home.run("exec", profile, "--server", "--", sys.executable, "-c", code, env=env)


def own_files(home: Home) -> None:
    folder = home.folder / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(CREDENTIALS)
    (folder / "config").write_text(AWS_CONFIG)


def left_behind(home: Home) -> list[Path]:
    return [path for path in (home.folder / "awslogin" / "exec").iterdir() if path.name != "guard"]


def test_boto3_asks_the_endpoint(team: Home) -> None:
    assert served(team, ASK, "deploy").ok().out.strip().endswith(":assumed-role/Deploy/ann")


def test_the_child_has_an_address_and_no_keys(team: Home, sandbox: Sandbox) -> None:
    stale = {
        "AWS_ACCESS_KEY_ID": "AKIAOLD", "AWS_SECRET_ACCESS_KEY": "old", "AWS_PROFILE": "stale",
        "AWS_SESSION_TOKEN": "old", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/old",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/old", "AWS_CREDENTIAL_FILE": "/old",
    }  # fmt: skip
    environ = json.loads(served(team, ENVIRON, **stale).ok().out)
    assert environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")
    assert len(environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]) >= 43
    assert (environ["AWS_REGION"], environ["AWSLOGIN_PROFILE"]) == ("eu-west-1", "dev")
    assert not stale.keys() & environ.keys()
    assert "AWSLOGIN_PASSPHRASE" not in environ
    assert not [secret for secret in sandbox.secrets() if secret in str(environ)]


def test_the_endpoint_answers_in_the_shape_that_sdks_want(team: Home) -> None:
    code = """
import os, urllib.request
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
print(urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": token}))
      .read().decode())
"""
    reply = served(team, code, "deploy").ok().json
    assert set(reply) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"}
    assert reply["AccountId"] == "111122223333"
    assert reply["Expiration"].endswith("Z")


def test_keys_in_default_cannot_win(team: Home) -> None:
    own_files(team)
    assert served(team, ASK).ok().out.strip().endswith(":user/bob")
    assert left_behind(team) == []


def test_keys_of_old_boto_cannot_win(team: Home) -> None:
    (team.folder / ".boto").write_text(
        "[Credentials]\naws_access_key_id = AKIABOTO\naws_secret_access_key = boto\n"
    )
    assert served(team, ASK).ok().out.strip().endswith(":user/bob")


def test_the_copies_are_private_and_lack_the_credentials_of_default_alone(team: Home) -> None:
    own_files(team)
    shown = served(team, FILES).ok().out
    assert shown.count("0o600 0o700\n") == 2
    assert str(team.folder / "awslogin") in shown
    for gone in ("AKIADEFAULT", "default-secret", "Credential_Process", "continued", "sso_session"):
        assert gone not in shown
    config = AWS_CONFIG.replace("Credential_Process = /bin/false\n    --continued\n", "")
    assert config.replace("sso_session: corp\n", "") in shown
    assert CREDENTIALS[CREDENTIALS.index("[mine]") :] in shown
    assert (team.folder / ".aws" / "credentials").read_text() == CREDENTIALS
    assert left_behind(team) == []


def test_files_without_credentials_of_default_are_not_copied(team: Home) -> None:
    own_files(team)
    (team.folder / ".aws" / "credentials").write_text("[mine]\naws_access_key_id = AKIAMINE\n")
    (team.folder / ".aws" / "config").write_text("[default]\nregion = x\n")
    environ = json.loads(served(team, ENVIRON).ok().out)
    assert not {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"} & environ.keys()


def test_what_a_killed_process_left_goes_at_once(team: Home) -> None:
    own_files(team)
    process = team.start("exec", "dev", "--server", "--", sys.executable, "-c", TRAP)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    until(lambda: not left_behind(team))


def test_a_session_is_renewed_as_long_as_the_child_lives(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.lifetime, sandbox.world.overtime = 6, PATIENCE
    code = """
import boto3, time
session = boto3.Session()
sts, seen = session.client("sts"), []
until = time.monotonic() + 60
while len(seen) < 3 and time.monotonic() < until:
    sts.get_caller_identity()
    key = session.get_credentials().get_frozen_credentials().access_key
    seen += [key] if key not in seen else []
    time.sleep(0.3)
print(len(seen))
"""
    assert served(team, code).ok().out == "3\n"
    assert sandbox.crashes() == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_a_signal_is_sent_on_and_the_childs_code_comes_back(team: Home, name: str) -> None:
    own_files(team)
    process = team.start("exec", "dev", "--server", "--", sys.executable, "-c", TRAP)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    out, _ = process.communicate(timeout=PATIENCE)
    assert out.split() == [name]
    assert process.returncode == 7
    assert left_behind(team) == []


def test_ctrl_c_reaches_the_child_once(team: Home) -> None:
    own_files(team)
    terminal = Terminal(team, "exec", "dev", "--server", "--", sys.executable, "-c", TRAP)
    until = time.monotonic() + 60
    while "ready" not in terminal._out and time.monotonic() < until:
        time.sleep(0.02)
    terminal.type("\x03")
    done = terminal.finish()
    assert done.out.split() == ["ready", "SIGINT"]
    assert done.code == 7
    assert left_behind(team) == []


def test_a_child_that_a_signal_ends(team: Home) -> None:
    own_files(team)
    done = team.run("exec", "dev", "--server", "--", "sh", "-c", "kill -TERM $$")
    assert done.code == 128 + signal.SIGTERM
    assert left_behind(team) == []


def test_a_command_that_does_not_start(team: Home) -> None:
    own_files(team)
    assert team.run("exec", "dev", "--server", "--", "no-such-command").code == 127
    assert team.run("exec", "dev", "--server", "--", "/etc/passwd").code == 126
    assert left_behind(team) == []


def test_the_child_has_its_own_signals(team: Home) -> None:
    code = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    assert served(team, code).ok().out == "[]\n"
    pipe = "yes | head -1 >/dev/null; echo ${PIPESTATUS[0]}"
    done = team.run("exec", "dev", "--server", "--", "bash", "-c", pipe).ok()
    assert done.out.strip() == str(128 + signal.SIGPIPE)


def test_a_wrong_token_and_a_foreign_host_are_refused(team: Home) -> None:
    code = """
import os, urllib.request, urllib.error
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
for headers in ({}, {"Authorization": "x"}, {"Authorization": token, "Host": "evil.example"}):
    try:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers))
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    assert served(team, code).ok().out.split() == ["403", "403", "403"]


def test_keys_without_a_session_are_not_served(team: Home) -> None:
    assert team.run("exec", "dev", "--server", "--no-session", "--", "true").code == 2


def test_no_secret_lies_in_plain_while_it_serves(team: Home, sandbox: Sandbox) -> None:
    process = team.start("exec", "dev", "--server", "--", sys.executable, "-c", TRAP)
    assert process.stdout
    process.stdout.readline()
    assert team.holds_in_plain(sandbox.secrets()) == []
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    environ = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert not [s for s in sandbox.secrets() if s.encode() in command + environ]
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)


def test_the_child_gets_the_limits_of_before_and_we_write_no_core_dump(team: Home) -> None:
    show = 'ulimit -c; grep -i "core file" /proc/$PPID/limits'
    before = subprocess.run(
        ["sh", "-c", "ulimit -c 64; ulimit -c"], capture_output=True, text=True, check=True
    ).stdout
    limited = ["sh", "-c", 'ulimit -c 64; exec "$@"', "sh", COMMAND, "exec", "dev"]
    for words in (["--server", "--", "sh", "-c", show], ["--", "sh", "-c", "ulimit -c"]):
        done = subprocess.run(
            [*limited, *words], env=team.env(), capture_output=True, text=True, check=True
        )
        inside, *ours = done.stdout.splitlines()
        assert inside == before.strip()
        assert not ours or ours[0].split()[4] == "0"


def test_a_kill_ends_the_child_and_the_copies(team: Home) -> None:
    team.folder.joinpath(".aws").mkdir()
    team.folder.joinpath(".aws", "credentials").write_text(CREDENTIALS)
    running = team.start("exec", "dev", "--server", "--", sys.executable, "-c", KILLED)
    assert running.stdout
    child, copy = running.stdout.readline().split()
    assert "AKIAMINE" in Path(copy).read_text()
    os.kill(int(Path(f"/proc/{child}/stat").read_text().split()[3]), signal.SIGKILL)
    until(lambda: not Path(copy).exists())
    assert running.communicate(timeout=PATIENCE)[0] == "SIGTERM\n"
