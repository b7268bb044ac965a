"""`idp: browser` in real Chromium: who is asked, what is kept, and what never leaves it."""

from __future__ import annotations

import contextlib
import os
import signal
import socketserver
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from broker.errors import LoginRefused
from broker.ports import browser as port
from tests.configs import config
from tests.real.parts import browser, certificate, display, process
from tests.real.parts.aws import ACCOUNT, SAML_PROVIDER
from tests.real.parts.browser import Chromium
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.simplesamlphp import SimpleSamlPhp
from tests.sandbox import Sandbox
from tests.sandbox.server import Answer, Asked, Service, html
from tests.support import PATIENCE, Home, Result
from tests.terminal import Terminal

CTRL_C = "\x03"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with display.running(tmp_path_factory.mktemp("display")) as name:
        yield name


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    return browser.chromium(tmp_path)


@pytest.fixture
def desktop(signed_up: Home, screen: str) -> Iterator[Home]:
    """A machine with a display. Browsers make sockets in TMPDIR, whose names must be short."""
    with tempfile.TemporaryDirectory() as folder:
        signed_up.environ |= {"DISPLAY": screen, "TMPDIR": folder}
        yield signed_up


def configured(home: Home, url: str, executable: Path, more: str = "") -> None:
    corp = f'type: saml, idp: browser, url: "{url}", executable: "{executable}"{more}'
    prod = f'provider: corp, account: "{ACCOUNT}", role: Admin'
    home.config(config(providers={"corp": corp}, prod=prod))


@pytest.fixture
def team(desktop: Home, sandbox: Sandbox, chromium: Chromium) -> Home:
    """A team whose provider is the sandbox's, and whose AWS sign-in would be seen there."""
    sandbox.idp.acs = f"{sandbox.urls['signin']}/saml"
    configured(desktop, sandbox.idp.url, chromium.executable)
    return desktop


def sign_in(home: Home, chromium: Chromium, sandbox: Sandbox) -> Result:
    """Ann signs in at the sandbox's provider, in the window."""
    terminal = Terminal(home, "prod", "--output", "json")
    with chromium.person() as page:
        page.fill("[name=username]", "ann")
        page.fill("[name=password]", sandbox.world.people["ann"].password)
        page.press("[name=password]", "Enter")
        return terminal.finish()


def let_the_assertion_run_out(home: Home) -> None:
    """What AWS has taken is good for minutes; a later login needs a new one."""
    for kept in (home.folder / "awslogin/sealed").glob("signin-*-assertion.sealed"):
        kept.unlink()


def anew(home: Home, **more: float) -> Result:
    """A login that needs a new assertion, without a person."""
    let_the_assertion_run_out(home)
    return home.run("prod", "--force", "--output", "json", **more)  # type: ignore[arg-type]


def browsers(home: Home) -> dict[int, str]:
    """What runs of this person's browser: the process that holds it, and its own."""
    mine = f"HOME={home.folder}".encode()
    found = {}
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (one / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            ours = "awslogin/browser" in words or "browser_process" in words
            if ours and mine in (one / "environ").read_bytes().split(b"\0"):
                found[int(one.name)] = words
    return found


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def leftovers(home: Home) -> list[str]:
    """What a browser left behind in our folder and in the temporary one."""
    own = [path.name for path in (home.folder / "awslogin/browser").iterdir()]
    others = [path.name for path in Path(home.environ["TMPDIR"]).iterdir()]
    return [name for name in [*own, *others] if name != "guard"]


# --- who is asked -----------------------------------------------------------------------------


def test_a_person_signs_in_and_later_logins_are_silent(
    team: Home, chromium: Chromium, sandbox: Sandbox
) -> None:
    done = sign_in(team, chromium, sandbox).ok()
    assert done.json["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ann"
    assert "browser window" in done.err
    assert anew(team).ok().json["from_cache"] is False
    assert sandbox.idp.passwords_seen == 1
    assert sandbox.calls("signin") == []  # the assertion went to STS alone
    names = {asked.headers.get("user-agent") for asked in sandbox.calls("idp")}
    assert len(names) == 1, "the provider sees another browser"
    assert "Headless" not in str(names)
    assert leftovers(team) == []


def test_what_is_kept_is_sealed(team: Home, chromium: Chromium, sandbox: Sandbox) -> None:
    sign_in(team, chromium, sandbox).ok()
    cookies = list(sandbox.idp._visits)
    assert cookies
    password = sandbox.world.people["ann"].password
    assert team.holds_in_plain([*cookies, *sandbox.secrets(), password]) == []


def test_nobody_is_there(team: Home, sandbox: Sandbox) -> None:
    error = team.run("prod", "--output", "json").error
    assert (error["exit"], error["code"]) == (4, "interaction_required")
    assert "127.0.0.1" in error["message"]
    assert "desktop" in error["hint"]
    assert sandbox.idp.passwords_seen == 0


def test_a_sign_in_that_ran_out_opens_the_window_again(
    team: Home, chromium: Chromium, sandbox: Sandbox
) -> None:
    sign_in(team, chromium, sandbox).ok()
    sandbox.idp._visits.clear()
    assert anew(team).code == 4
    terminal = Terminal(team, "prod", "--force", "--output", "json")
    terminal.wait_for("browser window")
    with chromium.person() as page:
        page.fill("[name=username]", "ann")
        page.fill("[name=password]", sandbox.world.people["ann"].password)
        page.press("[name=password]", "Enter")
        terminal.finish().ok()


def test_logout_forgets_the_browser(team: Home, chromium: Chromium, sandbox: Sandbox) -> None:
    sign_in(team, chromium, sandbox).ok()
    team.run("logout", "prod").ok()
    assert anew(team).error["exit"] == 4


def test_no_window_without_leave(team: Home, sandbox: Sandbox, chromium: Chromium) -> None:
    configured(team, sandbox.idp.url, chromium.executable, ", headless: false")
    assert team.run("prod", "--output", "json").error["exit"] == 4
    done = Terminal(team, "prod", "--no-browser").finish()
    assert done.code == 4
    assert "--no-browser" in done.err
    assert sandbox.calls("idp") == []


def test_headless_alone(team: Home, sandbox: Sandbox, chromium: Chromium) -> None:
    configured(team, sandbox.idp.url, chromium.executable, ", headless: true")
    done = Terminal(team, "prod").finish()
    assert done.code == 4
    assert "headless: auto" in done.err


def test_no_display(team: Home) -> None:
    done = Terminal(team, "prod", env={"DISPLAY": ""}).finish()
    assert done.code == 4
    assert "no display" in done.err
    done = Terminal(team, "prod", env={"DISPLAY": ":4711"}).finish()
    assert done.code == 4
    assert "no display" in done.err


def test_the_person_closes_the_window(team: Home, chromium: Chromium) -> None:
    terminal = Terminal(team, "prod", "--output", "json")
    with chromium.person() as page:
        page.wait_for_selector("[name=username]")
        page.close()
        done = terminal.finish()
    assert done.code == 3
    assert "closed" in done.err


# --- real providers ---------------------------------------------------------------------------


def test_simplesamlphp(
    desktop: Home, chromium: Chromium, sandbox: Sandbox, simplesamlphp: SimpleSamlPhp
) -> None:
    idp = simplesamlphp
    sandbox.register_saml(SAML_PROVIDER, idp.entity_id, idp.certificate_pem)
    configured(desktop, idp.url, chromium.executable)
    terminal = Terminal(desktop, "prod", "--output", "json")
    with chromium.person() as page:
        page.fill("#username", "ann")
        page.fill("#password", "wrong")
        page.press("#password", "Enter")
        page.wait_for_selector("text=Incorrect username or password")
        page.fill("#username", "ann")
        page.fill("#password", idp.people["ann"].password)
        page.press("#password", "Enter")
        session = terminal.finish().ok().json
    assert session["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ann"
    assert anew(desktop).ok().json["arn"] == session["arn"]


@pytest.mark.parametrize("name", ["ann", "wanda"])
def test_keycloak_with_a_password_and_with_a_passkey(
    desktop: Home, chromium: Chromium, sandbox: Sandbox, keycloak: Keycloak, name: str
) -> None:
    person = keycloak.add(keycloak.people[name])  # a passkey counts how often it was used
    here, there = "127.0.0.1", "localhost"  # a passkey belongs to a name
    entity_id = keycloak.entity_id.replace(here, there)
    sandbox.register_saml(SAML_PROVIDER, entity_id, keycloak.certificate_pem())
    configured(desktop, keycloak.url.replace(here, there), chromium.executable)
    terminal = Terminal(desktop, "prod", "--output", "json")
    with chromium.person() as page:
        if person.passkey:
            browser.add_passkey(page, person.passkey)
        page.fill("#username", person.name)
        page.fill("#password", person.password)
        page.press("#password", "Enter")
        if person.passkey:
            page.wait_for_selector("#authenticateWebAuthnButton")
            page.wait_for_load_state()
            page.click("#authenticateWebAuthnButton")
        session = terminal.finish(60).ok().json
    assert session["arn"].endswith(f"/{person.name}")
    assert anew(desktop).ok().json["arn"] == session["arn"]


# --- what is caught ---------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """The rest of the world, one https server: what it is asked, and how Chromium gets there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(f"{self.command} https://{self.headers['Host']}{self.path}")
            self.send_error(404)

        do_GET = do_POST

        def log_message(self, *args: object) -> None:
            """Quiet."""

    certificate.write(tmp_path, "outside")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "outside.crt", tmp_path / "outside.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        rules = f"MAP * 127.0.0.1:{server.server_port},EXCLUDE 127.0.0.1"
        try:
            yield asked, f"--ignore-certificate-errors --host-resolver-rules='{rules}'"
        finally:
            server.shutdown()


@pytest.fixture
def world(
    team: Home, sandbox: Sandbox, chromium: Chromium, outside: tuple[list[str], str], tmp_path: Path
) -> list[str]:
    """What any machine but this one is asked for by the team's browser."""
    asked, flags = outside
    there = tmp_path / "there"
    there.write_text(f'#!/bin/sh\nexec {chromium.executable} {flags} "$@"\n')
    there.chmod(0o755)
    configured(team, sandbox.idp.url, there)
    return asked


def page_that_posts(action: str, assertion: str, target: str = "_self") -> str:
    return (
        "<title>Working</title><body onload='document.forms[0].submit()'>"
        f"<form method=post action='{escape(action)}' target={target}>"
        f"<input type=hidden name=SAMLResponse value='{assertion}'></form>"
    )


@pytest.mark.parametrize(
    "acs",
    [
        "https://signin.aws.amazon.com/saml?region=eu-west-1",
        "https://us-west-2.signin.aws.amazon.com/saml/acs/SAMLSPQ3WD6KQ7VZ",
        "https://signin.amazonaws.cn/saml",
        "https://us-gov-west-1.signin.amazonaws-us-gov.com/saml",
        "https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml",
    ],
)
def test_aws_is_never_contacted(team: Home, sandbox: Sandbox, world: list[str], acs: str) -> None:
    page = page_that_posts(acs, sandbox.assertion("ann"))
    sandbox.fault("idp", status=200, body=page, headers={"Content-Type": "text/html"})
    team.run("prod").ok()
    assert [request for request in world if "signin" in request] == []


def test_other_addresses_are_not_aws(team: Home, sandbox: Sandbox, world: list[str]) -> None:
    elsewhere = [
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://evil.example/?https://signin.aws.amazon.com/saml",
        "https://evilsignin.aws.amazon.com/saml",
        "https://us-east-1.signin.aws.amazon.com/platform/saml/acs/1",  # Identity Center's own
        "https://signin.aws.amazon.com/samlet",
    ]
    assertion = sandbox.assertion("ann")
    frames = [escape(page_that_posts(address, assertion)) for address in elsewhere]
    page = "<title>Frames</title>" + "".join(
        f'<iframe srcdoc="{frame}"></iframe>' for frame in frames
    )
    sandbox.fault("idp", status=200, body=page, headers={"Content-Type": "text/html"})
    assert team.run("prod", "--output", "json").error["exit"] == 4
    assert [address for address in elsewhere if f"POST {address}" not in world] == []


@pytest.mark.parametrize("way", ["redirect", "tab", "frame"])
def test_whatever_way_it_is_posted(
    team: Home, sandbox: Sandbox, chromium: Chromium, way: str
) -> None:
    acs, assertion = f"{sandbox.urls['signin']}/saml", sandbox.assertion("ann")

    def provider(asked: Asked) -> Answer:
        pages = {
            "/redirect": page_that_posts("/again", assertion),
            "/tab": page_that_posts(acs, assertion, "_blank"),
            "/frame": "<title>Frame</title><iframe src=/inner></iframe>",
            "/inner": page_that_posts(acs, assertion),
        }
        if asked.path == "/again":
            return Answer(307, "", {"Location": acs})
        return html(pages.get(asked.path, ""), 200 if asked.path in pages else 404)

    server = Service("provider", provider, [])
    try:
        configured(team, f"{server.url}/{way}", chromium.executable)
        team.run("prod").ok()
    finally:
        server.stop()
    assert sandbox.calls("signin") == []


def test_the_proxy_is_asked(team: Home, chromium: Chromium) -> None:
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    configured(team, "https://sso.corp.example/aws", chromium.executable)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        env = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.server_address[1]}"}
        error = team.run("prod", "--output", "json", env=env).error
        proxy.shutdown()
    assert (error["exit"], error["code"]) == (5, "network")
    assert "TUNNEL" in error["message"]
    assert "CONNECT sso.corp.example:443 HTTP/1.1\r\n" in asked


# --- when it fails ----------------------------------------------------------------------------


def test_a_silent_a_failing_and_a_dead_provider(
    team: Home, sandbox: Sandbox, chromium: Chromium
) -> None:
    sandbox.fault("idp", hang=60)
    error = team.run("prod", "--output", "json").error
    assert (error["exit"], error["code"]) == (5, "network")
    sandbox.heal("idp")
    sandbox.fault("idp", status=503, body="<h1>Try later</h1>")
    error = team.run("prod", "--output", "json").error
    assert (error["exit"], error["code"]) == (5, "network")
    assert "503" in error["message"]
    configured(team, f"http://127.0.0.1:{process.free_port()}/", chromium.executable)
    error = team.run("prod", "--output", "json").error
    assert (error["exit"], error["code"]) == (5, "network")
    assert "REFUSED" in error["message"]


def test_no_browser_and_a_wrong_one(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    browser = f'type: saml, idp: browser, url: "{sandbox.idp.url}"'
    team.config(
        config(
            providers={
                "any": browser,
                "edge": f"{browser}, browser: edge",
                "gone": f'{browser}, executable: "{tmp_path}/gone"',
                "false": f"{browser}, executable: /bin/false",
            },
            any="provider: any",
            edge="provider: edge",
            gone="provider: gone",
            broken='provider: "false"',
        )
    )
    bare = {"PATH": str(tmp_path / "none")}
    error = team.run("any", "--output", "json", env=bare).error
    assert (error["exit"], error["code"]) == (2, "config")
    assert "Google Chrome" in error["message"]
    assert "executable" in error["hint"]
    assert "Microsoft Edge" in team.run("edge", "--output", "json").error["message"]
    assert team.run("gone", "--output", "json").error["exit"] == 2
    error = team.run("broken", "--output", "json").error
    assert error["exit"] == 6
    assert "/bin/false did not start" in error["message"]


def test_nobody_signs_in_in_time(
    desktop: Home, sandbox: Sandbox, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.5)
    with pytest.raises(LoginRefused, match="nobody signed in"):
        port.Browser(desktop.environ).intercept(
            sandbox.idp.url,
            sites=[],
            field="SAMLResponse",
            window=True,
            executable=str(chromium.executable),
        )
    assert leftovers(desktop) == []


# --- what is left behind ----------------------------------------------------------------------


def test_ctrl_c_leaves_nothing(team: Home, chromium: Chromium) -> None:
    terminal = Terminal(team, "prod", "--output", "json")
    with chromium.person() as page:
        page.wait_for_selector("[name=username]")
        assert browsers(team)
        terminal.type(CTRL_C)
        assert terminal.finish().code == 130
    until(lambda: not browsers(team), "a browser is left")
    assert leftovers(team) == []


def test_ctrl_c_while_the_browser_starts(team: Home) -> None:
    terminal = Terminal(team, "prod", "--output", "json")
    terminal.wait_for("browser window")
    terminal.type(CTRL_C)
    assert terminal.finish().code == 130
    until(lambda: not browsers(team), "a browser is left")
    assert leftovers(team) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_killed_login_leaves_nothing(
    team: Home, sandbox: Sandbox, number: signal.Signals
) -> None:
    sandbox.fault("idp", hang=60)
    with team.start("prod") as login:
        until(lambda: sandbox.calls("idp") != [], "no browser was started")
        login.send_signal(number)
    until(lambda: not browsers(team), "a browser is left")
    until(lambda: leftovers(team) == [], "a folder is left")


def test_a_killed_browser_is_said_and_cleared_away_later(team: Home, sandbox: Sandbox) -> None:
    sandbox.fault("idp", hang=60)
    with team.start("prod", "--output", "json") as login:
        until(lambda: sandbox.calls("idp") != [], "no browser was started")
        (holder,) = [pid for pid, words in browsers(team).items() if "browser_process" in words]
        os.kill(holder, signal.SIGKILL)
        out, err = login.communicate(timeout=PATIENCE)
    assert (login.returncode, out) == (6, "")
    assert "without an answer" in err
    until(lambda: not browsers(team), "a browser is left")
    assert leftovers(team) != []
    sandbox.heal("idp")
    alive = team.folder / "awslogin/browser/alive"
    alive.mkdir()
    with FileLock(f"{alive}.lock"):  # another login's, which is still at it
        assert team.run("prod").code == 4
    assert {name.partition(".")[0] for name in leftovers(team)} == {"alive"}


def test_what_the_browser_is_told(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    """No secret in its environment, no switch that weakens it; its files lie in a private place."""
    told = tmp_path / "told"
    script = tmp_path / "telling"
    tell = f"env; printf '%s\\n' \"$@\"; ls -ld {tmp_path}/awslogin/browser/*/"
    script.write_text(f"#!/bin/sh\n{{ {tell}; }} > {told}\nexit 1\n")
    script.chmod(0o755)
    configured(team, sandbox.idp.url, script)
    secret = {"AWSLOGIN_PASSWORD": "hunter2 is not it", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    team.run("prod", env={**secret, "DEBUG_FILE": str(tmp_path / "log"), "DEBUG": "pw:*"})
    text = told.read_text()
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(("AWSLOGIN_", "AWS_"))] == []
    assert not any(
        value in text for value in [*secret.values(), team.environ["AWSLOGIN_PASSPHRASE"]]
    )
    assert f"HOME={team.folder}" in lines
    assert not {"--no-sandbox", "--ignore-certificate-errors"} & set(lines)
    assert "--remote-debugging-pipe" in lines  # no port that others on this machine could reach
    (profile,) = [line for line in lines if line.startswith("--user-data-dir=")]
    assert profile.startswith(f"--user-data-dir={team.folder}/awslogin/browser/")
    (mode,) = [line for line in lines if line.endswith("/") and line.startswith("d")]
    assert mode.startswith("drwx------")
    assert not (tmp_path / "log").exists()
