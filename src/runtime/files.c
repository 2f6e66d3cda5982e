/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/files.h"

#include "base/alloc.h"
#include "data/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 128 << 10 };

bool hal_file_is_standard(const char *path)
{
    return !path || !strcmp(path, "-");
}

/* What no table can be written to, found before the work is done. */
static hal_status refuse_output(const char *path, hal_err *err)
{
    if (hal_file_is_standard(path))
        return HAL_OK;
    size_t n = strlen(path);
    if (n == 0)
        return hal_err_set(err, HAL_E_USAGE, "the name of the output is empty");
    struct stat about;
    if (path[n - 1] == '/' || (!stat(path, &about) && S_ISDIR(about.st_mode)))
        return hal_err_set(err, HAL_E_USAGE, "%s is a folder; name a file in it", path);
    static const char *const packed[] = {".gz", ".zst"};
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        size_t n_ending = strlen(packed[i]);
        if (n > n_ending && !strcasecmp(path + n - n_ending, packed[i]))
            return hal_err_set(err, HAL_E_USAGE,
                               "%s: output is not compressed; write %.*s and compress it", path,
                               (int)(n - n_ending), path);
    }
    return HAL_OK;
}

hal_status hal_file_format_read(hal_format *out, const char *name, hal_err *err)
{
    *out = HAL_FORMAT_AUTO;
    hal_status st = name ? hal_format_from_name(out, name, err) : HAL_OK;
    if (!st && !hal_format_is_read(*out))
        return hal_err_set(err, HAL_E_USAGE,
                           "%s is only written, not read; leave --from away to recognise it",
                           hal_format_name(*out));
    return st;
}

hal_status hal_file_format(hal_format *out, const char *path, const char *name, hal_err *err)
{
    hal_status st = refuse_output(path, err);
    if (st)
        return st;
    char written[200];
    hal_format_list(written, sizeof written, true);
    if (!name) {
        const char *slash = hal_file_is_standard(path) ? NULL : strrchr(path, '/');
        const char *dot = hal_file_is_standard(path) ? NULL : strrchr(slash ? slash : path, '.');
        hal_format named = dot ? hal_format_of_path(path) : HAL_FORMAT_CSV;
        if (!hal_format_is_written(named))
            return hal_err_set(err, HAL_E_USAGE,
                               "no format is written by the ending of %s; choose with --to: %s",
                               path, written);
        *out = named;
        return HAL_OK;
    }
    st = hal_format_from_name(out, name, err);
    if (!st && !hal_format_is_written(*out))
        return hal_err_set(err, HAL_E_USAGE, "cannot write %s; written are %s", name, written);
    return st;
}

static hal_status feed(hal_reader *reader, int fd, const char *in, const hal_file_watch *watch,
                       hal_err *err)
{
    struct stat about;
    uint64_t at = 0, size_bytes =
                         !fstat(fd, &about) && S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    char *chunk = hal_malloc_pages(CHUNK_BYTES);
    if (!chunk)
        return hal_err_nomem(err, CHUNK_BYTES);
    hal_status st = HAL_OK;
    for (;;) {
        if (atomic_load(watch->stop)) {
            st = hal_err_set(err, HAL_E_CANCELLED, "interrupted");
            break;
        }
        ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = hal_err_errno(err, errno, "cannot read");
        else if (n > 0)
            st = hal_reader_feed(reader, chunk, (size_t)n, err);
        if (n > 0 && !st)
            watch->read(watch->ctx, in, at += (uint64_t)n, size_bytes);
        if (n <= 0 || st)
            break;
    }
    hal_free(chunk);
    return st;
}

hal_status hal_file_read_with(hal_table **table, const hal_file_input *in,
                              const hal_reader_options *options, const hal_file_watch *watch,
                              hal_err *err)
{
    const char *path = in->path;
    bool standard = hal_file_is_standard(path);
    if (path && !*path)
        return hal_err_set(err, HAL_E_USAGE, "the name of the input is empty");
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return hal_err_set(err, HAL_E_NOT_FOUND, "there is no file %s", path);
    if (fd < 0)
        return hal_err_errno(err, errno, "cannot open %s", path);
    const char *label = in->label ? in->label : standard ? "standard input" : path;
    hal_answer answer;
    hal_table *t = NULL;
    hal_reader_options asked = *options;
    asked.table = in->table;
    asked.as_named = in->from != HAL_FORMAT_AUTO;
    hal_reader *reader = hal_reader_new_with(in->from, &asked, err);
    hal_status st = reader ? feed(reader, fd, label, watch, err) : err->status;
    if (!st)
        st = hal_reader_finish(reader, &answer, &t, err);
    hal_reader_free(reader);
    if (fd != STDIN_FILENO)
        close(fd);
    if (st)
        return hal_err_note(err, st, "%s", label);
    if (answer.status >= HAL_ANSWER_ERROR)
        return hal_err_set(err, HAL_E_ARCHIVE, "%s: the archive answered an error: %s", label,
                           answer.message);
    if (answer.status == HAL_ANSWER_EXECUTING)
        return hal_err_set(err, HAL_E_BUSY,
                           "%s: the archive was still executing; record the answer again later",
                           label);
    st = hal_table_require_whole(t, err);
    if (st) {
        hal_table_unref(t);
        return hal_err_note(err, st, "%s", label);
    }
    char others[HAL_ANSWER_OTHERS_MAX];
    if (!in->table && in->choice && hal_answer_others(&answer, label, in->choice, others))
        watch->say(watch->ctx, others);
    *table = t;
    return HAL_OK;
}

hal_status hal_file_read(hal_table **table, const hal_file_input *in, const hal_file_watch *watch,
                         hal_err *err)
{
    hal_reader_options options = {0};
    return hal_file_read_with(table, in, &options, watch, err);
}

hal_status hal_file_write(const hal_table *table, const char *out, hal_format to,
                          const hal_file_watch *watch, hal_err *err)
{
    hal_writer *writer = hal_writer_open_named(out, to, table, err);
    if (!writer)
        return err->status;
    uint64_t size_bytes = 0;
    hal_writer_stop_on(writer, watch->stop);
    hal_status st = hal_writer_table(writer, table, err);
    if (!st)
        st = hal_writer_commit(writer, &size_bytes, err);
    if (!st)
        hal_writer_warnings(writer, watch->say, watch->ctx);
    hal_writer_free(writer);
    return st;
}
