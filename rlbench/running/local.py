"""The local executor: one process per cohort on this machine.

A small server process imports torch once and forks a worker for each cohort, so that a worker starts in
milliseconds whatever it needs. The server ends with its parent, and the workers with the server.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import msgspec

from rlbench.api import RlbenchError
from rlbench.running.cohort import Cohort
from rlbench.running.events import AnyEvent, Ended, decode, encode

_HEADER = struct.Struct("<I")

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def _environment() -> dict[str, str]:
    """One thread a worker, no display, and an allocator that keeps large blocks instead of returning them."""
    keep = {
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    return {**os.environ, **keep, **dict.fromkeys(_THREADS, "1")}


@dataclass
class _Worker:
    cohort: Cohort
    pipe: int
    log: IO[bytes]
    buffer: bytearray = field(default_factory=bytearray)
    ended: bool = False


class LocalExecutor:
    """Runs at most ``jobs`` cohorts at a time, each in a process of its own."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, cohorts: deque[Cohort]) -> Iterator[tuple[Cohort, AnyEvent]]:
        """Yield ``(cohort, event)`` until ``cohorts`` is empty and all have ended; more may be appended.

        The last event of each cohort is :class:`Ended`, with what went wrong where something did. Closing
        the iterator ends all workers.
        """
        ours, theirs = socket.socketpair()
        server = subprocess.Popen(
            [sys.executable, "-c", "from rlbench.running.local import serve; serve()", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        theirs.close()
        workers: dict[int, _Worker] = {}
        try:
            while cohorts or workers:
                while cohorts and len(workers) < self._jobs:
                    worker = _launch(cohorts.popleft(), ours)
                    workers[worker.pipe] = worker
                ready, _, _ = select.select(list(workers), [], [])
                for pipe in ready:
                    worker = workers[pipe]
                    chunk = os.read(pipe, 1 << 20)
                    worker.buffer += chunk
                    for event in _events(worker.buffer):
                        worker.ended = worker.ended or isinstance(event, Ended)
                        yield worker.cohort, event
                    if not chunk:
                        del workers[pipe]
                        os.close(pipe)
                        if not worker.ended:
                            yield worker.cohort, Ended(_last_words(worker.log))
                        worker.log.close()
        finally:
            ours.close()  # the server ends its workers and itself
            for worker in workers.values():
                os.close(worker.pipe)
                worker.log.close()
            server.wait()


def _launch(cohort: Cohort, server: socket.socket) -> _Worker:
    log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    reading, writing = os.pipe()
    message = msgspec.msgpack.encode(cohort)
    try:
        socket.send_fds(server, [_HEADER.pack(len(message))], [writing, log.fileno()])
        server.sendall(message)
    except BrokenPipeError:
        raise RlbenchError("the process that starts workers ended; its error is above, run again") from None
    finally:
        os.close(writing)
    return _Worker(cohort, reading, log)


def _events(buffer: bytearray) -> Iterator[AnyEvent]:
    """Take the complete events off the front of ``buffer``."""
    while len(buffer) >= _HEADER.size:
        end = _HEADER.size + _HEADER.unpack_from(buffer)[0]
        if len(buffer) < end:
            return
        event = decode(bytes(buffer[_HEADER.size : end]))
        del buffer[:end]
        yield event


def _last_words(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
    words = log.read().decode(errors="replace").strip()
    return "the worker process died" + (f"; its last words:\n{words}" if words else " without a word")


def serve() -> None:
    """Be the server: import what workers need once, then fork one for each cohort that arrives."""
    control = socket.socket(fileno=int(sys.argv[1]))
    import gc

    import rlbench.running.worker  # noqa: F401 - imported for the workers

    gc.freeze()  # what is here stays shared between the forked processes
    children: set[int] = set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        header, descriptors, _, _ = socket.recv_fds(control, _HEADER.size, 2)
        if not header:
            break
        message = _receive(control, _HEADER.unpack(header)[0])
        pid = os.fork()
        if pid == 0:
            control.close()
            _work(message, *descriptors)
        children.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        children -= {pid for pid in children if os.waitpid(pid, os.WNOHANG)[0]}
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _receive(control: socket.socket, length: int) -> bytes:
    message = bytearray()
    while len(message) < length:
        chunk = control.recv(length - len(message))
        if not chunk:
            raise EOFError("the parent went away")
        message += chunk
    return bytes(message)


def _work(message: bytes, pipe: int, log: int) -> None:
    """Be a worker: run the cohort, send its events, exit."""
    from rlbench.running.worker import run_cohort

    os.dup2(log, 1)
    os.dup2(log, 2)

    def emit(event: AnyEvent) -> None:
        data = encode(event)
        view = memoryview(_HEADER.pack(len(data)) + data)
        while view:
            view = view[os.write(pipe, view) :]

    try:
        run_cohort(msgspec.msgpack.decode(message, type=Cohort), emit)
        emit(Ended())
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more
    except BaseException:
        emit(Ended(traceback.format_exc()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
