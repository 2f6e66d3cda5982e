/* SPDX-License-Identifier: BSD-3-Clause */
/* A file through a reader and a writer. */
#include "runtime/convert.h"

#include "runtime/files.h"

hal_status hal_convert(const char *in, const char *out, const char *from, const char *to,
                       const _Atomic bool *stop, hal_err *err)
{
    hal_format reads = HAL_FORMAT_AUTO, writes;
    hal_status st = from ? hal_format_from_name(&reads, from, err) : HAL_OK;
    if (!st)
        st = hal_file_format(&writes, out, to, err);
    if (st)
        return st;
    if (!hal_format_is_read(reads))
        return hal_err_set(err, HAL_E_USAGE, "cannot read %s; leave --from away to recognise it",
                           hal_format_name(reads));
    hal_table *table = NULL;
    st = hal_file_read(&table, in, reads, stop, err);
    if (!st)
        st = hal_file_write(table, out, writes, err);
    hal_table_unref(table);
    return st;
}
