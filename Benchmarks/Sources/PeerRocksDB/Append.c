#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "Settings.h"

typedef struct run {
    peer_rocksdb_database database;
    const peer_rocksdb_settings *settings;
    const bench_workload *workload;
    rocksdb_writeoptions_t *write_options;
    bench_head *heads;
    pthread_barrier_t barrier;
    double started;
    atomic_size_t measured;
    atomic_bool failed;
    pthread_mutex_t error_lock;
    bench_result *result;
} run;

typedef struct writer {
    run *run;
    size_t number;
    pthread_t thread;
    size_t *pending;
    rocksdb_writebatch_t *batch;
} writer;

static void fail(run *run, char *error) {
    pthread_mutex_lock(&run->error_lock);
    bench_fail(run->result, "RocksDB", error);
    pthread_mutex_unlock(&run->error_lock);
    rocksdb_free(error);
    atomic_store(&run->failed, true);
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

static void sort_pending(const bench_workload *workload, size_t *pending, size_t count) {
    entry *entries = malloc(count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        size_t mailbox = workload->stream[pending[i]];
        entries[i] = (entry){workload->keys + mailbox * workload->key_bytes, pending[i],
            workload->key_bytes};
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < count; i++) pending[i] = entries[i].index;
    free(entries);
}

static void put(run *run, rocksdb_writebatch_t *batch, size_t index, int64_t timestamp) {
    const bench_workload *workload = run->workload;
    uint32_t mailbox = workload->stream[index];
    bench_head *head = &run->heads[mailbox];
    uint32_t sequence = bench_advance(head, workload->body_bytes, timestamp);
    uint8_t key[BENCH_KEY_MAXIMUM], value[BENCH_STAMP_BYTES + 4096];
    size_t key_bytes = bench_key(workload, mailbox, sequence, key);
    memcpy(value, &timestamp, BENCH_STAMP_BYTES);
    memcpy(value + BENCH_STAMP_BYTES, bench_body(workload, index), workload->body_bytes);
    rocksdb_writebatch_put(batch, (const char *)key, key_bytes, (const char *)value,
        BENCH_STAMP_BYTES + workload->body_bytes);
    key_bytes = bench_key(workload, mailbox, 0, key);
    if (run->database.separate_heads) {
        rocksdb_writebatch_put_cf(batch, run->database.heads, (const char *)key, key_bytes,
            (const char *)head, BENCH_HEAD_BYTES);
    } else {
        rocksdb_writebatch_put(batch, (const char *)key, key_bytes, (const char *)head,
            BENCH_HEAD_BYTES);
    }
}

static void write_batch(writer *writer, size_t count) {
    run *run = writer->run;
    if (run->settings->sorted) sort_pending(run->workload, writer->pending, count);
    int64_t timestamp = bench_milliseconds();
    rocksdb_writebatch_clear(writer->batch);
    for (size_t i = 0; i < count; i++) put(run, writer->batch, writer->pending[i], timestamp);
    char *error = NULL;
    rocksdb_write(run->database.database, run->write_options, writer->batch, &error);
    if (error) fail(run, error);
}

// Sends this writer's share of the messages from `first` to `last`, and answers how many those
// were.
static size_t send(writer *writer, size_t first, size_t last, double deadline) {
    run *run = writer->run;
    size_t threads = run->settings->threads, waiting = 0, sent = 0;
    for (size_t i = first; i < last && !atomic_load_explicit(&run->failed, memory_order_relaxed);
         i++) {
        if (run->workload->stream[i] % threads != writer->number) continue;
        writer->pending[waiting++] = i;
        if (waiting < run->settings->batch) continue;
        write_batch(writer, waiting);
        sent += waiting;
        waiting = 0;
        if (bench_now() > deadline) return sent;
    }
    if (waiting > 0) write_batch(writer, waiting);
    return sent + waiting;
}

static void *write_share(void *argument) {
    writer *writer = argument;
    run *run = writer->run;
    size_t warmup = run->workload->warmup_count;
    send(writer, 0, warmup, 1e300);
    if (pthread_barrier_wait(&run->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        run->started = bench_now();
    }
    pthread_barrier_wait(&run->barrier);
    size_t sent = send(writer, warmup, warmup + run->workload->message_count,
        run->started + run->workload->seconds_maximum);
    atomic_fetch_add(&run->measured, sent);
    return NULL;
}

static void check_heads(run *run) {
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    for (size_t i = 0; i < run->workload->mailbox_count; i += 97) {
        if (run->heads[i].max == 0) continue;
        uint8_t key[BENCH_KEY_MAXIMUM];
        size_t key_bytes = bench_key(run->workload, (uint32_t)i, 0, key);
        char *error = NULL;
        size_t value_bytes = 0;
        char *value = rocksdb_get_cf(run->database.database, options, run->database.heads,
            (const char *)key, key_bytes, &value_bytes, &error);
        bool same = value && value_bytes == BENCH_HEAD_BYTES
            && memcmp(value, &run->heads[i], BENCH_HEAD_BYTES) == 0;
        if (!same) bench_fail(run->result, "RocksDB", error ? error : "a head is wrong");
        if (error) rocksdb_free(error);
        if (value) rocksdb_free(value);
    }
    rocksdb_readoptions_destroy(options);
}

static void append(run *run) {
    size_t threads = run->settings->threads;
    writer *writers = calloc(threads, sizeof *writers);
    pthread_barrier_init(&run->barrier, NULL, (unsigned)threads);
    for (size_t i = 0; i < threads; i++) {
        writers[i] = (writer){.run = run, .number = i};
        writers[i].pending = calloc(run->settings->batch, sizeof(size_t));
        writers[i].batch = rocksdb_writebatch_create();
        pthread_create(&writers[i].thread, NULL, write_share, &writers[i]);
    }
    for (size_t i = 0; i < threads; i++) pthread_join(writers[i].thread, NULL);
    run->result->seconds = bench_now() - run->started;
    run->result->messages = atomic_load(&run->measured);
    for (size_t i = 0; i < threads; i++) {
        free(writers[i].pending);
        rocksdb_writebatch_destroy(writers[i].batch);
    }
    pthread_barrier_destroy(&run->barrier);
    free(writers);
}

void peer_rocksdb_append(const char *directory, const peer_rocksdb_settings *settings,
    const bench_workload *workload, bench_result *result) {
    *result = (bench_result){0};
    run run = {.settings = settings, .workload = workload, .result = result};
    pthread_mutex_init(&run.error_lock, NULL);
    char *error = peer_rocksdb_open(directory, settings, workload->key_bytes, &run.database);
    if (error) {
        fail(&run, error);
        peer_rocksdb_close(&run.database);
        return;
    }
    run.heads = calloc(workload->mailbox_count, sizeof *run.heads);
    run.write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(run.write_options, 1);
    rocksdb_writeoptions_set_memtable_insert_hint_per_batch(
        run.write_options, settings->sorted && settings->memtable == PEER_ROCKSDB_SKIP_LIST);
    append(&run);
    if (result->error[0] == 0) check_heads(&run);
    rocksdb_writeoptions_destroy(run.write_options);
    peer_rocksdb_close(&run.database);
    free(run.heads);
    pthread_mutex_destroy(&run.error_lock);
}
