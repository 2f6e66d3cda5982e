/* SPDX-License-Identifier: BSD-3-Clause */
/* Spools from arbitrary bytes: either refused or merged, never anything else; also when every check
 * sum is right, so that changed bytes come as far as what they mean. */
#include "data/spool.h"
#include "data/spool_file.h"

#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void merge(const char *bytes, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/halyard-fuzz-spool-%ld", (long)getpid());
    FILE *f = fopen(path, "wb");
    check(f && fwrite(bytes, 1, size, f) == size && !fclose(f));
    const char *paths[] = {path, path};
    hal_merge_report report;
    hal_table *t = NULL;
    hal_err err = HAL_ERR_INIT;
    hal_status st =
        hal_spool_merge(paths, 2, NULL, NULL, NULL, HAL_FORMAT_CSV, &t, NULL, NULL, &report, &err);
    check(st ? st == HAL_E_INTEGRITY : report.rows == hal_table_rows(t) && report.rows % 2 == 0);
    hal_table_unref(t);
    unlink(path);
}

static void put_sums_right(char *bytes, size_t size)
{
    hal_spool_part part;
    for (size_t at = 0; size - at >= sizeof part; at += sizeof part + part.n_bytes) {
        memcpy(&part, bytes + at, sizeof part);
        if (part.n_bytes > size - at - sizeof part)
            return;
        part.sum = hal_spool_part_sum(&part, bytes + at + sizeof part);
        memcpy(bytes + at, &part, sizeof part);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = calloc(size + 1, 1);
    if (size)
        memcpy(bytes, data, size);
    merge(bytes, size);
    put_sums_right(bytes, size);
    merge(bytes, size);
    free(bytes);
    return 0;
}
