"""`add`, `remove`, `rotate`: a static profile's keys in the keychain; a TOTP seed of any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from broker import user_keys
from broker.cli import key_input
from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.login_options import Duration
from broker.cli.report import report
from broker.credentials import Credentials
from broker.errors import AwsLoginError, InteractionRequired, UsageError, worst
from broker.key_ages import KeyAge
from broker.logout import forget_keys_of
from broker.provider import KeyHolder
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.config import Profile


@command()
@profile_argument(required=True)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from stdin instead of asking.")
@click.option("--totp", is_flag=True, help="The seed of the MFA device instead of keys.")
@click.option("--no-check", is_flag=True, help="Do not try keys at AWS before they replace others.")
@click.option("--yes", is_flag=True, help="Do not ask whether other keys may be replaced.")
def add(app: App, *, profile: str, from_stdin: bool, totp: bool, no_check: bool, yes: bool) -> None:
    """Put a static profile's keys into the keychain.

    --stdin reads {"AccessKeyId": "…", "SecretAccessKey": "…"}, or what `aws iam create-access-key`
    prints. Other keys of the profile are replaced once AWS has taken the new ones. With --totp it
    is the seed of the MFA device (base32, or an otpauth:// address), and codes are made of it from
    then on.
    """
    chosen = app.profile(profile)
    if totp:
        _add_seed(app, chosen, from_stdin=from_stdin, yes=yes)
        return
    holder = holder_of(app, chosen)
    there = _held(app, chosen, holder)
    if there and not _may_replace(app, f"the keys {there.access_key_id} of {chosen.name}", yes=yes):
        _done(app, chosen, "unchanged")
        return
    key_id, secret = key_input.from_stdin() if from_stdin else key_input.asked(app.ui)
    if (
        there
        and not no_check
        and (key_id, secret)
        != (
            there.access_key_id,
            there.secret_access_key,
        )
    ):
        _try_at_aws(app, chosen, Credentials(key_id, secret), there.access_key_id)
    keep(app, chosen, holder, key_id, secret)
    _done(app, chosen, "keys stored", access_key_id=key_id)


def _held(app: App, profile: Profile, holder: KeyHolder[Any]) -> Credentials | None:
    """The profile's keys; without a person those of an older version count as none, and stay."""
    try:
        with app.naming(profile.name):
            return holder.held_keys(profile.name)
    except InteractionRequired:
        return None


def _may_replace(app: App, what: str, *, yes: bool) -> bool:
    """On a terminal the person says so; elsewhere the command is the word."""
    if yes or not app.ui.interactive:
        return True
    return app.ui.confirm(
        "Replace them?", about=f"The keychain holds {what}. It may be the only copy."
    )


def _try_at_aws(app: App, profile: Profile, keys: Credentials, there: str) -> None:
    """Keys that AWS does not take never replace others.

    Raises:
        AwsLoginError: AWS does not take them, or cannot be asked.
    """
    with app.naming(profile.name):
        try:
            app.broker.aws.caller_identity(keys, profile.region)
        except AwsLoginError as error:
            error.hint = (
                f"the keys {there} stay in the keychain; check the new ones"
                " (`--no-check` takes them untried)"
            )
            raise


@command()
@profile_argument(required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(app: App, *, profile: str, yes: bool) -> None:
    """Remove a static profile's keys and seed from the keychain, and its sessions."""
    chosen = app.profile(profile)
    holder = holder_of(app, chosen)
    if app.ui.interactive and not yes:
        with app.naming(chosen.name):
            there = holder.held_keys(chosen.name)
        about = (
            f"The keychain holds {there.access_key_id}; it may be the only copy." if there else ""
        )
        if there and not app.ui.confirm(f"Remove the keys of {chosen.name}?", about=about):
            _done(app, chosen, "unchanged")
            return
    removed = holder.forget_keys(chosen.name)
    app.broker.key_ages.forget(holder.name, chosen.name)
    forget_keys_of(app.broker, chosen)
    if not removed:
        raise UsageError(f"the keychain holds no keys for {chosen.name}", hint="`awslogin list`")
    _done(app, chosen, "keys removed")


@command()
@profile_argument()
@click.option("--all", "every", is_flag=True, help="Every profile that has keys.")
@click.option("--older-than", type=Duration(), metavar="AGE", help="Only keys of this age: 90d.")
@click.option("--keep-inactive", is_flag=True, help="Deactivate the old key, do not delete it.")
def rotate(
    app: App, *, profile: str | None, every: bool, older_than: int | None, keep_inactive: bool
) -> int | None:
    """Replace a static profile's keys by new ones, at AWS and in the keychain.

    Where it was stopped, it goes on: run it again.
    """
    if every and profile:
        raise UsageError("--all takes no profile")
    if not every:
        chosen = app.profile(profile)
        document = _rotated(app, chosen, older_than, keep_inactive=keep_inactive)
        app.say_json(document) if app.output == "json" else app.say(_as_text(document))
        return None
    return _rotate_all(app, older_than, keep_inactive=keep_inactive)


def _rotate_all(app: App, older_than: int | None, *, keep_inactive: bool) -> int:
    """Every profile's keys, those that several share once; the exit code of the worst failure."""
    documents: list[dict[str, Any]] = []
    failures: list[AwsLoginError] = []
    done: set[str] = set()
    for name in user_keys.key_profiles(app.config):
        chosen = app.config.profile(name)
        if name in done or not holder_of(app, chosen).held_keys(name):
            continue
        try:
            document = _rotated(app, chosen, older_than, keep_inactive=keep_inactive)
        except AwsLoginError as error:
            error.profile = name
            failures.append(error)
            continue
        documents.append(document)
        done |= set(document["profiles"])
    if app.output == "json":
        app.say_json(documents)
    else:
        app.say("".join(_as_text(document) for document in documents) or "no keys to rotate\n")
    for failure in failures:
        report(failure, machine=app.output == "json")
    return worst(failures) if failures else 0


def _rotated(
    app: App, profile: Profile, older_than: int | None, *, keep_inactive: bool
) -> dict[str, Any]:
    """Rotate, or leave keys that are younger, and say what was done."""
    holder = holder_of(app, profile)
    with app.naming(profile.name):
        if older_than and not _is_older(app, profile, holder, timedelta(seconds=older_than)):
            return {"profile": profile.name, "done": "unchanged", "profiles": [profile.name]}
        done = user_keys.rotate(app.broker, profile, holder, keep_inactive=keep_inactive)
    return {
        "profile": profile.name,
        "done": "rotated",
        "access_key_id": done.access_key_id,
        "old_access_key_id": done.old_access_key_id,
        "old": done.old_is,
        "profiles": list(done.profiles),
    }


def _as_text(document: dict[str, Any]) -> str:
    profile = document["profile"]
    if document["done"] == "unchanged":
        return f"{profile}: not old enough, nothing changed\n"
    others = [name for name in document["profiles"] if name != profile]
    shared = f" (also for {', '.join(others)})" if others else ""
    old = document["old_access_key_id"]
    gone = f", {old} {'left inactive' if document['old'] == 'inactive' else 'deleted'}"
    return f"{profile}: {document['access_key_id']} stored{shared}{gone if old else ''}\n"


def _is_older(app: App, profile: Profile, holder: KeyHolder[Any], age: timedelta) -> bool:
    """Whether the keys have this age: by what is noted here, else by AWS's word.

    Keys that were added here may be older than that, so AWS is asked; where it does not say,
    the day they were added counts.
    """
    noted = app.broker.key_ages.of(holder.name, profile.name)
    now = datetime.now(UTC)
    if noted and (noted.exact or now - noted.since >= age):
        return now - noted.since >= age
    created = holder.key_created(profile.request())
    if created:
        app.broker.key_ages.note(holder.name, profile.name, KeyAge(created, exact=True))
        return now - created >= age
    if noted is None:
        raise UsageError(
            f"nobody knows how old the keys of {profile.name} are",
            hint="allow iam:ListAccessKeys, or rotate it without --older-than",
        )
    return False


def keep(app: App, profile: Profile, holder: KeyHolder[Any], key_id: str, secret: Secret) -> None:
    """Store keys, note their age, and forget what was made with those before."""
    holder.store_keys(profile.name, key_id, secret)
    app.broker.key_ages.note(holder.name, profile.name, KeyAge(datetime.now(UTC), exact=False))
    forget_keys_of(app.broker, profile)


def _add_seed(app: App, profile: Profile, *, from_stdin: bool, yes: bool) -> None:
    with app.naming(profile.name):
        plugins = app.broker.plugins
        identity = plugins.keys_identity(profile) or plugins.identity(profile)
        provider = plugins.provider(identity)
        entry = provider.totp_entry(profile.request())
    if entry is None:
        raise UsageError(
            f"{profile.name} signs in through {provider.name}, which takes no seed from here"
        )
    seed_is_there = app.ui.interactive and not yes and provider.ports.secrets.get(entry)
    if seed_is_there and not _may_replace(app, f"a TOTP seed of {profile.name}", yes=yes):
        _done(app, profile, "unchanged")
        return
    text = key_input.stdin_text() if from_stdin else app.ui.ask("TOTP seed", secret=True)
    provider.ports.secrets.set(entry, key_input.seed(text))
    _done(app, profile, "seed stored")


def holder_of(app: App, profile: Profile) -> KeyHolder[Any]:
    """The provider that keeps this profile's keys, whichever of its list can sign in here.

    Raises:
        UsageError: The profile has no keys of its own.
    """
    with app.naming(profile.name):
        identity = app.broker.plugins.keys_identity(profile)
        if identity and profile.keys_profile == profile.name:
            holder = app.broker.plugins.provider(identity)
            assert isinstance(holder, KeyHolder)
            return holder
        owner = profile.keys_profile
        names = " or ".join(profile.root.provider_names)
        raise UsageError(
            f"{profile.name} has no keys of its own: "
            + (f"it uses those of {owner}" if owner else f"it signs in through {names}"),
            hint=f"`awslogin add {owner}`"
            if owner
            else "keys belong to profiles of a static provider",
        )


def _done(app: App, profile: Profile, what: str, **more: str) -> None:
    if app.output == "json":
        app.say_json({"profile": profile.name, "done": what, **more})
    else:
        app.say(f"{profile.name}: {what}\n")
