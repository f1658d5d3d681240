#!/usr/bin/env python3
"""Measures `mailboxd store` against the brokers that people would otherwise use, in one run.

Every contestant gets the same bodies and the same number of mailboxes, answers only what is synced
to the same disk, and shares the same cores with its client. Peers are measured in every way that
is known to make them fast, each shortly; the two best ways of each then run in full, in rounds,
beside the daemon. Tables first, then lines `name: value`."""

import argparse
import os
import pathlib
import signal
import statistics
import sys

import disk
from jetstream import JetStream
from mailboxd import Mailboxd
from postgres import Postgres
from processes import BenchError, scratch
from redis_peer import Redis
from workload import BODY_BYTES, FETCH_COUNT, FETCH_DEPTH, FETCH_MAILBOXES, MAILBOXES

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTESTANTS = ["redis", "jetstream", "postgres", "mailboxd"]
FINALISTS = 2

# What the daemon's load generator is asked for in each round, and what it answers.
SECTIONS = {
    "append-stream": ["daemon.append.stream.msgs_per_s"],
    "append-unary": ["daemon.append.unary.p50_ms", "daemon.append.unary.p99_ms"],
    "fetch": ["daemon.fetch.msgs_per_s"],
    "watch": ["daemon.watch.p50_ms"],
}


def complain(text):
    print(f"bench-daemon: {text}", file=sys.stderr, flush=True)


def rate(value):
    return f"{value:,.0f}".replace(",", " ")


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.peers = [
            peer
            for peer in [
                Redis(options.smoke),
                JetStream(options.smoke, options.build),
                Postgres(options.smoke),
            ]
            if peer.name in options.only
        ]
        self.daemon = None
        if "mailboxd" in options.only:
            self.daemon = Mailboxd(options.mailboxd, options.daemon_bench)
        # The figures of each round, by name.
        self.rounds = []
        self.folders = 0

    def fresh(self, name):
        """A folder that is not there yet. Whoever comes next does not pay for what the one before
        left to be written."""
        os.sync()
        self.folders += 1
        return self.folder / f"{name}-{self.folders}"

    # Every way to drive a peer, shortly

    def survey(self):
        self.finalists = {}
        for peer in self.peers:
            print(f"\n{peer.title} {peer.version()}: {peer.settings}")
            with peer.running(self.fresh(peer.name)):
                self.finalists[peer.name] = self._survey(
                    "append", peer, self._append, peer.append_variants()
                )
                if hasattr(peer, "fetch"):
                    peer.prepare_fetch()
                    self.finalists[peer.name + ".fetch"] = self._survey(
                        "fetch", peer, self._fetch, peer.fetch_variants()
                    )

    def _survey(self, verb, peer, measure, variants):
        found = []
        for variant in variants:
            found.append((measure(peer, variant, short=True), variant))
            print(f"  {verb:6}  {variant.label:44} {rate(found[-1][0]):>12} messages/s", flush=True)
        found.sort(key=lambda entry: entry[0], reverse=True)
        return [variant for _, variant in found[:FINALISTS]]

    def _append(self, peer, variant, short=False):
        peer.clear()
        value = peer.append(variant, self.options.seconds / (4 if short else 1))
        if hasattr(peer, "check"):
            peer.check()
        return value

    def _fetch(self, peer, variant, short=False):
        return peer.fetch(variant, self.options.seconds / (4 if short else 1))

    # The best ways, in full, beside the daemon

    def run_round(self, number):
        complain(f"round {number} of {self.options.rounds}")
        figures = {"disk.sync.p50_ms": self._sync()}
        for peer in self.peers:
            with peer.running(self.fresh(peer.name)):
                figures[peer.name] = max(
                    self._append(peer, variant) for variant in self.finalists[peer.name]
                )
                if hasattr(peer, "fetch"):
                    peer.prepare_fetch()
                    figures[peer.name + ".fetch"] = max(
                        self._fetch(peer, variant)
                        for variant in self.finalists[peer.name + ".fetch"]
                    )
        if self.daemon:
            figures |= self._measure_daemon()
        self.rounds.append(figures)

    def _sync(self):
        return disk.sync_milliseconds(self.folder, 200 if self.options.smoke else 2000)

    def _measure_daemon(self):
        figures = {}
        for section, names in SECTIONS.items():
            with self.daemon.running(self.fresh("mailboxd")):
                values = self.daemon.measure(section, self.options.seconds)
            for name in names:
                if name not in values:
                    raise BenchError(f"daemon-bench says no {name} in section {section}")
                figures[name] = values[name]
        with self.daemon.running(self.fresh("mailboxd")):
            figures["daemon.memory.mib_1000_clients"] = self.daemon.memory_of_clients()
        return figures

    # What came of it

    def median(self, name):
        return statistics.median(figures[name] for figures in self.rounds)

    def ratio(self, name, peer):
        """Medians of the ratios of what ran in the same round."""
        return statistics.median(figures[name] / figures[peer] for figures in self.rounds)

    def report(self):
        length = f"{self.options.seconds:g} s"
        print(f"\nIn full, runs of {length}, medians over rounds ({self.options.rounds}):")
        titles = {peer.name: peer.title for peer in self.peers}
        if self.daemon:
            print(f"  mailboxd store: {self.daemon.settings}")
            titles["daemon.append.stream.msgs_per_s"] = "mailboxd, stream"
        for name, title in titles.items():
            every = ", ".join(rate(figures[name]) for figures in self.rounds)
            print(f"  append  {title:24} {rate(self.median(name)):>12} messages/s  ({every})")
        fetches = {"redis.fetch": "Redis, XRANGE", "daemon.fetch.msgs_per_s": "mailboxd, fetch"}
        for name, title in fetches.items():
            if name in self.rounds[0]:
                print(f"  fetch   {title:24} {rate(self.median(name)):>12} messages/s")
        print()
        for name, value in self.metrics():
            print(f"{name}: {value}")

    def metrics(self):
        if self.daemon:
            append, fetch = "daemon.append.stream.msgs_per_s", "daemon.fetch.msgs_per_s"
            yield append, f"{self.median(append):.0f}"
            for peer in self.peers:
                yield f"daemon.append.stream.vs_{peer.name}", f"{self.ratio(append, peer.name):.2f}"
            for name in SECTIONS["append-unary"]:
                yield name, f"{self.median(name):.3f}"
            yield fetch, f"{self.median(fetch):.0f}"
            if "redis.fetch" in self.rounds[0]:
                yield "daemon.fetch.vs_redis", f"{self.ratio(fetch, 'redis.fetch'):.2f}"
            yield "daemon.watch.p50_ms", f"{self.median('daemon.watch.p50_ms'):.3f}"
            memory = "daemon.memory.mib_1000_clients"
            yield memory, f"{self.median(memory):.1f}"
        yield "disk.sync.p50_ms", f"{self.median('disk.sync.p50_ms'):.3f}"


def parse_options():
    parser = argparse.ArgumentParser(prog="bench-daemon", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long each run takes (8)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all take turns (3)")
    parser.add_argument(
        "--smoke", action="store_true", help="a moment of everything: says only that it still runs"
    )
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=CONTESTANTS,
        help=f"some of {','.join(CONTESTANTS)}",
    )
    parser.add_argument(
        "--directory", default=".bench-tmp", help="where the stores go: on a disk (.bench-tmp)"
    )
    parser.add_argument("--build", default=ROOT / ".build-bench-daemon", type=pathlib.Path)
    parser.add_argument("--mailboxd", default=ROOT / ".build/release/mailboxd")
    parser.add_argument("--daemon-bench", default=ROOT / ".build/release/daemon-bench")
    options = parser.parse_args()
    if options.smoke:
        options.seconds, options.rounds = min(options.seconds, 1), 1
    unknown = set(options.only) - set(CONTESTANTS)
    if unknown:
        parser.error(f"--only knows {', '.join(CONTESTANTS)}, not {', '.join(sorted(unknown))}")
    if options.seconds <= 0 or options.rounds < 1:
        parser.error("--seconds and --rounds are above 0")
    return options


def main():
    options = parse_options()
    # Whoever is asked to end stops the servers first; also where a shell lets it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with scratch(options.directory) as folder:
            print(
                f"Bodies of {BODY_BYTES} bytes to {rate(MAILBOXES)} mailboxes at random, every"
                f" answer synced; fetches of {FETCH_COUNT} from {rate(FETCH_MAILBOXES)} mailboxes"
                f" of {FETCH_DEPTH}.\n{os.cpu_count()} cores for client and server, load"
                f" {os.getloadavg()[0]:.2f} at the start."
            )
            bench = Bench(options, folder)
            bench.survey()
            for number in range(1, options.rounds + 1):
                bench.run_round(number)
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
