/* SPDX-License-Identifier: BSD-3-Clause */
/* libarchive as a table of functions, loaded at first use: a run that unpacks nothing does not pay
 * for it. Only its headers are used to build. Private to this folder. */
#ifndef HAL_NET_ARCHIVE_LIB_H
#define HAL_NET_ARCHIVE_LIB_H

#include "base/status.h"

#include <archive.h>
#include <archive_entry.h>

typedef struct hal_archive_lib {
    struct archive *(*read_new)(void);
    int (*read_free)(struct archive *a);
    int (*format_zip)(struct archive *a);
    int (*format_tar)(struct archive *a);
    int (*set_option)(struct archive *a, const char *format, const char *name, const char *value);
    int (*open)(struct archive *a, void *ctx, archive_open_callback *opened,
                archive_read_callback *read, archive_close_callback *closed);
    int (*open_fd)(struct archive *a, int fd, size_t block);
    int (*next_header)(struct archive *a, struct archive_entry **entry);
    la_ssize_t (*read_data)(struct archive *a, void *out, size_t n);
    la_int64_t (*filter_bytes)(struct archive *a, int filter);
    const char *(*error_string)(struct archive *a);
    const char *(*pathname)(struct archive_entry *entry);
    const char *(*pathname_utf8)(struct archive_entry *entry);
    __LA_MODE_T (*filetype)(struct archive_entry *entry);
    const char *(*hardlink)(struct archive_entry *entry);
} hal_archive_lib;

/** NULL and HAL_E_IO naming the package when the library is missing. */
const hal_archive_lib *hal_archive_lib_load(hal_err *err);

#endif
