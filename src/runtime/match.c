/* SPDX-License-Identifier: BSD-3-Clause */
/* Two files through a positional match into a third. */
#include "runtime/match.h"

#include "sky/angle.h"

#include <string.h>
#include <unistd.h>

static hal_status read_job(hal_pairing *p, const hal_match_job *job, hal_err *err)
{
    if (!job->left || !job->right || !job->radius)
        return hal_err_set(err, HAL_E_USAGE,
                           "a match needs two files and a radius: --radius 1arcsec");
    if (!strcmp(job->left, "-") && !strcmp(job->right, "-"))
        return hal_err_set(err, HAL_E_USAGE, "only one of the two tables can be standard input");
    p->radius = job->radius;
    p->other_radius = job->radius2;
    p->ra[0] = job->ra1;
    p->dec[0] = job->dec1;
    p->ra[1] = job->ra2;
    p->dec[1] = job->dec2;
    p->pm[0] = job->pm1;
    p->pm[1] = job->pm2;
    p->epoch[0] = job->epoch1;
    p->epoch[1] = job->epoch2;
    p->at = job->at;
    p->how = job->how;
    p->match.n_nearest = job->n_nearest;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    p->match.n_threads = cores > 1 ? (unsigned)cores : 1;
    /* what needs no table, before the files are read */
    if (hal_radius_is_angle(job->radius) &&
        hal_angle_parse(&p->match.radius_deg, hal_slice_of(job->radius), NULL, err))
        return hal_err_note(err, err->status, "--radius");
    return !job->mode ? HAL_OK : hal_match_mode_from_name(&p->match.mode, job->mode, err);
}

hal_status hal_match_files(const hal_match_job *job, hal_pairing_account *account,
                           const hal_file_watch *watch, hal_err *err)
{
    hal_pairing pairing = {.match.stop = watch->stop};
    hal_format to = HAL_FORMAT_CSV;
    const hal_file_input inputs[] = {
        {.path = job->left, .table = job->table1, .choice = "--table1 N"},
        {.path = job->right, .table = job->table2, .choice = "--table2 N"}};
    hal_table *left = NULL, *right = NULL, *both = NULL;
    hal_status st = read_job(&pairing, job, err);
    if (!st)
        st = hal_file_format(&to, job->out, job->to, err);
    if (!st)
        st = hal_file_read(&left, &inputs[0], watch, err);
    if (!st)
        st = hal_file_read(&right, &inputs[1], watch, err);
    if (!st && !(both = hal_table_match(left, right, &pairing, account, err)))
        st = err->status;
    hal_table_unref(left);
    hal_table_unref(right);
    if (!st)
        st = hal_file_write(both, job->out, to, watch, err);
    hal_table_unref(both);
    return st;
}
