/*
 * LD_PRELOAD: every flush takes SLOW_MIN_MS to SLOW_MAX_MS longer, chosen by SLOW_SEED. Each adds its milliseconds as a line to
 * SLOW_TOLD, so that a run can prove that it was slow. As on a worn card: the thread that flushes stands still, no other.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t state;
static long least, most;
static int told = -1;

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SLOW_TOLD");
  if (path == NULL) return;
  state = (uint64_t)number("SLOW_SEED") * 2 + 1;
  least = number("SLOW_MIN_MS");
  most = number("SLOW_MAX_MS");
  told = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* xorshift64 */
static long next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return least + (long)(state % (uint64_t)(most - least + 1));
}

static void wait_a_while(void) {
  char line[24];
  if (told < 0) return;
  pthread_mutex_lock(&lock);
  long ms = next();
  pthread_mutex_unlock(&lock);
  struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };
  while (nanosleep(&rest, &rest) != 0);
  int length = snprintf(line, sizeof line, "%ld\n", ms);
  if (write(told, line, (size_t)length) != length) _exit(99);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_a_while();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_a_while();
  return real(fd);
}
