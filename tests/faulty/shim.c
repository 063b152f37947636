/* Stands between a program and the C library, and misbehaves at a chosen step.
 *
 * A step is a call that changes FAULT_FOLDER or something below it: creating, writing, syncing, renaming,
 * removing.
 * FAULT_LOG   a line "number call path" is appended for each step
 * FAULT_AT    the number of the step (from 1) at which FAULT_KIND happens:
 *   kill      half of a write is done, nothing of any other call; then the process is killed
 *   term      the process gets SIGTERM, then the call is done
 *   error     the call fails with FAULT_ERRNO
 *   errors    this call and every later one fails with FAULT_ERRNO
 *   wait      the call waits until the file FAULT_GATE is gone
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int steps;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int number(const char *variable) {
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}

/* Locks come and go without a trace that counts. */
static int counts(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    return folder && path && strstr(path, folder) && !strstr(path, "lock");
}

static void log_step(int step, const char *call, const char *path) {
    const char *log = getenv("FAULT_LOG");
    int fd = log ? NEXT(open64)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd < 0) return;
    char line[5000];
    int length = snprintf(line, sizeof line, "%d %s %s\n", step, call, path);
    NEXT(write)(fd, line, (size_t)length);
    close(fd);
}

/* Counts a step; nonzero if its call must fail. `torn` does half of the call before a kill. */
static int step(const char *call, const char *path, void (*torn)(void *), void *argument) {
    int now = atomic_fetch_add(&steps, 1) + 1, at = number("FAULT_AT");
    const char *kind = getenv("FAULT_KIND");
    log_step(now, call, path);
    if (!kind || at == 0 || now < at) return 0;
    if (!strcmp(kind, "errors") || (now == at && !strcmp(kind, "error"))) {
        errno = number("FAULT_ERRNO");
        return 1;
    }
    if (now != at) return 0;
    if (!strcmp(kind, "kill")) {
        if (torn) torn(argument);
        kill(getpid(), SIGKILL);
        pause();
    }
    if (!strcmp(kind, "term")) kill(getpid(), SIGTERM);
    if (!strcmp(kind, "wait"))
        while (access(getenv("FAULT_GATE"), F_OK) == 0) usleep(5000);
    return 0;
}

static const char *path_of(int fd, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if ((flags & O_CREAT) && counts(path) && step("create", path, NULL, NULL)) return -1;
    return NEXT(open64)(path, flags, mode);
}

struct write_call { int fd; const void *bytes; size_t count; };

static void half_a_write(void *argument) {
    struct write_call *call = argument;
    NEXT(write)(call->fd, call->bytes, call->count / 2);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    char buffer[4096];
    struct write_call call = {fd, bytes, count};
    const char *path = fd > 2 ? path_of(fd, buffer, sizeof buffer) : NULL;
    if (counts(path) && step("write", path, half_a_write, &call)) return -1;
    return NEXT(write)(fd, bytes, count);
}

int fsync(int fd) {
    char buffer[4096];
    const char *path = path_of(fd, buffer, sizeof buffer);
    if (counts(path) && step("sync", path, NULL, NULL)) return -1;
    return NEXT(fsync)(fd);
}

int rename(const char *from, const char *to) {
    if (counts(to) && step("rename", to, NULL, NULL)) return -1;
    return NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    if (counts(path) && step("folder", path, NULL, NULL)) return -1;
    return NEXT(mkdir)(path, mode);
}

int unlink(const char *path) {
    if (counts(path) && step("remove", path, NULL, NULL)) return -1;
    return NEXT(unlink)(path);
}
