"""The local executor: one process per cohort on this machine, watched over."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from rlbench.api import Limits, RlbenchError
from rlbench.environments.processes import memory_of_group
from rlbench.running.cohort import Cohort
from rlbench.running.events import AnyEvent, Ended, Started, decode
from rlbench.running.server import FORKED, HEADER, NOTE

WATCH_SECONDS = 0.5
"""How often workers are checked for stalls and memory, and the wish to stop is noticed."""

SERVER_STARTS = 10
"""How often in a row the process that starts workers may be killed before the run gives up."""

LOG_BYTES = 64 * 1024
"""How much of a worker's output is kept: the end."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def _environment() -> dict[str, str]:
    """One thread a worker, and an allocator that keeps large blocks and asks for large pages."""
    keep = {
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    return {**os.environ, **keep, **dict.fromkeys(_THREADS, "1")}


@dataclass
class _Worker:
    """A worker as its parent sees it; ``pipe`` and ``log`` are -1 once closed."""

    cohort: Cohort
    pid: int
    pipe: int
    log: int
    events: bytearray = field(default_factory=bytearray)
    words: bytearray = field(default_factory=bytearray)
    ending: Ended | None = None
    killed_for: str = ""
    exit_code: int | None = None
    last_sign: float = field(default_factory=time.monotonic)

    def read(self, descriptor: int) -> Iterator[AnyEvent]:
        """Take what has arrived on one of the pipes; give complete events, but for the last."""
        try:
            chunk = os.read(descriptor, 1 << 20)
        except BlockingIOError:  # nothing more from a worker that has ended
            chunk = b""
        if not chunk:
            self.close(descriptor)
        elif descriptor == self.log:
            self.words = (self.words + chunk)[-LOG_BYTES:]
        else:
            self.last_sign = time.monotonic()
            self.events += chunk
            for event in _complete(self.events):
                if isinstance(event, Ended):
                    self.ending = event
                else:
                    yield event

    def close(self, descriptor: int) -> None:
        os.close(descriptor)
        self.pipe, self.log = (-1 if one == descriptor else one for one in (self.pipe, self.log))

    @property
    def over(self) -> bool:
        """Whether everything it said has been read and its process has been waited for."""
        return self.pipe == self.log == -1 and self.exit_code is not None

    @property
    def gone(self) -> bool:
        """Whether its process has ended and been waited for."""
        if self.exit_code is None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self, reason: str) -> None:
        self.killed_for = self.killed_for or reason
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_event(self) -> Ended:
        """Say how it ended, for a worker that is :attr:`over`."""
        log = self.words.decode(errors="replace")
        if self.ending is not None:
            return Ended(self.ending.error, log=log)
        code = self.exit_code or 0
        how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        return Ended(f"the worker process {self.killed_for or how}", died=True, log=log)


def _complete(buffer: bytearray) -> Iterator[AnyEvent]:
    """Take the complete events off the front of ``buffer``."""
    while len(buffer) >= HEADER.size:
        end = HEADER.size + HEADER.unpack_from(buffer)[0]
        if len(buffer) < end:
            return
        event = decode(bytes(buffer[HEADER.size : end]))
        del buffer[:end]
        yield event


class _Server:
    """The parent's end of the process that starts workers."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.control, theirs = socket.socketpair()
        # It finds modules where this process does: `-c` alone would look into the working folder first.
        path = [entry for entry in sys.path if isinstance(entry, str)]
        program = f"import sys; sys.path[:] = {path!r}; from rlbench.running.server import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, str(theirs.fileno()), *modules],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        theirs.close()
        self._used = False

    def start(self, cohort: Cohort) -> tuple[_Worker, list[tuple[int, int]]]:
        """Start a worker; also give the exits of others, told meanwhile. ``OSError`` if the server died."""
        events, events_end = os.pipe()
        log, log_end = os.pipe()
        message = msgspec.msgpack.encode(cohort)
        self._used = True
        try:
            socket.send_fds(self.control, [HEADER.pack(len(message))], [events_end, log_end])
            self.control.sendall(message)
            exits: list[tuple[int, int]] = []
            while (note := self.note())[1] != FORKED:
                exits.append(note)
        except OSError:
            os.close(events)
            os.close(log)
            raise
        finally:
            os.close(events_end)
            os.close(log_end)
        for descriptor in (events, log):
            os.set_blocking(descriptor, False)
        return _Worker(cohort, note[0], events, log), exits

    def note(self) -> tuple[int, int]:
        """Wait for the server's next note; ``OSError`` if it died."""
        note = b""
        while len(note) < NOTE.size:
            chunk = self.control.recv(NOTE.size - len(note))
            if not chunk:
                raise ConnectionResetError("the process that starts workers has ended")
            note += chunk
        return NOTE.unpack(note)

    def close(self) -> int:
        """End the server, which ends its workers; give its exit code, negative for a signal."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)  # a child of this process may hold it open
        self.control.close()
        if not self._used:
            self._process.kill()  # it may still be importing, for nobody
        return self._process.wait()


class LocalExecutor:
    """Runs at most ``limits.jobs`` cohorts at a time; kills workers that stall or outgrow their memory.

    The process that starts workers begins its imports as soon as the executor is made.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._server: _Server | None = _Server(limits.modules)
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """End all workers and the process that starts them."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for worker in self._workers:
            for descriptor in {worker.pipe, worker.log} - {-1}:
                worker.close(descriptor)
        self._workers.clear()

    def run(
        self, cohorts: deque[Cohort], stopping: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Cohort, AnyEvent]]:
        """Yield ``(cohort, event)`` until ``cohorts`` is empty and all have ended; more may be appended.

        Each cohort's first event is :class:`Started`, before its worker exists, and its last :class:`Ended`,
        after its worker has gone. Once ``stopping()`` is true, nothing more is started and workers are asked
        to stop. Closing the iterator ends all workers.
        """
        asked = False
        try:
            while self._workers or (cohorts and not stopping()):
                while cohorts and len(self._workers) < self._limits.jobs and not stopping():
                    cohort = cohorts.popleft()
                    yield cohort, Started()
                    self._start(cohort)
                if stopping() and not asked:
                    asked = True
                    for worker in self._workers:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker.pid, signal.SIGTERM)
                yield from self._listen()
                self._watch()
                for worker in [worker for worker in self._workers if worker.over]:
                    self._workers.remove(worker)
                    yield worker.cohort, worker.last_event()
        finally:
            self.close()

    def _start(self, cohort: Cohort) -> None:
        for _ in range(SERVER_STARTS):
            if self._server is None:
                self._server = _Server(self._limits.modules)
            try:
                worker, exits = self._server.start(cohort)
            except OSError:
                if self._lose_server() >= 0:  # it was not killed, it failed
                    break
                continue
            self._workers.append(worker)
            for note in exits:
                self._exited(*note)
            return
        raise RlbenchError("the process that starts workers cannot start; its error is above, mend that")

    def _listen(self) -> Iterator[tuple[Cohort, AnyEvent]]:
        """Read what workers and server have to say, for as long as :data:`WATCH_SECONDS` at most."""
        pipes = {pipe: worker for worker in self._workers for pipe in (worker.pipe, worker.log) if pipe != -1}
        server = self._server
        control = [server.control.fileno()] if server else []
        ready, _, _ = select.select([*pipes, *control], [], [], WATCH_SECONDS)
        # Something that a worker started may hold its pipes open after its end: they are read as they are.
        ended = [pipe for pipe, worker in pipes.items() if worker.gone]
        for one in {*ready, *ended}:
            if one in pipes:
                for event in pipes[one].read(one):
                    yield pipes[one].cohort, event
            elif server is not None:
                try:
                    self._exited(*server.note())
                except OSError:
                    self._lose_server()

    def _exited(self, pid: int, code: int) -> None:
        for worker in self._workers:
            if worker.pid == pid:
                worker.exit_code = code

    def _lose_server(self) -> int:
        """The server has ended, and the kernel has killed its workers with it; give its exit code."""
        assert self._server is not None
        code = self._server.close()
        self._server = None
        for worker in self._workers:
            worker.kill("was killed with the process that starts workers")
            worker.exit_code = -signal.SIGKILL if worker.exit_code is None else worker.exit_code
        return code

    def _watch(self) -> None:
        now, limits = time.monotonic(), self._limits
        for worker in self._workers:
            if limits.stall_seconds and now - worker.last_sign > limits.stall_seconds:
                worker.kill(f"showed no sign of life for {limits.stall_seconds:g} s (--stall-limit)")
            if limits.memory_bytes and memory_of_group(worker.pid) > limits.memory_bytes:
                worker.kill(f"used more than {limits.memory_bytes / 2**20:.0f} MiB (--memory-limit)")
