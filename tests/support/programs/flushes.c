/* Notes each write and each flush of one file, in the order in which they happen: `w` when bytes were given to the
 * kernel, `s` when it said that they are on the disk. Loaded before the C library (LD_PRELOAD), with LOG and WATCHED
 * defined as the paths of the notes and of the file. By device and inode: a process that is not dumpable can't read
 * its own /proc/self/fd.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_watched(int fd) {
    struct stat one, other;
    return fstat(fd, &one) == 0 && stat(WATCHED, &other) == 0 && one.st_ino == other.st_ino &&
           one.st_dev == other.st_dev;
}

static void note(const char *line) {
    static ssize_t (*plain)(int, const void *, size_t);
    if (!plain) plain = dlsym(RTLD_NEXT, "write");
    int kept = errno, log = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log >= 0) {
        if (plain(log, line, 2) != 2) _exit(99);
        close(log);
    }
    errno = kept;
}

#define NEXT(type, name, ...)                         \
    static type (*next)(__VA_ARGS__);                 \
    if (!next) next = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(ssize_t, write, int, const void *, size_t);
    if (is_watched(fd)) note("w\n");
    return next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    if (is_watched(fd)) note("w\n");
    return next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    if (is_watched(fd)) note("w\n");
    return next(fd, data, size, at);
}

int fsync(int fd) {
    NEXT(int, fsync, int);
    int result = next(fd);
    if (result == 0 && is_watched(fd)) note("s\n");
    return result;
}

int fdatasync(int fd) {
    NEXT(int, fdatasync, int);
    int result = next(fd);
    if (result == 0 && is_watched(fd)) note("s\n");
    return result;
}
