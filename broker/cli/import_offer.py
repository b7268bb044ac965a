"""`import` without a source: which tools are set up here, and what each would bring."""

from __future__ import annotations

from typing import Any

from broker import aws_files
from broker.cli.app import App
from broker.errors import AwsLoginError
from broker.importing import SOURCES, Found, Here, look
from broker.paths import read_or_none
from broker.terminal_text import counted

CREDENTIALS = "aws-credentials"


def offered(app: App, here: Here) -> str | None:
    """Say what there is; on a terminal, the source that the person picks."""
    there: dict[str, Found] = {}
    rows: list[dict[str, Any]] = []
    for source in [*SOURCES, CREDENTIALS]:
        try:
            found = _keys(here) if source == CREDENTIALS else look(source, here)
        except AwsLoginError as error:
            rows.append({"source": source, "error": error.message})
            continue
        if found.files and found.is_in_use:
            there[source] = found
            rows.append(_counted(source, found, here))
    if app.output == "json":
        app.say_json(rows)
        return None
    lines = [f"{row['source']}: {row.get('error') or _in_words(row)}" for row in rows]
    if there and app.ui.interactive:
        shown = [line for line, row in zip(lines, rows, strict=True) if "error" in row]
        app.say("".join(f"{line}\n" for line in shown))
        texts = [line for line, row in zip(lines, rows, strict=True) if "error" not in row]
        pick = app.ui.choose("Take over which?", [*texts, "none of them"])
        return [*there][pick] if pick < len(there) else None
    app.say("".join(f"{line}\n" for line in lines) or "no other tool's set-up was found here\n")
    if there:
        app.note(f"`awslogin import {next(iter(there))}` takes one over")
    return None


def _keys(here: Here) -> Found:
    """The plain-text keys of ~/.aws/credentials."""
    path = aws_files.credentials_path(here.environ)
    content = read_or_none(path) if path.is_file() else None
    keys = aws_files.plain_keys(content, str(path)) if content else {}
    return Found(files=[path] if keys else [], key_names=[*keys])


def _counted(source: str, found: Found, here: Here) -> dict[str, Any]:
    """What would come over into a config that has nothing yet."""
    from broker.importing.merging import EMPTY, merge

    merged = merge(EMPTY, here.folder / "awslogin.yaml", found, here.environ)
    return {
        "source": source,
        "files": [str(path) for path in found.files],
        "providers": len(merged.providers),
        "profiles": len(merged.profiles),
        "keys": len(found.key_names),
        "left_out": len(merged.left_out),
    }


def _in_words(row: dict[str, Any]) -> str:
    counts = [(row["profiles"], "profile"), (row["keys"], "key"), (row["providers"], "sign-in")]
    brought = [counted(number, noun) for number, noun in counts if number]
    return ", ".join(brought) or "nothing that can come over"
