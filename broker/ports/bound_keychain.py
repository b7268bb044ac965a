"""One provider's part of the keychain: every entry carries what it is for (`broker.ports.entries`).

Owns that a secret is found for its own purpose alone, that the person is told of another one, and
how entries of older versions, which did not say what they were for, are taken over: once, asked.
"""

from __future__ import annotations

import threading

from broker.errors import InteractionRequired
from broker.ports.entries import Owner, Purpose, described
from broker.ports.entry_index import EntryIndex
from broker.ports.secrets import MEND_WHERE_NONE, Keychain
from broker.ports.steps import step
from broker.ports.ui import Ui
from broker.secret import Secret


class BoundKeychain:
    """A keychain whose entries are this owner's.

    Args:
        keychain: The machine's.
        owner: Whose entries these are, and where their secrets may be sent.
        index: What else the keychain holds.
        ui: The person.
        profile: One whose sign-in needs these entries, for the command that a message names.
    """

    def __init__(
        self, keychain: Keychain, owner: Owner, index: EntryIndex, ui: Ui, profile: str = ""
    ) -> None:
        self._keychain = keychain
        self._owner = owner
        self._index = index
        self._ui = ui
        self._profile = profile or "PROFILE"
        self._asked = threading.Lock()
        self._takes_over: bool | None = None
        self._reported: set[str] = set()

    @property
    def present(self) -> bool:
        """Whether the machine has a keychain."""
        return self._keychain.present

    @property
    def mend(self) -> str:
        """What to do where it has none."""
        return getattr(self._keychain, "mend", MEND_WHERE_NONE)

    def get(self, entry: str) -> Secret | None:
        """An entry, or None; one of an older version is taken over first.

        Raises:
            InteractionRequired: There is one of an older version, and nobody to ask.
            KeychainError: The keychain is locked or silent.
        """
        purpose = self._owner.purpose(entry)
        text = self._keychain.get(purpose.name)
        secret = purpose.unwrap(text) if text else None
        if text and secret is None:
            self._ui.warn(f"the keychain's entry {purpose.name} was made for something else")
        if secret is None:
            secret = self._taken_over(entry, purpose)
        if secret is None:
            self._tell_of_others(purpose)
        step(f"keychain: {described(entry)}: {'there is none' if secret is None else 'found'}")
        return secret

    def set(self, entry: str, value: Secret) -> None:
        """Write an entry; one of another purpose stays as it is."""
        purpose = self._owner.purpose(entry)
        self._index.add(purpose)
        self._keychain.set(purpose.name, purpose.wrap(value))

    def delete(self, entry: str) -> None:
        """Remove an entry; a missing one is no error."""
        purpose = self._owner.purpose(entry)
        self._keychain.delete(purpose.name)
        self._index.remove(purpose)

    def _taken_over(self, entry: str, purpose: Purpose) -> Secret | None:
        """What an older version kept under this name, if the person says that it is for this."""
        name = self._owner.name_before_purposes(entry)
        old = self._keychain.get(name)
        if old is None or not self._may_take_over(entry, purpose):
            return None
        self.set(entry, old)
        self._keychain.delete(name)
        return old

    def _may_take_over(self, entry: str, purpose: Purpose) -> bool:
        """The person's word, asked once for all entries of this owner.

        Raises:
            InteractionRequired: Nobody can be asked.
        """
        with self._asked:
            if self._takes_over is None:
                self._takes_over = self._ask(entry, purpose)
        return self._takes_over

    def _ask(self, entry: str, purpose: Purpose) -> bool:
        if self._index.has_declined(purpose):
            return False
        what = described(entry)
        if not self._ui.interactive:
            raise InteractionRequired(
                f"an older awslogin kept {what} without noting what for, so somebody must say"
                f" whether it is for {purpose.description}",
                hint=f"`awslogin login {self._profile}` on a terminal asks once",
            )
        about = (
            f"The keychain holds {what}, kept by an older awslogin that did not note what for.\n"
            f"It would be kept for {purpose.description} alone from now on."
        )
        yes = self._ui.confirm("Is it for that?", about=about)
        if not yes:
            self._index.decline(purpose)
        return yes

    def _tell_of_others(self, purpose: Purpose) -> None:
        """Say, once, for what else the keychain holds such a secret: it is not used here."""
        if purpose.name in self._reported:
            return
        self._reported.add(purpose.name)
        entry = purpose.facts["entry"]
        what = described(entry)
        tell = self._ui.progress if entry.startswith("totp/") else self._ui.warn
        for other in self._index.others(purpose):
            tell(
                f"the keychain holds {what} for {other.description};"
                f" it is not used for {purpose.description}"
            )
