"""The warm path: asks the agent for finished bytes. Imports `sys`, `_socket` and `os` alone.

Words of a cheap form (`creds P`, `env P`, `P --output json`) are asked of the agent. Anything else,
and anything that goes wrong here, is the full program's. Owns the forms, where the agent's socket
lies, whom to trust at it, and the frames that both sides send (four bytes of length, big-endian,
then fields between NULs). It is one file because each further one costs 0.3 ms of some 10.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is too dear here
    import os
    from _socket import socket
    from collections.abc import Callable, Mapping

    Form = tuple[str, str, str, bool, bool, float, str]
elif "os" in sys.modules:
    import os
else:  # without site-packages nothing has imported it yet
    from broker import minimal_os as os

COMMANDS = (
    "login env creds exec shell serve list status console whoami explain logout add remove"
    " rotate migrate import discover setup config agent completion shell-init report events"
    " init doctor uninstall trust-policy providers"
).split()
"""Command names as `broker.cli.main` has them; a profile so named needs `awslogin login NAME`."""

FILE_NAME = "awslogin.yaml"
"""The team's file, looked for from the working directory up."""

FORMATS = ("json", "process", "env", "fish", "powershell", "cmd", "dotenv")
"""What the agent keeps ready: formats whose bytes are the same whoever asks, and when."""

COMPLETE = "_AWSLOGIN_COMPLETE"
"""Where a shell that completes a line asks."""

OTHER_SHELLS = ("csh", "tcsh", "nu", "xonsh", "elvish")
"""Shells that read none of these formats."""

PATIENCE = 1.5
"""Seconds for an agent that has nothing to wait for."""
SAY_AFTER = 1.0
"""Seconds of waiting for another process's sign-in before the person is told."""
LARGEST = 1 << 20
"""Bytes of a frame."""
LONGEST = 99
"""Bytes of a socket's path: macOS takes 104, Linux 108, with the final NUL and `.new`."""
INTERRUPTED = (
    b'{"error": {"code": "interrupted", "exit": 130, "message": "interrupted", "hint": "",'
    b' "profile": null}}'
)

leader_connection: "socket | None" = None
"""The connection of the process that signs in for others; its end tells the agent of ours."""

agent_is_silent = False
"""Whether the agent did not answer in time; then this process asks it nothing more."""


def answer(arguments: "list[str]", start_agent: "Callable[[str], socket]") -> "int | None":
    """The exit code where the agent had the answer; None where the full program must find it.

    Then Ctrl-C waits for that program's error boundary: in an import it would be a traceback.

    Args:
        arguments: The command line.
        start_agent: Gives a connection to a new agent in a folder.
    """
    form = wanted(arguments) if may_ask_agent(os.environ) else None
    try:
        try:
            code = _ask(form, start_agent) if form else None
        except (OSError, ValueError, IndexError) as error:  # without an agent it works as well
            code = None
            global agent_is_silent  # noqa: PLW0603 - as long as the process
            agent_is_silent = isinstance(error, TimeoutError)
        if code is None:
            hold_interrupts()
    except KeyboardInterrupt:
        hold_interrupts()  # it may be pressed again
        return tell_interrupt(form[1] if form else "")
    return code


def use_whole_os() -> None:
    """For the full program, which hands over paths of any kind, where there was no `os` yet."""
    global os  # noqa: PLW0603 - the same functions, more of them
    import os


def hold_interrupts() -> None:
    """Let Ctrl-C wait until it is let in again."""
    if os.name == "posix":
        import _signal  # type: ignore[import-not-found]

        _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT,))


def let_interrupts_in() -> None:
    """Let Ctrl-C in, and one that has waited."""
    if os.name == "posix":
        import _signal

        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))


def tell_interrupt(output: str) -> int:
    """Say that the person has ended it; the exit code."""
    return _tell(130, INTERRUPTED, output)


def completing() -> str:
    """What a shell asks at a press of TAB, or nothing."""
    return os.environ.get(COMPLETE) or ""


def keep_descriptors() -> None:
    """Put the null device where a standard stream is closed: a socket must not take its place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def may_ask_agent(environ: "Mapping[str, str]") -> bool:
    """Whether an agent may be asked here: it is on, and this is no CI and no narrowed session."""
    return (
        os.name == "posix"
        and environ.get("AWSLOGIN_AGENT") != "off"
        and not environ.get("AWSLOGIN_NARROWED")  # it would answer with the whole session
        and environ.get("CI", "").lower() != "true"
    )


def wanted(arguments: "list[str]") -> "Form | None":
    """The form of cheap words, or None for others.

    Profile, format, `--config`, whether a person may be asked, quiet, seconds to wait, `--found`.
    """
    plain: list[str] = []
    values = {"--config": "", "--found": "", "--output": "text"}
    flags = {"--no-input": False, "--quiet": False, "--no-browser": False}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in values:
            value = value if equals else next(rest, "")
            if not value:
                return None
            values[name] = value
        elif word in flags:
            flags[word] = True
        elif word[:1] in ("-", ""):
            return None
        else:
            plain.append(word)
    if len(plain) == 1 and plain[0] in COMMANDS:
        return None
    command = plain.pop(0) if len(plain) == 2 else "login"
    if len(plain) != 1 or command not in ("login", "env", "creds"):
        return None
    profile, output, seconds = plain[0], values["--output"], 300.0
    if not all(letter.isalnum() or letter in "._@+-" for letter in ascii(profile)[1:-1]):
        return None
    if command == "creds" and output in (*FORMATS, "text"):
        output, seconds = "process", 50.0
    elif command == "env" and output == "text":
        output = calling_shell()
    shown = (*FORMATS, "text") if command == "login" else FORMATS
    if output not in shown or (values["--config"] and values["--found"]):
        return None
    config, may_ask = values["--config"], not flags["--no-input"]
    return profile, output, config, may_ask, flags["--quiet"], seconds, values["--found"]


def as_found(arguments: "list[str]") -> "list[str]":
    """The words of a line that an older `setup` wrote, which trusted whatever the file came to say.

    `creds NAME --config …/awslogin.yaml` is read as `creds NAME --found …`.
    """
    if arguments[:1] != ["creds"]:
        return arguments
    arguments = list(arguments)
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        file = value if equals else "".join(arguments[place + 1 : place + 2])
        if name == "--config" and file.rpartition("/")[2] == FILE_NAME:
            arguments[place] = f"--found{equals}{value}"
    return arguments


def calling_shell() -> str:
    """The format of the shell that called us: its process's name, else what the system says.

    A shell that none of ours is for is named itself.
    """
    if os.name == "nt":
        return "powershell" if os.environ.get("PSModulePath") else "cmd"
    name = os.environ.get("SHELL", "sh").rpartition("/")[2]
    try:
        with open(f"/proc/{os.getppid()}/comm", "rb") as file:
            name = file.read(64).decode().strip()
    except (OSError, ValueError):
        pass
    known = {"fish": "fish", "pwsh": "powershell"}
    return name if name in OTHER_SHELLS else known.get(name, "env")


def working_directory() -> str:
    """Where relative paths and the walk up begin; the root, where the directory was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def place_of(
    config: str,
    found: str = "",
    environ: "Mapping[str, str]" = os.environ,
    folder: "str | None" = None,
) -> "tuple[str, str]":
    """Which config counts: how it came to be known, and its path.

    `given`: by `--config`. `environ`: by AWSLOGIN_CONFIG. `found`: it must be trusted by its
    content, as it was found by walking up, or is the file of `--found`, or of a relative
    AWSLOGIN_CONFIG, which any folder could bring. `own`: the person's, without a path.

    Args:
        config: `--config`, or empty.
        found: `--found`, or empty.
        environ: The environment.
        folder: Where the walk up begins; the working directory.
    """
    folder = folder or working_directory()
    if config:
        return "given", os.path.join(folder, os.path.expanduser(config))
    if found:
        return "found", os.path.join(folder, os.path.expanduser(found))
    named = os.path.expanduser(environ.get("AWSLOGIN_CONFIG") or "")
    if named:
        path = os.path.join(folder, named)
        return "environ" if path == named and not leads_by_process(named) else "found", path
    while True:
        path = os.path.join(folder, FILE_NAME)
        if is_own_file(path):
            return "found", path
        above = os.path.dirname(folder)
        if above == folder:
            return "own", ""
        folder = above


def leads_by_process(path: str) -> bool:
    """Whether a path is another file in each process, as `/proc/self/cwd/…` is, however written."""
    above: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del above[-1:]
        elif part not in ("", "."):
            above.append(part)
        if above in (["proc"], ["dev", "fd"]):
            return True
    return False


def is_own_file(path: str) -> bool:
    """Whether a file stands there that is ours or root's; what others left there is none of ours.

    In a folder that we may not look into there is none.
    """
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return False
    regular = about.st_mode & 0o170000 == 0o100000
    return regular and (os.name != "posix" or about.st_uid in (0, os.geteuid()))


def agent_folder(environ: "Mapping[str, str]") -> str:
    """The agent's folder, in `broker.paths.state_dir`."""
    home = environ.get("AWSLOGIN_HOME")
    if home:
        base = os.path.expanduser(home)
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support/awslogin")
    else:
        state = environ.get("XDG_STATE_HOME", "").strip() or os.path.expanduser("~/.local/state")
        base = os.path.join(state, "awslogin")
    if os.name == "posix" and base[:1] != "/":  # the full program says so
        raise FileNotFoundError(base)
    return os.path.join(base, "agent")


def socket_path(folder: str) -> str:
    """Where the socket lies: in the folder, or where its `where` says if that path is too long."""
    path = os.path.join(folder, "socket")
    if len(os.fsencode(path)) <= LONGEST:
        return path
    with open(os.path.join(folder, "where"), "rb") as file:
        return os.fsdecode(file.read(LONGEST))


def is_private(folder: str) -> bool:
    """Whether a folder is ours alone, so that nobody else can have put anything into it."""
    about = os.lstat(folder)
    return about.st_mode & 0o170077 == 0o40000 and about.st_uid == os.geteuid()


def peer_of(link: "socket") -> "tuple[int, int]":
    """Process id and user id at the other end, by the kernel's word."""
    if sys.platform == "darwin":
        about = link.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        return link.getsockopt(0, 2), int.from_bytes(about[4:8], sys.byteorder)
    about = link.getsockopt(1, 17, 12)  # SOL_SOCKET, SO_PEERCRED: struct ucred
    return int.from_bytes(about[:4], sys.byteorder), int.from_bytes(about[4:8], sys.byteorder)


def connect(folder: str) -> "socket":
    """A connection to this user's own agent.

    Raises:
        OSError: There is none, or what is there is somebody else's.
    """
    import _socket

    path = socket_path(folder)
    if not (is_private(folder) and is_private(os.path.dirname(path))):
        raise PermissionError(folder)
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        if link.fileno() < 3:  # a standard stream is closed, and this would stand in for it
            raise OSError(link.fileno())
        link.settimeout(PATIENCE)
        link.connect(path)
        if peer_of(link)[1] != os.geteuid():
            raise PermissionError(path)
    except OSError:
        link.close()
        raise
    return link


def send(link: "socket", *fields: bytes) -> None:
    """Send one frame: the length in four bytes, then the fields between NULs."""
    body = b"\0".join(fields)
    link.sendall(len(body).to_bytes(4, "big") + body)


def receive(link: "socket") -> "list[bytes]":
    """The next frame's fields; none where the other end has gone.

    Raises:
        OSError, ValueError: Silent for too long, or no frame.
    """
    size = int.from_bytes(_exactly(link, 4), "big")
    if size > LARGEST:
        raise ValueError(size)
    body = _exactly(link, size)
    return body.split(b"\0") if body else []


def _exactly(link: "socket", size: int) -> bytes:
    """So many bytes, or none where the other end has gone."""
    body = b""
    while len(body) < size:
        more = link.recv(size - len(body))
        if not more:
            return b""
        body += more
    return body


def _ask(form: "Form", start_agent: "Callable[[str], socket]") -> "int | None":
    """The exit code where the agent had the answer; None where the full command must find it."""
    profile, output, config, may_ask, quiet, seconds, found = form
    how, path = place_of(config, found)
    folder = agent_folder(os.environ)
    try:
        link = connect(folder)
    except (FileNotFoundError, ConnectionRefusedError):
        link = start_agent(folder)
    send(link, b"get", how.encode(), os.fsencode(path), profile.encode(), output.encode())
    until = 0.0
    is_told = quiet
    while True:
        try:
            kind, *rest = receive(link) or [b"gone"]
        except TimeoutError:
            if not until:
                link.close()
                raise
            if is_told:
                return _tell(5, _timeout_line(profile, seconds), output)
            is_told = True
            _say_to_person(f"waiting for another awslogin that signs in for {profile}")
            link.settimeout(seconds - SAY_AFTER)
            continue
        if kind == b"take":
            print_and_end(rest[0] if output != "text" else _as_of_now(rest[0]))
        if kind == b"failed" and output == "text":
            return None  # the full program tells a person in its own way
        if kind == b"failed":
            can_ask = rest[0] == b"4" and may_ask and _has_terminal()
            return None if can_ask else _tell(int(rest[0]), rest[1], output)
        if kind == b"ask":
            send(link, *[_value(name) for name in rest])
        elif kind == b"wait":
            import time

            until = until or time.monotonic() + seconds
            link.settimeout(max(until - time.monotonic(), 0.01) if is_told else SAY_AFTER)
        else:
            if kind == b"go":
                _hold(link)
            return None


def _hold(link: "socket") -> None:
    """Keep the connection for as long as this process lives, the full program included."""
    global leader_connection  # noqa: PLW0603 - as long as the process
    leader_connection = link


def _value(name: bytes) -> bytes:
    """A variable as the agent compares it: whether it is set, and to what."""
    value = os.environ.get(os.fsdecode(name))
    return b"-" if value is None else b"+" + os.fsencode(value)


def print_and_end(text: bytes) -> None:
    """The result, to stdout; then the process ends without tidying up.

    Raises:
        OSError: It cannot be written, as on a full disk.
    """
    try:
        while text:
            text = text[os.write(1, text) :]
    except BrokenPipeError:
        os._exit(130)  # noqa: SLF001 - a name of `os`
    os._exit(0)  # noqa: SLF001


def _as_of_now(text: bytes) -> bytes:
    """A text for people, with the time that is left now."""
    from broker.time_left import filled

    return filled(text.decode()).encode()


def _tell(code: int, line: bytes, output: str = "") -> int:
    """Say another process's failure for who reads it here; the exit code."""
    from broker.failure_line import EVAL_FAILS, retold

    _say(retold(os.fsdecode(line), output, "creds" if output == "process" else ""))
    try:
        os.write(1, EVAL_FAILS.get(output, "").encode())
    except OSError:
        pass
    return code


def _say(line: str) -> None:
    try:
        os.write(2, f"{line}\n".encode())
    except OSError:
        pass


def _say_to_person(line: str) -> None:
    """On stderr; where that is no terminal, on the terminal too: an SDK shows it to nobody."""
    _say(line)
    if os.isatty(2):
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return
    try:
        os.write(terminal, f"{line}\r\n".encode())
    except OSError:
        pass
    finally:
        os.close(terminal)


def _timeout_line(profile: str, seconds: float) -> bytes:
    return (
        f'{{"error": {{"code": "network", "exit": 5, "message": "waited {seconds:.0f} s for another'
        f' awslogin that signs in for {profile}", "hint": "finish that sign-in, or wait longer with'
        f' --timeout", "profile": "{profile}"}}}}'
    ).encode()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
