#include "Records.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

// LMDB writes pages at their place and never shortens the file, so zeroes behind its last page are
// only room.
static bool preallocate(const char *directory, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/data.mdb", directory);
    int file = open(path, O_WRONLY);
    if (file < 0) return false;
    const size_t step = 1 << 20;
    uint8_t *zeroes = calloc(1, step);
    off_t end = lseek(file, 0, SEEK_END);
    bool good = zeroes != NULL && end >= 0;
    while (good && (size_t)end < bytes) {
        good = pwrite(file, zeroes, step, end) == (ssize_t)step;
        end += (off_t)step;
    }
    good = good && fsync(file) == 0;
    free(zeroes);
    close(file);
    return good;
}

typedef struct entry {
    const uint8_t *key;
    size_t index;
    size_t key_bytes;
} entry;

static int compare_entries(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->key_bytes);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int append_batch(MDB_env *environment, MDB_dbi database, const bench_workload *workload,
    const peer_lmdb_settings *settings, size_t first, size_t count, entry *entries,
    bench_head *heads) {
    for (size_t i = 0; i < count; i++) {
        size_t mailbox = workload->stream[first + i];
        entries[i] = (entry){workload->keys + mailbox * workload->key_bytes, first + i,
            workload->key_bytes};
    }
    if (settings->sorted) qsort(entries, count, sizeof *entries, compare_entries);
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (code) return code;
    int64_t timestamp = bench_milliseconds();
    for (size_t i = 0; i < count && code == 0; i++) {
        size_t index = entries[i].index;
        uint32_t mailbox = workload->stream[index];
        bench_head *head = &heads[mailbox];
        uint32_t sequence = bench_advance(head, workload->body_bytes, timestamp);
        code = peer_lmdb_put_message(transaction, database, workload, mailbox, sequence, timestamp,
            index, MDB_NOOVERWRITE);
        if (code == 0) code = peer_lmdb_put_head(transaction, database, workload, mailbox, head, 0);
    }
    if (code) {
        mdb_txn_abort(transaction);
        return code;
    }
    return mdb_txn_commit(transaction);
}

static int check_heads(MDB_env *environment, MDB_dbi database, const bench_workload *workload,
    const bench_head *heads) {
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction);
    for (size_t i = 0; i < workload->mailbox_count && code == 0; i += 97) {
        if (heads[i].max == 0) continue;
        uint8_t key[BENCH_KEY_MAXIMUM];
        MDB_val k = {bench_key(workload, (uint32_t)i, 0, key), key}, v;
        code = mdb_get(transaction, database, &k, &v);
        if (code == 0 && memcmp(v.mv_data, &heads[i], BENCH_HEAD_BYTES) != 0) code = MDB_CORRUPTED;
    }
    mdb_txn_abort(transaction);
    return code;
}

void peer_lmdb_append(const char *directory, const peer_lmdb_settings *settings,
    const bench_workload *workload, bench_result *result) {
    *result = (bench_result){0};
    MDB_env *environment = peer_lmdb_open(directory, 0, result);
    if (!environment) return;
    MDB_dbi database = 0;
    int code = peer_lmdb_database(environment, &database);
    if (code == 0 && !preallocate(directory, settings->preallocate_bytes)) code = MDB_PANIC;
    bench_head *heads = calloc(workload->mailbox_count, sizeof *heads);
    entry *entries = calloc(settings->batch, sizeof *entries);
    size_t total = workload->warmup_count + workload->message_count;
    size_t done = 0;
    double started = bench_now();
    while (done < total && code == 0) {
        size_t limit = done < workload->warmup_count ? workload->warmup_count : total;
        size_t count = limit - done < settings->batch ? limit - done : settings->batch;
        code = append_batch(
            environment, database, workload, settings, done, count, entries, heads);
        done += count;
        if (done == workload->warmup_count) started = bench_now();
        bool measuring = done > workload->warmup_count;
        if (measuring && bench_now() - started > workload->seconds_maximum) break;
    }
    result->seconds = bench_now() - started;
    result->messages = done - workload->warmup_count;
    if (code == 0) code = check_heads(environment, database, workload, heads);
    if (code) bench_fail(result, "LMDB append", mdb_strerror(code));
    free(entries);
    free(heads);
    mdb_env_close(environment);
}
