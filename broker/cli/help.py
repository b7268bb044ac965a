"""How the help lists the commands, and a line to begin with for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

TASKS = {
    "Sign in": ("login", "env", "exec", "shell", "creds", "console", "serve", "whoami", "logout"),
    "Look": ("list", "status", "explain", "events", "report", "providers"),
    "Set up": ("init", "discover", "setup", "import", "config", "agent"),
    "In your shell": ("completion", "shell-init"),
    "Static keys": ("add", "remove", "rotate", "migrate"),
    "Mend": ("doctor", "uninstall"),
}
"""The commands by what people do, as the help lists them; those of no task come last."""

EXAMPLES = {
    "login": "awslogin prod --duration 2h",
    "env": 'eval "$(awslogin env prod)"',
    "creds": "awslogin creds prod",
    "exec": "awslogin exec prod -- aws s3 ls",
    "shell": "awslogin shell prod",
    "serve": "awslogin serve prod --for 8h",
    "report": "awslogin report --days 30",
    "list": "awslogin list --tag tier=prod",
    "status": "awslogin status --output json",
    "console": "awslogin console prod --service ec2",
    "whoami": "awslogin whoami prod",
    "explain": "awslogin explain prod",
    "logout": "awslogin logout --all",
    "add": "awslogin add dev",
    "remove": "awslogin remove dev",
    "rotate": "awslogin rotate dev",
    "import": "awslogin import aws-credentials",
    "discover": "awslogin discover corp --write",
    "setup": "awslogin setup --dry-run",
    "completion": 'eval "$(awslogin completion bash)"',
    "shell-init": 'eval "$(awslogin shell-init bash)"',
    "doctor": "awslogin doctor",
    "events": "awslogin events",
    "uninstall": "awslogin uninstall",
    "providers": "awslogin providers",
}
"""A line to begin with, for each command's help."""

SUMMARIES = {
    "login": "Get a session, from the cache when it is fresh, and print it.",
    "env": "Print the session for `eval` in the calling shell.",
    "creds": "Print `credential_process` JSON for the AWS SDKs.",
    "exec": "Run a command with the session: `awslogin exec PROFILE -- CMD…`.",
    "shell": "Open a sub-shell with the session; its prompt says which, `exit` leaves it.",
    "serve": "Serve sessions, renewed, to programs of yours: `awslogin serve prod --output json`.",
    "list": "Profiles with account, role, tags, age of keys, and how long a session holds;"
    " with WORD.",
    "status": "Cached sessions with the time they have left.",
    "console": "Open the AWS console with the session.",
    "whoami": "Ask AWS who the session is.",
    "explain": "Show which file and line set each value, and which provider would run.",
    "logout": "Forget sessions and sign-ins; at Identity Center server-side too.",
    "add": "Put a static profile's keys into the keychain.",
    "remove": "Remove a static profile's keys and seed from the keychain, and its sessions.",
    "rotate": "Replace a static profile's keys by new ones, at AWS and in the keychain.",
    "migrate": "Leave static keys behind: each run takes the next step, or says what it waits for.",
    "import": "Take over another tool's set-up as providers and profiles of the config.",
    "discover": "List the accounts and roles that a sign-in reaches.",
    "setup": "Make `aws --profile NAME` and every SDK sign in through awslogin.",
    "config": "The team's YAML.",
    "agent": "Unlocked sessions in memory, for every command that asks.",
    "completion": "Print what makes SHELL complete commands, options and profiles.",
    "shell-init": "Print the function `awsl` for SHELL, which sets a session in the calling shell.",
    "report": "Old keys, sign-ins without MFA, keys beside SSO, and the command that mends each.",
    "events": "Sign-ins, refusals, rotations and commands from this machine; no secret is"
    " among them.",
    "init": "Set up this machine: the team's config or a first one, trust, keys, doctor, a"
    " session.",
    "doctor": "What is wrong on this machine, and the command that mends it.",
    "uninstall": "Remove keychain entries, sessions, the agent and what `setup` wrote; the YAML"
    " stays.",
    "trust-policy": "Print the IAM trust policy that PROFILE's role needs, as JSON.",
    "providers": "The kinds of provider that are installed.",
}
"""The first sentences of the commands' own help, so that the list of them loads none."""

MAX_SUMMARY = 200
"""Letters of a command's summary in the help: all of it."""


def write_by_task(
    names: Iterable[str],
    load: Callable[[str], click.Command | None],
    formatter: click.HelpFormatter,
) -> None:
    """The commands that there are, each with its whole summary."""
    summaries: dict[str, str] = {}
    for name in names:
        loaded = None if name in SUMMARIES else load(name)
        summaries[name] = loaded.get_short_help_str(MAX_SUMMARY) if loaded else SUMMARIES[name]
    listed = {name for task in TASKS.values() for name in task}
    rest = tuple(name for name in summaries if name not in listed)
    for task, shown in {**TASKS, "More": rest}.items():
        rows = [(name, summaries[name]) for name in shown if name in summaries]
        if rows:
            with formatter.section(task):
                formatter.write_dl(rows)
