"""A private folder for as long as something runs. Owns that it goes, even after a kill."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def owned_tempdir(parent: Path) -> Iterator[Path]:
    """A new folder while the block runs; removes those whose owner was killed.

    Args:
        parent: Where it is made; a private folder itself.
    """
    with FileLock(parent / "guard", mode=0o600):
        for folder in [path for path in parent.iterdir() if path.is_dir()]:
            with contextlib.suppress(Timeout):
                with FileLock(f"{folder}.lock", blocking=False):
                    shutil.rmtree(folder, ignore_errors=True)
                Path(f"{folder}.lock").unlink(missing_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        held = FileLock(f"{folder}.lock", mode=0o600)
        held.acquire()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.release()
        Path(f"{folder}.lock").unlink(missing_ok=True)
