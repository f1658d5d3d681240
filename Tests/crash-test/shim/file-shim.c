/*
 * Preloaded into a program that works on a store: records every call that changes a file below one
 * directory, or disturbs one of them.
 *
 *   FILE_SHIM_ROOT     the directory: an absolute path. Without it the shim does nothing.
 *   FILE_SHIM_TRACE    a file for the trace: what is done to which file, in the order of its effect
 *   FILE_SHIM_DELAY    microseconds that a sync takes longer, so that other threads act meanwhile
 *   FILE_SHIM_AT       the number of the call that is disturbed, from 1; 0 only counts
 *   FILE_SHIM_DO       kill (before the call), half (about half of a write's sectors, then kill),
 *                      after (kill behind it), short (half of a write or read), or an errno
 *   FILE_SHIM_NO_SYNC  syncs do nothing: the mistake of a disk that lies, for tests of the oracle
 *   FILE_SHIM_COUNT    all (calls that can fail), change (those that change files), sync
 *
 * What the program writes to its standard output is a mark: it goes into the trace at its place.
 * BEGIN and END are the shim's own: they bound what is counted, and behind END it says which call
 * was disturbed, and how many there were, as marks "HIT name" and "CALLS n".
 *
 * Calls that change files are made while the trace's lock is held, so the trace has them in the
 * order in which they happened. A sync is two records, its begin and its end, and not under the
 * lock: it makes durable what was complete when it began.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
    OPEN = 1, WRITE, TRUNCATE, ALLOCATE, RENAME, LINK, UNLINK, MAKE_DIRECTORY, REMOVE_DIRECTORY,
    SYNC_BEGIN, SYNC_END, WRITE_SYNCED, MARK
};

/* One record of the trace; `bytes` bytes follow. */
struct record {
    uint32_t kind;
    uint32_t bytes;
    int64_t handle;  /* of an open file, from 1 */
    int64_t offset;  /* of a write; the length of a truncation; the number of a begin or a write */
    int64_t result;  /* flags of an open; errno of a sync, 0 when it succeeded */
};

enum { DESCRIPTORS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static long delay_microseconds;
static int64_t records;
static int64_t handles;
/* By descriptor: the handle, 0 for files that are not looked at; and its flags. */
static int64_t handle_of[DESCRIPTORS];
static int flags_of[DESCRIPTORS];

static int is_armed;
static long calls;
static long target;
static int counts_changes, counts_syncs;
static enum { NOTHING, KILL, HALF, AFTER, SHORT, FAIL, DEAD, STOPPED } disturbance;
static int failure;
static const char *hit;
static int ignores_syncs, refuses_direct;

#define REAL(type, name, ...)                                                                   \
    static type (*real)(__VA_ARGS__);                                                           \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t plain_write(int fd, const void *bytes, size_t count) {
    return syscall(SYS_write, fd, bytes, count);
}

__attribute__((constructor)) static void begin(void) {
    const char *value = getenv("FILE_SHIM_ROOT");
    if (!value || !*value || strlen(value) >= sizeof root) return;
    strcpy(root, value);
    root_length = strlen(root);
    if ((value = getenv("FILE_SHIM_DELAY"))) delay_microseconds = atol(value);
    ignores_syncs = getenv("FILE_SHIM_NO_SYNC") != NULL;
    if ((value = getenv("FILE_SHIM_AT"))) target = atol(value);
    if ((value = getenv("FILE_SHIM_COUNT"))) {
        counts_changes = !strcmp(value, "change");
        counts_syncs = !strcmp(value, "sync");
    }
    if ((value = getenv("FILE_SHIM_DO"))) {
        if (!strcmp(value, "kill")) disturbance = KILL;
        else if (!strcmp(value, "half")) disturbance = HALF;
        else if (!strcmp(value, "after")) disturbance = AFTER;
        else if (!strcmp(value, "short")) disturbance = SHORT;
        else if ((failure = atoi(value)) > 0) disturbance = FAIL;
    }
    if ((value = getenv("FILE_SHIM_TRACE"))) {
        int fd = syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd < 0) _exit(70);
        trace = fcntl(fd, F_DUPFD_CLOEXEC, 900);
        syscall(SYS_close, fd);
        if (trace < 0) _exit(70);
    }
}

/* ---- which calls are meant ---- */

static int is_below(const char *path) {
    return root_length && path && !strncmp(path, root, root_length)
        && (path[root_length] == '/' || path[root_length] == 0);
}

static int64_t handle_for(int fd) {
    if (fd < 0 || fd >= DESCRIPTORS) return 0;
    return __atomic_load_n(&handle_of[fd], __ATOMIC_RELAXED);
}

/* ---- the trace; all of it with the lock held ---- */

static void put(
    enum kind kind, int64_t handle, int64_t offset, int64_t result, const struct iovec *parts,
    int count, size_t limit
) {
    int64_t number = records++;
    (void)number;
    if (trace < 0) return;
    struct record record = {kind, 0, handle, offset, result};
    struct iovec all[IOV_MAX];
    int used = 1;
    size_t bytes = 0;
    for (int i = 0; i < count && used < IOV_MAX && bytes < limit; i++) {
        all[used] = parts[i];
        if (all[used].iov_len > limit - bytes) all[used].iov_len = limit - bytes;
        bytes += all[used++].iov_len;
    }
    record.bytes = bytes;
    all[0].iov_base = &record;
    all[0].iov_len = sizeof record;
    ssize_t expected = sizeof record + bytes;
    if (syscall(SYS_writev, trace, all, used) != expected) _exit(70);
}

static void put_path(enum kind kind, int64_t handle, int64_t result, const char *path) {
    struct iovec part = {(void *)path, strlen(path)};
    put(kind, handle, 0, result, &part, 1, part.iov_len);
}

static void put_paths(enum kind kind, const char *from, const char *to) {
    struct iovec parts[2] = {{(void *)from, strlen(from) + 1}, {(void *)to, strlen(to)}};
    put(kind, 0, 0, 0, parts, 2, SIZE_MAX);
}

/* ---- counting and disturbing ---- */

enum { CHANGES = 1, SYNCS = 2 };

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call. Answers what is to become of it; errno is set when it is FAIL. */
static int disturbed(const char *name, int traits) {
    if (!is_armed || (counts_changes && !(traits & CHANGES)) || (counts_syncs && !(traits & SYNCS)))
        return NOTHING;
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    /* A disk that died does nothing more, and a process that was killed asks for nothing more. */
    int is_end = disturbance == DEAD || disturbance == STOPPED;
    if (is_end ? number < target : number != target) return NOTHING;
    hit = name;
    if (disturbance == KILL) die();
    if (is_end) {
        errno = failure;
        return FAIL;
    }
    if (disturbance == FAIL) errno = failure;
    return disturbance;
}

static void mark(const void *bytes, size_t count) {
    struct iovec part = {(void *)bytes, count};
    pthread_mutex_lock(&lock);
    if (count == 6 && !memcmp(bytes, "BEGIN\n", 6)) is_armed = 1;
    put(MARK, 0, 0, 0, &part, 1, count);
    pthread_mutex_unlock(&lock);
    if (count == 4 && !memcmp(bytes, "END\n", 4)) {
        char text[96];
        is_armed = 0;
        int length = snprintf(
            text, sizeof text, "HIT %s\nCALLS %ld\n", hit ? hit : "nothing", calls);
        plain_write(1, text, length);
        mark(text, length);
    }
}

/* ---- opening ---- */

static int opened(int fd, const char *path, int flags) {
    if (fd < 0 || !is_below(path)) return fd;
    if (fd >= DESCRIPTORS) _exit(71);
    flags_of[fd] = flags;
    __atomic_store_n(&handle_of[fd], ++handles, __ATOMIC_RELAXED);
    put_path(OPEN, handles, flags, path);
    return fd;
}

static int open_file(int directory, const char *path, int flags, mode_t mode) {
    if (!is_below(path)) return syscall(SYS_openat, directory, path, flags, mode);
    if (refuses_direct && flags & O_DIRECT) { errno = EINVAL; return -1; }
    int act = disturbed(
        flags & O_CREAT ? "open-create" : "open", flags & (O_CREAT | O_TRUNC) ? CHANGES : 0);
    if (act == FAIL) return -1;
    pthread_mutex_lock(&lock);
    int fd = opened(syscall(SYS_openat, directory, path, flags, mode), path, flags);
    int code = errno;
    pthread_mutex_unlock(&lock);
    if (act == AFTER) die();
    errno = code;
    return fd;
}

static mode_t mode_argument(int flags, va_list arguments) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENING(name)                                                                           \
    int name(const char *path, int flags, ...) {                                                \
        va_list arguments;                                                                      \
        va_start(arguments, flags);                                                             \
        mode_t mode = mode_argument(flags, arguments);                                          \
        va_end(arguments);                                                                      \
        return open_file(AT_FDCWD, path, flags, mode);                                          \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                                                        \
    int name(int directory, const char *path, int flags, ...) {                                 \
        va_list arguments;                                                                      \
        va_start(arguments, flags);                                                             \
        mode_t mode = mode_argument(flags, arguments);                                          \
        va_end(arguments);                                                                      \
        return open_file(directory, path, flags, mode);                                         \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

int creat(const char *path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) __atomic_store_n(&handle_of[fd], 0, __ATOMIC_RELAXED);
    return syscall(SYS_close, fd);
}

/* ---- writing ---- */

static void wait_as_a_disk_does(void) {
    if (delay_microseconds <= 0) return;
    struct timespec time = {delay_microseconds / 1000000, delay_microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* Writes at `offset`, or where the file stands when that is negative. */
static ssize_t write_parts(
    const char *name, int fd, const struct iovec *parts, int count, off_t offset
) {
    int64_t handle = handle_for(fd);
    struct iovec cut[IOV_MAX];
    size_t limit = total(parts, count);
    int act = disturbed(name, CHANGES);
    if (act == FAIL) return -1;
    if (act == HALF || (act == SHORT && limit > 1)) {
        off_t start = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
        /* A sector is written or not: a kill, too, leaves whole ones. */
        off_t half = limit / 2;
        if (act == HALF) half = (start + half) / 512 * 512 - start;
        if (half <= 0) die();
        size_t left = limit = half;
        int used = 0;
        for (; used < count && left > 0; used++) {
            cut[used] = parts[used];
            if (cut[used].iov_len > left) cut[used].iov_len = left;
            left -= cut[used].iov_len;
        }
        parts = cut;
        count = used;
    }
    pthread_mutex_lock(&lock);
    off_t place = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
    ssize_t result = offset < 0
        ? syscall(SYS_writev, fd, parts, count)
        : syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    int code = errno;
    int64_t number = records;
    if (result > 0) put(WRITE, handle, place, 0, parts, count, result);
    pthread_mutex_unlock(&lock);
    if (act == HALF || act == AFTER) die();
    if (result > 0 && flags_of[fd] & O_DSYNC) {
        wait_as_a_disk_does();
        pthread_mutex_lock(&lock);
        put(WRITE_SYNCED, handle, number, 0, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = code;
    return result;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (root_length && fd == 1) {
        mark(bytes, count);
        return plain_write(fd, bytes, count);
    }
    if (!handle_for(fd)) return plain_write(fd, bytes, count);
    struct iovec part = {(void *)bytes, count};
    return write_parts("write", fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!handle_for(fd)) return syscall(SYS_writev, fd, parts, count);
    return write_parts("writev", fd, parts, count, -1);
}

#define WRITING_AT(name)                                                                        \
    ssize_t name(int fd, const void *bytes, size_t count, off_t offset) {                       \
        if (!handle_for(fd)) return syscall(SYS_pwrite64, fd, bytes, count, offset);            \
        struct iovec part = {(void *)bytes, count};                                             \
        return write_parts("pwrite", fd, &part, 1, offset);                                     \
    }
WRITING_AT(pwrite)
WRITING_AT(pwrite64)

#define WRITING_PARTS_AT(name)                                                                  \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) {                  \
        if (!handle_for(fd)) return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);   \
        return write_parts("pwritev", fd, parts, count, offset);                                \
    }
WRITING_PARTS_AT(pwritev)
WRITING_PARTS_AT(pwritev64)

#define WRITING_PARTS_AT_2(name)                                                                \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset, int flags) {       \
        if (!handle_for(fd))                                                                    \
            return syscall(SYS_pwritev2, fd, parts, count, (long)offset, 0L, flags);            \
        /* Flags that sync, or that the trace does not know, are not used by any store. */      \
        if (flags) _exit(72);                                                                   \
        return write_parts("pwritev2", fd, parts, count, offset);                               \
    }
WRITING_PARTS_AT_2(pwritev2)
WRITING_PARTS_AT_2(pwritev64v2)

/* ---- lengths ---- */

static int set_length(
    const char *name, enum kind kind, int fd, int mode, off_t offset, off_t length
) {
    int act = disturbed(name, CHANGES);
    if (act == FAIL) return -1;
    pthread_mutex_lock(&lock);
    int result = kind == TRUNCATE ? syscall(SYS_ftruncate, fd, length)
                                  : syscall(SYS_fallocate, fd, mode, offset, length);
    int code = errno;
    /* Punching holes is not in the trace's words. */
    if (!result && mode) _exit(72);
    off_t end = kind == TRUNCATE ? length : offset + length;
    if (!result) put(kind, handle_for(fd), end, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    if (act == AFTER) die();
    errno = code;
    return result;
}

#define TRUNCATING(name)                                                                        \
    int name(int fd, off_t length) {                                                            \
        if (!handle_for(fd)) return syscall(SYS_ftruncate, fd, length);                         \
        return set_length("ftruncate", TRUNCATE, fd, 0, 0, length);                             \
    }
TRUNCATING(ftruncate)
TRUNCATING(ftruncate64)

#define ALLOCATING(name)                                                                        \
    int name(int fd, int mode, off_t offset, off_t length) {                                    \
        if (!handle_for(fd)) return syscall(SYS_fallocate, fd, mode, offset, length);           \
        return set_length("fallocate", ALLOCATE, fd, mode, offset, length);                     \
    }
ALLOCATING(fallocate)
ALLOCATING(fallocate64)

#define ALLOCATING_POSIX(name)                                                                  \
    int name(int fd, off_t offset, off_t length) {                                              \
        int result = handle_for(fd) ? set_length("fallocate", ALLOCATE, fd, 0, offset, length)  \
                                    : (int)syscall(SYS_fallocate, fd, 0, offset, length);       \
        return result ? errno : 0;                                                              \
    }
ALLOCATING_POSIX(posix_fallocate)
ALLOCATING_POSIX(posix_fallocate64)

/* ---- names ---- */

static int change_name(
    const char *name, enum kind kind, const char *path, const char *other, mode_t mode
) {
    int act = disturbed(name, CHANGES);
    if (act == FAIL) return -1;
    pthread_mutex_lock(&lock);
    int result = kind == RENAME ? syscall(SYS_renameat, AT_FDCWD, path, AT_FDCWD, other)
        : kind == LINK          ? syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0)
        : kind == UNLINK        ? syscall(SYS_unlinkat, AT_FDCWD, path, 0)
        : kind == MAKE_DIRECTORY ? syscall(SYS_mkdirat, AT_FDCWD, path, mode)
                                 : syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    int code = errno;
    if (!result && other) put_paths(kind, path, other);
    else if (!result) put_path(kind, 0, 0, path);
    pthread_mutex_unlock(&lock);
    if (act == AFTER) die();
    errno = code;
    return result;
}

int rename(const char *from, const char *to) {
    if (!is_below(from) && !is_below(to))
        return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    return change_name("rename", RENAME, from, to, 0);
}

int link(const char *from, const char *to) {
    if (!is_below(from) && !is_below(to))
        return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    return change_name("link", LINK, from, to, 0);
}

int unlink(const char *path) {
    if (!is_below(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    return change_name("unlink", UNLINK, path, NULL, 0);
}

int mkdir(const char *path, mode_t mode) {
    if (!is_below(path)) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    return change_name("mkdir", MAKE_DIRECTORY, path, NULL, mode);
}

int rmdir(const char *path) {
    if (!is_below(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    return change_name("rmdir", REMOVE_DIRECTORY, path, NULL, 0);
}

/* ---- syncs ---- */

static int sync_file(const char *name, long call, int fd) {
    int64_t handle = handle_for(fd);
    if (ignores_syncs) return 0;
    int act = disturbed(name, CHANGES | SYNCS);
    /* Nobody asked, so nothing is in doubt. */
    if (act == FAIL && disturbance == STOPPED) return -1;
    pthread_mutex_lock(&lock);
    int64_t number = records;
    put(SYNC_BEGIN, handle, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    wait_as_a_disk_does();
    int result = act == FAIL ? -1 : (int)syscall(call, fd);
    int code = act == FAIL ? failure : errno;
    pthread_mutex_lock(&lock);
    put(SYNC_END, handle, number, result ? code : 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    if (act == AFTER) die();
    errno = code;
    return result;
}

int fsync(int fd) {
    return handle_for(fd) ? sync_file("fsync", SYS_fsync, fd) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return handle_for(fd) ? sync_file("fdatasync", SYS_fdatasync, fd)
                          : (int)syscall(SYS_fdatasync, fd);
}

/* A map that is written through is not in the trace; no store syncs one. */
int msync(void *address, size_t length, int flags) {
    if (root_length) _exit(72);
    return syscall(SYS_msync, address, length, flags);
}

/* ---- calls that change nothing, and can fail ---- */

static ssize_t shortened(int act, size_t *count) {
    if (act == SHORT && *count > 1) *count /= 2;
    return act == FAIL ? -1 : 0;
}

#define READING_AT(name)                                                                        \
    ssize_t name(int fd, void *bytes, size_t count, off_t offset) {                             \
        int act = handle_for(fd) ? disturbed("pread", 0) : NOTHING;                             \
        if (shortened(act, &count)) return -1;                                                  \
        ssize_t result = syscall(SYS_pread64, fd, bytes, count, offset);                        \
        if (act == AFTER) die();                                                                \
        return result;                                                                          \
    }
READING_AT(pread)
READING_AT(pread64)

ssize_t read(int fd, void *bytes, size_t count) {
    int act = handle_for(fd) ? disturbed("read", 0) : NOTHING;
    if (shortened(act, &count)) return -1;
    ssize_t result = syscall(SYS_read, fd, bytes, count);
    if (act == AFTER) die();
    return result;
}

int flock(int fd, int operation) {
    int act = handle_for(fd) && !(operation & LOCK_UN) ? disturbed("flock", 0) : NOTHING;
    if (act == FAIL) return -1;
    int result = syscall(SYS_flock, fd, operation);
    if (act == AFTER) die();
    return result;
}

#define MAPPING(name)                                                                           \
    void *name(void *address, size_t length, int protection, int flags, int fd, off_t offset) { \
        int act = fd >= 0 && handle_for(fd) ? disturbed("mmap", 0) : NOTHING;                   \
        if (act == FAIL) return MAP_FAILED;                                                     \
        void *result = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset); \
        if (act == AFTER) die();                                                                \
        return result;                                                                          \
    }
MAPPING(mmap)
MAPPING(mmap64)

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *);
    int act = is_below(path) ? disturbed("opendir", 0) : NOTHING;
    if (act == FAIL) return NULL;
    DIR *result = real(path);
    if (act == AFTER) die();
    return result;
}

/* ---- a program that simulates its own disk finds these by name ---- */

/* Records what happens below a directory from now on, into a trace that begins anew. Files that
 * were opened before are not looked at. An empty path ends it. */
void file_shim_watch(const char *path, const char *trace_path) {
    pthread_mutex_lock(&lock);
    memset(handle_of, 0, sizeof handle_of);
    records = handles = 0;
    if (trace >= 0) syscall(SYS_close, trace);
    trace = -1;
    root_length = strlen(path);
    if (root_length >= sizeof root) _exit(70);
    strcpy(root, path);
    if (root_length) {
        int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
        int fd = syscall(SYS_openat, AT_FDCWD, trace_path, flags, 0600);
        if (fd < 0) _exit(70);
        trace = fcntl(fd, F_DUPFD_CLOEXEC, 900);
        syscall(SYS_close, fd);
        if (trace < 0) _exit(70);
    }
    pthread_mutex_unlock(&lock);
}

/* Disturbs the `at`th call from now that changes a file or syncs it: with an errno; -1 lets half of
 * it happen; -2 lets it and all behind it fail; -3, too, as if they were never made: the process
 * was killed. 0 disturbs none. */
void file_shim_disturb(long at, int how) {
    pthread_mutex_lock(&lock);
    int act = how > 0 ? FAIL : how == -1 ? SHORT : how == -2 ? DEAD : STOPPED;
    disturbance = at > 0 ? act : NOTHING;
    failure = how > 0 ? how : EIO;
    target = at;
    counts_changes = 1;
    calls = 0;
    hit = NULL;
    is_armed = at > 0;
    pthread_mutex_unlock(&lock);
}

/* Whether the file system reads nothing past its page cache. */
void file_shim_refuse_direct(int refuses) { refuses_direct = refuses; }

/* The call that was disturbed; NULL when none was. */
const char *file_shim_hit(void) { return hit; }
