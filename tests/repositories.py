"""Real git repositories for tests, made by the `git` on PATH; served by file:// and by http."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.sandbox import listening


class Repository:
    """A repository with one branch, `main`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)
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


class GitServer:
    """Git's own http-backend on loopback, over a folder of repositories.

    Attributes:
        asked: The paths that were asked for.
        refuses: A status that every request gets in place of git's answer.
        leads_to: Where every request is redirected to.
        hangs: While it is set to an event, answers wait for it.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.refuses: int | None = None
        self.leads_to: str | None = None
        self.hangs: threading.Event | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if outer.hangs:
                    outer.hangs.wait(120)
                if outer.refuses or outer.leads_to:
                    self.send_response(outer.refuses or 302)
                    if outer.refuses == 401:
                        self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    if outer.leads_to:
                        self.send_header("Location", outer.leads_to + self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                head, _, content = outer.answer(self, body).partition(b"\r\n\r\n")
                headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # its client was ended
                    self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self._folder = folder
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> bytes:
        """What git's CGI program says."""
        path, _, query = request.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            # Whoever runs the tests owns the repositories, or is root.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environ, input=body, capture_output=True, check=True
        )
        return done.stdout


@contextmanager
def served(folder: Path) -> Iterator[GitServer]:
    """The repositories below a folder, by http: `git+http://HOST/NAME/.git@COMMIT#FILE`."""
    git = GitServer(folder)
    listening.start(git.server)
    try:
        yield git
    finally:
        if git.hangs:
            git.hangs.set()
        listening.stop(git.server)
