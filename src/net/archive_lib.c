/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/archive_lib.h"

#include "base/library.h"

#include <pthread.h>

static hal_archive_lib lib;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
        {"archive_read_new", &lib.read_new},
        {"archive_read_free", &lib.read_free},
        {"archive_read_support_format_zip_seekable", &lib.format_zip},
        {"archive_read_support_format_tar", &lib.format_tar},
        {"archive_read_set_format_option", &lib.set_option},
        {"archive_read_open", &lib.open},
        {"archive_read_open_fd", &lib.open_fd},
        {"archive_read_next_header", &lib.next_header},
        {"archive_read_data", &lib.read_data},
        {"archive_filter_bytes", &lib.filter_bytes},
        {"archive_error_string", &lib.error_string},
        {"archive_entry_pathname", &lib.pathname},
        {"archive_entry_pathname_utf8", &lib.pathname_utf8},
        {"archive_entry_filetype", &lib.filetype},
        {"archive_entry_hardlink", &lib.hardlink},
        {0},
    };
    hal_library_load("libarchive.so.13", symbols, why, sizeof why);
}

const hal_archive_lib *hal_archive_lib_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!why[0])
        return &lib;
    hal_err_set(err, HAL_E_IO, "the archive library is missing: %s; install package libarchive13",
                why);
    return NULL;
}
