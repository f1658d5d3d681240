#include "Records.h"

static const size_t map_bytes = (size_t)64 << 30;

MDB_env *peer_lmdb_open(const char *directory, unsigned flags, bench_result *result) {
    MDB_env *environment = NULL;
    int code = mdb_env_create(&environment);
    if (code == 0) code = mdb_env_set_mapsize(environment, map_bytes);
    if (code == 0) code = mdb_env_open(environment, directory, flags, 0644);
    if (code == 0) return environment;
    bench_fail(result, "mdb_env_open", mdb_strerror(code));
    if (environment) mdb_env_close(environment);
    return NULL;
}

int peer_lmdb_database(MDB_env *environment, MDB_dbi *database) {
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (code) return code;
    code = mdb_dbi_open(transaction, NULL, 0, database);
    if (code) {
        mdb_txn_abort(transaction);
        return code;
    }
    return mdb_txn_commit(transaction);
}

static int put(MDB_txn *transaction, MDB_dbi database, const uint8_t *key, size_t key_bytes,
    const void *value, size_t value_bytes, unsigned flags) {
    MDB_val k = {key_bytes, (void *)key};
    MDB_val v = {value_bytes, (void *)value};
    return mdb_put(transaction, database, &k, &v, flags);
}

int peer_lmdb_put_message(MDB_txn *transaction, MDB_dbi database, const bench_workload *workload,
    uint32_t mailbox, uint32_t sequence, int64_t timestamp, size_t body, unsigned flags) {
    uint8_t key[BENCH_KEY_MAXIMUM];
    uint8_t value[BENCH_STAMP_BYTES + 4096];
    memcpy(value, &timestamp, BENCH_STAMP_BYTES);
    memcpy(value + BENCH_STAMP_BYTES, bench_body(workload, body), workload->body_bytes);
    size_t key_bytes = bench_key(workload, mailbox, sequence, key);
    return put(transaction, database, key, key_bytes, value,
        BENCH_STAMP_BYTES + workload->body_bytes, flags);
}

int peer_lmdb_put_head(MDB_txn *transaction, MDB_dbi database, const bench_workload *workload,
    uint32_t mailbox, const bench_head *head, unsigned flags) {
    uint8_t key[BENCH_KEY_MAXIMUM];
    size_t key_bytes = bench_key(workload, mailbox, 0, key);
    return put(transaction, database, key, key_bytes, head, BENCH_HEAD_BYTES, flags);
}
