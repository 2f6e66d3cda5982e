/* SPDX-License-Identifier: BSD-3-Clause */
/* Angles and positions: spellings to degrees, separations. Degrees at every boundary, ICRS. */
#ifndef HAL_SKY_ANGLE_H
#define HAL_SKY_ANGLE_H

#include "base/slice.h"
#include "base/status.h"

/** Reads "12 arcmin", "0.5deg", "30\"", "1h30m", "1d20m30s", "90" (with `default_unit`, e.g. "deg";
 * NULL: a bare number is an error naming the units) into degrees. Units: deg d ° arcmin ' arcsec "
 * mas rad h hourangle m s (after h or d). Locale-independent. Fails with HAL_E_USAGE. */
hal_status hal_angle_parse(double *out_deg, hal_slice text, const char *default_unit,
                           hal_err *err) HAL_MUST_CHECK;

/** Reads "52.5 -27.4", "52.5, -27.4", "13:26:47.28 -47:28:46.1", "13 26 47.28 -47 28 46.1",
 * "13h26m47.28s -47d28m46.1s"; "J2000 ..." is refused. ra in [0, 360), dec in [-90, 90], degrees,
 * ICRS. Fails with HAL_E_USAGE; a text that does not look like a position (a name) fails with
 * HAL_E_NOT_FOUND. */
hal_status hal_position_parse(double *ra_deg, double *dec_deg, hal_slice text,
                              hal_err *err) HAL_MUST_CHECK;

/** ra to [0, 360): canon() of the tiling design, section 3. -0.0 and -1e-20 become 0; NaN stays
 * NaN. */
double hal_ra_canonical(double ra_deg);

/** Great-circle separation in degrees, haversine; accurate at all separations up to 180. */
double hal_separation_deg(double ra1_deg, double dec1_deg, double ra2_deg, double dec2_deg);

#endif
