/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger of one tiled query: what was asked and how it ended, each record on disk when the call
 * returns (SQLite, WAL, synchronous=FULL, one transaction each). It lies in a folder of its own
 * beside the files that hold the kept rows ("N.spool"). A run that was killed is taken up by
 * replaying the plan, which depends on the answers only, against these records; the cuts of tiles
 * follow from them and are not recorded. Tiling design, section 7. Knows neither plans nor
 * archives: a node is a text that says what was asked. Loop thread. */
#ifndef HAL_JOURNAL_LEDGER_H
#define HAL_JOURNAL_LEDGER_H

#include "base/status.h"

#include <stdint.h>

typedef struct hal_ledger hal_ledger;

/** Opens the ledger in an existing folder, which is then this process's alone, or makes it; `anew`
 * empties the folder first. Removes what no record names.
 * NULL and HAL_E_IO; HAL_E_INTEGRITY when it is damaged or of another version, with the remedy. */
hal_ledger *hal_ledger_open(const char *folder, bool anew, hal_err *err);
/** Keeps all files. NULL is fine. */
void hal_ledger_close(hal_ledger *l);
/** Closes it and removes the folder with all files in it. */
void hal_ledger_remove(hal_ledger *l);

/** What is asked for; what a run that goes on has to agree in. Texts. */
typedef struct hal_ledger_job {
    const char *service;      /* and its address */
    const char *region;       /* as text or digest */
    const char *columns;      /* of the rows; "" all */
    const char *query;        /* criteria and options, or their digest */
    const char *capabilities; /* of the service: cap, guard, forms */
} hal_ledger_job;
/** Records the job, or compares with the one that is there: HAL_E_USAGE names what differs and says
 * what to do. One without answers, or whose query was complete, is forgotten instead. */
hal_status hal_ledger_begin(hal_ledger *l, const hal_ledger_job *job, hal_err *err) HAL_MUST_CHECK;

/** What the plan was started with beside the job (a count, densities), so that it can be started
 * with the same again; any text. */
hal_status hal_ledger_set_inputs(hal_ledger *l, const char *inputs, hal_err *err) HAL_MUST_CHECK;
/** NULL: none recorded. Lives as long as `l` or until they are set. */
const char *hal_ledger_inputs(const hal_ledger *l);

typedef struct hal_ledger_extent {
    uint64_t n_answers;  /* recorded */
    uint64_t n_pending;  /* tiles known to be missing at the last record */
    uint64_t last_file;  /* largest number of a file with a record */
    double began, ended; /* seconds since 1970: of the first question and the last answer */
} hal_ledger_extent;
hal_status hal_ledger_extent_of(hal_ledger *l, hal_ledger_extent *out, hal_err *err) HAL_MUST_CHECK;

typedef enum hal_ledger_kind {
    HAL_LEDGER_NONE,
    HAL_LEDGER_DONE, /* rows came and are kept in a file */
    HAL_LEDGER_TOLD, /* a number or numbers came */
    HAL_LEDGER_OVER  /* too many rows, or a failure that was taken for that */
} hal_ledger_kind;

typedef struct hal_ledger_record {
    hal_ledger_kind kind;
    const char *node;
    int64_t attempt;  /* TOLD, OVER: of this node, from 1 */
    const char *text; /* DONE: what the next page starts with; TOLD: the answer; OVER: how; or "" */
    uint64_t n_returned, n_kept; /* DONE, OVER */
    double overshoot_deg;        /* DONE, OVER */
    double printed_deg;          /* DONE */
    uint64_t kept_bytes;         /* DONE: in memory */
    uint64_t answer_bytes;       /* as they came */
    uint64_t file, file_bytes;   /* DONE: its number and size; no bytes: there is none */
    double began, ended;         /* seconds since 1970 */
    uint64_t n_pending;
} hal_ledger_record;

/** Adds a record; a later one of a node replaces an earlier one, of numbers and failures only that
 *  of the same attempt. */
hal_status hal_ledger_put(hal_ledger *l, const hal_ledger_record *record,
                          hal_err *err) HAL_MUST_CHECK;
/** What is known of a node: rows; else the numbers of `attempt` or the next later one (an earlier
 *  one says nothing about whether the archive is there now); else the failure of `attempt`; else
 *  kind NONE. Texts live until the next call on `l`. */
hal_status hal_ledger_find(hal_ledger *l, const char *node, int64_t attempt, hal_ledger_record *out,
                           hal_err *err) HAL_MUST_CHECK;
/** The query ended, `state` "complete" or, lacking tiles, "partial": then failures that may pass
 * are forgotten, so that the next run asks again (`how` "ambiguous"). */
hal_status hal_ledger_finish(hal_ledger *l, const char *state, hal_err *err) HAL_MUST_CHECK;

#endif
