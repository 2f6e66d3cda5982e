/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/practice.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_LIMIT_MS = 10000, STOP_LIMIT_MS = 2000, STOP_POLL_MS = 10 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the child: a group of its own, so that Ctrl-C reaches only the command, which then ends it;
 * it dies with the command in any case. */
static void become_archive(int out, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(out, STDOUT_FILENO);
    char beside[PATH_MAX];
    int n = snprintf(beside, sizeof beside, "%s/halyard-practice", program_folder());
    if (n > 0 && (size_t)n < sizeof beside)
        execl(beside, "halyard-practice", "--port", "0", (char *)NULL);
    execlp("halyard-practice", "halyard-practice", "--port", "0", (char *)NULL);
    _exit(127);
}

/* Waits for the child's end; false when it has not ended by then. */
static bool reap(practice *p, int limit_ms, int *status)
{
    for (int waited_ms = 0;; waited_ms += STOP_POLL_MS) {
        if (waitpid(p->pid, status, WNOHANG) != 0) {
            p->pid = 0;
            return true;
        }
        if (waited_ms >= limit_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = STOP_POLL_MS * 1000000L}, NULL);
    }
}

/* The first line into p->url; false at its end or after the limit. */
static bool read_url(practice *p, int64_t limit_ms)
{
    size_t n = 0;
    for (;;) {
        int64_t left_ms = limit_ms - now_ms();
        struct pollfd ready = {.fd = p->out, .events = POLLIN};
        if (left_ms <= 0 || (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR))
            return false;
        if (!ready.revents)
            continue;
        char c;
        if (read(p->out, &c, 1) != 1 || n + 1 >= sizeof p->url)
            return false;
        if (c == '\n')
            break;
        p->url[n++] = c;
    }
    p->url[n] = '\0';
    return !strncmp(p->url, "http://", 7);
}

int practice_start(practice *p)
{
    int ends[2];
    *p = (practice){.out = -1};
    if (pipe(ends))
        return complain(EXIT_LOCAL, "cannot start the practice archive: %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t parent = getpid();
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0)
        become_archive(ends[1], parent);
    close(ends[1]);
    p->out = ends[0];
    if (p->pid < 0) {
        p->pid = 0;
        practice_stop(p);
        return complain(EXIT_LOCAL, "cannot start the practice archive: %s", strerror(errno));
    }
    int64_t limit_ms = now_ms() + START_LIMIT_MS;
    if (read_url(p, limit_ms))
        return 0;
    int status = 0;
    bool in_time = now_ms() < limit_ms;
    bool ended = reap(p, in_time ? STOP_LIMIT_MS : 0, &status);
    practice_stop(p);
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return complain(EXIT_LOCAL, "there is no halyard-practice beside halyard or on the PATH; "
                                    "./scripts/build makes it");
    if (ended)
        return complain(EXIT_LOCAL, "the practice archive ended at once; run 'halyard-practice "
                                    "--port 0' to see why");
    if (in_time)
        return complain(EXIT_LOCAL, "the practice archive printed no address; is the "
                                    "halyard-practice beside halyard or on the PATH another "
                                    "program?");
    return complain(EXIT_LOCAL,
                    "the practice archive did not start within %d s; run "
                    "'halyard-practice --port 0' to see why",
                    START_LIMIT_MS / 1000);
}

void practice_stop(practice *p)
{
    if (p->out >= 0)
        close(p->out);
    p->out = -1;
    if (p->pid <= 0)
        return;
    kill(p->pid, SIGTERM);
    if (reap(p, STOP_LIMIT_MS, NULL))
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}
