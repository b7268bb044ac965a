"""The sections that `setup` writes: one a profile, with the line that signs in through awslogin.

Owns their names, what stands in them, and which profiles are left out.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import broker
from broker import aws_files, isolated
from broker.arn import account_of
from broker.aws_config import profiles
from broker.errors import AwsLoginError, InteractionRequired, UsageError
from broker.warm import FILE_NAME

if TYPE_CHECKING:
    from broker.cli.app import App
    from broker.config import Profile

_PLAIN = re.compile(r"[\w@+=:,./\\-]+")
_UNQUOTABLE = re.compile(
    r"""["'`$%!#;\r\n]""" if sys.platform == "win32" else r"""["'`$%!#;\\\r\n]"""
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass
class Wanted:
    """What is to stand in the file, and what is not.

    Attributes:
        sections: The SDK's profile → its lines, header first.
        left_out: Profile of the YAML → why.
        taken_over: The person's own sections that are put aside.
    """

    sections: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    taken_over: list[str] = field(default_factory=list)


def wanted_sections(
    app: App, before: bytes, file: str, name_format: str, *, take_over: bool
) -> Wanted:
    """A section for each profile; a name that is taken is left out, or taken over.

    Args:
        app: Its config is the YAML.
        before: `~/.aws/config` as it is.
        file: The YAML's absolute path.
        name_format: How a section is named, with fields in braces.
        take_over: Whether the person's own sections of these names are put aside.

    Raises:
        InteractionRequired: The YAML is not trusted.
        UsageError: A path cannot stand in the line, or the format is wrong.
    """
    _require_trust(app)
    taken = profiles(before)
    keys_file = aws_files.credentials_path(app.environ)
    keys = aws_files.profiles_with_keys(
        aws_files.read(keys_file, "AWS_SHARED_CREDENTIALS_FILE") or b""
    )
    line = _line(app, file)
    wanted = Wanted()
    for own_name in app.config.names:
        try:
            profile = app.config.profile(own_name)
        except AwsLoginError as error:
            wanted.left_out[own_name] = error.message
            continue
        name = _named(app, profile, name_format)
        section = "[default]" if name == "default" else f"[profile {name}]"
        holder = taken.get(name)
        if name in wanted.sections:
            wanted.left_out[own_name] = f"another profile has the name {name} already"
            continue
        if holder and holder.file != file:
            wanted.left_out[own_name] = (
                f"{section} is that of {holder.file}: --prefix or --name-format gives another name"
            )
            continue
        if name in taken and holder is None:
            if not take_over:
                wanted.left_out[own_name] = (
                    f"the file has a section {section} of its own: --take-over puts it aside,"
                    " --prefix gives another name"
                )
                continue
            wanted.taken_over.append(name)
        if name in keys:
            app.ui.warn(f"{name}: the section [{name}] of {keys_file} wins over awslogin's session")
        wanted.sections[name] = [
            section,
            f"credential_process = {line.format(name=own_name)}",
            f"region = {profile.region}",
        ]
    for name, reason in wanted.left_out.items():
        app.ui.warn(f"{name} left out: {reason}")
    return wanted


def _require_trust(app: App) -> None:
    """A file that the line holds to trust is held to it here too, though it was named."""
    app.require_trust()
    if _is_held_to_trust(app) and not app.config.trusted_by_content:
        raise InteractionRequired(
            f"{app.config.path} must be trusted by its content: the line of `setup` works for as"
            " long as it is",
            hint=f"read it, then `awslogin config trust {app.config.path}`",
        )


def _is_held_to_trust(app: App) -> bool:
    config = app.config
    return not config.given or config.path.name == FILE_NAME or config.subject.reaches_elsewhere


def _named(app: App, profile: Profile, name_format: str) -> str:
    """The section's name.

    Raises:
        UsageError: It would be no name, or the format holds what there is not.
    """
    role = profile.role or (profile.role_arn or "").partition(":role/")[2]
    known: dict[str, Callable[[], str]] = {
        "profile": lambda: profile.name,
        "provider": lambda: app.idle_broker.plugins.likely_spec(profile).name,
        "account": lambda: profile.account or account_of(profile.role_arn) or "",
        "role": lambda: role.rpartition("/")[2],
        "team": lambda: app.config.team,
    }
    unknown = set(_FIELD.findall(name_format)) - known.keys()
    if unknown:
        raise UsageError(
            f"--name-format takes {' '.join(f'{{{field}}}' for field in known)}",
            hint='for example --name-format "{team}-{profile}"',
        )
    name = _FIELD.sub(lambda found: known[found[1]](), name_format)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{profile.name} would be named “{name}”, which is no name of a profile",
            hint="letters, digits and . _ @ + - are",
        )
    return name


def _line(app: App, file: str) -> str:
    """The command of `credential_process`, where `{name}` stands for the profile."""
    how = "--found" if _is_held_to_trust(app) else "--config"
    program, path = (
        word.replace("{", "{{").replace("}", "}}")
        for word in (" ".join(map(_quoted, _program())), _quoted(file))
    )
    return f"{program} creds {{name}} {how} {path}"


def _program() -> list[str]:
    """The words that start awslogin from any folder: the fastest that work here."""
    main = Path(broker.__file__).with_name("__main__.py")
    if sys.platform != "win32" and sys.executable and main.is_file():
        return [sys.executable, "-I", "-S", str(main.absolute())]
    script = Path(sys.executable).parent / "awslogin"
    found = str(script) if script.exists() else shutil.which("awslogin")
    return [str(Path(found).absolute())] if found else isolated.command("broker")


def _quoted(word: str) -> str:
    """A word that a shell, cmd.exe and botocore's own splitter read alike.

    Raises:
        UsageError: They would not.
    """
    if _UNQUOTABLE.search(word) or not word.isprintable():  # bytes that are not UTF-8, too
        raise UsageError(
            f"{word} holds a character that AWS config files cannot carry safely",
            hint="move the file to a folder with a plain name",
        )
    return word if _PLAIN.fullmatch(word) else f'"{word}"'
