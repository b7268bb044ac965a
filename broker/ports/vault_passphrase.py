"""The passphrase of the encrypted file: where it comes from, and the choice to have such a file."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import KeychainError, NotKept
from broker.paths import data_dir
from broker.ports.secrets import Keychain
from broker.ports.ui import Ui
from broker.secret import Secret

SHORT_PASSPHRASE = 12
"""Characters below which a passphrase is called short."""
_SHORT = f"is short: under {SHORT_PASSPHRASE} characters are soon guessed by whoever has the file"


def vault_here(ui: Ui, environ: Mapping[str, str]) -> Keychain | None:
    """The encrypted file, where there is one or its passphrase can be had, else None."""
    given = environ.get("AWSLOGIN_PASSPHRASE")
    from broker.ports.vault import LockedVault, Vault

    path = data_dir(environ) / "vault"
    if not given and not ui.interactive:
        return LockedVault(path, mend=_unlocking(environ)) if path.exists() else None

    def passphrase(new: bool, attempt: int) -> Secret:  # noqa: FBT001
        if given:
            if attempt:
                raise KeychainError(
                    f"AWSLOGIN_PASSPHRASE does not open the vault {path}",
                    hint="set the passphrase the vault was made with",
                )
            if new and len(given) < SHORT_PASSPHRASE:
                ui.warn(f"AWSLOGIN_PASSPHRASE {_SHORT}")
            return Secret(given)
        if new and environ.get("AWSLOGIN_KEYRING") != "file":
            _offer_a_choice(ui)
        return _ask_passphrase(ui, new=new, again=attempt > 0)

    return Vault(path, passphrase)


def _unlocking(environ: Mapping[str, str]) -> str:
    """How the vault is unlocked by who cannot be asked."""
    mend = "set AWSLOGIN_PASSPHRASE, or run the command on a terminal, which asks for it"
    if environ.get("AWSLOGIN_PROFILE"):
        return f"{mend} (`exec` and `shell` do not hand the passphrase to their command)"
    return mend


def _offer_a_choice(ui: Ui) -> None:
    """Let the person say where secrets go on a machine without a keychain.

    Raises:
        NotKept: Nowhere.
    """
    ui.show("pass would do too: `pipx inject awslogin keyring-pass`, then AWSLOGIN_KEYRING=pass")
    choice = ui.choose(
        "This machine has no keychain. Where do secrets go?",
        (
            "into an encrypted file, behind a passphrase (AWSLOGIN_KEYRING=file)",
            "nowhere: each command signs in anew (AWSLOGIN_KEYRING=none)",
        ),
    )
    if choice == 1:
        raise NotKept(
            "nothing is kept on this machine",
            hint="AWSLOGIN_KEYRING=none says so for good, AWSLOGIN_KEYRING=file keeps secrets",
        )


def _ask_passphrase(ui: Ui, *, new: bool, again: bool) -> Secret:
    """Ask on the terminal; twice where the vault is being made."""
    if not new:
        question = "Wrong passphrase. Passphrase" if again else "Passphrase"
        return Secret(ui.ask(f"{question} of the awslogin vault", secret=True))
    while True:
        first = ui.ask("New passphrase for the awslogin vault", secret=True)
        if first == ui.ask("The same passphrase again", secret=True):
            if len(first) < SHORT_PASSPHRASE:
                ui.warn(f"that passphrase {_SHORT}")
            return Secret(first)
        ui.show("The two differ.")
