#define _GNU_SOURCE
#include "CBench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

static int remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *position
) {
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

bool bench_remove(const char *path) {
    return nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

bool bench_settle(const char *path) {
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    bool good = syncfs(directory) == 0;
    close(directory);
    return good;
}

void bench_sleep_until(double moment) {
    struct timespec time;
    time.tv_sec = (time_t)moment;
    time.tv_nsec = (long)((moment - (double)time.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
    }
}
