/*
 * LD_PRELOAD: writes down, in one order, what a process does to the files of one folder (FAULTS_FOLDER) and what it says on
 * stdout, into FAULTS_RECORD. Only calls that succeeded. Each record: u8 op, u8 flag, u16 path bytes, u32 data bytes,
 * i32 fd, u32 zero, i64 offset (little-endian, 24 bytes), path, data. Memory-mapped files (-shm) are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OP_OPEN = 1, OP_CLOSE, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_UNLINK, OP_RENAME, OP_SAID };
enum { MAX_FD = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[4096];
static size_t folder_length;
static int out = -1;
static unsigned char watched[MAX_FD];

static void put(const void *bytes, size_t length) {
  const char *p = bytes;
  while (length > 0) {
    long n = syscall(SYS_write, out, p, length);
    if (n <= 0) _exit(99);
    p += n;
    length -= (size_t)n;
  }
}

static void record(int op, int flag, const char *path, const void *data, size_t length, int fd, int64_t offset) {
  struct __attribute__((packed)) { uint8_t op, flag; uint16_t path; uint32_t data; int32_t fd; uint32_t zero; int64_t offset; }
  head = { (uint8_t)op, (uint8_t)flag, path ? (uint16_t)strlen(path) : 0, (uint32_t)length, fd, 0, offset };
  put(&head, sizeof head);
  if (path) put(path, strlen(path));
  if (length > 0) put(data, length);
}

/* The path below the folder ("" is the folder itself), or NULL. */
static const char *inside(const char *path) {
  if (out < 0 || path == NULL || strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == 0) return path + folder_length;
  return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

__attribute__((constructor)) static void begin(void) {
  const char *to = getenv("FAULTS_RECORD"), *from = getenv("FAULTS_FOLDER");
  if (to == NULL || from == NULL || strlen(from) >= sizeof folder) return;
  strcpy(folder, from);
  folder_length = strlen(folder);
  out = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define WATCHED(fd) ((fd) >= 0 && (fd) < MAX_FD && watched[fd])

static int opened(int fd, const char *path, int flags) {
  if (fd < 0) return fd;
  const char *name = inside(path);
  if (fd < MAX_FD) watched[fd] = name != NULL;
  if (name != NULL) record(OP_OPEN, (flags & O_TRUNC) != 0, name, NULL, 0, fd, 0);
  return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  int fd = opened((int)syscall(SYS_openat, at, path, flags, mode), path, flags);
  pthread_mutex_unlock(&lock);
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }

int close(int fd) {
  REAL(int, "close", int);
  pthread_mutex_lock(&lock);
  if (WATCHED(fd)) {
    record(OP_CLOSE, 0, NULL, NULL, 0, fd, 0);
    watched[fd] = 0;
  }
  int result = real(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

static ssize_t wrote(int fd, const void *data, ssize_t n, int64_t offset) {
  if (n > 0 && WATCHED(fd)) record(OP_WRITE, 0, NULL, data, (size_t)n, fd, offset);
  if (n > 0 && fd == STDOUT_FILENO && out >= 0) record(OP_SAID, 0, NULL, data, (size_t)n, fd, 0);
  return n;
}

ssize_t write(int fd, const void *data, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  if (!WATCHED(fd) && fd != STDOUT_FILENO) return real(fd, data, length);
  pthread_mutex_lock(&lock);
  int64_t at = WATCHED(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t n = wrote(fd, data, real(fd, data, length), at);
  pthread_mutex_unlock(&lock);
  return n;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  pthread_mutex_lock(&lock);
  ssize_t n = wrote(fd, data, real(fd, data, length, offset), offset);
  pthread_mutex_unlock(&lock);
  return n;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

/* Nobody here writes a watched file so; a run that does must not pass for a recorded one. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  if (WATCHED(fd)) _exit(98);
  return real(fd, parts, count);
}

static int synced(int fd, int result) {
  if (result == 0 && WATCHED(fd)) record(OP_SYNC, 0, NULL, NULL, 0, fd, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  pthread_mutex_lock(&lock);
  return synced(fd, real(fd));
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  pthread_mutex_lock(&lock);
  return synced(fd, real(fd));
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, "ftruncate64", int, off64_t);
  pthread_mutex_lock(&lock);
  int result = real(fd, length);
  if (result == 0 && WATCHED(fd)) record(OP_TRUNCATE, 0, NULL, NULL, 0, fd, length);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  pthread_mutex_lock(&lock);
  int result = real(path);
  if (result == 0 && inside(path)) record(OP_UNLINK, 0, inside(path), NULL, 0, -1, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  pthread_mutex_lock(&lock);
  int result = real(from, to);
  if (result == 0 && inside(from) && inside(to)) {
    record(OP_RENAME, 0, inside(from), inside(to), strlen(inside(to)), -1, 0);
  }
  pthread_mutex_unlock(&lock);
  return result;
}
