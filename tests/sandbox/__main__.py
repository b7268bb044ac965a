"""`python -m tests.sandbox`: start the sandbox, print where it is, run until ended."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import threading

from tests.sandbox import Sandbox


def main() -> None:
    """`--env` prints shell exports, otherwise one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    parser.add_argument("--env", action="store_true", help="print shell exports, not JSON")
    parser.add_argument("--auto-approve", metavar="PERSON", help="confirm every device code")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Sandbox() as sandbox:
        sandbox.oidc.auto_approve = options.auto_approve
        print(_exports(sandbox) if options.env else json.dumps(sandbox.about()), flush=True)
        while not ended.wait(1):
            pass


def _exports(sandbox: Sandbox) -> str:
    more = {
        "SANDBOX_START_URL": sandbox.start_url,
        "SANDBOX_FORM_IDP": sandbox.idp.url,
        "SANDBOX_CONTROL": sandbox.urls["control"],
        "SANDBOX_ACCESS_KEY_ID": sandbox.ann.key_id,
        "SANDBOX_SECRET_ACCESS_KEY": sandbox.ann.secret,
    }
    lines = sandbox.env() | more
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in lines.items())


if __name__ == "__main__":
    main()
