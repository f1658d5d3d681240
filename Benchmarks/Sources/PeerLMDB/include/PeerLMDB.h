// Plain LMDB as a mailbox store: one record per message, one per head, one transaction per batch.
#ifndef PEER_LMDB_H
#define PEER_LMDB_H

#include "CBench.h"

typedef struct peer_lmdb_settings {
    /// Messages per transaction.
    size_t batch;
    /// Puts of one transaction in key order instead of the order of arrival.
    bool sorted;
    /// Zeroes written into the data file beforehand, so that no commit makes the file longer.
    size_t preallocate_bytes;
} peer_lmdb_settings;

/// Appends the workload in an empty directory. Every transaction is durable before the next begins.
void peer_lmdb_append(
    const char *directory, const peer_lmdb_settings *settings, const bench_workload *workload,
    bench_result *result);

/// A data file that is filled and waits for reads.
typedef struct peer_lmdb_reader peer_lmdb_reader;

/// Loads every mailbox with `per_mailbox` messages in key order, which packs the leaves fully.
///
/// Message `sequence` of a mailbox has body number `(sequence - 1) * mailbox_count + mailbox`.
peer_lmdb_reader *peer_lmdb_fill(
    const char *directory, const bench_workload *workload, size_t per_mailbox,
    bench_result *result);

/// Reads ranges: for each, a new snapshot, a seek and `limit - 1` steps, each value copied to
/// `buffer`.
///
/// `buffer` holds `limit` values of a timestamp and a body.
void peer_lmdb_read(
    peer_lmdb_reader *reader, const uint32_t *mailboxes, const uint32_t *after, size_t count,
    size_t limit, uint8_t *buffer, bench_result *result);

void peer_lmdb_close(peer_lmdb_reader *reader);

#endif
