/* SPDX-License-Identifier: BSD-3-Clause */
/* Real servers of Debian for a test: certificates by openssl, nginx with TLS and HTTP/2, tinyproxy;
 * in a folder of their own that is removed at the end. */
#ifndef HAL_TESTS_SERVERS_H
#define HAL_TESTS_SERVERS_H

#include "net_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

static char servers_dir[64] = "/tmp/halyard-servers-XXXXXX";

static inline pid_t begin_program(const char *const argv[])
{
    pid_t pid;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return failed ? -1 : pid;
}

/* In a shell, below servers_dir; the exit code. */
static inline int run_command(const char *text)
{
    char line[2048];
    snprintf(line, sizeof line, "cd %s && %s", servers_dir, text);
    pid_t pid = begin_program((const char *[]){"sh", "-c", line, NULL});
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool has_program(const char *name)
{
    char text[100];
    snprintf(text, sizeof text, "PATH=$PATH:/usr/sbin command -v %s", name);
    return run_command(text) == 0;
}

static inline int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static inline void wait_for_port(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int failed = connect(fd, (struct sockaddr *)&at, sizeof at);
        close(fd);
        if (!failed)
            return;
        usleep(20000);
    }
    fail_msg("no server at port %d", port);
}

static inline char *in_dir(const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", servers_dir, name);
    return out;
}

static inline FILE *open_in_dir(const char *name, const char *mode)
{
    char path[PATH_MAX];
    FILE *file = fopen(in_dir(name, path), mode);
    assert_non_null(file);
    return file;
}

static inline void servers_open(void)
{
    assert_non_null(mkdtemp(servers_dir));
}

static inline void servers_close(void)
{
    run_command("cd / && rm -rf \"$OLDPWD\"");
}

static inline void stop_program(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

#endif
