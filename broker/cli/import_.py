"""`import`: another tool's set-up becomes providers and profiles of our YAML.

Owns the options, the question, and what is said; `broker.importing` reads and merges. The tool's
own files are never changed; keys of a keychain are asked for before they are read.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from broker.aws_files import write_back
from broker.cli.app import App, command
from broker.cli.change import agreed, diff, read_config_again
from broker.cli.import_keys import from_credentials, taken_over
from broker.cli.import_offer import CREDENTIALS, offered
from broker.cli.keys import holder_of
from broker.cli.report import report
from broker.config import NoConfig
from broker.config.loading import find
from broker.config.trust import Trust
from broker.errors import AwsLoginError, UsageError, worst
from broker.importing import SOURCES, Found, Here, LeftOut, look
from broker.paths import config_dir, private_dir, read_or_none
from broker.terminal_text import counted
from broker.warm import working_directory

if TYPE_CHECKING:
    from broker.importing.merging import Merged

NAMES_SHOWN = 8


@command("import")
@click.argument(
    "source", required=False, metavar="[SOURCE]", type=click.Choice([CREDENTIALS, *SOURCES])
)
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--dry-run", is_flag=True, help="Print the YAML that would be added, change nothing.")
@click.option("--no-keys", is_flag=True, help="Leave the keys of its keychain where they are.")
@click.option("--as", "profile", metavar="PROFILE", help="aws-credentials: for this profile.")
@click.option(
    "--remove/--keep",
    default=None,
    help="aws-credentials: take the keys out of the file, or leave them.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def import_(
    app: App,
    *,
    source: str | None,
    names: tuple[str, ...],
    dry_run: bool,
    no_keys: bool,
    profile: str | None,
    remove: bool | None,
    yes: bool,
) -> int | None:
    """Take over another tool's set-up as providers and profiles of the config.

    SOURCE is aws-config (the AWS CLI's profiles), aws-vault, saml2aws, aws-sso-cli, granted,
    gimme-aws-creds, okta-aws-cli, aws-azure-login or atmos; without one it says what is here.
    NAME… limits it to these profiles of the tool's. aws-credentials moves plain-text keys of
    ~/.aws/credentials into the keychain: NAME… are sections, each of which goes to the static
    profile of its name.
    """
    if (profile or remove is not None) and source != CREDENTIALS:
        raise UsageError("--as, --remove and --keep go with aws-credentials")
    here = Here(app.environ, Path(working_directory()))
    chosen = source or offered(app, here)
    if chosen is None:
        return None
    if chosen == CREDENTIALS:
        return from_credentials(
            app, names, profile=profile, remove=remove, yes=yes, dry_run=dry_run
        )
    return _Import(app, chosen, here).run(names, dry_run=dry_run, with_keys=not no_keys, yes=yes)


class _Import:
    """One source on its way into the config."""

    def __init__(self, app: App, source: str, here: Here) -> None:
        self._app = app
        self._source = source
        self._here = here
        self._path, self._content = _config_of(app)

    def run(
        self, names: tuple[str, ...], *, dry_run: bool, with_keys: bool, yes: bool
    ) -> int | None:
        """Read, merge, ask, write, take keys; the exit code."""
        from broker.importing.merging import EMPTY, merge

        app = self._app
        found = look(self._source, self._here)
        if not found.files:
            raise UsageError(
                f"{self._source} is not set up here: none of its files was found",
                hint="`awslogin import` shows what there is",
            )
        known = {profile.name for profile in found.profiles} | {o.source for o in found.left_out}
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise UsageError(f"{self._source} has no profile {unknown!r}")
        merged = merge(
            EMPTY if self._content is None else self._content,
            self._path,
            found,
            app.environ,
            names,
        )
        if not dry_run and not self._written(merged, yes=yes):
            merged.providers, merged.profiles = {}, {}
            with_keys = False
        keys = [name for name in found.key_names if name in merged.names]
        problems: list[AwsLoginError] = []
        rows: list[dict[str, Any]] = []
        if keys and with_keys and not dry_run and self._path.exists():
            rows, problems = self._keys(keys, merged.names, yes=yes)
        self._say(merged, found, rows, dry_run=dry_run)
        for problem in problems:
            report(problem, machine=app.output == "json")
        return worst(problems) if problems else None

    def _written(self, merged: Merged, *, yes: bool) -> bool:
        """Show the change and make it; a file that was trusted stays so. Whether it was made."""
        app, before = self._app, self._content
        if not (merged.providers or merged.profiles):
            return True
        if app.ui.interactive and not yes:
            change = diff(self._path, before or b"", merged.content)
            if not agreed(app, change, yes=yes):
                return False
        if read_or_none(self._path) != before:
            raise UsageError(f"{self._path} was changed meanwhile", hint="run it again")
        if before is None and self._path.parent == config_dir(app.environ):
            private_dir(self._path.parent)
        if before is not None:
            Trust(app.environ).carry_over(self._path, before, merged.content)
        write_back(self._path, merged.content)
        read_config_again(app)
        return True

    def _keys(
        self, keys: list[str], ours: dict[str, str], *, yes: bool
    ) -> tuple[list[dict[str, Any]], list[AwsLoginError]]:
        """Take keys of the tool's keychain into ours, each once AWS has taken it."""
        from broker.ports import go_keyring

        app = self._app
        wanted, problems = _without_keys(app, {name: ours[name] for name in keys})
        question = f"Copy the keys of {_some(wanted)} from {self._source}'s keychain into ours?"
        if not wanted or (app.ui.interactive and not yes and not app.ui.confirm(question)):
            return [], problems
        rows = []
        for name in wanted:
            try:
                with app.naming(ours[name]):
                    key_id, secret = go_keyring.key_of(name, app.environ)
                    done = taken_over(app, ours[name], key_id, secret.reveal())
                    rows.append({"profile": ours[name], **done})
            except AwsLoginError as error:
                problems.append(error)
        return rows, problems

    def _say(
        self, merged: Merged, found: Found, rows: list[dict[str, Any]], *, dry_run: bool
    ) -> None:
        app = self._app
        if app.output == "json":
            app.say_json(self._document(merged, rows, dry_run=dry_run))
            return
        if dry_run:
            app.say(merged.yaml or "nothing to add\n")
        else:
            app.say(self._summary(merged))
            app.say(
                "".join(
                    f"{row['profile']}: {row['access_key_id']} of {row['arn']}\n" for row in rows
                )
            )
        for theirs, name in merged.renamed.items():
            app.ui.warn(f"{theirs!r} is called {name} here: names are letters, digits and ._@+-")
        if merged.already_there:
            existing = _some(merged.already_there)
            app.ui.warn(f"kept as they are, there were profiles of these names: {existing}")
        for line in _left_out(merged.left_out):
            app.ui.warn(f"left out: {line}")
        for hint in dict.fromkeys(found.hints):
            app.note(f"next: `{hint}`")

    def _summary(self, merged: Merged) -> str:
        counts = [(len(merged.providers), "provider"), (len(merged.profiles), "profile")]
        added = [counted(number, noun) for number, noun in counts if number]
        return f"{self._path}: {'added ' + ', '.join(added) if added else 'unchanged'}\n"

    def _document(
        self, merged: Merged, rows: list[dict[str, Any]], *, dry_run: bool
    ) -> dict[str, Any]:
        document: dict[str, Any] = {
            "added": {"providers": [*merged.providers], "profiles": [*merged.profiles]},
            "kept": merged.already_there,
            "left_out": [
                {"source": entry.source, "key": entry.key, "reason": entry.reason}
                for entry in merged.left_out
            ],
            "renamed": merged.renamed,
            "keys": rows,
            "file": str(self._path),
        }
        return {**document, "yaml": merged.yaml} if dry_run else document


def _config_of(app: App) -> tuple[Path, bytes | None]:
    """The config that is added to, None as its content where it is still to be made.

    Raises:
        InteractionRequired: It is not trusted.
        SpoiledFile: It is wrong as a whole.
    """
    try:
        path, _ = find(app.config_option, app.environ, Path(working_directory()), app.found_option)
    except NoConfig:
        return config_dir(app.environ) / "config.yaml", None
    if not path.exists():
        return path, None
    app.require_trust()
    return path, app.config.content


def _without_keys(app: App, ours: dict[str, str]) -> tuple[list[str], list[AwsLoginError]]:
    """The tool's names of profiles that have keys of their own which are not here yet."""
    wanted: list[str] = []
    problems: list[AwsLoginError] = []
    for theirs, name in ours.items():
        if name not in app.config:
            continue
        try:
            profile = app.config.profile(name)
            if profile.keys_profile == name and not holder_of(app, profile).held_keys(name):
                wanted.append(theirs)
        except AwsLoginError as error:
            error.profile = error.profile or name
            problems.append(error)
    return wanted, problems


def _left_out(all_of_them: list[LeftOut]) -> list[str]:
    """A line for each reason, with the profiles that it concerns."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in all_of_them:
        alike[entry.key, entry.reason].append(entry.source)
    return [
        f"{f'`{key}` of ' if key else ''}{_some(names)}: {reason}"
        for (key, reason), names in alike.items()
    ]


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
