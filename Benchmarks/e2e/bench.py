#!/usr/bin/env python3
"""Measures the whole path: WebSocket clients in one process, `mailboxd all` in another.

A table first, then lines `name: value`. README.md says how each figure is taken."""

import argparse
import base64
import contextlib
import gzip
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import secrets
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks/daemon"))

from processes import BenchError, Server, run, scratch  # noqa: E402

READY = re.compile(r"^ready ws=(\S+)", re.MULTILINE)
TRACE = ROOT.parent / "shared/data/college-messages.tsv.gz"

# The sizes of the trace's bodies, for where it is not: its quantiles, a twentieth apart.
QUANTILES = [2, 22, 24, 27, 30, 33, 37, 40, 44, 48, 53, 58, 66, 73, 82, 93, 110, 127, 147, 160, 910]

# What is said beside the figures themselves, and what is wanted of them.
TARGETS = {
    "e2e.latency.p50_ms": "at most 5",
    "e2e.latency.p99_ms": "at most 30",
    "e2e.throughput.msgs_per_s": "at least 10 000",
    "connect.idle.kib_per_connection": "at most 32",
    "connect.idle.p99_ratio": "at most 2",
}
FIGURES = [
    "e2e.latency.p50_ms",
    "e2e.latency.p99_ms",
    "e2e.ack.p50_ms",
    "e2e.throughput.msgs_per_s",
    "connect.idle.connections",
    "connect.idle.kib_per_connection",
    "connect.storm.seconds",
]
SECTIONS = {
    "messages": FIGURES[:4],
    "connections": FIGURES[4:],
}


def complain(text):
    print(f"bench-e2e: {text}", file=sys.stderr, flush=True)


def body_sizes(trace):
    """The size of every body of the trace; without one, sizes that have its quantiles."""
    if trace is not None and trace.exists():
        with gzip.open(trace) as lines:
            sizes = [len(line.rstrip(b"\n").split(b"\t", 3)[3]) for line in lines]
        return sizes, f"bodies as long as the {len(sizes)} of the trace"
    sizes = []
    for low, high in zip(QUANTILES, QUANTILES[1:]):
        sizes += [low + (high - low) * step // 100 for step in range(100)]
    return sizes, "bodies as long as the trace's, by its quantiles"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint(secret, account):
    """A token of a day, signed with HS256."""
    header = {"alg": "HS256", "kid": "main", "typ": "JWT"}
    claims = {"sub": account, "exp": int(time.time()) + 86_400}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return signed + "." + base64url(hmac.digest(secret, signed.encode(), hashlib.sha256))


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.values = {}
        secret = secrets.token_hex(32).encode()
        (folder / "secret").write_bytes(secret)
        names = [f"u{number}" for number in range(options.clients)]
        names += [f"i{number}" for number in range(options.idle)]
        tokens = "".join(f"{name} {mint(secret, name)}\n" for name in names)
        (folder / "tokens").write_text(tokens)
        sizes, self.bodies = body_sizes(options.trace)
        (folder / "sizes").write_text("".join(f"{size}\n" for size in sizes))

    @contextlib.contextmanager
    def server(self, name):
        """A server with a new store, and limits that a load from one address does not reach."""
        folder = self.folder / name
        folder.mkdir()
        arguments = [
            *(self.options.mailboxd, "all", "--directory", folder / "store"),
            *("--connect-port", "0", "--metrics-port", "0"),
            *("--tokens-key", self.folder / "secret", "--tokens-algorithm", "HS256"),
            *("--devices-connections", "100000"),
            *("--devices-connections-per-address", "100000"),
            *("--devices-requests-per-second", "1000000", "--devices-bytes-per-second", "1GiB"),
            # A thousand clients that write and confirm all the time have more reads under way.
            *("--limits-read-queue", "1000000"),
            *self.options.server_flags.split(),
        ]
        with Server("mailboxd", arguments, folder / "log") as server:
            deadline = time.monotonic() + 20
            while not (found := READY.search(server.log.read_text(errors="replace"))):
                server.check()
                if time.monotonic() > deadline:
                    raise BenchError(f"mailboxd does not get ready; it said:\n{server.tail()}")
                time.sleep(0.02)
            yield server, found[1]

    def measure(self, section):
        complain(f"section {section}")
        os.sync()
        with self.server(section) as (server, address):
            output = run([
                *(self.options.bench, "--connect", address, "--section", section),
                *("--tokens", self.folder / "tokens", "--sizes", self.folder / "sizes"),
                *("--clients", self.options.clients, "--idle", self.options.idle),
                *("--rate", self.options.rate, "--seconds", self.options.seconds),
                *("--server", server.pid),
            ])
        for line in output.splitlines():
            name, separator, value = line.partition(": ")
            if separator and " " not in name:
                self.values[name] = value
        for name in SECTIONS[section]:
            if name not in self.values:
                raise BenchError(f"e2e-bench says no {name} in section {section}")

    def report(self):
        print()
        for name, value in self.values.items():
            wanted = f"   {TARGETS[name]}" if name in TARGETS else ""
            print(f"  {name:40} {value:>12}{wanted}")
        print()
        for name in FIGURES:
            if name in self.values:
                print(f"{name}: {self.values[name]}")


def parse_options():
    parser = argparse.ArgumentParser(prog="bench-e2e", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000, help="devices that send (1000)")
    parser.add_argument("--idle", type=int, default=10_000, help="idle devices (10 000)")
    parser.add_argument("--rate", type=float, default=1000, help="messages a second (1000)")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement (20)")
    parser.add_argument(
        "--smoke", action="store_true", help="a moment of everything: says only that it still runs"
    )
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=list(SECTIONS),
        help=f"some of {','.join(SECTIONS)}",
    )
    parser.add_argument("--trace", type=pathlib.Path, default=TRACE, help="whose bodies to take")
    parser.add_argument("--server-flags", default="", help="more flags for mailboxd all")
    parser.add_argument(
        "--directory", default=".bench-tmp", help="where the store goes: on a disk (.bench-tmp)"
    )
    parser.add_argument("--mailboxd", default=ROOT / ".build/release/mailboxd")
    parser.add_argument("--bench", default=ROOT / ".build/release/e2e-bench")
    options = parser.parse_args()
    if options.smoke:
        options.clients, options.idle = min(options.clients, 50), min(options.idle, 200)
        options.rate, options.seconds = min(options.rate, 100), min(options.seconds, 1)
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"--only knows {', '.join(SECTIONS)}, not {', '.join(sorted(unknown))}")
    return options


def raise_limits(connections):
    """A connection is a file descriptor here and there."""
    wanted = connections + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise BenchError(f"{wanted} file descriptors are needed; the limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main():
    options = parse_options()
    # Whoever is asked to end stops the server first; also where a shell lets it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        raise_limits(options.clients + options.idle)
        with scratch(options.directory) as folder:
            bench = Bench(options, folder)
            print(
                f"{options.clients} clients, {bench.bodies}; each writes to ten others, and"
                f" confirms what it gets.\n{os.cpu_count()} cores for clients and server, load"
                f" {os.getloadavg()[0]:.2f} at the start.",
                flush=True,
            )
            for section in options.only:
                bench.measure(section)
            bench.report()
    except BenchError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
