"""How the help lists the commands, and a line to begin with for each."""

from __future__ import annotations

from collections.abc import Mapping

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

MAX_SUMMARY = 200
"""Letters of a command's summary in the help: all of it."""


def write_by_task(commands: Mapping[str, click.Command], formatter: click.HelpFormatter) -> None:
    """The commands that there are, each with its whole summary."""
    listed = {name for names in TASKS.values() for name in names}
    rest = tuple(name for name in commands if name not in listed)
    for task, names in {**TASKS, "More": rest}.items():
        rows = [
            (name, commands[name].get_short_help_str(MAX_SUMMARY))
            for name in names
            if name in commands
        ]
        if rows:
            with formatter.section(task):
                formatter.write_dl(rows)
