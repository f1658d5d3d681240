#include "BareDisk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { block_bytes = 1 << 20 };

struct bare_disk {
    int file;
    off_t bytes;
    off_t position;
    uint8_t *block;
};

bare_disk *bare_disk_create(const char *path, size_t bytes, bench_result *result) {
    *result = (bench_result){0};
    bare_disk *disk = calloc(1, sizeof *disk);
    disk->block = calloc(1, block_bytes);
    disk->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = disk->file >= 0;
    for (; good && (size_t)disk->bytes < bytes; disk->bytes += block_bytes) {
        good = pwrite(disk->file, disk->block, block_bytes, disk->bytes) == block_bytes;
    }
    good = good && fsync(disk->file) == 0;
    if (good) {
        memset(disk->block, 'x', block_bytes);
        return disk;
    }
    bench_fail(result, path, strerror(errno));
    bare_disk_close(disk);
    return NULL;
}

double bare_disk_append(bare_disk *disk, size_t bytes) {
    if (bytes > block_bytes) return -1;
    if (disk->position + (off_t)bytes > disk->bytes) disk->position = 0;
    double started = bench_now();
    if (pwrite(disk->file, disk->block, bytes, disk->position) != (ssize_t)bytes) return -1;
    if (fdatasync(disk->file) != 0) return -1;
    disk->position += (off_t)bytes;
    return bench_now() - started;
}

void bare_disk_bulk(bare_disk *disk, size_t group, size_t record_bytes, double seconds,
    bench_result *result) {
    *result = (bench_result){0};
    double started = bench_now();
    while (result->seconds < seconds) {
        if (bare_disk_append(disk, group * record_bytes) < 0) {
            bench_fail(result, "write", strerror(errno));
            return;
        }
        result->messages += group;
        result->seconds = bench_now() - started;
    }
}

void bare_disk_close(bare_disk *disk) {
    if (!disk) return;
    if (disk->file >= 0) close(disk->file);
    free(disk->block);
    free(disk);
}

bool bare_disk_is_memory(const char *path) {
    struct statfs information;
    if (statfs(path, &information) != 0) return false;
    return information.f_type == TMPFS_MAGIC || information.f_type == RAMFS_MAGIC;
}
