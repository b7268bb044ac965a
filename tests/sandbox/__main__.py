"""`python -m tests.sandbox`: start the sandbox, print where it is, run until interrupted."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys

from tests.sandbox import Sandbox


def main() -> None:
    """`--env` prints shell exports, otherwise one line of JSON."""
    with Sandbox() as sandbox, contextlib.suppress(KeyboardInterrupt):
        sandbox.oidc.auto_approve = "ann"
        if "--env" in sys.argv:
            for name, value in sandbox.env().items():
                print(f"export {name}={shlex.quote(value)}")
        else:
            print(
                json.dumps(
                    {
                        "env": sandbox.env(),
                        "start_url": sandbox.start_url,
                        "form_idp": sandbox.idp.url,
                        "people": {
                            name: person.password for name, person in sandbox.world.people.items()
                        },
                        "keys": {
                            name: {"AccessKeyId": keys.key_id, "SecretAccessKey": keys.secret}
                            for name, keys in (("ann", sandbox.ann), ("bob", sandbox.bob))
                        },
                        "mfa": {d.serial: d.seed for d in sandbox.user("ann").mfa},
                        "ci_token": sandbox.issuer.token(),
                    }
                )
            )
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
