#include <stdlib.h>

#include "Records.h"

struct peer_lmdb_reader {
    MDB_env *environment;
    MDB_dbi database;
    MDB_txn *transaction;
    MDB_cursor *cursor;
    const bench_workload *workload;
};

typedef struct ordered_mailbox {
    const uint8_t *key;
    size_t key_bytes;
    uint32_t mailbox;
} ordered_mailbox;

static int compare_mailboxes(const void *a, const void *b) {
    const ordered_mailbox *x = a, *y = b;
    return memcmp(x->key, y->key, x->key_bytes);
}

static int fill_one(MDB_txn *transaction, MDB_dbi database, const bench_workload *workload,
    uint32_t mailbox, size_t per_mailbox) {
    int64_t timestamp = bench_milliseconds();
    bench_head head = {0};
    int code = 0;
    for (size_t i = 0; i < per_mailbox && code == 0; i++) {
        uint32_t sequence = bench_advance(&head, workload->body_bytes, timestamp);
        code = peer_lmdb_put_message(transaction, database, workload, mailbox, sequence, timestamp,
            i * workload->mailbox_count + mailbox, MDB_APPEND);
    }
    if (code) return code;
    return peer_lmdb_put_head(transaction, database, workload, mailbox, &head, MDB_APPEND);
}

static int fill(MDB_env *environment, MDB_dbi database, const bench_workload *workload,
    size_t per_mailbox) {
    size_t count = workload->mailbox_count;
    ordered_mailbox *order = calloc(count, sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[i] = (ordered_mailbox){
            workload->keys + i * workload->key_bytes, workload->key_bytes, (uint32_t)i};
    }
    qsort(order, count, sizeof *order, compare_mailboxes);
    int code = 0;
    for (size_t i = 0; i < count && code == 0;) {
        MDB_txn *transaction;
        code = mdb_txn_begin(environment, NULL, 0, &transaction);
        if (code) break;
        size_t last = i + 1000 < count ? i + 1000 : count;
        for (; i < last && code == 0; i++) {
            code = fill_one(transaction, database, workload, order[i].mailbox, per_mailbox);
        }
        if (code == 0) {
            code = mdb_txn_commit(transaction);
        } else {
            mdb_txn_abort(transaction);
        }
    }
    free(order);
    return code;
}

peer_lmdb_reader *peer_lmdb_fill(const char *directory, const bench_workload *workload,
    size_t per_mailbox, bench_result *result) {
    *result = (bench_result){0};
    // Loading is not measured, so it need not sync; reading cannot tell the difference.
    MDB_env *environment = peer_lmdb_open(directory, MDB_NOSYNC | MDB_NOTLS, result);
    if (!environment) return NULL;
    peer_lmdb_reader *reader = calloc(1, sizeof *reader);
    reader->environment = environment;
    reader->workload = workload;
    double started = bench_now();
    int code = peer_lmdb_database(environment, &reader->database);
    if (code == 0) code = fill(environment, reader->database, workload, per_mailbox);
    if (code == 0) code = mdb_env_sync(environment, 1);
    if (code == 0) code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &reader->transaction);
    if (code == 0) code = mdb_cursor_open(reader->transaction, reader->database, &reader->cursor);
    if (code) {
        bench_fail(result, "LMDB fill", mdb_strerror(code));
        peer_lmdb_close(reader);
        return NULL;
    }
    mdb_txn_reset(reader->transaction);
    result->seconds = bench_now() - started;
    result->messages = workload->mailbox_count * per_mailbox;
    return reader;
}

static int read_range(peer_lmdb_reader *reader, uint32_t mailbox, uint32_t after, size_t limit,
    uint8_t *buffer, size_t *messages) {
    uint8_t wanted[BENCH_KEY_MAXIMUM];
    size_t wanted_bytes = bench_key(reader->workload, mailbox, after + 1, wanted);
    size_t prefix_bytes = reader->workload->key_bytes + 1;
    size_t value_bytes = BENCH_STAMP_BYTES + reader->workload->body_bytes;
    MDB_val key = {wanted_bytes, wanted}, value;
    int code = mdb_cursor_get(reader->cursor, &key, &value, MDB_SET_RANGE);
    for (size_t i = 0; i < limit; i++) {
        if (code == MDB_NOTFOUND) return 0;
        if (code) return code;
        bool same = key.mv_size == wanted_bytes
            && memcmp(key.mv_data, wanted, prefix_bytes) == 0;
        if (!same) return 0;
        if (value.mv_size != value_bytes) return MDB_CORRUPTED;
        memcpy(buffer + i * value_bytes, value.mv_data, value_bytes);
        *messages += 1;
        if (i + 1 < limit) code = mdb_cursor_get(reader->cursor, &key, &value, MDB_NEXT);
    }
    return 0;
}

void peer_lmdb_read(peer_lmdb_reader *reader, const uint32_t *mailboxes, const uint32_t *after,
    size_t count, size_t limit, uint8_t *buffer, bench_result *result) {
    *result = (bench_result){0};
    int code = 0;
    double started = bench_now();
    for (size_t i = 0; i < count && code == 0; i++) {
        code = mdb_txn_renew(reader->transaction);
        if (code) break;
        code = mdb_cursor_renew(reader->transaction, reader->cursor);
        if (code == 0) {
            code = read_range(
                reader, mailboxes[i], after[i], limit, buffer, &result->messages);
        }
        mdb_txn_reset(reader->transaction);
    }
    result->seconds = bench_now() - started;
    if (code) bench_fail(result, "LMDB read", mdb_strerror(code));
}

void peer_lmdb_close(peer_lmdb_reader *reader) {
    if (!reader) return;
    if (reader->cursor) mdb_cursor_close(reader->cursor);
    if (reader->transaction) mdb_txn_abort(reader->transaction);
    mdb_env_close(reader->environment);
    free(reader);
}
