"""The command: the warm path, else the full program.

`awslogin` runs this file by its path: isolated (`-I`), so that nothing named by PYTHONPATH or lying
in the working directory is imported, and without site-packages (`-S`), which the warm path does not
need and the full program gets from here.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

if not __package__:
    sys.path.insert(0, __file__.rpartition("/broker/")[0])

from broker import __version__, warm  # noqa: E402


def main(*, by_setup: bool = False) -> int:
    """Run the command line; its exit code.

    Args:
        by_setup: It is a line that `setup` wrote into `~/.aws/config`.
    """
    warm.keep_descriptors()
    arguments = warm.as_found(sys.argv[1:]) if by_setup else sys.argv[1:]
    shell = warm.completing()
    if shell:
        _complete(shell)
    elif arguments == ["--version"]:
        warm.print_and_end(f"awslogin, version {__version__}\n".encode())
    code = None if shell else warm.answer(arguments, _start_agent)
    return full_program(arguments) if code is None else code


def _complete(shell: str) -> None:
    """Answer a press of TAB and end, where the full program is not needed for it."""
    from broker.quick_completion import answer

    try:
        found = answer(shell)
        if found is not None:
            warm.print_and_end(found.encode())
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing is kept yet, or what is kept is damaged
    warm.hold_interrupts()


def _start_agent(folder: str) -> "socket":
    from broker.agent.start import started

    return started(folder)


def full_program(arguments: "list[str]") -> int:
    """The program with all its libraries, in this process."""
    if sys.flags.no_site:
        from broker.isolated import add_site_packages

        add_site_packages()
    from broker.hardening import harden

    harden()
    if warm.leader_connection is None:  # no agent has sent us here
        code = _answer_from_disk(arguments)
        if code is not None:
            return code
    from broker.cli.main import run_and_end

    return run_and_end(arguments)


def _answer_from_disk(arguments: "list[str]") -> "int | None":
    """Hand out a kept session and end, where neither the config nor what shapes it has changed.

    The exit code of Ctrl-C, as a person's keychain may be waited for; else None.
    """
    form = warm.wanted(arguments)
    if not form:
        return None
    import os

    profile, output, config, may_ask, quiet, _, found = form
    quiet = quiet or (output != "text" and not os.isatty(2))
    try:
        warm.let_interrupts_in()
        try:
            from broker.kept_variant import answer

            place = warm.place_of(config, found)
            text = answer(place, profile, output, may_ask=may_ask, quiet=quiet)
        finally:
            warm.hold_interrupts()
        if text is not None:
            warm.print_and_end(text.encode())
    except OSError:  # a full disk: the full program says so
        pass
    except KeyboardInterrupt:
        return warm.tell_interrupt(output)
    return None


if __name__ == "__main__":
    sys.exit(main())
