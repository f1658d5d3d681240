// What every contestant is given: the same mailboxes, the same order, the same bodies.
#ifndef CBENCH_H
#define CBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/// A fixed stream of messages. Everything behind the pointers belongs to the caller and outlives
/// the run.
typedef struct bench_workload {
    /// One key per mailbox, `key_bytes` each: receiver, then sender, each with its length in front.
    const uint8_t *keys;
    size_t key_bytes;
    size_t mailbox_count;
    /// The mailbox of each message, in the order of sending.
    const uint32_t *stream;
    /// How many messages are sent: first `warmup_count` outside the timing, then `message_count`
    /// inside.
    size_t warmup_count;
    size_t message_count;
    /// Random bytes; a body is a window into them.
    const uint8_t *bodies;
    size_t bodies_bytes;
    size_t body_bytes;
    /// A contestant that needs longer than this stops early; its rate is that of what it did.
    double seconds_maximum;
} bench_workload;

/// What a run did. `error` is empty when it went well.
typedef struct bench_result {
    double seconds;
    size_t messages;
    char error[256];
} bench_result;

/// Seconds on a clock that only goes forward.
static inline double bench_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/// The body of message `index`; the Swift side computes the same window.
static inline const uint8_t *bench_body(const bench_workload *workload, size_t index) {
    return workload->bodies + (index * 61) % (workload->bodies_bytes - workload->body_bytes);
}

/// The logical key of the design: receiver, sender, kind, sequence. The head's kind sorts behind
/// the messages'.
enum { BENCH_KIND_MESSAGE = 1, BENCH_KIND_HEAD = 2, BENCH_KEY_MAXIMUM = 2 * 65 + 5 };

/// Writes a message's key (`sequence` above 0) or a head's (0) and returns its length.
static inline size_t bench_key(
    const bench_workload *workload, uint32_t mailbox, uint32_t sequence, uint8_t *key
) {
    size_t length = workload->key_bytes;
    memcpy(key, workload->keys + (size_t)mailbox * length, length);
    if (sequence == 0) {
        key[length] = BENCH_KIND_HEAD;
        return length + 1;
    }
    key[length] = BENCH_KIND_MESSAGE;
    uint32_t ordered = __builtin_bswap32(sequence);
    memcpy(key + length + 1, &ordered, 4);
    return length + 5;
}

/// What a contestant stores beside the messages, and keeps in an array in memory to number the next
/// one.
typedef struct bench_head {
    uint64_t body_bytes;
    int64_t newest_timestamp;
    uint32_t max;
    uint32_t acknowledged;
    uint32_t floor;
    uint32_t reserved;
} bench_head;

/// Bytes of a head that are stored.
enum { BENCH_HEAD_BYTES = 28, BENCH_STAMP_BYTES = 8 };

/// Milliseconds since 1970, for the message's timestamp.
static inline int64_t bench_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/// Allocates the next sequence and answers it.
static inline uint32_t bench_advance(bench_head *head, size_t body_bytes, int64_t timestamp) {
    head->body_bytes += body_bytes;
    head->newest_timestamp = timestamp;
    return ++head->max;
}

/// Keeps the first failure of a run.
static inline void bench_fail(bench_result *result, const char *what, const char *why) {
    if (result->error[0] == 0) snprintf(result->error, sizeof result->error, "%s: %s", what, why);
}

/// Removes a directory and everything below it. True when nothing is left.
bool bench_remove(const char *path);

/// Writes back everything of the file system at `path`, so that no contestant pays for the one
/// before it.
bool bench_settle(const char *path);

/// Sleeps until `bench_now` would answer `moment`.
void bench_sleep_until(double moment);

#endif
