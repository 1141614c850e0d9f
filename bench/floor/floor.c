/*
 * The kernel's own floor for one hop between two processes: what remains when there is no Node, no JSON and no check.
 *
 *   floor inotify|rename|seqpacket DIR BYTES COUNT WARM_UP PER_SECOND
 *
 * "inotify": append to a file that the other watches and reads. "rename": a file for each message, renamed into a directory that
 * the other watches, read and removed. "seqpacket": a Unix socket that keeps messages apart. Prints each latency in nanoseconds, in
 * order; a message that does not arrive, or not whole, ends it with a failure.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void sleep_until(int64_t ns) {
  struct timespec at = {ns / 1000000000LL, ns % 1000000000LL};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) continue;
}

static void must(int is_done, const char *what) {
  if (!is_done) err(1, "%s", what);
}

enum { EVENTS = 65536 };
static char *message, *dir, path[4096], target[4096], events[EVENTS];
static size_t bytes;
static int channel[2], file, queue;

static void send_appended(void) { must(write(file, message, bytes) == (ssize_t)bytes, "write"); }
static void send_packet(void) { must(send(channel[0], message, bytes, 0) == (ssize_t)bytes, "send"); }

static void send_renamed(void) {
  static long serial;
  snprintf(path, sizeof path, "%s/tmp", dir);
  snprintf(target, sizeof target, "%s/new/%ld", dir, ++serial);
  int own = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
  must(own >= 0 && write(own, message, bytes) == (ssize_t)bytes && close(own) == 0, "write");
  must(rename(path, target) == 0, "rename");
}

/* Waits for an event whenever there is nothing to read: several writes may come as one. */
static void receive_appended(void) {
  for (size_t have = 0; have < bytes;) {
    ssize_t more = read(file, message + have, bytes - have);
    must(more >= 0, "read");
    have += more;
    if (more == 0) must(read(queue, events, EVENTS) > 0, "inotify");
  }
}

static void receive_packet(void) { must(recv(channel[1], message, bytes, 0) == (ssize_t)bytes, "recv"); }

static void receive_renamed(void) {
  static char *next = events, *end = events;
  if (next == end) {
    ssize_t more = read(queue, events, EVENTS);
    must(more > 0, "inotify");
    next = events, end = events + more;
  }
  struct inotify_event *event = (struct inotify_event *)next;
  next += sizeof *event + event->len;
  snprintf(path, sizeof path, "%s/new/%s", dir, event->name);
  int own = open(path, O_RDONLY);
  must(own >= 0 && read(own, message, bytes) == (ssize_t)bytes && close(own) == 0, "read");
  must(unlink(path) == 0, "unlink");
}

int main(int count, char **words) {
  if (count != 7) errx(2, "usage: floor inotify|rename|seqpacket DIR BYTES COUNT WARM_UP PER_SECOND");
  const char *kind = words[1];
  dir = words[2];
  bytes = strtoul(words[3], NULL, 10);
  const long measured = atol(words[4]), warm_up = atol(words[5]);
  const int64_t gap_ns = 1000000000LL / atol(words[6]);
  must((message = calloc(1, bytes)) != NULL, "calloc");
  void (*send_one)(void) = send_packet, (*receive_one)(void) = receive_packet;
  if (strcmp(kind, "seqpacket") == 0) {
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel) == 0, "socketpair");
  } else {
    const int renames = strcmp(kind, "rename") == 0;
    snprintf(path, sizeof path, "%s/%s", dir, renames ? "new" : "file");
    if (renames) must(mkdir(path, 0700) == 0, "mkdir");
    else must((file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600)) >= 0, path);
    must((queue = inotify_init1(0)) >= 0, "inotify_init");
    must(inotify_add_watch(queue, path, renames ? IN_MOVED_TO : IN_MODIFY) >= 0, "inotify_add_watch");
    send_one = renames ? send_renamed : send_appended;
    receive_one = renames ? receive_renamed : receive_appended;
  }
  const pid_t publisher = fork();
  must(publisher >= 0, "fork");
  if (publisher == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int64_t start_ns = now_ns();
    for (long serial = 1; serial <= warm_up + measured; serial++) {
      sleep_until(start_ns + serial * gap_ns);
      const int64_t sent_ns = now_ns();
      memcpy(message, &sent_ns, sizeof sent_ns);
      send_one();
    }
    return 0;
  }
  if (send_one == send_appended) must((file = open(path, O_RDONLY)) >= 0, path);
  for (long serial = 1; serial <= warm_up + measured; serial++) {
    receive_one();
    const int64_t arrived_ns = now_ns();
    int64_t sent_ns;
    memcpy(&sent_ns, message, sizeof sent_ns);
    if (serial > warm_up) printf("%lld\n", (long long)(arrived_ns - sent_ns));
  }
  int status;
  must(waitpid(publisher, &status, 0) == publisher, "waitpid");
  return status == 0 ? 0 : 1;
}
