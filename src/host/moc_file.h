/* SPDX-License-Identifier: BSD-3-Clause */
/* MOCs as bytes of files: ASCII, JSON, FITS (MOC 2.0 section 4; those of MOC 1.1 are read). */
#ifndef HAL_HOST_MOC_FILE_H
#define HAL_HOST_MOC_FILE_H

#include "sky/moc.h"

typedef enum hal_moc_form { HAL_MOC_ASCII, HAL_MOC_JSON, HAL_MOC_FITS } hal_moc_form;

enum { HAL_MOC_FILE_MAX = 256 << 20 };

/** By the ending: .txt .moc .ascii, .json, .fits .fit. HAL_E_USAGE lists them. */
hal_status hal_moc_form_of_path(hal_moc_form *out, const char *path, hal_err *err) HAL_MUST_CHECK;
/** The form is told by the first bytes; FITS also compressed with gzip or zstd. FITS: the first
 * binary table, whose only column, or the one named UNIQ or RANGE, has numbers of cells
 * (ORDERING = 'NUNIQ') or borders of ranges at order 29 ('RANGE'). Maps of time and of other frames
 * than ICRS are refused. HAL_E_USAGE, HAL_E_INTEGRITY, HAL_E_BUDGET, HAL_E_NOMEM. */
hal_moc *hal_moc_decode(hal_slice bytes, hal_err *err);
/** FITS as NUNIQ, the one form that MOC 2.0 has for maps of space. */
hal_status hal_moc_encode(const hal_moc *m, hal_moc_form form, hal_buf *out,
                          hal_err *err) HAL_MUST_CHECK;

#endif
