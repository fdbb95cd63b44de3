// Lookup: c-ares, ares_getaddrinfo on a channel driven by epoll, its cache off by nature.
//
// Keeps to the contract of bench/src/outcome.rs: --to, --in-flight, --warm-up-ms, --run-ms, --ops in, one line out.
#define _GNU_SOURCE
#include <ares.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct moment {
    int64_t wall, cpu, done;
};

static int64_t warm_up = 150, run = 700, ops = 0;
static int64_t born, begun, done, under_way;
static struct moment start, end;
static ares_channel channel;
static int poller;

static void fail(const char *what) {
    fprintf(stderr, "c-ares: %s\n", what);
    exit(1);
}

static int64_t wall(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct moment now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct moment){wall(), t.tv_sec * 1000000000LL + t.tv_nsec, done};
}

static int another(void) {
    if (ops) return begun < ops;
    int64_t at = wall();
    if (at - born < warm_up * 1000000) return 1;
    if (!start.wall) start = now();
    if (at - start.wall < run * 1000000) return 1;
    if (!end.wall) end = now();
    return 0;
}

static void look_up(void);

static void found(void *arg, int status, int timeouts, struct ares_addrinfo *info) {
    (void)arg, (void)timeouts;
    int addresses = 0;
    if (status != ARES_SUCCESS) fail(ares_strerror(status));
    for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) addresses++;
    ares_freeaddrinfo(info);
    if (addresses != 2) fail("not two addresses");
    done++;
    under_way--;
}

static void look_up(void) {
    char name[64];
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(name, sizeof name, "n%08lld.bench.test.", (long long)begun++);
    under_way++;
    ares_getaddrinfo(channel, name, NULL, &hints, found, NULL);
}

static void watch(void *arg, ares_socket_t fd, int readable, int writable) {
    (void)arg;
    struct epoll_event event = {.events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0), .data.fd = fd};
    if (!event.events) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) < 0) {
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv) {
    const char *to = NULL;
    int in_flight = 64;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--to")) to = argv[i + 1];
        else if (!strcmp(argv[i], "--in-flight")) in_flight = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--warm-up-ms")) warm_up = atoll(argv[i + 1]);
        else if (!strcmp(argv[i], "--run-ms")) run = atoll(argv[i + 1]);
        else if (!strcmp(argv[i], "--ops")) ops = atoll(argv[i + 1]);
        else fail(argv[i]);
    }
    if (!to) fail("--to is missing");
    struct ares_options options = {.sock_state_cb = watch, .lookups = "b"};
    if (ares_library_init(ARES_LIB_INIT_ALL)
        || ares_init_options(&channel, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS)
        || ares_set_servers_ports_csv(channel, to))
        fail("cannot be set up");
    poller = epoll_create1(EPOLL_CLOEXEC);
    born = wall();
    for (;;) {
        while (under_way < in_flight && another()) look_up();
        if (!under_way) break;
        struct epoll_event events[256];
        int count = epoll_wait(poller, events, 256, 1000);
        if (count == 0) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            ares_process_fd(channel, events[i].events & EPOLLIN ? fd : ARES_SOCKET_BAD,
                            events[i].events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
        }
    }
    if (!start.wall) start.wall = born;
    if (!end.wall) end = now();
    printf("{\"ops\":%lld,\"wall_ns\":%lld,\"cpu_ns\":%lld}\n", (long long)(end.done - start.done),
           (long long)(end.wall - start.wall), (long long)(end.cpu - start.cpu));
    return 0;
}
