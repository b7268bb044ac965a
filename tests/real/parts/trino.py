"""Trino's own parser, from Maven Central: it says whether Athena's engine can read a statement.

`python -m tests.real.parts.trino` fetches it into `${XDG_CACHE_HOME:-~/.cache}/awslogin-tests`.
435 is the last one that runs on Java 17.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from tests.real.parts import process

VERSION = "435"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awslogin-tests"
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>io.trino</groupId><artifactId>trino-parser</artifactId><version>{VERSION}</version>
  </dependency></dependencies>
</project>
"""
_PROGRAM = """\
import io.trino.sql.parser.SqlParser;
import java.nio.file.Files;
import java.nio.file.Path;

public class Parse {
    public static void main(String[] files) throws Exception {
        SqlParser parser = new SqlParser();
        for (String file : files) {
            try {
                parser.createStatement(Files.readString(Path.of(file)));
                System.out.println("good");
            } catch (RuntimeException error) {
                System.out.println(error.getMessage().replace("\\n", " "));
            }
        }
    }
}
"""


def installed() -> Path:
    """The folder of the parser and what it needs; fetched where it is missing."""
    folder = _CACHE / f"trino-parser-{VERSION}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_CACHE) as made:
        (Path(made) / "pom.xml").write_text(_POM)
        subprocess.run(
            [
                process.program("mvn"),
                "--quiet",
                "--batch-mode",
                "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                "-DincludeScope=runtime",
                "-DoutputDirectory=jars",
            ],
            cwd=made,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        shutil.move(Path(made) / "jars", folder)


def faults(statements: Sequence[str], folder: Path) -> list[str]:
    """What the parser says of each statement: `good`, or what is wrong and where.

    Args:
        statements: SQL.
        folder: For files, of the caller's own.
    """
    (folder / "Parse.java").write_text(_PROGRAM)
    files = []
    for number, statement in enumerate(statements):
        files.append(folder / f"{number}.sql")
        files[-1].write_text(statement)
    done = subprocess.run(
        [
            process.program("java"),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{installed()}/*",
            str(folder / "Parse.java"),
            *map(str, files),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    installed()
