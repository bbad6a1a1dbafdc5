/* A command agent that hides from its end, in the way that the input names.
 *
 * Says one delta once it is in full swing. Whatever it does is bounded: every process of it ends by itself after
 * LIFE_S, and all of one run together fork at most FORKS times; how many live at once is for a fence outside to say.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE_S = 20, FORKS = 20000, DAEMONS = 5, LINKS = 50 };

/* Shared by all processes of the run. */
static struct {
    int forks; /* so far */
    int up;    /* daemons that are daemons, links that were passed on */
    int said;
} *shared;
static time_t end;

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void be_done_in_time(void)
{
    if (now() > end)
        _exit(9);
}

static void say_once(void)
{
    static const char ready[] = "{\"event\": \"message.delta\", \"delta\": \"ready\"}\n";
    if (__atomic_exchange_n(&shared->said, 1, __ATOMIC_SEQ_CST) == 0 && write(1, ready, sizeof ready - 1) < 0)
        _exit(8);
}

static void await_up(int count)
{
    while (__atomic_load_n(&shared->up, __ATOMIC_SEQ_CST) < count) {
        be_done_in_time();
        usleep(500);
    }
}

static void up(void)
{
    __atomic_add_fetch(&shared->up, 1, __ATOMIC_SEQ_CST);
}

static void wait_for_ever(void)
{
    for (;;) {
        be_done_in_time();
        usleep(100000);
    }
}

/* fork(2), within the bounds: -1 when there is no room now. */
static pid_t split(void)
{
    be_done_in_time();
    if (__atomic_load_n(&shared->forks, __ATOMIC_RELAXED) > FORKS)
        wait_for_ever();
    pid_t child = fork();
    if (child == 0)
        __atomic_add_fetch(&shared->forks, 1, __ATOMIC_RELAXED);
    return child;
}

static void ignore_all(void)
{
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN); /* fails for the two that matter */
}

static void daemons(int count)
{
    for (int i = 0; i < count; i++) {
        pid_t child = split();
        if (child == 0) {
            setsid();
            if (split() != 0)
                _exit(0);
            setsid();
            ignore_all();
            up();
            wait_for_ever();
        }
        if (child > 0)
            waitpid(child, NULL, 0);
    }
}

/* One is born, the one before is gone: no snapshot of processes holds it. */
static void run_on(void)
{
    for (;;) {
        pid_t child = split();
        if (child > 0)
            _exit(0);
        if (child == 0) {
            setsid();
            up();
        }
    }
}

static void chains(int count)
{
    for (int i = 0; i < count; i++)
        if (split() == 0)
            run_on();
}

static void bomb(void)
{
    for (;;)
        if (split() < 0) {
            say_once(); /* no room any more */
            sched_yield();
        }
}

static void stop_oneself(void)
{
    for (;;) {
        be_done_in_time();
        raise(SIGSTOP);
    }
}

static void wait_in_vfork(void)
{
    if (vfork() == 0) /* the parent can't go on before this child has ended or become another program */
        wait_for_ever();
}

static void vforked(void)
{
    if (split() == 0)
        wait_in_vfork();
    if (vfork() == 0) {
        say_once();
        wait_for_ever();
    }
}

static void ignore(void)
{
    ignore_all();
    say_once();
    wait_for_ever();
}

static void stopped(void)
{
    ignore_all();
    say_once();
    stop_oneself();
}

static void with_daemons(void)
{
    daemons(DAEMONS);
    await_up(DAEMONS);
    say_once();
    wait_for_ever();
}

/* What it leaves behind goes on when it is gone. */
static void leaves_daemons(void)
{
    daemons(DAEMONS);
    await_up(DAEMONS);
    say_once();
}

static void chain_of(int count)
{
    chains(count);
    await_up(LINKS);
    say_once();
    wait_for_ever();
}

static void chain(void)
{
    chain_of(1);
}

static void chains_of_four(void)
{
    chain_of(4);
}

/* The agent itself is the first link. */
static void runaway(void)
{
    say_once();
    chains(3);
    run_on();
}

static void everything(void)
{
    ignore_all();
    daemons(DAEMONS);
    if (split() == 0)
        stop_oneself();
    if (split() == 0)
        wait_in_vfork();
    chains(4);
    await_up(LINKS);
    bomb();
}

static const struct {
    const char *name;
    void (*work)(void);
} WAYS[] = {
    {"ignore", ignore},
    {"stopped", stopped},
    {"vfork", vforked},
    {"daemons", with_daemons},
    {"leaves_daemons", leaves_daemons},
    {"chain", chain},
    {"chains_of_four", chains_of_four},
    {"runaway", runaway},
    {"bomb", bomb},
    {"everything", everything},
};

int main(void)
{
    char start[4096], wanted[64];
    ssize_t length = read(0, start, sizeof start - 1);
    if (length <= 0)
        return 2;
    start[length] = 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    end = now() + LIFE_S;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        snprintf(wanted, sizeof wanted, "\"input\":\"%s\"", WAYS[i].name);
        if (strstr(start, wanted)) {
            WAYS[i].work();
            return 0;
        }
    }
    return 2;
}
