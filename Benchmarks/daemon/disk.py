"""What one sync costs on this disk at this moment: the floor under every durable answer."""

import os
import statistics
import time

BLOCK = 4096
FILE_BLOCKS = 4096


def sync_milliseconds(folder, count):
    """The median time of a write of 4 KiB and its fdatasync, in a file that is full of zeroes."""
    path = folder / "sync"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for block in range(0, FILE_BLOCKS, 256):
            os.pwrite(file, bytes(BLOCK * 256), block * BLOCK)
        os.fsync(file)
        times = []
        data = b"x" * BLOCK
        for number in range(count):
            started = time.perf_counter()
            os.pwrite(file, data, number % FILE_BLOCKS * BLOCK)
            os.fdatasync(file)
            times.append(time.perf_counter() - started)
        return statistics.median(times) * 1000
    finally:
        os.close(file)
        path.unlink()
