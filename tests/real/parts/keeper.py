"""Runs a server until nobody uses it any more: `keeper.py FOLDER COMMAND…`, a program of its own.

Each user holds a shared lock on FOLDER/users. The kernel gives it back even for a killed user, so
the exclusive lock is to be had exactly when the last one has gone.
"""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

folder, command = Path(sys.argv[1]), sys.argv[2:]
tied = ["setpriv", "--pdeathsig", "TERM", "--", *command]
with (folder / "users").open("a") as users, subprocess.Popen(tied) as server:
    while server.poll() is None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            server.terminate()
            server.wait()
    (folder / "port").unlink(missing_ok=True)
