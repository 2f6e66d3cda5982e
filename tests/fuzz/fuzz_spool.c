/* SPDX-License-Identifier: BSD-3-Clause */
/* Spools from arbitrary bytes: either refused or merged, never anything else. */
#include "data/spool.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/halyard-fuzz-spool-%ld", (long)getpid());
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        __builtin_trap();
    const char *paths[] = {path, path};
    hal_merge_report report;
    hal_table *t = NULL;
    hal_err err = HAL_ERR_INIT;
    hal_status st =
        hal_spool_merge(paths, 2, NULL, NULL, NULL, HAL_FORMAT_CSV, &t, NULL, NULL, &report, &err);
    if (st ? st != HAL_E_INTEGRITY : report.rows != hal_table_rows(t) || report.rows % 2)
        __builtin_trap();
    hal_table_unref(t);
    unlink(path);
    return 0;
}
