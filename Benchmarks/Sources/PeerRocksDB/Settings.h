// An open database and the options it was opened with.
#ifndef PEER_ROCKSDB_SETTINGS_H
#define PEER_ROCKSDB_SETTINGS_H

#include <rocksdb/c.h>

#include "PeerRocksDB.h"

typedef struct peer_rocksdb_database {
    rocksdb_t *database;
    rocksdb_options_t *options;
    rocksdb_options_t *head_options;
    rocksdb_column_family_handle_t *messages;
    /// The same as `messages` unless heads have a column family of their own.
    rocksdb_column_family_handle_t *heads;
    bool separate_heads;
} peer_rocksdb_database;

/// Opens an empty directory; answers the error, NULL when there is none. Free it with
/// `rocksdb_free`.
char *peer_rocksdb_open(
    const char *directory, const peer_rocksdb_settings *settings, size_t key_bytes,
    peer_rocksdb_database *database);

void peer_rocksdb_close(peer_rocksdb_database *database);

#endif
