"""Starts one `mailboxd store` for all tests, and gives each test mailboxes of its own."""

import itertools
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile

import grpc
import pytest
from client import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY = re.compile(rb"^ready grpc=(\S+)(?: grpc=\S+)*(?: metrics=(\S+))?")
START_SECONDS = 60


class Daemon:
    """A store's daemon on a port that was free. What it logs goes to a file: nobody reads it while
    tests run, and a pipe would fill."""

    def __init__(self, directory, *arguments):
        self.directory = pathlib.Path(directory)
        program = os.environ.get("MAILBOXD", ROOT / ".build/debug/mailboxd")
        command = [
            *(program, "store", "--directory", self.directory),
            *("--listen-port", "0", "--metrics-port", "0", *arguments),
        ]
        # Appending, so that reading it in between does not move where the daemon writes.
        self.log = tempfile.TemporaryFile("a+b")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        self.address, self.metrics = self._wait_until_ready()

    def _wait_until_ready(self):
        """Where calls and metrics are taken, as its one line of output says."""
        output = self.process.stdout
        readable, _, _ = select.select([output], [], [], START_SECONDS)
        ready = READY.match(output.readline() if readable else b"")
        if ready is None:
            self.stop()
            raise RuntimeError(f"mailboxd did not start; it said:\n{self.said()}")
        return [place and place.decode() for place in ready.groups()]

    def is_running(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        """Asks it to end; ends it when it does not. Answers its exit code."""
        if self.is_running():
            self.process.send_signal(how)
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode

    def said(self):
        """What it logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("daemon") / "store")
    yield daemon
    code = daemon.stop()
    assert code == 0, f"the daemon ends in order when it is asked to; it said:\n{daemon.said()}"


@pytest.fixture(scope="session")
def channel(daemon):
    with grpc.insecure_channel(daemon.address) as channel:
        yield channel


names = itertools.count(1)


@pytest.fixture
def client(daemon, channel):
    """A client, with a sender and a receiver that no other test has. Whatever the test did, the
    daemon lives and answers afterwards."""
    number = next(names)
    client = Client(channel, sender=f"ann{number}", receiver=f"bob{number}")
    yield client
    assert daemon.is_running()
    assert client.info().epoch == client.epoch
