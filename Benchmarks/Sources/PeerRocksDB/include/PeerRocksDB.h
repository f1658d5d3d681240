// RocksDB as a mailbox store: one record per message, one per head, both in one synced WriteBatch.
#ifndef PEER_ROCKSDB_H
#define PEER_ROCKSDB_H

#include "CBench.h"

typedef enum peer_rocksdb_memtable {
    PEER_ROCKSDB_SKIP_LIST = 0,
    PEER_ROCKSDB_HASH_SKIP_LIST = 1,
    PEER_ROCKSDB_HASH_LINK_LIST = 2,
} peer_rocksdb_memtable;

typedef struct peer_rocksdb_settings {
    /// Messages per WriteBatch.
    size_t batch;
    /// Writers; each has the mailboxes whose number leaves its own remainder, so that no lock is
    /// needed.
    size_t threads;
    peer_rocksdb_memtable memtable;
    size_t write_buffer_bytes;
    int write_buffers_maximum;
    int background_jobs;
    bool pipelined;
    bool unordered;
    bool concurrent_memtable;
    /// Heads in a column family of their own, updated in place in its memtable.
    bool heads_in_place;
    /// The puts of a batch in key order, with insert hints.
    bool sorted;
    bool universal_compaction;
} peer_rocksdb_settings;

/// Appends the workload in an empty directory. Every batch is durable before its writer sends the
/// next.
void peer_rocksdb_append(
    const char *directory, const peer_rocksdb_settings *settings, const bench_workload *workload,
    bench_result *result);

#endif
