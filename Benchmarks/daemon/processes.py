"""Starts the contestants' servers, and is sure to stop them again."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SET_PARENT_DEATH_SIGNAL = 1
IN_MEMORY = {"tmpfs", "ramfs"}


class BenchError(Exception):
    """What went wrong, in words for whoever called the benchmark."""


def free_port():
    """A port of the loopback interface that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, server, seconds=20):
    """Returns once somebody listens on the port; fails when the server ended or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise BenchError(f"{server.name} does not listen on port {port}; it said:\n{server.tail()}")


def needs(program, package):
    """The program's path; fails with the package that brings it."""
    path = shutil.which(program)
    if path is None:
        raise BenchError(f"no {program} here (package {package}): run `make deps-bench-daemon`")
    return path


def run(arguments, **options):
    """Runs a program to its end and answers its standard output; fails with what it said."""
    result = subprocess.run(
        [str(argument) for argument in arguments], capture_output=True, text=True, **options
    )
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()[-2000:]
        name = pathlib.Path(str(arguments[0])).name
        raise BenchError(f"{name} ended with {result.returncode}: {said}")
    return result.stdout


class Server:
    """A server in a session of its own, so that Ctrl-C reaches the benchmark alone, which then
    stops it. Should the benchmark be killed, the kernel stops it."""

    def __init__(self, name, arguments, log, stop_signal=signal.SIGTERM, **options):
        self.name = name
        self.log = pathlib.Path(log)
        self.stop_signal = stop_signal
        library = ctypes.CDLL(None)
        parent = os.getpid()

        def die_with_the_parent():
            library.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_the_parent,
                **options,
            )

    @property
    def pid(self):
        return self.process.pid

    def check(self):
        """Fails when the server has ended."""
        code = self.process.poll()
        if code is not None:
            raise BenchError(f"{self.name} ended with {code}; it said:\n{self.tail()}")

    def tail(self):
        """The last lines that the server wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        """Asks the server to end, and ends it after ten seconds."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def scratch(parent):
    """A new folder below `parent`, removed afterwards. Refuses one in memory, where a sync costs
    nothing."""
    parent = pathlib.Path(parent).resolve()
    there = next(folder for folder in [parent, *parent.parents] if folder.exists())
    kind = run(["stat", "-f", "-c", "%T", there]).strip()
    if kind in IN_MEMORY:
        raise BenchError(f"{parent} is in memory ({kind}): say --directory with one on a disk")
    parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-daemon-", dir=parent))
    # Servers that run as another user have a folder of their own in it.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compile_c(source, folder, libraries):
    """Compiles a C source once, again when it changed; answers the program's path."""
    source = pathlib.Path(source)
    program = pathlib.Path(folder) / source.stem
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("cc") or needs("clang", "clang")
        flags = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
        run([compiler, *flags, "-o", program, source, *[f"-l{name}" for name in libraries]])
    return program
