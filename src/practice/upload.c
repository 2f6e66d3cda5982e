/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/upload.h"

#include "data/reader.h"

hal_status hal_upload_read(hal_table **out, hal_slice bytes, const char *format, hal_err *err)
{
    hal_reader_limits limits = {.rows_max = 1000000, .columns_max = 1000};
    hal_answer answer;
    hal_format known;
    hal_status st = hal_format_from_name(&known, format, err);
    if (st)
        return st;
    hal_reader *r = hal_reader_new(known, &limits, err);
    if (!r)
        return err->status;
    st = hal_reader_feed(r, bytes.data, bytes.size_bytes, err);
    if (!st)
        st = hal_reader_finish(r, &answer, out, err);
    if (!st && !*out)
        st = hal_err_set(err, HAL_E_USAGE, "there is no table");
    hal_reader_free(r);
    return st;
}
