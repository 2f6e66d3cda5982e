/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulated archive: skies of many rows and a driver that carries a plan's asks to them and
 * checks row by row what is kept. Skies of the tiling design, section 11. Included as source by the
 * tests and the bench that use it.
 *
 * The archive does what setup.service says, so that a record and its run are described once: match
 * by outline, ranges of one column, NULL tests, keyset pages, histogram, counts, rounding of radii,
 * cap. Fields of the setup make it differ from its record. */
#ifndef HAL_TESTS_SIM_H
#define HAL_TESTS_SIM_H

#include "plan/plan.h"

#include <stdint.h>

typedef struct sim_row {
    double ra, dec;         /* printed: what the client sees; NaN: NULL */
    double sel_ra, sel_dec; /* what the archive selects on; of a footprint, its centre */
    double v[3];            /* unit vector of the latter */
    double value;           /* of the column that takes ranges, as printed; NaN: NULL */
    double sel_value;       /* what the archive selects on */
    double other[2];        /* of the second column and the third, selected on as printed */
    float outline_deg;      /* radius of a footprint */
    uint32_t key;           /* of keyset paging */
    bool unplaced;          /* its position columns are NULL */
} sim_row;

typedef struct sim_sky {
    const char *name;
    hal_region *region;
    bool all_sky;
    sim_row *row;
    size_t n_row, row_cap;
    size_t *band; /* first row of each band of declination; rows of a band ascend in ra */
    uint64_t n_inside;
} sim_sky;

typedef enum sim_over { SIM_RESET, SIM_FLAG, SIM_TRUNCATE } sim_over;

typedef struct sim_setup {
    hal_service service;
    hal_plan_options options;
    sim_over over;
    uint64_t archive_cap; /* most rows an answer holds; 0: service.cap - 1 */
    bool shuffle;         /* answers come back in random order */
    double fault_rate;    /* part of the answers that are resets */
    double outage_from_s, outage_to_s;
    double busy_rate; /* part of the answers that are 429 with Retry-After 7 */
    int radius_floor; /* the archive cuts radii to so many decimals; 0: it does not */
    bool ignores_region;
    bool ignores_centre; /* ranges on centre columns do nothing beside a region */
    bool tells_rounding; /* the client reports that positions are printed in steps of ... */
    double printed_deg;
    uint64_t counts_too_many; /* rows that a count says and nobody finds */
    bool no_counting;         /* counting fails, whatever the record says */
    bool no_cells;            /* as do histograms, with an error that repeats will not mend */
    bool no_parts_by_cell;    /* ... of parts of the region only */
    uint64_t part_cells_most; /* of a histogram of a part; 0: as many as rows in an answer */
    double counts_most_deg;   /* radius of the cones that are counted in time; 0: any */
    bool stalls;              /* the archive is at work for ever on tiles that own this place */
    double stalls_ra, stalls_dec;
    uint64_t seed;
    /* Faults belong to an ask and its how-manieth issue, not to the order of departures: the same
     * for every window. */
    bool faults_by_ask;
    const unsigned char *belongs; /* sim_belongs of each row, if the caller has them */
    double refuse_rate;           /* part of the answers that are refused connections */
    double latency_s;             /* at most so much more for each answer */
    double over_s;                /* until an answer that is too large is given up; 0: 2 s */
} sim_setup;

typedef struct sim_report {
    hal_account account;
    hal_err error;
    uint64_t n_in_region, n_lost, n_twice, n_foreign; /* rows; foreign: kept outside the region */
    uint64_t n_unplaced_kept;
    uint64_t moved, kept_digest, ask_digest;
    double radius_most_deg; /* of the cones sent */
    int in_flight_most;
    char explained[2048];
    char findings[4096];           /* one a line */
    hal_plan_density density[256]; /* what it would remember */
    size_t n_density;
    uint64_t n_waited; /* times only the clock could help */
    double makespan_s, planning_s, planning_worst_s;
    size_t n_stuck;
    hal_tile stuck[8];   /* the first ones */
    unsigned char *kept; /* per row; freed by sim_report_clear */
    const char *broken;  /* what the driver met that no plan may do; NULL: nothing */
    uint64_t ask_set;    /* as ask_digest, whatever their order */
    hal_leaf *leaf;      /* freed by sim_report_clear */
    size_t n_leaf;
} sim_report;

/* `scale` multiplies the rows of the design's skies. */
sim_sky *sim_sky_new(const char *name, double scale, uint64_t seed);
/* A sky of given rows: selected on as printed. Takes a reference to `region`. */
sim_sky *sim_sky_rows(hal_region *region, const double (*ra_dec)[2], size_t n);
void sim_sky_add(sim_sky *sky, double ra, double dec, double sel_ra, double sel_dec);
void sim_sky_index(sim_sky *sky);
void sim_sky_free(sim_sky *sky);
extern const char *const sim_sky_names[7];

/* The row added last. */
sim_row *sim_sky_last(sim_sky *sky);
sim_report sim_run(const sim_sky *sky, const sim_setup *setup);
void sim_report_clear(sim_report *r);

/* Does the row belong to the answer of the whole query? */
bool sim_belongs(const sim_sky *sky, const hal_service *service, const sim_row *r);

double sim_random(uint64_t *state); /* [0, 1) */

#endif
