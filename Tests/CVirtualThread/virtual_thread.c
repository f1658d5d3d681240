// Linux alone: there an executable's definitions come before those of the libraries.
#ifdef __linux__
#define _GNU_SOURCE
#include "CVirtualThread.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// A sanitizer must not look into what threads call before they have begun for it, and after they
// have ended.
#define UNSEEN __attribute__((disable_sanitizer_instrumentation))

// Far from zero: code that subtracts from the clock that only goes forward does not get below it.
static const int64_t beginning = 1000LL * 1000 * 1000 * 1000;
static const int64_t billion = 1000LL * 1000 * 1000;

static _Thread_local void *owner;
static _Thread_local int64_t elapsed;
static _Thread_local uint64_t random_state;
static virtual_thread_timer timer_handler;

void virtual_thread_enter(void *new_owner, uint64_t seed) {
    owner = new_owner;
    elapsed = 0;
    random_state = seed;
}

void virtual_thread_leave(void) { owner = NULL; }

void *virtual_thread_owner(void) { return owner; }

void virtual_thread_set_clock(int64_t nanoseconds) { elapsed = nanoseconds; }

void virtual_thread_on_timer(virtual_thread_timer handler) { timer_handler = handler; }

/// The library's function of this name, as `real`: whoever is first looks for it.
#define FIND_REAL(type, name)                                                                   \
    static _Atomic(type) found;                                                                 \
    type real = atomic_load_explicit(&found, memory_order_relaxed);                             \
    if (!real) {                                                                                \
        real = (type)dlsym(RTLD_NEXT, name);                                                    \
        atomic_store_explicit(&found, real, memory_order_relaxed);                              \
    }

UNSEEN static int64_t wall_beginning(void) {
    return VIRTUAL_THREAD_EPOCH_MILLISECONDS * 1000 * 1000;
}

// Clocks.

typedef int (*clock_function)(clockid_t, struct timespec *);

UNSEEN int clock_gettime(clockid_t clock, struct timespec *time) {
    if (owner && (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME ||
                  clock == CLOCK_MONOTONIC_RAW)) {
        int64_t now = elapsed + (clock == CLOCK_REALTIME ? wall_beginning() : beginning);
        time->tv_sec = now / billion;
        time->tv_nsec = now % billion;
        return 0;
    }
    FIND_REAL(clock_function, "clock_gettime")
    return real(clock, time);
}

// Random numbers: Swift's come by the system call (SplitMix64 here).

UNSEEN static uint64_t next_random(void) {
    random_state += 0x9E3779B97F4A7C15u;
    uint64_t mixed = random_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

typedef long (*call_function)(long, ...);

UNSEEN long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    if (owner && number == SYS_getrandom && a) {
        unsigned char *bytes = (unsigned char *)a;
        for (long place = 0; place < b; place += 8) {
            uint64_t word = next_random();
            memcpy(bytes + place, &word, (size_t)(b - place < 8 ? b - place : 8));
        }
        return b;
    }
    FIND_REAL(call_function, "syscall")
    return real(number, a, b, c, d, e, f);
}

// Timers: the runtime's moments have the clock that they are on in their upper bits.

typedef void (*after_function)(uint64_t, void *, void *, virtual_thread_work);

UNSEEN void dispatch_after_f(
    uint64_t when, void *queue, void *context, virtual_thread_work work
) {
    if (owner && timer_handler) {
        bool is_wall = (when >> 62) == 3;
        int64_t moment = is_wall ? -(int64_t)when - wall_beginning()
                                 : (int64_t)(when & ~(3ULL << 62)) - beginning;
        return timer_handler(owner, moment, context, work);
    }
    FIND_REAL(after_function, "dispatch_after_f")
    real(when, queue, context, work);
}

#endif
