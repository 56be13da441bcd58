"""The command `bespeak` with its imports done: a process that forks one child for each call.

Importing takes most of a short command's time, and the pages hold dozens. `python warm_bespeak.py SOCKET` waits for
calls. The program that readers' shells find as `bespeak` (`CALLER` in `test_tutorials`) hands over its arguments,
folder, environment and open files, and ends with the child's status. Every call is a process of its own, as it is for a
reader.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback

from bespeak.cli import main
from bespeak.cli.app import program
from bespeak.cli.on_demand import with_all

MAX_BYTES = 1 << 20


def serve(path: str) -> None:
    """Answers calls until it is ended."""
    with_all(program())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            call, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(call)
            call.close()


def answer(call: socket.socket) -> None:
    """Runs one command in this process, and ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, files, _, _ = socket.recv_fds(call, 4, 3)
    n_bytes, parts = int.from_bytes(head, "big"), b""
    while len(parts) < n_bytes:
        parts += call.recv(MAX_BYTES)
    arguments, folder, environment = json.loads(parts)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = 0
    try:
        main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - it must be told, whatever it is
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    call.sendall(bytes([status]))
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
