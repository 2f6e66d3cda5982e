/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_curl_multi BASE N FOLDER: fetches BASE/1.bin to BASE/N.bin into FOLDER, 16 at once, on one
 * thread with kept handles of libcurl, and nothing else: no digest, no check, no record, no sync,
 * no name given at the end. What a program that must do these things can hope for at most. */
#include <curl/curl.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_ONCE = 16, BUFFER_BYTES = 256 << 10, TEXT_BYTES = 4096 };

static int fd_of(void *ctx)
{
    return (int)(intptr_t)ctx;
}

static size_t save(char *bytes, size_t size, size_t n, void *ctx)
{
    return write(fd_of(ctx), bytes, size * n) == (ssize_t)(size * n) ? size * n : 0;
}

static int begin(CURLM *multi, CURL *easy, const char *base, const char *folder, int i)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%s/%d.bin", folder, i);
    int fd = open(text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    snprintf(text, sizeof text, "%s/%d.bin", base, i);
    curl_easy_setopt(easy, CURLOPT_URL, text);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)(intptr_t)fd);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)(intptr_t)fd);
    return fd >= 0 && !curl_multi_add_handle(multi, easy);
}

int main(int argc, char **argv)
{
    CURL *idle[AT_ONCE];
    int n_idle = 0, next = 1, running = 0, left;
    if (argc != 4 || curl_global_init(CURL_GLOBAL_DEFAULT))
        return 2;
    int n = atoi(argv[2]);
    CURLM *multi = curl_multi_init();
    while (n_idle < AT_ONCE) {
        CURL *easy = idle[n_idle++] = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
        curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, save);
    }
    while (next <= n || n_idle < AT_ONCE) {
        while (n_idle && next <= n)
            if (!begin(multi, idle[--n_idle], argv[1], argv[3], next++))
                return 1;
        curl_multi_perform(multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(multi, &left)); n_idle++) {
            char *ctx = NULL;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &ctx);
            if (m->data.result || close(fd_of(ctx)))
                return 1;
            idle[n_idle] = m->easy_handle;
            curl_multi_remove_handle(multi, idle[n_idle]);
        }
        if (!n_idle && running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    while (n_idle)
        curl_easy_cleanup(idle[--n_idle]);
    curl_multi_cleanup(multi);
    return 0;
}
