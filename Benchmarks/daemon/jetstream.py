"""NATS JetStream: one stream in files, a subject a mailbox, synced before it is answered."""

import contextlib
import pathlib
import shutil

from processes import BenchError, Server, compile_c, free_port, run, wait_for_port
from workload import BODY_BYTES, MAILBOXES, Variant

HERE = pathlib.Path(__file__).parent


class JetStream:
    name = "jetstream"
    title = "NATS JetStream"
    settings = (
        "one stream in files, a subject a mailbox, sync_interval: always, batches of up to 10 000"
        " allowed; libnats in C"
    )

    def __init__(self, smoke, build):
        self.smoke = smoke
        self.build = pathlib.Path(build)

    def version(self):
        words = run([self._server(), "--version"]).split()
        origin = "PyPI" if self._has_batches() else "Debian's, an older one, without batches"
        return f"{words[-1].removeprefix('v')} ({origin})"

    def _has_batches(self):
        return self._server().is_relative_to(self.build)

    def _server(self):
        """The wheel's server; Debian's, which is three years older, where there is no wheel."""
        wheel = self.build / "venv/bin/nats-server"
        debian = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if wheel.exists():
            return wheel
        if debian:
            return pathlib.Path(debian)
        raise BenchError("no nats-server here: run `make deps-bench-daemon`")

    @contextlib.contextmanager
    def running(self, folder):
        self.port = free_port()
        self.program = compile_c(HERE / "nats-publish.c", self.build, ["nats", "pthread"])
        folder.mkdir()
        configuration = folder / "nats.conf"
        # Debian's older server knows no batches, and refuses the setting.
        batches = "limits { batch { max_msgs: 10000 } }" if self._has_batches() else ""
        configuration.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{folder}/store", max_file_store: 64GB,\n'
            f"    sync_interval: always, {batches} }}\n"
        )
        log = folder / "log"
        with Server("nats-server", [self._server(), "-c", configuration], log) as server:
            wait_for_port(self.port, server)
            yield server

    def append_variants(self):
        ways = [
            ("async", "async publishes, {} × {} under way", [(1, 256), (1, 4096), (4, 1024)]),
            ("atomic", "atomic batches, {} × {}", [(1, 1000), (4, 1000), (1, 10000), (4, 10000)]),
            ("fast", "fast batches, {} × {} an answer", [(1, 1024), (4, 1024)]),
        ]
        variants = [
            Variant(text.format(*shape), mode=mode, connections=shape[0], window=shape[1])
            for mode, text, shapes in ways
            for shape in (shapes[:1] if self.smoke else shapes)
        ]
        return variants if self._has_batches() else [v for v in variants if v["mode"] == "async"]

    def append(self, variant, seconds):
        """Messages a second."""
        output = run([
            *(self.program, f"nats://127.0.0.1:{self.port}", variant["mode"]),
            *(variant["window"], variant["connections"], MAILBOXES, BODY_BYTES, seconds),
        ])
        if output.startswith("unsupported"):
            raise BenchError(f"nats-server does not do: {variant.label}")
        return float(output)

    def clear(self):
        """Nothing: the publisher begins with a new stream each time."""
