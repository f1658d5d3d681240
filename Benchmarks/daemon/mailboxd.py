"""Our daemon, and the load generator that drives it."""

import contextlib
import pathlib
import re
import subprocess
import time

from processes import BenchError, Server, run

# What the daemon says once it takes calls.
READY = re.compile(r"^ready grpc=(\S+)", re.MULTILINE)

CLIENTS = 1000


class Mailboxd:
    name = "mailboxd"
    title = "mailboxd store"
    settings = "as it comes: durability commit, one shard; daemon-bench over gRPC"

    def __init__(self, daemon, generator):
        self.daemon = pathlib.Path(daemon)
        self.generator = pathlib.Path(generator)
        for program in [self.daemon, self.generator]:
            if not program.exists():
                raise BenchError(f"{program} is not built: run `make bench-daemon`")

    @contextlib.contextmanager
    def running(self, folder):
        folder.mkdir()
        arguments = [
            *(self.daemon, "store", "--directory", folder / "store"),
            *("--listen-port", "0", "--metrics-port", "0"),
        ]
        with Server("mailboxd", arguments, folder / "log") as self.server:
            self.address = self._ready_address()
            yield self.server

    def _ready_address(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.server.check()
            found = READY.search(self.server.log.read_text(errors="replace"))
            if found:
                return found[1]
            time.sleep(0.02)
        raise BenchError(f"mailboxd does not get ready; it said:\n{self.server.tail()}")

    def measure(self, section, seconds):
        """What the load generator measured: values by name."""
        return parse(run(self._command(section, seconds)))

    def _command(self, section, seconds):
        return [
            *(str(self.generator), "--connect", self.address),
            *("--seconds", str(seconds), "--section", section),
        ]

    def memory_of_clients(self):
        """MiB that the daemon has more with 1 000 connected clients than with none.

        The generator's section `clients` connects them, lets each make a call, says
        `clients: 1000`, and ends when its standard input does."""
        before = self._resident_mib()
        process = subprocess.Popen(
            self._command("clients", 60),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            connected = None
            for line in process.stdout:
                if line.startswith("clients:"):
                    connected = int(float(line.split(":")[1]))
                    break
            if connected != CLIENTS:
                raise BenchError(f"{connected} of {CLIENTS} clients connected")
            return self._resident_mib() - before
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def _resident_mib(self):
        """Anonymous memory: the data file's pages are the kernel's cache, and not counted."""
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024


def parse(output):
    """The `name: value` lines of a text."""
    values = {}
    for line in output.splitlines():
        name, separator, value = line.partition(": ")
        if separator and " " not in name:
            with contextlib.suppress(ValueError):
                values[name] = float(value)
    return values
