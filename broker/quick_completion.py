"""What a shell completes at a press of TAB, where no library is needed: commands and profiles.

`broker.cli.completion` keeps the profiles' names, and the lines that a shell reads for them, with
the fingerprints of the files that they come from. As long as those hold, the first word and the
profile behind a command are answered here; all else is the full program's.
"""

import json
import os

from broker.file_fingerprint import file_fingerprint
from broker.warm import COMMANDS, agent_folder, place_of

TAKE_A_PROFILE = frozenset(["login", "env", "creds", "whoami", "explain", "logout", "console"])
"""Commands whose first word is a profile and nothing else."""
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+- ")
"""Letters of a line whose words need no shell to be told apart."""
HOMES = ("HOME", "AWSLOGIN_HOME", "XDG_CONFIG_HOME")
"""Variables that say where the person's own config lies."""


def answer(asked: str) -> "str | None":
    """What the shell reads; None where the full program must find it.

    Args:
        asked: What the shell's script asks: `bash_complete`, `zsh_complete`, `fish_complete`.

    Raises:
        OSError, ValueError, KeyError, TypeError: What is kept cannot be used.
    """
    begun = _begun(asked)
    if begun is None:
        return None
    before, word = begun
    with open(file(), "rb") as names_file:
        known = json.load(names_file)[key()]
    if not holds(known):
        return None
    lines = known["lines"][asked]
    names = [*(() if before else COMMANDS), *known["names"]]
    return "".join(f"{lines.replace('*', name)}\n" for name in names if name.startswith(word)) or (
        "\n"
    )


def holds(known: "dict[str, dict[str, str]]") -> bool:
    """Whether what is kept of a config is as its files are now."""
    return all(file_fingerprint(path).decode() == was for path, was in known["stamps"].items())


def file() -> str:
    """Where the names are kept."""
    return os.path.join(os.path.dirname(agent_folder(os.environ)), "names.json")


def key(option: str = "") -> str:
    """Under which name they are kept: how the config is found, where, and whose it would be."""
    how, path = place_of(option)
    return json.dumps([how, path, *(os.environ.get(name) for name in HOMES)])


def _begun(asked: str) -> "tuple[str, str] | None":
    """The command before the word that is begun, or none, and that word; None for other lines."""
    line = os.environ.get("COMP_WORDS", "")
    if asked not in ("bash_complete", "zsh_complete", "fish_complete") or not set(line) <= PLAIN:
        return None
    typed = line.split()[1:]
    at = os.environ.get("COMP_CWORD", "")
    if asked == "fish_complete":
        word = at
        if word and typed[-1:] == [word]:
            typed.pop()
    else:
        number = int(at) - 1
        word = typed[number] if number < len(typed) else ""
        typed = typed[:number]
    if word.startswith("-") or len(typed) > 1 or (typed and typed[0] not in TAKE_A_PROFILE):
        return None
    return "".join(typed), word
