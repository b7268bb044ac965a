"""All checks at once, each within its time."""

from __future__ import annotations

import threading
import time

from broker.cli.report import as_ours
from broker.doctor import agent, aws, configuration, keychain, machine, network, state
from broker.doctor.finding import Check, Finding, Machine
from broker.errors import AwsLoginError

WITHIN_SECONDS = 9.0
"""For the whole examination."""

CHECKS: dict[str, Check] = {
    "installation": machine.installation,
    "disk": machine.disk,
    "state": state.folders,
    "leftovers": state.leftovers,
    "config": configuration.config,
    "trust": configuration.trust,
    "settings": configuration.settings_file,
    "keychain": keychain.keychain,
    "dbus": keychain.desktop_bus,
    "agent": agent.agent,
    "environment": aws.environment,
    "credentials-file": aws.credentials_file,
    "setup": aws.config_file,
    "tls": network.certificates,
    "proxy": network.proxy,
    "endpoints": network.replaced_endpoints,
    "dns": network.names,
    "clock": network.clock,
    "network": network.providers,
    "browser": machine.browser,
    "completion": machine.completion,
}
"""By the id of what they look at, in the order in which findings are told."""


def examine(machine: Machine) -> list[Finding]:
    """Every finding; a check that does not end in time is one too."""
    found: dict[str, list[Finding]] = {}

    def run(name: str, check: Check) -> None:
        try:
            found[name] = list(check(machine))
        except (AwsLoginError, OSError) as error:
            found[name] = [Finding.of(name, as_ours(error))]
        except Exception as error:  # noqa: BLE001 - one broken check hides no other
            message = f"could not be looked at: {type(error).__name__}: {error}"
            found[name] = [Finding(name, "warning", message, "report it: a defect of awslogin")]

    threads = {
        name: threading.Thread(target=run, args=(name, check), daemon=True)
        for name, check in CHECKS.items()
    }
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + WITHIN_SECONDS
    for thread in threads.values():
        thread.join(max(0.0, end - time.monotonic()))
    late = f"gave no answer within {WITHIN_SECONDS:.0f} s"
    mend = "see what it waits for (a network folder, a pipe, a service that hangs), then try again"
    return [
        finding
        for name in CHECKS
        for finding in found.get(name, [Finding(name, "warning", late, mend)])
    ]
