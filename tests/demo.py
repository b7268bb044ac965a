"""`make demo`: starts the sandbox and runs the real `awslogin` against it, for every kind.

A person at the terminal is played here: the demo confirms the device code that `awslogin` shows.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import requests

from tests.configs import PROFILES, config
from tests.sandbox import Sandbox, openid
from tests.support import Home, Result
from tests.terminal import Terminal


class Demo:
    """Types commands and shows what they say."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._home = Home(folder, sandbox.env())
        self._home.environ["AWSLOGIN_PASSWORD_SSO"] = sandbox.world.people["ann"].password
        self._home.config(
            config(
                "stage",
                "audit",
                sandbox=sandbox,
                providers={
                    "ci": "type: web-identity, token: {env: AWS_OIDC_TOKEN}",
                    "people": f'type: oidc, issuer: "{sandbox.openid.url}", flow: device,'
                    f" client_id: {openid.CLIENT}",
                    "at-aws": "type: aws-login, flow: code",
                    "tool": f"type: process, command: [cat, {folder / 'printed.json'}]",
                },
                head="team: payments\ndefault_profile: dev\n"
                "defaults: {region: eu-west-1, duration: 1h}\n",
                dev=PROFILES["ann"],
                prod='provider: [ci, sso], account: "444455556666", role: Admin',
                deploy='provider: ci, account: "111122223333", role: CiDeploy',
                team='provider: people, account: "111122223333", role: People',
                root='provider: at-aws, account: "444455556666", role: Admin',
                other="provider: tool",
            )
        )
        session = sandbox.world.issue(sandbox.bob.arn, 3600, kind="session")
        printed = {
            "Version": 1,
            "AccessKeyId": session.key_id,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
        }
        self._printed = folder / "printed.json"
        self._printed.write_text(json.dumps(printed))

    def say(self, text: str) -> None:
        """A heading."""
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)

    def type(self, *words: str, stdin: str = "", **env: str) -> Result:
        """Run a command; the demo ends at the first that fails."""
        shown = [f"{name}=…" for name in env] + ["awslogin", *map(shlex.quote, words)]
        print(f"$ {' '.join(shown)}", flush=True)
        return self._show(self._home.run(*words, stdin=stdin, env=env))

    def type_and_confirm(self, *words: str, confirm: Callable[[str], object]) -> Result:
        """Run a command that shows a code, and confirm the code as the person would."""
        print(f"$ awslogin {' '.join(words)}", flush=True)
        terminal = Terminal(self._home, *words)
        confirm(terminal.wait_for(r"the code (\S+)").group(1))
        return self._show(terminal.finish())

    def type_and_paste(self, *words: str) -> Result:
        """Run a command that shows an address, and paste what its last page shows."""
        print(f"$ awslogin {' '.join(words)}", flush=True)
        terminal = Terminal(self._home, *words)
        page = requests.get(terminal.wait_for(r"(http://\S+/v1/authorize\S+)\s")[1], timeout=20)
        shown = page.text.partition("authorization>")[2].partition("<")[0]
        terminal.answer("Authorization code", shown)
        return self._show(terminal.finish())

    def forget_printed(self) -> None:
        """The other tool's session is not ours: its file goes before ours are looked at."""
        self._printed.unlink()

    def _show(self, done: Result) -> Result:
        print((done.err + done.out).rstrip(), flush=True)
        if done.code:
            sys.exit(f"the demo failed: exit {done.code}")
        return done


def main() -> None:
    """All kinds, one after another."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-demo-") as folder:
        demo = Demo(Path(folder), sandbox)
        demo.say("The team's YAML, checked")
        demo.type("config", "check")
        demo.type("list")
        demo.say("Static keys: into the keychain, then a session with MFA")
        demo.type("add", "dev", "--stdin", stdin=sandbox.ann.json)
        demo.type("dev", AWSLOGIN_MFA_CODE=sandbox.code("ann"))
        demo.say("IAM Identity Center: the device flow")
        demo.type_and_confirm("stage", confirm=sandbox.approve)
        demo.say("SAML: a form, an assertion, a role; and a role chained from it")
        demo.type("prod")
        demo.type("audit")
        demo.say("Web identity: a CI job's own token; `prod` has two providers")
        demo.type("deploy", AWS_OIDC_TOKEN=sandbox.issuer.token())
        demo.type("explain", "prod")
        demo.say("A person's OpenID sign-in, by a code")
        demo.type_and_confirm("team", confirm=lambda code: sandbox.openid.confirm(code, "ann"))
        demo.say("The console's own sign-in, its account and role pinned")
        demo.type_and_paste("root")
        demo.say("Another tool's credential_process")
        demo.type("other")
        demo.say("Every kind gives the same session")
        for profile in ("dev", "stage", "prod", "team", "root", "other"):
            session = json.loads(demo_json(demo, profile))
            print({name: session[name] for name in ("profile", "type", "from_cache")})
        demo.say("Use it")
        demo.type("whoami", "prod")
        demo.type("exec", "prod", "--", "sh", "-c", 'echo "in $AWS_REGION as $AWS_ACCESS_KEY_ID"')
        demo.type("setup", "--dry-run")
        demo.type("status")
        demo.say("What was done, and what is there to mend")
        demo.type("events")
        demo.type("report")
        demo.say("Nothing of it lies in plain text on disk")
        demo.forget_printed()
        found = demo._home.holds_in_plain(sandbox.secrets())
        print("files that hold a secret:", [str(path) for path in found])
        demo.type("logout", "--all")
        if found:
            sys.exit("the demo found a secret in plain text")


def demo_json(demo: Demo, profile: str) -> str:
    """The JSON of a cached session; its secrets are not shown."""
    print(f"$ awslogin {profile} --output json")
    return demo._home.run(profile, "--output", "json").ok().out


if __name__ == "__main__":
    main()
