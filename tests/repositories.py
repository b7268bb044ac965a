"""Real git repositories for tests: made by the `git` on PATH, reached by file://."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Repository:
    """A repository with one branch, `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.url = f"git+file://{folder}"

    def git(self, *words: str) -> str:
        """Run git in it."""
        who = [
            "-c",
            "user.name=ann",
            "-c",
            "user.email=ann@corp.example",
            "-c",
            "commit.gpgSign=no",
        ]
        done = subprocess.run(
            ["git", "-C", str(self.folder), *who, *words],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit these files (`__` in a name is `/`, `.yaml` is added); the commit's name."""
        for name, text in files.items():
            path = self.folder / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def at(self, commit: str, file: str = "team.yaml") -> str:
        """What a line of `extends` says."""
        return f"{self.url}@{commit}#{file}"
