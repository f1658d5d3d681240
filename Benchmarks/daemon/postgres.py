"""PostgreSQL 15: a table of messages, a table of heads, batches of rows in one statement."""

import contextlib
import os
import pathlib
import pwd
import re
import signal

from processes import BenchError, Server, free_port, needs, run, wait_for_port
from workload import BODY, MAILBOXES, Variant

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = minimal
max_wal_senders = 0
wal_buffers = 64MB
wal_compression = lz4
min_wal_size = 4GB
max_wal_size = 32GB
checkpoint_timeout = 30min
shared_buffers = 1GB
work_mem = 32MB
autovacuum = off
jit = off
"""

# Each client has mailboxes of its own, so that none waits for another's row until it is synced.
MAILBOX = "(floor(random() * {mailboxes} / :clients)::int * :clients + :client_id)"

# What a store needs: sequences without holes per mailbox, given out with the messages in one step.
SEQUENCED = """
WITH input AS MATERIALIZED (
    SELECT {mailbox} AS mailbox, body FROM unnest('{bodies}'::bytea[]) AS body
), counted AS (
    SELECT mailbox, count(*)::int AS messages FROM input GROUP BY mailbox
), moved AS (
    INSERT INTO head AS old (mailbox, sequence) SELECT mailbox, messages FROM counted
    ON CONFLICT (mailbox) DO UPDATE SET sequence = old.sequence + excluded.sequence
    RETURNING mailbox, sequence
)
INSERT INTO message (mailbox, sequence, body)
SELECT input.mailbox,
    moved.sequence + 1 - row_number() OVER (PARTITION BY input.mailbox), input.body
FROM input JOIN moved USING (mailbox);
"""

# Less than a store needs: a number for the whole table, given out in strides.
PLAIN = """
INSERT INTO plain (mailbox, body)
SELECT {mailbox}, body FROM unnest('{bodies}'::bytea[]) AS body;
"""

SCHEMA = """
DROP TABLE IF EXISTS head, message, plain;
CREATE TABLE head (mailbox int PRIMARY KEY, sequence int NOT NULL) WITH (fillfactor = 50);
CREATE TABLE message (
    mailbox int, sequence int, body bytea NOT NULL, PRIMARY KEY (mailbox, sequence));
CREATE TABLE plain (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 10000),
    mailbox int NOT NULL, body bytea NOT NULL, PRIMARY KEY (mailbox, id));
INSERT INTO head SELECT mailbox, 0 FROM generate_series(0, {last}) AS mailbox;
CHECKPOINT;
"""


class Postgres:
    name = "postgres"
    title = "PostgreSQL"
    settings = (
        "fsync and synchronous_commit on, shared_buffers 1 GB, no checkpoint within a run, no"
        " autovacuum; pgbench, a batch a statement"
    )

    def __init__(self, smoke):
        self.smoke = smoke
        self.user = "postgres" if os.geteuid() == 0 else None

    def version(self):
        return run([self._program("postgres"), "--version"]).split()[2]

    def _program(self, name):
        path = BINARIES / name
        if not path.exists():
            raise BenchError(f"no {path} here (postgresql-15): run `make deps-bench-daemon`")
        return path

    def _as_user(self, folder):
        """The server refuses to be root: what comes before its command, to make it another."""
        if self.user is None:
            return []
        prefix = [
            *(needs("setpriv", "util-linux"), f"--reuid={self.user}", f"--regid={self.user}"),
            *("--clear-groups", "--pdeathsig", "KILL"),
        ]
        if not all(parent.stat().st_mode & 0o001 for parent in folder.parents):
            # The repository may lie where only root may go.
            prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return prefix

    @contextlib.contextmanager
    def running(self, folder):
        self.port = free_port()
        self.folder = folder
        data = folder / "data"
        folder.mkdir()
        data.mkdir(mode=0o700)
        prefix = self._as_user(data)
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(data, owner.pw_uid, owner.pw_gid)
        run(
            [*prefix, self._program("initdb"), "-D", data, "-U", "bench", "-A", "trust", "-N"],
            cwd="/",
        )
        with open(data / "postgresql.conf", "a") as configuration:
            configuration.write(CONFIGURATION + f"port = {self.port}\n")
        server = Server(
            "postgres",
            [*prefix, self._program("postgres"), "-D", data],
            folder / "log",
            stop_signal=signal.SIGINT,
            cwd="/",
        )
        with server:
            wait_for_port(self.port, server)
            self._wait_until_it_takes_statements(server)
            yield server

    def _wait_until_it_takes_statements(self, server):
        ready = [self._program("pg_isready"), "-q", "-t", "20", *self._connection()]
        for _ in range(200):
            server.check()
            with contextlib.suppress(BenchError):
                return run(ready)
        raise BenchError(f"postgres takes no statements:\n{server.tail()}")

    def _connection(self):
        return ["-h", "127.0.0.1", "-p", self.port, "-U", "bench"]

    def _statement(self, text):
        return run([
            *(self._program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
            *(*self._connection(), "-d", "postgres", "-c", text),
        ])

    def append_variants(self):
        shapes = [(16, 256), (16, 1000), (16, 4000), (50, 256), (50, 1000), (4, 1000)]
        return [
            Variant(f"{kind}, {clients} clients × {batch} rows", kind=kind, clients=clients,
                    batch=batch)
            for kind in ["with sequences", "plain inserts"]
            for clients, batch in (shapes[:1] if self.smoke else shapes)
        ]

    def clear(self):
        """Begins with empty mailboxes again."""
        for statement in SCHEMA.format(last=MAILBOXES - 1).strip().split(";")[:-1]:
            self._statement(statement)

    def append(self, variant, seconds):
        """Messages a second."""
        statement = SEQUENCED if variant["kind"] == "with sequences" else PLAIN
        bodies = "{" + ",".join([BODY] * variant["batch"]) + "}"
        mailbox = MAILBOX.format(mailboxes=MAILBOXES)
        script = self.folder / "batch.sql"
        # pgbench ends a command at a semicolon, and a script's line may be as long as it likes.
        script.write_text(statement.format(mailbox=mailbox, bodies=bodies))
        output = run([
            *(self._program("pgbench"), "-n", "-M", "simple", "-f", script),
            *("-c", variant["clients"], "-j", 2, "-T", max(1, round(seconds))),
            *("-D", f"clients={variant['clients']}"),
            *(*self._connection(), "postgres"),
        ])
        failed = re.search(r"number of failed transactions: (\d+)", output)
        if failed and failed[1] != "0":
            raise BenchError(f"postgres refused batches:\n{output}")
        return float(re.search(r"tps = ([\d.]+) \(without", output)[1]) * variant["batch"]

    def check(self):
        """Every mailbox has the sequences 1 … its head, without holes."""
        wrong = self._statement("""
            SELECT count(*) FROM head LEFT JOIN (
                SELECT mailbox, count(*) AS messages, max(sequence) AS last, min(sequence) AS first
                FROM message GROUP BY mailbox) AS found USING (mailbox)
            WHERE head.sequence <> coalesce(messages, 0) OR head.sequence <> coalesce(last, 0)
                OR (head.sequence > 0 AND first <> 1)""")
        if wrong.strip() != "0":
            raise BenchError(f"postgres has {wrong.strip()} mailboxes with holes")
