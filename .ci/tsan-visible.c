// Tells ThreadSanitizer what orders memory in a Swift program on Linux.
//
// The sanitizer sees locks by intercepting pthread calls, and atomics in what was compiled with it.
// Swift's `Mutex` sleeps in a futex inside libswiftSynchronization, and continuations hand over
// inside libswift_Concurrency; both are compiled without it. So it takes everything that they
// protect for a race. This library is preloaded (LD_PRELOAD) and stands in front of those calls:
// each does what it did before, and says "acquire" or "release" to the sanitizer.
//
// The concurrency runtime can say so itself, for jobs and tasks, once `__tsan_on_initialize` of
// libswiftCore was called; the sanitizer of an executable finds its own empty one instead.
//
// In a program without the sanitizer (the build tools that run the tests) nothing changes.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*mark_function)(void *address);

static mark_function acquire_function, release_function;

static void acquire(void *address)
{
    if (acquire_function != NULL) acquire_function(address);
}

static void release(void *address)
{
    if (release_function != NULL) release_function(address);
}

__attribute__((constructor)) static void find_the_sanitizer(void)
{
    acquire_function = (mark_function)dlsym(RTLD_DEFAULT, "__tsan_acquire");
    release_function = (mark_function)dlsym(RTLD_DEFAULT, "__tsan_release");
    if (acquire_function == NULL) return;
    void *core = dlopen("libswiftCore.so", RTLD_NOW | RTLD_NOLOAD);
    if (core == NULL) return;
    void (*initialize)(void) = (void (*)(void))dlsym(core, "__tsan_on_initialize");
    if (initialize != NULL) initialize();
}

// The function of this name behind this library: the one that does the work.
static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

// MARK: Mutex. The fast path is compiled into the program, where the sanitizer sees its atomics.

#define CONTEXT __attribute__((swift_context)) void *handle
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"

__attribute__((swiftcall)) void lock_slow(uint32_t owner, CONTEXT) __asm__(LOCK_SLOW);
__attribute__((swiftcall)) void lock_slow(uint32_t owner, CONTEXT)
{
    static __attribute__((swiftcall)) void (*real)(uint32_t, CONTEXT);
    if (real == NULL) *(void **)&real = next(LOCK_SLOW);
    real(owner, handle);
    acquire(handle);
}

__attribute__((swiftcall)) _Bool try_lock_slow(CONTEXT) __asm__(TRY_LOCK_SLOW);
__attribute__((swiftcall)) _Bool try_lock_slow(CONTEXT)
{
    static __attribute__((swiftcall)) _Bool (*real)(CONTEXT);
    if (real == NULL) *(void **)&real = next(TRY_LOCK_SLOW);
    _Bool locked = real(handle);
    if (locked) acquire(handle);
    return locked;
}

__attribute__((swiftcall)) void unlock_slow(CONTEXT) __asm__(UNLOCK_SLOW);
__attribute__((swiftcall)) void unlock_slow(CONTEXT)
{
    static __attribute__((swiftcall)) void (*real)(CONTEXT);
    if (real == NULL) *(void **)&real = next(UNLOCK_SLOW);
    release(handle);
    real(handle);
}

// MARK: Continuations. A task that finds itself resumed before it waits goes on without a job, and
// so without the runtime's "acquire". It gets one on its way in; and whoever resumes gives it a
// moment to begin waiting, so that it cannot be resumed between its "acquire" and its look.

// `AsyncTask.ResumeContext`, and that context's state: 0 until the task waits.
#define RESUME_CONTEXT(task) (*(char **)((char *)(task) + 0x40))
#define AWAIT_STATE(context) ((volatile uintptr_t *)((context) + 0x18))
enum { PATIENCE = 2000 };

// Weak: not there in programs without tasks, which this library is preloaded into, too.
__attribute__((swiftcall, weak)) void *swift_task_getCurrent(void);

static void prepare_to_resume(void *task)
{
    if (release_function == NULL) return;
    release(task);
    if (swift_task_getCurrent() == task) return;
    volatile uintptr_t *state = AWAIT_STATE(RESUME_CONTEXT(task));
    for (int turn = 0; turn < PATIENCE && *state == 0; turn++) sched_yield();
}

__attribute__((swiftasynccall)) void swift_continuation_await(void *context)
{
    static __attribute__((swiftasynccall)) void (*real)(void *);
    if (real == NULL) *(void **)&real = next("swift_continuation_await");
    if (acquire_function != NULL) acquire(swift_task_getCurrent());
    __attribute__((musttail)) return real(context);
}

__attribute__((swiftcall)) void swift_continuation_resume(void *task)
{
    static __attribute__((swiftcall)) void (*real)(void *);
    if (real == NULL) *(void **)&real = next("swift_continuation_resume");
    prepare_to_resume(task);
    real(task);
}

__attribute__((swiftcall)) void swift_continuation_throwingResume(void *task)
{
    static __attribute__((swiftcall)) void (*real)(void *);
    if (real == NULL) *(void **)&real = next("swift_continuation_throwingResume");
    prepare_to_resume(task);
    real(task);
}

__attribute__((swiftcall)) void swift_continuation_throwingResumeWithError(void *task, void *error)
{
    static __attribute__((swiftcall)) void (*real)(void *, void *);
    if (real == NULL) *(void **)&real = next("swift_continuation_throwingResumeWithError");
    prepare_to_resume(task);
    real(task, error);
}
