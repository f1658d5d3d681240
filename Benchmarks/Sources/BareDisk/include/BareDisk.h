// The disk without a store: what no store that syncs before it answers can beat.
#ifndef BARE_DISK_H
#define BARE_DISK_H

#include "CBench.h"

/// A file of zeroes, written and synced beforehand, so that a later sync carries data and no
/// metadata.
typedef struct bare_disk bare_disk;

/// Creates the file; NULL with an error in `result` when that fails.
bare_disk *bare_disk_create(const char *path, size_t bytes, bench_result *result);

/// Writes `bytes` bytes behind the last ones and syncs; answers the seconds it took, below 0 on
/// failure.
///
/// At the end of the file it goes on at the beginning.
double bare_disk_append(bare_disk *disk, size_t bytes);

/// Writes groups of `group` records of `record_bytes` each, one `fdatasync` a group, for `seconds`.
void bare_disk_bulk(
    bare_disk *disk, size_t group, size_t record_bytes, double seconds, bench_result *result);

void bare_disk_close(bare_disk *disk);

/// True when the file system keeps its files in memory, where a sync costs nothing.
bool bare_disk_is_memory(const char *path);

#endif
