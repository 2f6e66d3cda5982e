/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim_sky.c"

#include "sky/healpix.h"

#include <stdio.h>

enum { SIM_WINDOW_MAX = 8, ASKS_MAX = 3000000 };

/* ---- the archive ---- */

typedef struct found {
    uint32_t *row;
    size_t n, cap;
} found;

static void found_add(found *f, size_t i)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 256;
        f->row = realloc(f->row, f->cap * sizeof *f->row);
        if (!f->row)
            abort();
    }
    f->row[f->n++] = (uint32_t)i;
}

static size_t first_at_or_after(const sim_sky *sky, int band, double ra)
{
    size_t lo = sky->band[band], hi = sky->band[band + 1];
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sky->row[mid].sel_ra < ra)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

typedef struct wanted {
    bool box;
    double ra_min, ra_max, dec_min, dec_max; /* closed */
    double v[3], chord2;
} wanted;

static bool matches(const wanted *w, const sim_row *r)
{
    if (w->box) {
        bool ra = w->ra_min <= w->ra_max ? r->sel_ra >= w->ra_min && r->sel_ra <= w->ra_max
                                         : r->sel_ra >= w->ra_min || r->sel_ra <= w->ra_max;
        return ra && r->sel_dec >= w->dec_min && r->sel_dec <= w->dec_max;
    }
    double x = w->v[0] - r->v[0], y = w->v[1] - r->v[1], z = w->v[2] - r->v[2];
    return x * x + y * y + z * z <= w->chord2;
}

static void select_range(const sim_sky *sky, const wanted *w, double ra_min, double ra_max,
                         found *f)
{
    for (int b = band_of(w->dec_min); b <= band_of(w->dec_max); b++)
        for (size_t i = first_at_or_after(sky, b, ra_min);
             i < sky->band[b + 1] && sky->row[i].sel_ra <= ra_max; i++)
            if (matches(w, &sky->row[i]))
                found_add(f, i);
}

static void select_by_place(const sim_sky *sky, const hal_ask *ask, double radius, found *f)
{
    wanted w = {.box = ask->as_box};
    if (w.box) {
        w.ra_min = ask->ra_min_deg;
        w.ra_max = ask->ra_max_deg;
        w.dec_min = ask->dec_min_deg;
        w.dec_max = ask->dec_max_deg;
    } else {
        hal_cone c = ask->cone;
        c.radius_deg = radius;
        double h = 2.0 * sin(c.radius_deg * RADIANS / 2.0);
        unit(c.ra_deg, c.dec_deg, w.v);
        w.chord2 = h * h;
        w.dec_min = c.dec_deg - c.radius_deg - 1e-9;
        w.dec_max = c.dec_deg + c.radius_deg + 1e-9;
        w.ra_min = 0.0;
        w.ra_max = 360.0;
        if (w.dec_min > -90.0 && w.dec_max < 90.0) {
            double half =
                asin(fmin(1.0, sin(c.radius_deg * RADIANS) / cos(c.dec_deg * RADIANS))) / RADIANS +
                1e-9;
            w.ra_min = hal_ra_canonical(c.ra_deg - half);
            w.ra_max = hal_ra_canonical(c.ra_deg + half);
        }
    }
    if (w.ra_min <= w.ra_max) {
        select_range(sky, &w, w.ra_min, w.ra_max, f);
    } else {
        select_range(sky, &w, w.ra_min, 360.0, f);
        select_range(sky, &w, 0.0, w.ra_max, f);
    }
}

bool sim_belongs(const sim_sky *sky, const hal_service *service, const sim_row *r)
{
    if (service->footprints)
        return hal_region_distance_deg(sky->region, r->sel_ra, r->sel_dec) <=
               (double)r->outline_deg;
    if (r->unplaced)
        return sky->all_sky;
    return hal_region_contains(sky->region, r->ra, r->dec);
}

static bool in_box(const hal_ask *a, const sim_row *r)
{
    bool ra = a->ra_min_deg <= a->ra_max_deg
                  ? r->sel_ra >= a->ra_min_deg && r->sel_ra <= a->ra_max_deg
                  : r->sel_ra >= a->ra_min_deg || r->sel_ra <= a->ra_max_deg;
    return !r->unplaced && ra && r->sel_dec >= a->dec_min_deg && r->sel_dec <= a->dec_max_deg;
}

/* What the archive selects by position, where the index of bands does not help. */
static bool selects(const sim_setup *setup, const hal_ask *a, double radius, const sim_row *r,
                    bool belongs)
{
    const hal_service *s = &setup->service;
    if (!s->footprints)
        return a->no_position ? r->unplaced : !s->takes_box && !s->takes_cone;
    if (a->by_key)
        return hal_separation_deg(a->cone.ra_deg, a->cone.dec_deg, r->sel_ra, r->sel_dec) <=
               radius + (double)r->outline_deg;
    if (!belongs)
        return false;
    if (a->no_position)
        return r->unplaced;
    return a->whole || setup->ignores_centre || in_box(a, r);
}

static bool in_range(const hal_ask_range *range, const sim_row *r)
{
    double value = range->column == 1 ? r->sel_value : r->other[range->column - 2];
    return range->is_null ? isnan(value) : value >= range->min && value <= range->max;
}

static bool value_selected(const hal_ask *a, const sim_row *r)
{
    hal_ask_range own = {a->column, a->column_null, a->column_min, a->column_max, 0, 0};
    bool selected = a->column == 0 || in_range(&own, r);
    for (int i = 0; i < a->n_outer; i++)
        selected = selected && in_range(&a->outer[i], r);
    return selected;
}

static bool value_owned(const hal_ask *a, const sim_row *r)
{
    double own = a->column > 1 ? r->other[a->column - 2] : r->value;
    bool owned = hal_ask_owns_value(a, own, isnan(own));
    for (int i = 0; i < a->n_outer; i++) {
        double value = a->outer[i].column == 1 ? r->value : r->other[a->outer[i].column - 2];
        owned = owned && hal_ask_outer_owns(a, i, value, isnan(value));
    }
    return owned;
}

static void archive_select(const sim_sky *sky, const sim_setup *setup, const unsigned char *belongs,
                           const hal_ask *ask, found *f)
{
    const hal_service *s = &setup->service;
    double radius = ask->cone.radius_deg, scale = pow(10.0, setup->radius_floor);
    if (setup->radius_floor > 0)
        radius = floor(radius * scale * (1.0 + 1e-12)) / scale;
    f->n = 0;
    if (s->footprints || ask->no_position || (!s->takes_box && !s->takes_cone)) {
        for (size_t i = 0; i < sky->n_row; i++)
            if (selects(setup, ask, radius, &sky->row[i], belongs[i]))
                found_add(f, i);
    } else {
        select_by_place(sky, ask, radius, f);
        if (ask->whole && sky->all_sky) /* no condition at all */
            for (size_t i = sky->band[BANDS]; i < sky->n_row; i++)
                found_add(f, i);
    }
    size_t n = 0;
    for (size_t k = 0; k < f->n; k++)
        if (value_selected(ask, &sky->row[f->row[k]]))
            f->row[n++] = f->row[k];
    f->n = n;
}

/* ---- the driver ---- */

static double beyond(const hal_ask *ask, const sim_row *r)
{
    if (!ask->as_box)
        return fmax(0.0, hal_separation_deg(ask->cone.ra_deg, ask->cone.dec_deg, r->ra, r->dec) -
                             ask->cone.radius_deg);
    double dec = fmax(0.0, fmax(ask->dec_min_deg - r->dec, r->dec - ask->dec_max_deg));
    double ra = hal_ra_canonical(r->ra), lo = ask->ra_min_deg, hi = ask->ra_max_deg;
    if (lo <= hi ? ra >= lo && ra <= hi : ra >= lo || ra <= hi)
        return dec;
    double west = hal_ra_canonical(lo - ra), east = hal_ra_canonical(ra - hi);
    return hypot(dec, fmin(west, east) * cos(r->dec * RADIANS));
}

typedef struct flight {
    hal_ask ask;
    double until_s;
    bool fault, busy, refused;
} flight;

typedef struct run {
    const sim_sky *sky;
    const sim_setup *setup;
    hal_plan *plan;
    sim_report *report;
    unsigned char *belongs; /* per row: sim_belongs */
    found found;
    struct page {
        uint64_t series;
        int64_t last; /* key */
    } * page;
    int n_page;
    struct issue {
        uint64_t ask; /* its hash; 0: free */
        uint64_t n;
    } * issued; /* hash table, at most half full */
    size_t n_issued, issued_cap;
    flight flight[SIM_WINDOW_MAX];
    int n_flight;
    double now_s;
    uint64_t random;
} run;

static int64_t ns(double s)
{
    return (int64_t)(s * 1e9);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    return (h ^ x) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
}

static uint64_t ask_hash(const hal_ask *a)
{
    uint64_t h = 0, part[11] = {(uint64_t)a->kind,        (uint64_t)a->attempt,
                                (uint64_t)a->tile.ra,     (uint64_t)a->tile.width,
                                (uint64_t)a->tile.dec_lo, (uint64_t)a->tile.dec_hi};
    memcpy(&part[6], &a->cone.ra_deg, 8);
    memcpy(&part[7], &a->cone.radius_deg, 8);
    memcpy(&part[8], &a->column_lo, 8);
    memcpy(&part[9], &a->column_hi, 8);
    part[10] =
        (uint64_t)a->page * 100 + (uint64_t)a->order * 4 + a->no_position * 2 + a->column_null;
    for (int i = 0; i < 11; i++)
        h = mix(h, part[i]);
    for (int i = 0; i < a->n_outer; i++) {
        memcpy(&part[0], &a->outer[i].lo, 8);
        memcpy(&part[1], &a->outer[i].hi, 8);
        h = mix(mix(h, part[0]), part[1] + (uint64_t)a->outer[i].column);
    }
    return h;
}

static struct issue *issue_of(run *t, uint64_t ask)
{
    size_t k = ask & (t->issued_cap - 1);
    while (t->issued[k].ask && t->issued[k].ask != ask)
        k = (k + 1) & (t->issued_cap - 1);
    return &t->issued[k];
}

/* How many times this ask was issued before. */
static uint64_t times_issued(run *t, uint64_t ask)
{
    if (2 * t->n_issued >= t->issued_cap) {
        struct issue *old = t->issued;
        size_t n = t->issued_cap;
        t->issued_cap = n ? 2 * n : 256;
        t->issued = calloc(t->issued_cap, sizeof *t->issued);
        if (!t->issued)
            abort();
        for (size_t k = 0; k < n; k++)
            if (old[k].ask)
                *issue_of(t, old[k].ask) = old[k];
        free(old);
    }
    struct issue *i = issue_of(t, ask);
    t->n_issued += i->ask == 0;
    i->ask = ask;
    return i->n++;
}

static uint64_t archive_cap(const sim_setup *s)
{
    return s->archive_cap ? s->archive_cap : s->service.cap - 1;
}

static void depart(run *t, const hal_ask *ask)
{
    flight *f = &t->flight[t->n_flight++];
    *f = (flight){.ask = *ask};
    uint64_t ask_id = ask_hash(ask), own = 0;
    t->report->ask_digest = mix(t->report->ask_digest, ask_id);
    t->report->ask_set += ask_id * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t *dice = &t->random;
    if (t->setup->faults_by_ask) {
        own = mix(mix(t->setup->seed, ask_id), times_issued(t, ask_id));
        dice = &own;
    }
    f->fault = sim_random(dice) < t->setup->fault_rate ||
               (t->now_s >= t->setup->outage_from_s && t->now_s < t->setup->outage_to_s);
    f->busy = t->setup->busy_rate > 0.0 && sim_random(dice) < t->setup->busy_rate;
    f->refused = t->setup->refuse_rate > 0.0 && sim_random(dice) < t->setup->refuse_rate;
    if (!ask->as_box)
        t->report->radius_most_deg = fmax(t->report->radius_most_deg, ask->cone.radius_deg);
    if (t->n_flight > t->report->in_flight_most)
        t->report->in_flight_most = t->n_flight;
    double took = 0.5, over_s = t->setup->over_s > 0.0 ? t->setup->over_s : 2.0;
    if (ask->kind == HAL_ASK_HISTOGRAM) {
        took = 2.0;
    } else if (ask->kind != HAL_ASK_COUNT && !f->fault && !f->busy && !f->refused) {
        archive_select(t->sky, t->setup, t->belongs, ask, &t->found);
        took = t->found.n > archive_cap(t->setup)
                   ? over_s
                   : 1.0 + (double)t->found.n / (double)archive_cap(t->setup);
    }
    if (t->setup->latency_s > 0.0)
        took += t->setup->latency_s * sim_random(&t->random);
    f->until_s = t->now_s + took;
}

/* Is the row of an answer this ask's to keep? The contract of plan.h. */
static bool is_mine(const run *t, const hal_ask *a, const sim_row *r, size_t i)
{
    const hal_service *s = &t->setup->service;
    if (!value_owned(a, r))
        return false;
    if (a->by_key && !a->no_position)
        return t->report->kept[i] == 0 && t->belongs[i];
    if (r->unplaced)
        return a->no_position || (a->whole && t->belongs[i]);
    if (a->no_position || !hal_tile_owns(&a->tile, r->ra, r->dec))
        return false;
    return s->footprints || t->belongs[i];
}

static const sim_row *sorted_rows;

static int by_key(const void *a, const void *b)
{
    uint32_t x = sorted_rows[*(const uint32_t *)a].key, y = sorted_rows[*(const uint32_t *)b].key;
    return (x > y) - (x < y);
}

/* Leaves the ask's page of what was found, and of a full one whose keys repeat not the last key.
 * Returns how many rows the archive sent. */
static size_t turn_page(run *t, const hal_ask *a, int64_t *last)
{
    found *f = &t->found;
    bool unique = t->setup->service.key_unique;
    int k = 0;
    while (k < t->n_page && t->page[k].series != a->series)
        k++;
    int64_t from = a->page > 1 && k < t->n_page ? t->page[k].last : -1;
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        int64_t key = t->sky->row[f->row[i]].key;
        if (unique ? key > from : key >= from)
            f->row[n++] = f->row[i];
    }
    f->n = n;
    *last = from;
    if (t->setup->over != SIM_TRUNCATE && n > archive_cap(t->setup) &&
        a->page_rows > archive_cap(t->setup))
        return n; /* larger pages are answers too large */
    sorted_rows = t->sky->row;
    if (n)
        qsort(f->row, n, sizeof *f->row, by_key);
    uint64_t most = archive_cap(t->setup) < a->page_rows ? archive_cap(t->setup) : a->page_rows;
    f->n = n < most ? n : (size_t)most;
    size_t sent = f->n;
    *last = sent ? t->sky->row[f->row[sent - 1]].key : from;
    if (!unique && hal_plan_page_is_full(t->plan, a->id, sent))
        while (f->n > 0 && t->sky->row[f->row[f->n - 1]].key == *last)
            f->n--;
    return sent;
}

static void page_turned(run *t, const hal_ask *a, int64_t last)
{
    int k = 0;
    while (k < t->n_page && t->page[k].series != a->series)
        k++;
    if (k == t->n_page) {
        t->page = realloc(t->page, (size_t)++t->n_page * sizeof *t->page);
        if (!t->page)
            abort();
    }
    t->page[k].series = a->series;
    t->page[k].last = last;
}

static void deliver(run *t, const hal_ask *ask)
{
    hal_err err = HAL_ERR_INIT;
    found *f = &t->found;
    uint64_t most = archive_cap(t->setup);
    double overshoot = 0.0;
    int64_t last_key = -1;
    if (t->setup->ignores_region) {
        f->n = 0;
        for (size_t i = 0; i < t->sky->n_row; i++)
            found_add(f, i);
    }
    size_t sent = f->n;
    if (ask->page > 0)
        sent = turn_page(t, ask, &last_key);
    else if (f->n > most && t->setup->over == SIM_TRUNCATE)
        f->n = sent = most;
    if (sent > most) {
        hal_verdict v = t->setup->over == SIM_FLAG ? HAL_VERDICT_OVER : HAL_VERDICT_AMBIGUOUS;
        if (hal_plan_failed(t->plan, ask->id, v, ns(t->now_s), NULL, &err))
            abort();
        return;
    }
    bool placed = !ask->no_position && !(t->setup->service.footprints && !ask->by_centre) &&
                  (t->setup->service.takes_box || t->setup->service.takes_cone);
    size_t n_mine = 0;
    for (size_t k = 0; k < f->n; k++) {
        const sim_row *r = &t->sky->row[f->row[k]];
        if (placed && !r->unplaced)
            overshoot = fmax(overshoot, beyond(ask, r));
        if (is_mine(t, ask, r, f->row[k]))
            f->row[n_mine++] = f->row[k];
    }
    bool accepted;
    t->report->moved += sent;
    if (t->setup->tells_rounding && sent > 0 &&
        hal_plan_printed(t->plan, t->setup->printed_deg, &err)) {
        t->report->error = err;
        return;
    }
    if (hal_plan_complete(t->plan, ask->id, sent, n_mine, overshoot, &accepted, &err)) {
        t->report->error = err;
        return;
    }
    if (accepted && ask->page > 0)
        page_turned(t, ask, last_key);
    for (size_t k = 0; accepted && k < n_mine; k++) {
        unsigned char *n = &t->report->kept[f->row[k]];
        *n = (unsigned char)(*n + (*n < 255));
    }
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* One step of the plan took so long. */
static void planned(run *t, double took_s)
{
    t->report->planning_s += took_s;
    t->report->planning_worst_s = fmax(t->report->planning_worst_s, took_s);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Rows by cell, cut at the archive's cap like any answer. */
static void count_cells(run *t, const hal_ask *ask)
{
    found *f = &t->found;
    uint64_t *cell = calloc(f->n + 1, sizeof *cell);
    hal_plan_cell *cells = calloc(f->n + 1, sizeof *cells);
    hal_err err = HAL_ERR_INIT;
    size_t n = 0, n_placed = 0;
    if (!cell || !cells)
        abort();
    for (size_t k = 0; k < f->n; k++) {
        const sim_row *r = &t->sky->row[f->row[k]];
        if (!r->unplaced)
            cell[n_placed++] = hal_healpix_index(ask->order, r->sel_ra, r->sel_dec);
    }
    if (n_placed)
        qsort(cell, n_placed, sizeof *cell, by_number);
    for (size_t k = 0; k < n_placed; k++) {
        if (n == 0 || cells[n - 1].index != cell[k])
            cells[n++].index = cell[k];
        cells[n - 1].rows++;
    }
    enum { PIECE = 4096 };
    bool of_part = t->setup->part_cells_most && !ask->whole;
    uint64_t most = of_part ? t->setup->part_cells_most : archive_cap(t->setup);
    bool over = n > most, says = t->setup->over == SIM_FLAG;
    if (over && t->setup->over == SIM_TRUNCATE)
        n = most;
    hal_verdict v = says ? HAL_VERDICT_OVER : HAL_VERDICT_AMBIGUOUS;
    bool fails = over && t->setup->over != SIM_TRUNCATE;
    for (size_t k = 0; k < n && !fails; k += PIECE) {
        double from = cpu_s();
        if (hal_plan_cells(t->plan, ask->id, &cells[k], n - k < PIECE ? n - k : PIECE, &err))
            abort();
        planned(t, cpu_s() - from);
    }
    if (fails ? hal_plan_failed(t->plan, ask->id, v, ns(t->now_s), NULL, &err)
              : hal_plan_histogram(t->plan, ask->id, &err))
        abort();
    free(cell);
    free(cells);
}

static void arrive(run *t)
{
    int k = 0;
    for (int i = 1; i < t->n_flight; i++)
        if (t->flight[i].until_s < t->flight[k].until_s)
            k = i;
    if (t->setup->shuffle)
        k = (int)(sim_random(&t->random) * t->n_flight);
    flight f = t->flight[k];
    t->flight[k] = t->flight[--t->n_flight];
    t->now_s = fmax(t->now_s, f.until_s);
    hal_err err = HAL_ERR_INIT;
    if (f.fault) {
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_AMBIGUOUS, ns(t->now_s), NULL, &err))
            abort();
        return;
    }
    if (f.busy || f.refused) {
        hal_err why = HAL_ERR_INIT;
        hal_err_set(&why, f.busy ? HAL_E_BUSY : HAL_E_NETWORK, f.busy ? "429" : "refused");
        why.retry_after_s = f.busy ? 7.0 : 0.0;
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_TRANSIENT, ns(t->now_s), &why, &err))
            abort();
        return;
    }
    const sim_setup *setup = t->setup;
    bool at_work = setup->stalls && hal_tile_owns(&f.ask.tile, setup->stalls_ra, setup->stalls_dec);
    if (at_work && f.ask.kind == HAL_ASK_FETCH) {
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_STALLED, ns(t->now_s), NULL, &err))
            abort();
        return;
    }
    archive_select(t->sky, t->setup, t->belongs, &f.ask, &t->found);
    bool too_wide = setup->counts_most_deg > 0.0 && f.ask.cone.radius_deg > setup->counts_most_deg;
    bool no_cells = t->setup->no_cells || (t->setup->no_parts_by_cell && !f.ask.whole);
    if (f.ask.kind == HAL_ASK_HISTOGRAM && no_cells) {
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_FATAL, ns(t->now_s), NULL, &err))
            abort();
    } else if (f.ask.kind == HAL_ASK_HISTOGRAM)
        count_cells(t, &f.ask);
    else if (f.ask.kind != HAL_ASK_COUNT)
        deliver(t, &f.ask);
    else if (t->setup->no_counting || too_wide) {
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_AMBIGUOUS, ns(t->now_s), NULL, &err))
            abort();
    } else if (hal_plan_counted(t->plan, f.ask.id, t->found.n + t->setup->counts_too_many, &err))
        abort();
}

static hal_next timed_next(run *t, hal_ask *ask, int64_t *until_ns)
{
    double from = cpu_s();
    hal_next next = hal_plan_next(t->plan, ns(t->now_s), ask, until_ns);
    double took = cpu_s() - from;
    planned(t, took);
    return next;
}

sim_report sim_run(const sim_sky *sky, const sim_setup *setup)
{
    sim_report report = {.error = HAL_ERR_INIT};
    hal_err err = HAL_ERR_INIT;
    run t = {.sky = sky, .setup = setup, .report = &report, .random = setup->seed + 1};
    report.kept = calloc(sky->n_row + 1, 1);
    t.plan = hal_plan_new(&setup->service, sky->region, &setup->options, &err);
    t.belongs = calloc(sky->n_row + 1, 1);
    if (!t.plan || !report.kept || !t.belongs)
        abort();
    for (size_t i = 0; i < sky->n_row; i++)
        t.belongs[i] =
            setup->belongs ? setup->belongs[i] : sim_belongs(sky, &setup->service, &sky->row[i]);
    hal_buf text;
    hal_buf_init(&text, sizeof report.explained);
    if (hal_plan_explain(t.plan, &text, &err))
        abort();
    snprintf(report.explained, sizeof report.explained, "%s", hal_buf_text(&text));
    hal_buf_clear(&text);
    hal_next next;
    hal_ask ask;
    int64_t until_ns;
    while ((next = timed_next(&t, &ask, &until_ns)) != HAL_NEXT_DONE) {
        if (next == HAL_NEXT_ASK) {
            if (t.n_flight == SIM_WINDOW_MAX || report.account.requests++ > ASKS_MAX) {
                report.broken = "asks without end";
                break;
            }
            depart(&t, &ask);
        } else if (t.n_flight > 0) {
            arrive(&t);
        } else if (until_ns == INT64_MAX) {
            report.broken = "waits for nothing";
            break;
        } else {
            t.now_s = (double)(until_ns + 1) * 1e-9;
            report.n_waited++;
        }
    }
    report.makespan_s = t.now_s;
    hal_plan_account(t.plan, &report.account);
    if (hal_plan_error(t.plan, &err))
        report.error = err;
    const char *why;
    hal_tile tile;
    while (hal_plan_stuck(t.plan, report.n_stuck, &tile, &why)) {
        if (report.n_stuck < sizeof report.stuck / sizeof *report.stuck)
            report.stuck[report.n_stuck] = tile;
        report.n_stuck++;
    }
    const char *finding;
    for (size_t i = 0; (finding = hal_plan_finding(t.plan, i)); i++) {
        size_t at = strlen(report.findings);
        snprintf(report.findings + at, sizeof report.findings - at, "%s\n", finding);
    }
    report.n_density =
        hal_plan_densities(t.plan, report.density, sizeof report.density / sizeof *report.density);
    for (size_t i = 0; i < sky->n_row; i++) {
        bool inside = t.belongs[i];
        report.n_unplaced_kept += sky->row[i].unplaced && report.kept[i];
        report.n_in_region += inside;
        report.n_lost += inside && report.kept[i] == 0;
        report.n_twice += report.kept[i] > 1;
        report.n_foreign += !inside && report.kept[i];
        report.kept_digest = mix(report.kept_digest, report.kept[i]);
    }
    report.n_leaf = hal_plan_leaves(t.plan, NULL, 0);
    report.leaf = calloc(report.n_leaf + 1, sizeof *report.leaf);
    if (!report.leaf)
        abort();
    hal_plan_leaves(t.plan, report.leaf, report.n_leaf);
    hal_plan_free(t.plan);
    free(t.found.row);
    free(t.belongs);
    free(t.page);
    free(t.issued);
    return report;
}

void sim_report_clear(sim_report *r)
{
    free(r->kept);
    free(r->leaf);
    r->kept = NULL;
    r->leaf = NULL;
}
