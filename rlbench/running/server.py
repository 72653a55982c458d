"""The process that starts workers: it imports torch once, then forks a worker for each cohort.

A worker so starts in milliseconds, whatever it needs. The server ends when its parent does, and takes all
workers and their own children with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback

import msgspec

from rlbench.environments.processes import adopt_orphans, children, die_with_parent
from rlbench.running.cohort import Cohort
from rlbench.running.events import AnyEvent, Ended, encode

HEADER = struct.Struct("<I")
"""The length of the message that follows: a cohort for the server, an event for the parent."""

NOTE = struct.Struct("<qq")
"""What the server tells: a worker's process id, with :data:`FORKED` or the status that it exited with."""

FORKED = -1

PATIENCE_SECONDS = 1.0
"""How long the server waits at its end for what it has killed."""


def main() -> None:
    """Serve the socket whose descriptor is the first argument until it closes.

    The other arguments are modules that workers will need.
    """
    parent = os.getppid()
    die_with_parent(signal.SIGUSR1)
    adopt_orphans()
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000)  # imports make many objects and no garbage
    import rlbench.running.worker  # noqa: F401 - for the workers, which are forked with it

    _preload(sys.argv[2:])
    gc.set_threshold(*thresholds)
    gc.freeze()  # what is here stays shared between the processes
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wakeup, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    workers: set[int] = set()
    try:
        while True:
            ready, _, _ = select.select([control.fileno(), wakeup], [], [])
            if wakeup in ready:
                os.read(wakeup, 4096)
                _reap(workers, control)
                if os.getppid() != parent:  # it has ended, though somebody else holds its end of the socket
                    break
            if control.fileno() in ready:
                header, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 2)
                if not header:
                    break
                message = _receive(control, HEADER.unpack(header)[0])
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    for number in (signal.SIGCHLD, signal.SIGUSR1):
                        signal.signal(number, signal.SIG_DFL)
                    control.close()
                    _work(message, *descriptors)
                workers.add(pid)
                for descriptor in descriptors:
                    os.close(descriptor)
                control.sendall(NOTE.pack(pid, FORKED))
    except OSError:
        pass  # the parent is gone: nobody to serve or to tell
    for pid in workers:
        _kill_group(pid)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:  # and what workers left behind in groups of their own
            _kill_group(pid)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(-1, os.WNOHANG)
        time.sleep(0.001)


def _preload(modules: list[str]) -> None:
    """Import what workers will need; if that starts threads, which a fork would lose, begin again without."""
    environ, folder, tasks = dict(os.environ), os.getcwd(), "/proc/self/task"
    for module in modules:
        with contextlib.suppress(Exception, SystemExit):  # a worker that needs it will say what is wrong
            importlib.import_module(module)
    if modules and os.path.isdir(tasks) and len(os.listdir(tasks)) > 1:
        os.chdir(folder)
        os.execve(sys.executable, sys.orig_argv[: -len(modules)], environ)


def _reap(workers: set[int], control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        if pid not in workers:
            continue  # an orphan that was adopted
        workers.discard(pid)
        _kill_group(pid)  # what the worker left behind
        control.sendall(NOTE.pack(pid, os.waitstatus_to_exitcode(status)))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _receive(control: socket.socket, length: int) -> bytes:
    message = bytearray()
    while len(message) < length:
        chunk = control.recv(length - len(message))
        if not chunk:
            raise OSError("the parent went away")
        message += chunk
    return bytes(message)


def _work(message: bytes, pipe: int, log: int) -> None:
    """Be a worker: run the cohort, send its events, exit. SIGTERM asks for a last checkpoint."""
    from rlbench.running.worker import run_cohort

    os.setpgid(0, 0)
    die_with_parent()
    os.dup2(log, 1)
    os.dup2(log, 2)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))

    def emit(event: AnyEvent) -> None:
        data = encode(event)
        view = memoryview(HEADER.pack(len(data)) + data)
        while view:
            view = view[os.write(pipe, view) :]

    try:
        run_cohort(msgspec.msgpack.decode(message, type=Cohort), emit, lambda: bool(asked))
        emit(Ended())
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more
    except BaseException:
        emit(Ended(traceback.format_exc()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
