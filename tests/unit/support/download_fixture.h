/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of downloads share: a folder of their own, a FITS file, an archive that has it and
 * a few bad habits. */
#ifndef HAL_TESTS_DOWNLOAD_FIXTURE_H
#define HAL_TESTS_DOWNLOAD_FIXTURE_H

#include "net/digest.h"
#include "net/download.h"
#include "net_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_BYTES = 104 * 2880 };

static char content[FILE_BYTES];
static char content_sha[HAL_SHA256_TEXT_SIZE];
static char dir[64];

static void hash_of(const char *bytes, size_t n, char out[HAL_SHA256_TEXT_SIZE])
{
    hal_sha256 *digest = hal_sha256_new(NULL);
    assert_int_equal(hal_sha256_add(digest, bytes, n, NULL), HAL_OK);
    assert_int_equal(hal_sha256_text(digest, out, NULL), HAL_OK);
    hal_sha256_free(digest);
}

/* An archive with one file and a few bad habits; each applies to the requests of its number. */
typedef struct archive {
    const char *etag; /* header line with CRLF, or "" */
    int cut_until;    /* requests below this number are cut after cut_bytes */
    size_t cut_bytes;
    int wrong_range_until; /* a 206 for another range */
    bool ignores_range;
    bool answers_416;
    int damaged_until; /* last byte flipped */
    bool no_length;
    const char *instead; /* this answer, to requests below instead_until */
    int instead_until;
    char *reply[64]; /* kept for sending */
} archive;

static raw_reply build(archive *a, int i, const char *headers, const char *body, size_t n)
{
    size_t head = strlen(headers);
    bool cut = i < a->cut_until;
    if (cut && n > a->cut_bytes)
        n = a->cut_bytes;
    char *bytes = malloc(head + n + 1);
    memcpy(bytes, headers, head);
    memcpy(bytes + head, body, n);
    if (i < a->damaged_until && n)
        bytes[head + n - 1] ^= 1;
    a->reply[i] = bytes;
    return (raw_reply){bytes, head + n, cut || a->no_length ? RAW_CLOSE : RAW_KEEP};
}

static raw_reply serve_file(void *ctx, int i, const char *request)
{
    archive *a = ctx;
    char headers[512];
    size_t from = 0;
    const char *range = strstr(request, "Range: bytes=");
    if (i < a->instead_until || i >= 64)
        return (raw_reply){a->instead, 0, RAW_CLOSE};
    if (range && !a->ignores_range)
        from = strtoul(range + 13, NULL, 10);
    if (from && a->answers_416) {
        snprintf(headers, sizeof headers,
                 "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%d\r\n"
                 "Content-Length: 0\r\n\r\n",
                 FILE_BYTES);
        return build(a, i, headers, "", 0);
    }
    if (from) {
        size_t first = i < a->wrong_range_until ? from - 1 : from;
        snprintf(headers, sizeof headers,
                 "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%d/%d\r\n%s"
                 "Content-Length: %zu\r\n\r\n",
                 first, FILE_BYTES - 1, FILE_BYTES, a->etag, FILE_BYTES - first);
        return build(a, i, headers, content + first, FILE_BYTES - first);
    }
    if (a->no_length)
        snprintf(headers, sizeof headers, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    else
        snprintf(headers, sizeof headers, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n",
                 a->etag, FILE_BYTES);
    return build(a, i, headers, content, strncmp(request, "HEAD ", 5) ? FILE_BYTES : 0);
}

typedef struct got {
    hal_download *d;
    int n_done;
    hal_download_result result;
} got;

static void on_done(void *ctx, const hal_download_result *result)
{
    got *g = ctx;
    g->n_done++;
    g->result = *result;
}

static inline void begin(hal_loop *loop, got *g, hal_download_request r, int port)
{
    hal_err err = HAL_ERR_INIT;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/file", port);
    r.url = url;
    r.dir = dir;
    if (!r.path)
        r.path = "a/b.fits";
    if (!r.source)
        r.source = "mast:A/b.fits";
    if (!r.expect_bytes)
        r.expect_bytes = -1;
    *g = (got){0};
    g->d = hal_download_start(loop, &r, on_done, g, &err);
    if (!g->d)
        fail_msg("%s", err.text);
}

/* One run of the program: a loop of its own. */
static inline got fetch(hal_download_request r, int port)
{
    hal_loop *loop = new_loop();
    got g;
    begin(loop, &g, r, port);
    run_until(loop, &g.n_done, 500);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
    assert_int_equal(g.n_done, 1);
    return g;
}

static char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static inline void write_file(const char *name, const char *bytes, size_t n)
{
    mkdir(path_of("a"), 0777);
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static inline bool exists(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static inline void assert_whole(const char *name)
{
    char *bytes = malloc(FILE_BYTES + 1);
    FILE *f = fopen(path_of(name), "r");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, FILE_BYTES + 1, f), FILE_BYTES);
    assert_memory_equal(bytes, content, FILE_BYTES);
    fclose(f);
    free(bytes);
}

static inline void assert_nothing_left_but(const char *name)
{
    DIR *d = opendir(path_of("a"));
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            assert_string_equal(e->d_name, name);
    if (d)
        closedir(d);
}

static inline raw_server *serve_archive(archive *a)
{
    if (!a->etag)
        a->etag = "ETag: \"v1\"\r\n";
    return raw_server_start_with(serve_file, a);
}

static inline void stop_archive(raw_server *server, archive *a)
{
    raw_server_stop(server);
    for (int i = 0; i < 64; i++)
        free(a->reply[i]);
}

static inline int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/halyard-download-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static void remove_below(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char below[512];
    while (d && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (unlink(below))
            remove_below(below);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static inline int remove_dir(void **state)
{
    (void)state;
    remove_below(dir);
    return 0;
}

/* One unit of FITS: a header and noise. */
static inline void make_content(void)
{
    char cards[5][81];
    snprintf(cards[0], 81, "%-80s", "SIMPLE  =                    T");
    snprintf(cards[1], 81, "%-80s", "BITPIX  =                    8");
    snprintf(cards[2], 81, "%-80s", "NAXIS   =                    1");
    snprintf(cards[3], 81, "NAXIS1  = %20d%50s", FILE_BYTES - 2880, "");
    snprintf(cards[4], 81, "%-80s", "END");
    memset(content, ' ', 2880);
    for (int i = 0; i < 5; i++)
        memcpy(content + 80 * (size_t)i, cards[i], 80);
    for (size_t i = 2880; i < FILE_BYTES; i++)
        content[i] = (char)(i * 2654435761u >> 13);
    hash_of(content, FILE_BYTES, content_sha);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

#endif
