/* SPDX-License-Identifier: BSD-3-Clause */
/* The planner on simulated skies against the targets of the tiling design, section 11: means over
 * several skies of each kind, because one sky says little (requests on the rough ones scatter by
 * 5 %). Usage: bench_tiling [scale [skies]]; scale 1 is the design's million rows. */
#include "../tests/unit/support/sim.c"

#include <stdio.h>

typedef struct target {
    const char *sky;
    double boxes, boxes_plus, cones, cones_plus, boxes_moved, cones_moved, over;
} target;

static const target targets[7] = {
    {"even", 1.6, 5, 3.2, 5, 1.02, 1.8, 0.03},   {"plane", 3.6, 5, 5.8, 5, 1.02, 1.8, 0.15},
    {"clumpy", 3.6, 5, 5.8, 5, 1.02, 1.8, 0.15}, {"globular", 0, 0, 7.5, 0, 1.2, 2.05, 0.15},
    {"polar", 1.6, 5, 3.2, 5, 1.2, 2.05, 0.03},  {"wrap", 1.6, 5, 3.2, 5, 1.2, 2.05, 0.03},
    {"empty", 1, 0, 1, 0, 1.02, 1.8, 0},
};

typedef struct sums {
    double lb, requests, requests_most, over, probes, moved, needed, planning_s, worst_s;
    double span_s[3]; /* windows 1, 4, 8 */
    bool exact, same_asks;
} sums;

static void measure(sums *sum, const sim_sky *sky, uint64_t cap, bool boxes, uint64_t seed)
{
    static const int windows[3] = {1, 4, 8};
    uint64_t asks = 0;
    for (int k = 0; k < 3; k++) {
        sim_setup setup = {
            .service = {.takes_box = boxes,
                        .takes_cone = !boxes,
                        .over_is_slow = true,
                        .radius_decimals = -1,
                        .pos_quantum_deg = 1e-5,
                        .cap = cap + 1},
            .options = {.window = windows[k], .known_rows = -1, .requests_max = 100000},
            .seed = seed,
        };
        sim_report r = sim_run(sky, &setup);
        sum->span_s[k] += r.makespan_s;
        sum->exact = sum->exact && r.account.state == HAL_PLAN_COMPLETE && !r.n_lost &&
                     !r.n_twice && !r.n_foreign;
        sum->same_asks = sum->same_asks && (k == 0 || asks == r.ask_digest);
        asks = r.ask_digest;
        if (k == 1) {
            sum->lb += fmax(1.0, ceil((double)sky->n_inside / (double)cap));
            sum->requests += (double)r.account.requests;
            sum->requests_most = fmax(sum->requests_most, (double)r.account.requests);
            sum->over += (double)r.account.over;
            sum->probes += (double)r.account.probes;
            sum->moved += (double)r.moved;
            sum->needed += (double)sky->n_inside;
            sum->planning_s += r.planning_s;
            sum->worst_s = fmax(sum->worst_s, r.planning_worst_s);
        }
        sim_report_clear(&r);
    }
}

static bool print_line(const sums *s, const target *want, bool boxes, int n)
{
    double lb = s->lb / n;
    double most = boxes ? want->boxes * lb + want->boxes_plus : want->cones * lb + want->cones_plus;
    double moved = s->moved / s->needed, moved_most = boxes ? want->boxes_moved : want->cones_moved;
    double over = s->over / s->requests;
    bool good = s->exact && s->same_asks && (most <= 0 || s->requests / n <= most) &&
                moved <= moved_most && over <= want->over;
    printf("%-9s%-6s%5.0f  %5.2f %5.2f <%5.2f  %5.1f%% <%3.0f%%  %5.2f <%5.2f  %5.1f  "
           "%5.0f %4.0f %4.0f  %5.0f %6.0f  %s\n",
           want->sky, boxes ? "boxes" : "cones", lb, s->requests / s->lb, s->requests_most / lb,
           most / lb, 100 * over, 100 * want->over, moved, moved_most, s->probes / n,
           s->span_s[0] / n, s->span_s[1] / n, s->span_s[2] / n, 1e6 * s->planning_s / s->requests,
           1e6 * s->worst_s,
           !s->exact       ? "NOT EXACTLY ONCE"
           : !s->same_asks ? "ASKS DEPEND ON WINDOW"
           : good          ? "ok"
                           : "missed");
    return good;
}

int main(int argc, char **argv)
{
    double scale = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3, missed = 0;
    printf(
        "                    requests/LB            over          moved/needed   probes  makespan "
        "1/4/8     us/request\n"
        "sky      form     LB   mean worst target                                         "
        "                  mean  worst\n");
    for (int i = 0; i < 7; i++) {
        sums sum[2] = {{.exact = true, .same_asks = true}, {.exact = true, .same_asks = true}};
        uint64_t cap = (uint64_t)(10000 * (i == 6 ? 1.0 : scale));
        for (int k = 0; k < n; k++) {
            sim_sky *sky = sim_sky_new(targets[i].sky, scale, (uint64_t)k);
            measure(&sum[0], sky, cap, true, (uint64_t)k);
            measure(&sum[1], sky, cap, false, (uint64_t)k);
            sim_sky_free(sky);
        }
        missed += !print_line(&sum[0], &targets[i], true, n);
        missed += !print_line(&sum[1], &targets[i], false, n);
    }
    return missed ? 1 : 0;
}
