/* SPDX-License-Identifier: BSD-3-Clause */
/* A file through a reader and a writer. */
#include "runtime/convert.h"

#include "base/alloc.h"
#include "data/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

static bool is_standard(const char *path)
{
    return !path || !strcmp(path, "-");
}

/* By the ending of the file's name; without one it is CSV. */
static hal_status format_of_name(hal_format *format, const char *path, hal_err *err)
{
    static const struct {
        const char *ending;
        hal_format format;
    } known[] = {
        {".csv", HAL_FORMAT_CSV}, {".jsonl", HAL_FORMAT_JSONL}, {".ndjson", HAL_FORMAT_JSONL}};
    const char *slash = is_standard(path) ? NULL : strrchr(path, '/');
    const char *dot = is_standard(path) ? NULL : strrchr(slash ? slash : path, '.');
    *format = HAL_FORMAT_CSV;
    if (!dot)
        return HAL_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(dot, known[i].ending)) {
            *format = known[i].format;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "no format is known by the ending of %s; use .csv, .jsonl or .ndjson, or "
                       "choose with --to",
                       path);
}

static hal_status feed(hal_reader *reader, int fd, const char *in, const _Atomic bool *stop,
                       hal_err *err)
{
    char *chunk = hal_malloc(CHUNK_BYTES);
    if (!chunk)
        return hal_err_nomem(err, CHUNK_BYTES);
    hal_status st = HAL_OK;
    for (;;) {
        if (atomic_load(stop)) {
            st = hal_err_set(err, HAL_E_CANCELLED, "interrupted");
            break;
        }
        ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = hal_err_errno(err, errno, "cannot read %s", in);
        else if (n > 0)
            st = hal_reader_feed(reader, chunk, (size_t)n, err);
        if (n <= 0 || st)
            break;
    }
    hal_free(chunk);
    return st;
}

static hal_status read_table(hal_table **table, const char *in, hal_format from,
                             const _Atomic bool *stop, hal_err *err)
{
    int fd = is_standard(in) ? STDIN_FILENO : open(in, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return hal_err_set(err, HAL_E_NOT_FOUND, "there is no file %s", in);
    if (fd < 0)
        return hal_err_errno(err, errno, "cannot open %s", in);
    hal_answer answer;
    hal_reader *reader = hal_reader_new(from, NULL, err);
    hal_status st = reader ? feed(reader, fd, in, stop, err) : err->status;
    if (!st)
        st = hal_reader_finish(reader, &answer, table, err);
    hal_reader_free(reader);
    if (fd != STDIN_FILENO)
        close(fd);
    if (st)
        return hal_err_note(err, st, "%s", is_standard(in) ? "standard input" : in);
    if (answer.status == HAL_ANSWER_ERROR)
        return hal_err_set(err, HAL_E_ARCHIVE, "%s: the archive answered an error: %s", in,
                           answer.message);
    if (answer.status == HAL_ANSWER_EXECUTING)
        return hal_err_set(err, HAL_E_BUSY,
                           "%s: the archive was still executing; record the answer again later",
                           in);
    return HAL_OK;
}

static hal_status write_table(const hal_table *table, const char *out, hal_format to, hal_err *err)
{
    size_t n = hal_table_columns(table);
    hal_field *fields = hal_calloc(n ? n : 1, sizeof *fields);
    if (!fields)
        return hal_err_nomem(err, n * sizeof *fields);
    for (size_t i = 0; i < n; i++)
        fields[i] = *hal_table_field(table, i);
    hal_writer *writer = hal_writer_open(is_standard(out) ? NULL : out, to, fields, n, err);
    hal_free(fields);
    if (!writer)
        return err->status;
    uint64_t size_bytes = 0;
    hal_status st = hal_writer_table(writer, table, err);
    if (!st)
        st = hal_writer_commit(writer, &size_bytes, err);
    hal_writer_free(writer);
    return st;
}

hal_status hal_convert(const char *in, const char *out, const char *from, const char *to,
                       const _Atomic bool *stop, hal_err *err)
{
    hal_format reads = HAL_FORMAT_AUTO, writes = HAL_FORMAT_CSV;
    hal_status st = from ? hal_format_from_name(&reads, from, err) : HAL_OK;
    if (!st)
        st = to ? hal_format_from_name(&writes, to, err) : format_of_name(&writes, out, err);
    if (st)
        return st;
    if (reads == HAL_FORMAT_JSONL)
        return hal_err_set(err, HAL_E_USAGE,
                           "cannot read jsonl; --from takes json, extjs, csv, auto");
    if (writes != HAL_FORMAT_CSV && writes != HAL_FORMAT_JSONL)
        return hal_err_set(err, HAL_E_USAGE, "cannot write %s; --to takes csv or jsonl",
                           hal_format_name(writes));
    hal_table *table = NULL;
    st = read_table(&table, in, reads, stop, err);
    if (!st)
        st = write_table(table, out, writes, err);
    hal_table_unref(table);
    return st;
}
