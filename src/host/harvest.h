/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tiles of one query bring in: of each answer the rows that its tile owns, in canonical
 * order in a file of their own; in the end all of them merged into one. Tiling design,
 * sections 4.1, 4.2 and 8. Decides nothing about tiles. */
#ifndef HAL_HOST_HARVEST_H
#define HAL_HOST_HARVEST_H

#include "data/repeats.h"
#include "data/spool.h"
#include "plan/plan.h"
#include "plan/targets.h"

typedef struct hal_harvest hal_harvest;

/** Borrowed for the call; text is copied, the region referenced. */
typedef struct hal_harvest_config {
    const char *dir;      /* existing folder; the files live in a new folder inside it */
    bool lasting;         /* the files live in `dir` itself and stay when the harvest ends */
    uint64_t last_file;   /* lasting: numbers of files that are there are not above it */
    const char *ra, *dec; /* columns of positions, degrees: float64 or int64; NULL: none */
    const char *id;       /* column that tells rows at one position apart; NULL: none */
    hal_region *region;   /* rows outside are dropped, unless rows match by their outlines */
    bool footprints;      /* rows match by their outlines */
    bool nullable;        /* positions may be missing; false: such a row is a failure */
    hal_targets *targets; /* NULL, or: rows are kept for the targets of the ask (host/pairs.h) */
} hal_harvest_config;

hal_harvest *hal_harvest_new(const hal_harvest_config *config, hal_err *err);
hal_harvest *hal_harvest_ref(hal_harvest *h);
/** The last one removes the folder and all files in it, unless they are lasting. Loop thread. */
void hal_harvest_unref(hal_harvest *h);

typedef struct hal_gathered {
    uint64_t returned, kept;
    uint64_t kept_bytes; /* of memory that the kept rows take */
    double printed_deg;  /* positions are multiples of it; 0: they have many decimals, or too few
                            rows to tell */
    uint64_t file, file_bytes; /* "N.spool", its size; 0 bytes: there is none */
    double overshoot_deg;      /* largest distance of a row from the request region, 0 inside */
    hal_repeats_note ids;      /* of the kept rows, where they are noted */
} hal_gathered;

/** An answer to `ask`: writes the rows of `t` that are to be kept (see hal_ask) to the ask's own
 * file, those without position last. `columns`: names of the columns that the ask has ranges of,
 * its own and those of `outer`; NULL: it has none. Does not change `h`: any thread, several at
 * once. Fails with HAL_E_INTEGRITY when a row has no valid position and none may be without,
 * HAL_E_USAGE when the columns are missing or not numeric, HAL_E_IO. */
hal_status hal_harvest_gather(const hal_harvest *h, const hal_ask *ask,
                              const char *const columns[HAL_PLAN_COLUMNS], const hal_table *t,
                              hal_gathered *out, hal_err *err) HAL_MUST_CHECK;
/** What was gathered for the ask counts from now on, here or by an earlier harvest of this folder;
 * asked for at `asked_s` (any clock that goes on between runs). Loop thread. */
hal_status hal_harvest_adopt(hal_harvest *h, const hal_ask *ask, const hal_gathered *gathered,
                             double asked_s, hal_err *err) HAL_MUST_CHECK;
/** Is the file of an earlier harvest there as it was written, by its size, its check sums and its
 * number of rows? HAL_E_INTEGRITY or HAL_E_IO when it is not. Sets `ids`. Any thread. */
hal_status hal_harvest_check(const hal_harvest *h, hal_gathered *gathered,
                             hal_err *err) HAL_MUST_CHECK;
/** The ask's rows are not wanted: removes its file. Loop thread. */
void hal_harvest_drop(hal_harvest *h, uint64_t ask_id);

/** Can rows that changed between two answers be told? With an identifier, and without targets: the
 * same row may belong to several. */
bool hal_harvest_tells_changes(const hal_harvest *h);
/** Which rows came with several answers, when nothing is gathered any more; with `drop` only the
 * copy asked for last counts from now on (design 4.5). Worker, while nothing else is done with `h`.
 * As hal_repeats_find. */
hal_status hal_harvest_settle(hal_harvest *h, bool drop, const _Atomic bool *cancel,
                              hal_repeats_report *old, hal_err *err) HAL_MUST_CHECK;

/** What counts at one moment. */
typedef struct hal_sheaf {
    char **paths; /* ascending by ask */
    size_t n;
    uint64_t rows;
} hal_sheaf;
hal_status hal_harvest_sheaf(const hal_harvest *h, hal_sheaf *out, hal_err *err) HAL_MUST_CHECK;
/** The same of those tiles only that may own a position in `region`. */
hal_status hal_harvest_sheaf_at(const hal_harvest *h, const hal_region *region, hal_sheaf *out,
                                hal_err *err) HAL_MUST_CHECK;
void hal_sheaf_clear(hal_sheaf *s);

/** Identifiers of the rows of `t` whose position both `region` and the user's region contain, as a
 * table of that one column. Any thread. */
hal_table *hal_harvest_ids(const hal_harvest *h, const hal_region *region, const hal_table *t,
                           hal_err *err);
/** The same of all rows of a sheaf. Worker. */
hal_table *hal_harvest_sheaf_ids(const hal_harvest *h, const hal_region *region,
                                 const hal_sheaf *sheaf, hal_err *err);

/** Merges a sheaf into the file `path` or, when that is NULL, into `*table`; as hal_spool_merge.
 * HAL_E_INTEGRITY and no file when other than sheaf->rows rows or duplicates come out. Without any
 * file the result is empty with the columns that are known: id, ra, dec.
 * Worker. */
hal_status hal_harvest_merge(const hal_harvest *h, const hal_sheaf *sheaf, const char *path,
                             hal_format format, hal_table **table, const _Atomic bool *cancel,
                             _Atomic uint64_t *progress, hal_merge_report *report,
                             hal_err *err) HAL_MUST_CHECK;

#endif
