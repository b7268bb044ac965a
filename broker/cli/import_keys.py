"""`import aws-credentials`: plain-text keys of ~/.aws/credentials move into the keychain.

A key is stored only after AWS has taken it, and leaves its old place only when the person says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import aws_files
from broker.cli.app import App
from broker.cli.keys import holder_of, keep
from broker.cli.report import report
from broker.config import NoConfig
from broker.credentials import Credentials, access_key
from broker.errors import AwsLoginError, ConfigError, UsageError, worst
from broker.paths import read_or_none
from broker.user_keys import key_profiles


@dataclass(frozen=True)
class _Found:
    """A section of the file that holds a user's keys, and the profile that they are for."""

    section: str
    profile: str
    keys: aws_files.PlainKeys


def from_credentials(
    app: App,
    sections: tuple[str, ...],
    *,
    profile: str | None,
    remove: bool | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Take keys over; the exit code.

    Args:
        app: The command line.
        sections: Those that are named; without, all that have a static profile of their name.
        profile: Whose keys they are, where names differ.
        remove: Take them out of the file, leave them there, or (None) ask.
        yes: Take them out without asking.
        dry_run: Say what would be taken, and ask AWS and the keychain nothing.

    Raises:
        UsageError: There is no such section, no file, or no profile for it.
    """
    if profile and len(sections) != 1:
        raise UsageError("--as takes one SECTION", hint="`import aws-credentials default --as dev`")
    path = aws_files.credentials_path(app.environ)
    content = aws_files.read(path, "AWS_SHARED_CREDENTIALS_FILE")
    if content is None:
        raise UsageError(f"there is no {path}")
    held = aws_files.plain_keys(content, str(path))
    for section in aws_files.sections_of_exports(content, str(path)):
        app.ui.warn(
            f"left out: [{section}] has `export …` lines, which the AWS SDKs do not read there;"
            " write `aws_access_key_id = …`"
        )
    found, problems = _for_profiles(app, held, sections, profile)
    rows: list[dict[str, Any]] = []
    for candidate in found:
        row: dict[str, Any] = {
            "profile": candidate.profile,
            "access_key_id": candidate.keys.access_key_id,
        }
        try:
            with app.naming(candidate.profile):
                rows.append(row if dry_run else row | _stored(app, candidate))
        except AwsLoginError as error:
            problems.append(error)
    there = {candidate.section for candidate in found}
    left_out = [section for section in held if section not in there and not sections]
    if dry_run:
        _say_what_would_be(app, path, rows, left_out)
        return worst(problems) if problems else 0
    moved = [
        candidate.section
        for candidate in found
        if candidate.profile in {row["profile"] for row in rows}
    ]
    removed = bool(moved) and _removed(app, path, content, moved, remove=remove, yes=yes)
    if rows or not problems:
        _say(app, path, rows, left_out, removed=removed)
    for problem in problems:
        report(problem, machine=app.output == "json")
    return worst(problems) if problems else 0


def _for_profiles(
    app: App, held: dict[str, aws_files.PlainKeys], sections: tuple[str, ...], profile: str | None
) -> tuple[list[_Found], list[AwsLoginError]]:
    """Which section goes to which profile; a named one that cannot go anywhere is a problem."""
    try:
        app.require_trust()
    except NoConfig as error:
        error.hint = "write one, for example:\nversion: 1\n" + _yaml([profile] if profile else held)
        raise
    found: list[_Found] = []
    homeless: list[str] = []
    for section in sections or held:
        if section not in held:
            names = ", ".join(held) or "none"
            raise UsageError(f"no section [{section}] with keys of a user; there are: {names}")
        name = profile or section
        if name in app.config:
            found.append(_Found(section, name, held[section]))
        else:
            homeless.append(name)
    if not sections:
        found, others = _static_ones(app, found)
        homeless += others
    if not homeless:
        return found, []
    hint = "`awslogin import aws-config` adds them to the config; or by hand:\n" + _yaml(homeless)
    problem = ConfigError(
        f"no static profile is called {' or '.join(homeless)}", file=str(app.config.path), hint=hint
    )
    if sections or not found:
        return found, [problem]
    app.ui.warn(f"left out: {problem.message}")
    return found, []


def _static_ones(app: App, found: list[_Found]) -> tuple[list[_Found], list[str]]:
    """Of sections that nobody named, those whose profile has keys of its own."""
    static = set(key_profiles(app.config))
    return [candidate for candidate in found if candidate.profile in static], [
        candidate.profile for candidate in found if candidate.profile not in static
    ]


def _yaml(names: Iterable[str]) -> str:
    lines = [f"  {name}: {{provider: keys}}" for name in names]
    return "\n".join(["providers:", "  keys: {type: static}", "profiles:", *lines])


def _stored(app: App, candidate: _Found) -> dict[str, Any]:
    """A candidate's keys, stored once AWS has taken them: what its row says of that."""
    return taken_over(
        app, candidate.profile, candidate.keys.access_key_id, candidate.keys.secret_access_key
    )


def taken_over(
    app: App, profile: str, access_key_id: str, secret_access_key: str
) -> dict[str, Any]:
    """Store one pair, once AWS has taken it.

    Raises:
        UsageError: The keychain holds other keys for this profile.
    """
    chosen = app.config.profile(profile)
    holder = holder_of(app, chosen)
    key_id, secret = access_key(access_key_id, secret_access_key)
    there = holder.held_keys(chosen.name)
    if there and there.access_key_id != key_id:
        raise UsageError(
            f"the keychain holds other keys for {chosen.name} ({there.access_key_id})",
            hint=f"if the file's are right, `awslogin remove {chosen.name}` first",
        )
    identity = app.broker.aws.caller_identity(Credentials(key_id, secret), chosen.region)
    if not there or not app.broker.key_ages.of(holder.name, chosen.name):  # or killed in between
        keep(app, chosen, holder, key_id, secret)
    return {"access_key_id": key_id, "arn": identity["Arn"]}


def _removed(
    app: App, path: Path, content: bytes, sections: list[str], *, remove: bool | None, yes: bool
) -> bool:
    """Take imported keys out of the file, if that is wanted; whether it was done.

    On a terminal the change is shown and asked about, and `--yes` answers. Without a terminal the
    file stays as it is unless `--yes` or `--remove` says otherwise.
    """
    wanted = remove is not False and (yes or remove is True or app.ui.interactive)
    if not wanted:
        return False
    after = aws_files.without_keys(content, sections, str(path))
    config = aws_files.read(aws_files.config_path(app.environ)) or b""
    for section, users in aws_files.users_of(sections, config, content).items():
        app.ui.warn(
            f"{', '.join(users)} say `source_profile = {section}`: they find no keys once those of"
            f" [{section}] are gone; `awslogin setup --take-over` lets awslogin give them"
        )
    if app.ui.interactive and not yes:
        app.ui.show(f"These keys are in the keychain now. They still lie in plain text in {path}:")
        for section in sections:
            app.ui.show(f"  [{section}] aws_access_key_id, aws_secret_access_key")
        if not app.ui.confirm("Take them out of the file?"):
            return False
    if read_or_none(path) != content:
        raise UsageError(f"{path} has changed meanwhile", hint="run it again")
    aws_files.write_back(path, after, "AWS_SHARED_CREDENTIALS_FILE")
    return True


def _document(path: Path, rows: list[dict[str, Any]], left_out: list[str]) -> dict[str, Any]:
    """The JSON of every `import`, and whose keys were taken."""
    reason = "no static profile is called so: `awslogin import aws-config` makes them"
    return {
        "added": {"providers": [], "profiles": []},
        "kept": [],
        "left_out": [{"source": name, "key": "", "reason": reason} for name in left_out],
        "file": str(path),
        "imported": rows,
    }


def _say_what_would_be(
    app: App, path: Path, rows: list[dict[str, Any]], left_out: list[str]
) -> None:
    if app.output == "json":
        app.say_json({**_document(path, rows, left_out), "removed": False, "dry_run": True})
        return
    lines = [f"{row['profile']}: {row['access_key_id']} would go into the keychain" for row in rows]
    app.say("".join(f"{line}\n" for line in lines) or f"{path} holds no keys that could be taken\n")


def _say(
    app: App, path: Path, rows: list[dict[str, Any]], left_out: list[str], *, removed: bool
) -> None:
    if app.output == "json":
        app.say_json({**_document(path, rows, left_out), "removed": removed})
        return
    if not rows:
        app.say(f"{path} holds no keys of a user\n")
    app.say("".join(f"{row['profile']}: {row['access_key_id']} of {row['arn']}\n" for row in rows))
    if rows and removed:
        app.say(f"taken out of {path}\n")
    elif rows:
        app.ui.warn(f"{path} still holds them in plain text; `--yes` takes them out")
