// Publishes into a JetStream stream as fast as the server confirms, and prints messages a second:
// all that were confirmed, over the time from the first publish to the last confirmation.
//
//   nats-publish URL async|atomic|fast WINDOW CONNECTIONS SUBJECTS BODY_BYTES SECONDS
//
// Each connection has a thread that publishes to random subjects of one stream:
//
//   async    each message is confirmed for itself, at most WINDOW are under way (`js_PublishAsync`)
//   atomic   batches of WINDOW messages, stored together when the last came; headers say so, and
//            one answer confirms all (server 2.12, ADR-50 of the NATS project)
//   fast     a batch without end, confirmed every WINDOW messages at most, as the server decides;
//            two such windows under way; the reply subject says so (server 2.14, same document)
//
// The Debian client knows neither kind of batch, nor the stream settings that allow them. Both are
// plain protocol, so they are written here by hand. A server that does not know them answers in
// another way than it should: then this prints "unsupported".

#define _GNU_SOURCE
#include <nats/nats.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STREAM "MAILBOXES"
#define API "$JS.API.STREAM."

enum { answer_milliseconds = 60000, subject_bytes = 64, reply_bytes = 160, windows_under_way = 2 };

static const char *url;
static const char *mode;
static int window, subjects, body_bytes;
static double stop_at;

struct publisher {
    pthread_t thread;
    unsigned seed;
    uint64_t confirmed;
    natsConnection *connection;
    char *body;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void must(natsStatus status, const char *what) {
    if (status != NATS_OK) fail("%s: %s", what, natsStatus_GetText(status));
}

static void unsupported(void) {
    puts("unsupported");
    exit(0);
}

static bool is_over(void) { return now() >= stop_at; }

static const char *next_subject(struct publisher *self, char *subject) {
    snprintf(subject, subject_bytes, "mailbox.%d", rand_r(&self->seed) % subjects);
    return subject;
}

// The number behind `"name":` in an answer; -1 without one.
static int64_t number(natsMsg *answer, const char *name) {
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *place = memmem(
        natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer), key, strlen(key));
    return place == NULL ? -1 : strtoll(place + strlen(key), NULL, 10);
}

static bool contains(natsMsg *answer, const char *text) {
    return memmem(natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer), text,
               strlen(text)) != NULL;
}

static void fail_with(const char *what, natsMsg *answer) {
    fail("%s: %.*s", what, natsMsg_GetDataLength(answer), natsMsg_GetData(answer));
}

// MARK: One confirmation a message

static void on_answer(jsCtx *js, natsMsg *message, jsPubAck *answer, jsPubAckErr *error, void *of) {
    struct publisher *self = of;
    (void)js, (void)answer;
    if (error != NULL) fail("publish: %s", error->ErrText ? error->ErrText : "refused");
    self->confirmed += 1;
    natsMsg_Destroy(message);
}

static void publish_async(struct publisher *self) {
    jsOptions options;
    jsCtx *js;
    char subject[subject_bytes];
    must(jsOptions_Init(&options), "options");
    options.PublishAsync.MaxPending = window;
    options.PublishAsync.StallWait = answer_milliseconds;
    options.PublishAsync.AckHandler = on_answer;
    options.PublishAsync.AckHandlerClosure = self;
    must(natsConnection_JetStream(&js, self->connection, &options), "JetStream");
    while (!is_over()) {
        next_subject(self, subject);
        must(js_PublishAsync(js, subject, self->body, body_bytes, NULL), "publish");
    }
    must(js_PublishAsyncComplete(js, NULL), "the last answers");
    jsCtx_Destroy(js);
}

// MARK: Atomic batches

static natsMsg *batch_message(struct publisher *self, const char *batch, int sequence) {
    char subject[subject_bytes], text[16];
    natsMsg *message;
    snprintf(text, sizeof text, "%d", sequence);
    next_subject(self, subject);
    must(natsMsg_Create(&message, subject, NULL, self->body, body_bytes), "message");
    must(natsMsgHeader_Set(message, "Nats-Batch-Id", batch), "header");
    must(natsMsgHeader_Set(message, "Nats-Batch-Sequence", text), "header");
    return message;
}

static void publish_atomic(struct publisher *self) {
    for (int round = 0; !is_over(); round++) {
        char batch[48];
        snprintf(batch, sizeof batch, "%p-%d", (void *)self, round);
        for (int sequence = 1; sequence < window; sequence++) {
            natsMsg *message = batch_message(self, batch, sequence);
            must(natsConnection_PublishMsg(self->connection, message), "publish");
            natsMsg_Destroy(message);
        }
        natsMsg *last = batch_message(self, batch, window), *answer;
        must(natsMsgHeader_Set(last, "Nats-Batch-Commit", "1"), "header");
        must(natsConnection_RequestMsg(&answer, self->connection, last, answer_milliseconds),
            "the batch's answer");
        if (contains(answer, "\"error\"")) fail_with("batch", answer);
        if (number(answer, "count") != window) unsupported();
        self->confirmed += (uint64_t)window;
        natsMsg_Destroy(answer);
        natsMsg_Destroy(last);
    }
}

// MARK: Fast batches

enum fast_operation { fast_start = 0, fast_append = 1, fast_end = 3 };

static void publish_fast_message(struct publisher *self, const char *inbox, uint64_t sequence,
    enum fast_operation operation) {
    char subject[subject_bytes], reply[reply_bytes];
    snprintf(reply, sizeof reply, "%s.%d.fail.%llu.%d.$FI", inbox, window,
        (unsigned long long)sequence, (int)operation);
    next_subject(self, subject);
    must(natsConnection_PublishRequest(
             self->connection, subject, reply, self->body, body_bytes),
        "publish");
}

// Waits for the next answer; false when it was the last. It confirms everything through its `seq`,
// and says with `msgs` after how many messages the next one comes.
static bool fast_answer(struct publisher *self, natsSubscription *answers, uint64_t *interval) {
    natsMsg *answer;
    must(natsSubscription_NextMsg(&answer, answers, answer_milliseconds), "an answer");
    if (contains(answer, "\"error\"")) fail_with("fast batch", answer);
    bool goes_on = contains(answer, "\"type\":\"ack\"");
    if (!goes_on && number(answer, "count") < 0) unsupported();
    self->confirmed = (uint64_t)number(answer, goes_on ? "seq" : "count");
    if (goes_on) *interval = (uint64_t)number(answer, "msgs");
    natsMsg_Destroy(answer);
    return goes_on;
}

static void publish_fast(struct publisher *self) {
    natsInbox *inbox;
    natsSubscription *answers;
    char every[reply_bytes];
    uint64_t sequence = 1, interval = 1;
    must(natsInbox_Create(&inbox), "inbox");
    snprintf(every, sizeof every, "%s.>", inbox);
    must(natsConnection_SubscribeSync(&answers, self->connection, every), "subscribe");
    publish_fast_message(self, inbox, sequence, fast_start);
    fast_answer(self, answers, &interval);
    while (!is_over()) {
        publish_fast_message(self, inbox, ++sequence, fast_append);
        while (self->confirmed + interval * windows_under_way <= sequence) {
            if (!fast_answer(self, answers, &interval)) fail("the server ended the batch");
        }
    }
    publish_fast_message(self, inbox, sequence + 1, fast_end);
    while (fast_answer(self, answers, &interval)) continue;
    if (self->confirmed != sequence) fail("the batch lost messages");
    natsSubscription_Destroy(answers);
    natsInbox_Destroy(inbox);
}

// MARK: All together

static void create_stream(void) {
    static const char *configuration =
        "{\"name\":\"" STREAM "\",\"subjects\":[\"mailbox.*\"],\"retention\":\"limits\","
        "\"storage\":\"file\",\"num_replicas\":1,\"discard\":\"old\",\"max_consumers\":-1,"
        "\"max_msgs\":-1,\"max_bytes\":-1,\"max_age\":0,\"max_msg_size\":-1%s}";
    natsConnection *connection;
    natsMsg *answer;
    char request[512];
    must(natsConnection_ConnectTo(&connection, url), "connect");
    must(natsConnection_RequestString(
             &answer, connection, API "DELETE." STREAM, "", answer_milliseconds),
        "delete");
    natsMsg_Destroy(answer);
    snprintf(request, sizeof request, configuration,
        strcmp(mode, "atomic") == 0 ? ",\"allow_atomic\":true"
        : strcmp(mode, "fast") == 0 ? ",\"allow_batched\":true" : "");
    must(natsConnection_RequestString(
             &answer, connection, API "CREATE." STREAM, request, answer_milliseconds),
        "create");
    if (contains(answer, "\"error\"")) fail_with("create", answer);
    natsMsg_Destroy(answer);
    natsConnection_Destroy(connection);
}

static void *publish(void *of) {
    struct publisher *self = of;
    must(natsConnection_ConnectTo(&self->connection, url), "connect");
    self->body = malloc((size_t)body_bytes);
    for (int byte = 0; byte < body_bytes; byte++) self->body[byte] = (char)rand_r(&self->seed);
    if (strcmp(mode, "async") == 0) publish_async(self);
    else if (strcmp(mode, "atomic") == 0) publish_atomic(self);
    else publish_fast(self);
    natsConnection_Destroy(self->connection);
    free(self->body);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 8) fail("see the first lines of nats-publish.c");
    url = arguments[1];
    mode = arguments[2];
    window = atoi(arguments[3]);
    int connections = atoi(arguments[4]);
    subjects = atoi(arguments[5]);
    body_bytes = atoi(arguments[6]);
    must(nats_Open(-1), "open");
    create_stream();
    double started = now();
    stop_at = started + atof(arguments[7]);

    struct publisher *publishers = calloc((size_t)connections, sizeof *publishers);
    for (int index = 0; index < connections; index++) {
        publishers[index].seed = (unsigned)index + 1;
        pthread_create(&publishers[index].thread, NULL, publish, &publishers[index]);
    }
    uint64_t confirmed = 0;
    for (int index = 0; index < connections; index++) {
        pthread_join(publishers[index].thread, NULL);
        confirmed += publishers[index].confirmed;
    }
    printf("%.1f\n", (double)confirmed / (now() - started));
    nats_Close();
    free(publishers);
    return 0;
}
