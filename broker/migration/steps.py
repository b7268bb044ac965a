"""The steps of a migration after its plan. Each may be killed anywhere and is taken again.

    switching    noted; the config is being changed
    switched     the config names the new provider; the key is active, and its use is watched
    deactivated  the key is inactive, and can be activated again
    deleted      the key is gone, at AWS and in the keychain

A use of the key in between starts the wait anew. The keychain keeps the key until AWS has deleted
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.broker import Broker
from broker.config.entry_change import ProfileEntry
from broker.config.trust import Trust
from broker.errors import AwsLoginError, ConfigError, LoginRefused, NetworkError, UsageError
from broker.migration.leaving_key import LeavingKey
from broker.migration.plan import Plan
from broker.migration.record import Migration, Migrations
from broker.ports.clock import from_text, to_text


@dataclass(frozen=True)
class Taken:
    """What a run has done.

    Attributes:
        migration: As it stands now.
        did: `switched`, `deactivated`, `deleted`, `waits`, `undone`, or `done` where nothing is
            left to do.
        why: What it waits for, or what it could not see; empty where there is nothing to say.
    """

    migration: Migration
    did: str
    why: str = ""


class Steps:
    """Takes the steps of one config's profiles.

    Args:
        broker: Of the config as it is now.
        environ: Says where records lie.
        write: Writes the config's file.
    """

    def __init__(
        self,
        broker: Broker,
        environ: Mapping[str, str],
        write: Callable[[Path, bytes], None],
    ) -> None:
        self._broker = broker
        self._environ = environ
        self._write = write
        self._clock = broker.clock
        self.records = Migrations(environ, broker.config.key_scope)
        self._key = LeavingKey(broker, self.records, environ)

    def begin(self, plan: Plan) -> Taken:
        """Change the config; the old lines are kept first."""
        self.records.save(plan.migration)
        self._change(broker_content=self._broker.config.content, after=plan.content)
        return self._switched(plan.migration)

    def go_on(self, migration: Migration, *, unwatched: bool = False) -> Taken:
        """The one next step, or what it waits for.

        Args:
            migration: As it stands.
            unwatched: Take the step too where AWS cannot say whether the key was used.

        Raises:
            ConfigError: The config lets the profile sign in with the key again.
        """
        if migration.is_undoing:
            return self.undo(migration)
        if migration.stage == "switching":
            return self._finish_switching(migration)
        if migration.stage == "deleted":
            return Taken(migration, "done")
        self._check_left(migration)
        migration, why = self._watch(migration, unwatched=unwatched)
        if why:
            return Taken(migration, "waits", why)
        if migration.stage == "switched":
            return self._deactivate(migration)
        return self._delete(migration)

    def undo(self, migration: Migration) -> Taken:
        """Back to static keys, as far as AWS lets it.

        Raises:
            UsageError: The key is deleted.
            ConfigError: The lines of the profile have been changed since.
        """
        if migration.stage == "deleted":
            raise UsageError(
                f"{migration.key_id} is deleted, and AWS gives it back to nobody",
                hint="make a new key, name the static provider in the config again, and"
                f" `awslogin add {migration.profile}`",
            )
        content = self.undone(migration)
        migration = self.records.change(migration, is_undoing=True)
        try:
            self._activate(migration)
        except NetworkError:
            raise  # it may be active: the next run goes on
        except AwsLoginError:
            self.records.change(migration, is_undoing=False)
            raise
        self._change(broker_content=self._broker.config.content, after=content)
        self.records.forget(migration.profile)
        self._broker.events.note("migration", migration.profile, provider=migration.source)
        return Taken(migration, "undone")

    def _activate(self, migration: Migration) -> None:
        """Make an inactive key work again.

        Raises:
            UsageError: It is gone.
        """
        may_be_inactive = migration.stage == "deactivated" or migration.is_deactivating
        if may_be_inactive and not self._key.at_iam(
            migration,
            lambda iam: iam.activate(migration.key_id),
            by_hand="update-access-key --status Active",
        ):
            raise UsageError(f"{migration.key_id} is gone at AWS, so there is no way back")

    def undone(self, migration: Migration) -> bytes:
        """The config with the old lines.

        Raises:
            ConfigError: The lines of the profile have been changed since.
        """
        config = self._broker.config
        if migration.before == migration.after:  # another person has changed it
            return config.content
        entry = ProfileEntry(config.content, str(config.path), migration.profile)
        if entry.text == migration.before:
            return config.content
        if entry.text != migration.after:
            raise ConfigError(
                f"the lines of {migration.profile} were changed since the migration",
                file=str(config.path),
                hint=f"put these back by hand, then again:\n{migration.before}",
            )
        return entry.replaced(migration.before)

    def _finish_switching(self, migration: Migration) -> Taken:
        """The run before was killed: the change is made, or it is not."""
        config = self._broker.config
        if migration.before == migration.after:  # another person has changed it
            return self._switched(migration)
        entry = ProfileEntry(config.content, str(config.path), migration.profile)
        if entry.text != migration.after:
            if entry.text != migration.before:
                raise ConfigError(
                    f"the lines of {migration.profile} were changed in the middle of a migration",
                    file=str(config.path),
                    hint=f"`awslogin migrate {migration.profile} --undo`, then begin again",
                )
            content = entry.replaced(migration.after)
            self._change(broker_content=config.content, after=content)
        return self._switched(migration)

    def _switched(self, migration: Migration) -> Taken:
        migration = self.records.change(
            migration, stage="switched", since=to_text(self._clock.now())
        )
        return self._noted(Taken(migration, "switched"))

    def _deactivate(self, migration: Migration) -> Taken:
        was_begun = migration.is_deactivating
        migration = self.records.change(migration, is_deactivating=True)
        try:
            self._key.at_iam(migration, lambda iam: iam.deactivate(migration.key_id))
        except LoginRefused:  # of the key itself: it may be inactive since a run that was killed
            if not was_begun:
                raise
        migration = self.records.change(
            migration, stage="deactivated", is_deactivating=False, since=to_text(self._clock.now())
        )
        return self._noted(Taken(migration, "deactivated"))

    def _delete(self, migration: Migration) -> Taken:
        """At AWS first: the keychain keeps a key as long as it may be activated again."""
        self._key.at_iam(migration, lambda iam: iam.delete(migration.key_id))
        holder = self._key.holder(migration)
        held = holder.held_keys(migration.profile)
        if held and held.access_key_id == migration.key_id:
            holder.forget_keys(migration.profile)
            self._broker.key_ages.forget(holder.name, migration.profile)
        migration = self.records.change(
            migration, stage="deleted", since=to_text(self._clock.now())
        )
        return self._noted(Taken(migration, "deleted"))

    def _check_left(self, migration: Migration) -> None:
        """The config may have been put back by somebody, whose sign-ins would fail then.

        Raises:
            ConfigError: It lets the profile sign in with the key.
        """
        config = self._broker.config
        if config.profile(migration.profile).keys_profile == migration.profile:
            raise ConfigError(
                f"{migration.profile} signs in with its keys again, by this file",
                file=str(config.path),
                hint=f"`awslogin migrate {migration.profile} --undo` forgets the migration; or put"
                f" `provider: {migration.to}` back",
            )

    def _watch(self, migration: Migration, *, unwatched: bool) -> tuple[Migration, str]:
        """The record with what was seen of the key, and what the next step waits for, or empty."""
        since = from_text(migration.since)
        is_due = self._clock.now() >= migration.next_step_at
        seen = self._key.watched(migration, is_due=is_due)
        uses = [*self._key.uses_here(migration, since)]
        if seen.at:
            uses.append((seen.at, seen.purpose))
        at, purpose = max(uses) if uses else (None, "")
        changes: dict[str, Any] = {}
        known = migration.key_last_used
        if at and (known is None or from_text(known) < at):
            changes["key_last_used"] = to_text(at)
        why = ""
        if at and at > since:
            why = f"{migration.key_id} was used at {to_text(at)} {purpose}"
            changes["since"] = max(to_text(at), seen.asked_at or "")
        elif seen.unknown and migration.quiet_days and not unwatched:
            why = f"whether {migration.key_id} was used cannot be known: {seen.unknown}"
            changes["since"] = seen.asked_at
        if seen.asked_at:
            changes["answered_at"] = seen.asked_at
        if changes:  # in one write: a run that is killed has taken all of it into account, or none
            migration = self.records.change(migration, **changes)
        if why:
            why = f"{why}: the wait of {_days(migration)} begins anew"
            return migration, f"{why}; {_better(migration)}" if seen.unknown else why
        if not is_due:
            remark = f"; {seen.remark}" if seen.remark else ""
            return migration, f"until {to_text(migration.next_step_at)}{remark}"
        return migration, self._others(migration)

    def _others(self, migration: Migration) -> str:
        """Who still signs in with the same key, in words, or empty."""
        names = self._key.other_holders(migration)
        if not names:
            return ""
        return (
            f"{', '.join(names)} {'signs' if len(names) == 1 else 'sign'} in with"
            f" {migration.key_id} too: `awslogin migrate {names[0]} --to {migration.to}`"
        )

    def _change(self, *, broker_content: bytes, after: bytes) -> None:
        """Write the config; one that was trusted stays so."""
        path = self._broker.config.path
        if path.read_bytes() != broker_content:
            raise UsageError(f"{path} was changed meanwhile", hint="run it again")
        Trust(self._environ).carry_over(path, broker_content, after)
        if after != broker_content:
            self._write(path, after)

    def _noted(self, taken: Taken) -> Taken:
        migration = taken.migration
        self._broker.events.note(
            "migration",
            migration.profile,
            provider=migration.to,
            account_id=migration.account_id,
        )
        return taken


def _better(migration: Migration) -> str:
    return (
        f"allow iam:GetAccessKeyLastUsed on user {migration.user} to the role of {migration.to}, or"
        f" `awslogin migrate {migration.profile} --unwatched` where you know that nobody uses it"
    )


def _days(migration: Migration) -> str:
    return f"{migration.quiet_days:g} days"
