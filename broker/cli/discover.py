"""`discover`: what a sign-in reaches, and profiles for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from broker.cli.app import App, command
from broker.cli.change import agreed, diff
from broker.cli.tables import table
from broker.config import discovered
from broker.config.trust import Trust
from broker.errors import UsageError

if TYPE_CHECKING:
    from broker.provider import Account


@command()
@click.argument("provider")
@click.option("--write", is_flag=True, help="Add what is found to the config as profiles.")
@click.option(
    "--template",
    metavar="NAME",
    help=f"With --write: how profiles are named ({discovered.TEMPLATE}; also {{account_id}}).",
)
@click.option("--prune", is_flag=True, help="With --write: take out what is no longer assigned.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discover(
    app: App, *, provider: str, write: bool, template: str | None, prune: bool, yes: bool
) -> None:
    """List the accounts and roles that a sign-in reaches."""
    from broker.login import Wish

    if (template or prune) and not write:
        raise UsageError("--template and --prune go with --write")
    if template:
        discovered.check_template(template)
    accounts = app.broker.discover(provider, Wish())
    if write:
        _write(app, provider, accounts, template, prune=prune, yes=yes)
    if app.output == "json":
        app.say_json(
            [
                {
                    "account_id": account.account_id,
                    "account_name": account.account_name,
                    "roles": list(account.roles),
                }
                for account in accounts
            ]
        )
    elif not write:
        rows = [[a.account_id, a.account_name or "", role] for a in accounts for role in a.roles]
        columns = ("account_id", "name", "role")
        app.say(table(columns, rows) if rows else "no account is assigned\n")


def _write(
    app: App,
    provider: str,
    accounts: list[Account],
    template: str | None,
    *,
    prune: bool,
    yes: bool,
) -> None:
    """Show the change and make it; a file that was trusted stays so."""
    from broker.aws_files import write_back

    path, before = app.config.path, app.config.content
    made = discovered.edited(
        before,
        str(path),
        provider,
        accounts,
        taken=app.config.names,
        template=template,
        prune=prune,
    )
    change = diff(path, before, made.content)
    if not change:
        app.note(f"{path}: unchanged")
        return
    if yes or not app.ui.interactive:
        app.note(change.rstrip())
    if not agreed(app, change, yes=yes):
        app.note(f"{path}: unchanged")
        return
    if path.read_bytes() != before:
        raise UsageError(f"{path} was changed meanwhile", hint="run it again")
    if not app.config.given:
        Trust(app.environ).add(made.content, path)
    write_back(path, made.content)
    app.note(f"{path}: {len(made.names)} profiles of {provider}")
