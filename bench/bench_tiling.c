/* SPDX-License-Identifier: BSD-3-Clause */
/* The planner on simulated skies against the targets of the tiling design, section 11. Usage:
 * bench_tiling [scale], 1 for the design's million rows. */
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

static int report_line(const sim_sky *sky, const target *want, bool boxes, double scale)
{
    sim_setup setup = {
        .service = {.takes_box = boxes,
                    .takes_cone = !boxes,
                    .over_is_slow = true,
                    .radius_decimals = -1,
                    .pos_quantum_deg = 1e-5,
                    .cap = (uint64_t)(10000 * scale) + 1},
        .options = {.window = 4, .known_rows = -1, .requests_max = 100000},
        .seed = 1,
    };
    sim_report r = sim_run(sky, &setup);
    double span[3] = {0, r.makespan_s, 0};
    for (int k = 0; k < 3; k += 2) {
        setup.options.window = k ? 8 : 1;
        sim_report other = sim_run(sky, &setup);
        span[k] = other.makespan_s;
        if (other.ask_digest != r.ask_digest)
            printf("window %d asks otherwise!\n", setup.options.window);
        sim_report_clear(&other);
    }
    double lb = ceil((double)sky->n_inside / (double)(setup.service.cap - 1));
    lb = lb < 1 ? 1 : lb;
    double most = boxes ? want->boxes * lb + want->boxes_plus : want->cones * lb + want->cones_plus;
    double moved = (double)r.moved / (double)sky->n_inside;
    double moved_most = boxes ? want->boxes_moved : want->cones_moved;
    double over = (double)r.account.over / (double)r.account.requests;
    /* The unsplit first question is over by nature; the limit is for the ones after it. */
    bool good = (most <= 0 || (double)r.account.requests <= most) && moved <= moved_most &&
                over <= want->over + 1e-9 + 1.0 / (double)r.account.requests && !r.n_lost &&
                !r.n_twice && !r.n_foreign && r.account.state == HAL_PLAN_COMPLETE;
    printf("%-9s %-5s %4.0f  %5.2f (%5.2f)  %4.1f%% (%2.0f%%)  %4.2f (%4.2f)  %3d %3d  "
           "%4.0f %4.0f %4.0f  %6.1f %7.1f  %s\n",
           sky->name, boxes ? "boxes" : "cones", lb, (double)r.account.requests / lb, most / lb,
           100 * over, 100 * want->over, moved, moved_most, (int)r.account.over,
           (int)r.account.probes, span[0], span[1], span[2],
           1e6 * r.planning_s / (double)r.account.requests, 1e6 * r.planning_worst_s,
           good ? "ok" : "MISSED");
    sim_report_clear(&r);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    double scale = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    int missed = 0;
    printf("sky       form    LB  requests/LB    over          moved/needed  ovr prb  makespan "
           "1/4/8   us/request: mean, worst\n");
    for (int i = 0; i < 7; i++) {
        sim_sky *sky = sim_sky_new(targets[i].sky, scale);
        missed += report_line(sky, &targets[i], true, scale);
        missed += report_line(sky, &targets[i], false, scale);
        sim_sky_free(sky);
    }
    return missed ? 1 : 0;
}
