// The layout that appends and reads of the LMDB peer share.
#ifndef PEER_LMDB_RECORDS_H
#define PEER_LMDB_RECORDS_H

#include <lmdb.h>

#include "PeerLMDB.h"

/// Opens with LMDB's own durability (no NOSYNC, no WRITEMAP) unless `flags` says otherwise; NULL on
/// failure.
MDB_env *peer_lmdb_open(const char *directory, unsigned flags, bench_result *result);

/// The one tree.
int peer_lmdb_database(MDB_env *environment, MDB_dbi *database);

/// Stores message `sequence` with body number `body`.
int peer_lmdb_put_message(
    MDB_txn *transaction, MDB_dbi database, const bench_workload *workload, uint32_t mailbox,
    uint32_t sequence, int64_t timestamp, size_t body, unsigned flags);

int peer_lmdb_put_head(
    MDB_txn *transaction, MDB_dbi database, const bench_workload *workload, uint32_t mailbox,
    const bench_head *head, unsigned flags);

#endif
