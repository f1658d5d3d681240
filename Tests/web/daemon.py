"""`mailboxd all` as a process, on ports that stay the same over its restarts."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY = re.compile(r"^ready ws=(\S+).* metrics=127\.0\.0\.1:(\d+)")
START_SECONDS = 60
SECRET = b"a secret of at least 32 bytes, for tests alone"


def free_port():
    """A port that is free now. Another process could take it before the daemon does: then the
    daemon says so, and the test fails with what it said."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def token(account, expires_in=3_600, secret=SECRET, **claims):
    """A JSON Web Token, signed with HS256."""

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = {"alg": "HS256", "kid": "main", "typ": "JWT"}
    claims = {"sub": account, "exp": int(time.time()) + expires_in, **claims}
    signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
    signature = hmac.new(secret, signed, hashlib.sha256).digest()
    return (signed + b"." + part(signature)).decode()


class Daemon:
    def __init__(self, directory, *arguments, demo=True):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.arguments = list(arguments)
        if demo:
            self.arguments += ["--tokens-demo", "true"]
        else:
            secret = self.directory / "secret"
            secret.write_bytes(SECRET)
            self.arguments += ["--tokens-key", secret, "--tokens-algorithm", "HS256"]
        self.log = open(self.directory / "log", "a+b")
        self.process = None
        self.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def operator(self):
        return f"http://127.0.0.1:{self.metrics_port}/operator"

    def start(self):
        """Starts it, and waits until it is ready."""
        program = os.environ.get("MAILBOXD", ROOT / ".build/debug/mailboxd")
        self.process = subprocess.Popen(
            [
                *(program, "all", "--directory", self.directory / "store"),
                *("--connect-port", str(self.port), "--metrics-port", "0", *self.arguments),
            ],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        output = self.process.stdout
        readable, _, _ = select.select([output], [], [], START_SECONDS)
        ready = READY.match(output.readline() if readable else "")
        if ready is None:
            self.kill()
            raise RuntimeError(f"mailboxd did not start; it said:\n{self.said()}")
        self.metrics_port = int(ready[2])

    def kill(self):
        """Ends it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self):
        """Asks it to end. Answers its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.returncode

    def said(self):
        """What it logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")
