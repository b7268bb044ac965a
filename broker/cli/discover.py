"""`discover`: what a sign-in reaches, and profiles for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from broker.aws_files import write_back
from broker.cli.app import App, command
from broker.cli.change import agreed, diff
from broker.cli.completion import provider_argument
from broker.config import discovered
from broker.config.naming import TEMPLATE, check_template
from broker.config.trust import Trust
from broker.errors import UsageError

if TYPE_CHECKING:
    from broker.provider import Account


@command()
@provider_argument()
@click.option("--write", is_flag=True, help="Add what is found to the config as profiles.")
@click.option(
    "--template",
    metavar="NAME",
    help=f"With --write: how profiles are named ({TEMPLATE}; also {{account_id}}).",
)
@click.option("--prune", is_flag=True, help="With --write: take out what is no longer assigned.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discover(
    app: App, *, provider: str, write: bool, template: str | None, prune: bool, yes: bool
) -> None:
    """List the accounts and roles that a sign-in reaches."""
    from broker.sign_in import discover as find

    if (template or prune) and not write:
        raise UsageError("--template and --prune go with --write")
    if template:
        check_template(template)
    accounts = find(app.broker, provider)
    done = write and _write(app, provider, accounts, template, prune=prune, yes=yes)
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
    elif done:
        app.say(done)
    else:
        rows = [[a.account_id, a.account_name or "", role] for a in accounts for role in a.roles]
        columns = ("account_id", "name", "role")
        if rows:
            app.say_table(columns, rows)
        else:
            app.say("no account is assigned\n")


def _write(
    app: App,
    provider: str,
    accounts: list[Account],
    template: str | None,
    *,
    prune: bool,
    yes: bool,
) -> str:
    """Show the change and make it; a file that was trusted stays so. What was done, in words."""
    path, before = app.config.path, app.config.content
    after = discovered.updated(
        before,
        str(path),
        provider,
        accounts,
        taken=app.config.names,
        template=template,
        prune=prune,
    )
    change = diff(path, before, after)
    if change and (yes or not app.ui.interactive):
        app.note(change.rstrip())
    if not change or not agreed(app, change, yes=yes):
        return f"{path}: unchanged\n"
    if path.read_bytes() != before:
        raise UsageError(f"{path} was changed meanwhile", hint="run it again")
    Trust(app.environ).carry_over(path, before, after)
    write_back(path, after)
    return f"{path}: written\n"
