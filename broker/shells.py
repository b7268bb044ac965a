"""Starts a person's shell so that its prompt names the session. Owns what each shell needs for it.

A shell's own start-up files set its prompt, so the hint is put in after them; nothing of them is
changed, and nothing is left on disk.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_BASH = """\
[ -f ~/.bashrc ] && . ~/.bashrc
PS1="$AWSLOGIN_HINT$PS1"
"""
_ZSH = """\
rm -f -- "$ZDOTDIR/.zshenv"; rmdir -- "$ZDOTDIR"
ZDOTDIR="$AWSLOGIN_ZDOTDIR"
unset AWSLOGIN_ZDOTDIR
[[ -n "$ZDOTDIR" ]] || unset ZDOTDIR
[[ -f "${ZDOTDIR:-$HOME}/.zshenv" ]] && . "${ZDOTDIR:-$HOME}/.zshenv"
_awslogin_hint() {
  PROMPT="$AWSLOGIN_HINT$PROMPT"
  precmd_functions=("${(@)precmd_functions:#_awslogin_hint}")
}
precmd_functions+=(_awslogin_hint)
"""
_FISH = """\
functions --query fish_prompt; and functions --copy fish_prompt _awslogin_prompt
function fish_prompt; echo -n $AWSLOGIN_HINT; _awslogin_prompt; end
"""
_POWERSHELL = """\
$function:_awslogin = $function:prompt
function prompt { "$Env:AWSLOGIN_HINT$(_awslogin)" }
"""


def with_hint(environ: Mapping[str, str], profile: str) -> tuple[list[str], dict[str, str]]:
    """The words that start the person's shell, and what its environment needs beside the session.

    Args:
        environ: Says which shell: SHELL, on Windows COMSPEC.
        profile: Needs no quoting anywhere, as the names of profiles don't.
    """
    default = environ.get("COMSPEC", "cmd.exe") if sys.platform == "win32" else "/bin/sh"
    shell = environ.get("SHELL") or default
    if not sys.stdin.isatty():
        return [shell], {}
    hint = f"[{profile}] "
    more = {"AWSLOGIN_HINT": hint}
    name = Path(shell).stem.lower()
    if name == "bash":
        return [shell, "--rcfile", _from_memory(_BASH), "-i"], more
    if name == "zsh":
        folder = tempfile.mkdtemp(prefix="awslogin-")
        (Path(folder) / ".zshenv").write_text(_ZSH, encoding="utf-8")
        more |= {"ZDOTDIR": folder, "AWSLOGIN_ZDOTDIR": environ.get("ZDOTDIR", "")}
        return [shell, "-i"], more
    if name == "fish":
        return [shell, "--init-command", _FISH], more
    if name in {"pwsh", "powershell"}:
        return [shell, "-NoLogo", "-NoExit", "-Command", _POWERSHELL], more
    if name == "cmd":
        return [shell, "/K"], {**more, "PROMPT": f"{hint}{environ.get('PROMPT', '$P$G')}"}
    return [shell], {**more, "PS1": f"{hint}$ "}


def _from_memory(text: str) -> str:
    """A file name under which the next program reads this text, once: a pipe holds it."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    os.set_inheritable(reader, True)
    return f"/dev/fd/{reader}"


def calling_program() -> str:
    """The name of the process that called us, where the system says it."""
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(errors="replace").strip()
    except OSError:
        return "the program that asks"
