"""Redis 7 Streams: a stream a mailbox, every write synced before it is answered."""

import contextlib
import csv
import socket

from processes import BenchError, Server, free_port, needs, run, wait_for_port
from workload import BODY, FETCH_COUNT, FETCH_DEPTH, FETCH_MAILBOXES, MAILBOXES, Variant

DEPTHS = [1, 16, 64, 128, 256, 512]
CLIENTS = 50


class Redis:
    name = "redis"
    title = "Redis Streams"
    settings = 'appendonly yes, appendfsync always, save "", no AOF rewrite; redis-benchmark -c 50'

    def __init__(self, smoke):
        self.depths = DEPTHS[1::3] if smoke else DEPTHS

    def version(self):
        return run([needs("redis-server", "redis-server"), "--version"]).split()[2][2:]

    @contextlib.contextmanager
    def running(self, folder):
        self.port = free_port()
        folder.mkdir()
        arguments = [
            needs("redis-server", "redis-server"),
            *("--port", self.port, "--bind", "127.0.0.1", "--dir", folder),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--auto-aof-rewrite-percentage", "0", "--daemonize", "no"),
        ]
        with Server("redis-server", arguments, folder / "log") as server:
            wait_for_port(self.port, server)
            with contextlib.closing(Connection(self.port)) as self.connection:
                if self.connection.call("CONFIG", "GET", "appendfsync")[1] != b"always":
                    raise BenchError("redis does not sync every write")
                yield server

    # Appends

    def append_variants(self):
        return [Variant(f"XADD, pipeline {depth}", depth=depth) for depth in self.depths]

    def append(self, variant, seconds):
        """Messages a second."""
        self.connection.call("CONFIG", "RESETSTAT")
        command = ["XADD", "mailbox:__rand_int__", "*", "b", BODY]
        rate = self._benchmark(command, MAILBOXES, variant["depth"], seconds)
        statistics = self.connection.call("INFO", "commandstats").decode()
        line = next(line for line in statistics.splitlines() if line.startswith("cmdstat_xadd:"))
        if "failed_calls=0" not in line or "rejected_calls=0" not in line:
            raise BenchError(f"redis refused appends: {line}")
        return rate

    def clear(self):
        """Forgets every message."""
        self.connection.call("FLUSHALL", "SYNC")

    # Fetches

    def prepare_fetch(self):
        script = """
            for stream = 0, ARGV[1] - 1 do
                local key = string.format('mailbox:%012d', stream)
                for _ = 1, ARGV[2] do redis.call('XADD', key, '*', 'b', ARGV[3]) end
            end
            return redis.call('XLEN', 'mailbox:000000000000')"""
        self.clear()
        stored = self.connection.call("EVAL", script, "0", FETCH_MAILBOXES, FETCH_DEPTH, BODY)
        if stored != FETCH_DEPTH:
            raise BenchError(f"redis stored {stored} messages of {FETCH_DEPTH} in a stream")

    def fetch_variants(self):
        return [Variant(f"XRANGE, pipeline {depth}", depth=depth) for depth in self.depths]

    def fetch(self, variant, seconds):
        """Messages a second."""
        command = ["XRANGE", "mailbox:__rand_int__", "-", "+", "COUNT", FETCH_COUNT]
        calls = self._benchmark(command, FETCH_MAILBOXES, variant["depth"], seconds)
        return calls * FETCH_COUNT

    def _benchmark(self, command, keys, depth, seconds):
        """Calls a second. redis-benchmark takes a number of calls: a first, short run finds it."""
        tool = needs("redis-benchmark", "redis-tools")

        def calls_per_second(number):
            output = run([
                *(tool, "-p", self.port, "--csv", "-c", CLIENTS, "-P", depth, "-n", number),
                *("-r", keys, *command),
            ])
            return float(list(csv.reader(output.splitlines()))[-1][1])

        one_round = CLIENTS * depth
        warm = calls_per_second(max(one_round * 4, 2_000))
        warm = calls_per_second(max(int(warm * seconds / 8), one_round * 4))
        return calls_per_second(max(int(warm * seconds), one_round * 4))


class Connection:
    """As much of a Redis client as the benchmark needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.input = self.socket.makefile("rb")

    def close(self):
        self.input.close()
        self.socket.close()

    def call(self, *words):
        encoded = [str(word).encode() for word in words]
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))
        return self._read()

    def _read(self):
        line = self.input.readline()
        if not line.endswith(b"\r\n"):
            raise BenchError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise BenchError(f"redis: {rest.decode()}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.input.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        return rest
