/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes with a request and shows nowhere else (security model 6.4): credentials are added by
 * the engine, for the host they are meant for, and struck out of whatever comes back. Knows no
 * archive. */
#ifndef HAL_NET_SECRET_H
#define HAL_NET_SECRET_H

#include "base/status.h"

enum {
    HAL_SECRETS_MAX = 8,
    HAL_SECRET_FORMS_MAX = 7 * HAL_SECRETS_MAX,
    HAL_SECRET_TEXT_MIN = 4,  /* shorter ones cannot be told from other text */
    HAL_SECRET_DATA_MIN = 16, /* shorter ones could be data by chance */
};

/** {0}: none. Whoever hands it to a request keeps it for the call only. */
typedef struct hal_secrets {
    const char *authorization; /* of this header, on the first origin only; NULL: none */
    /** The secret texts themselves, as they are and as they are sent. */
    const char *values[HAL_SECRETS_MAX];
    size_t n_values;
    const char *forms[HAL_SECRET_FORMS_MAX]; /* of hal_secrets_add_forms */
    size_t n_forms;
    bool in_body;       /* some stand in the request's body: it goes to its origin or nowhere */
    const char *remedy; /* how to give a credential, for a 401 or 403; static; NULL: none */
    /** Whether they may be sent there; otherwise the header is left out, and a body that holds some
     * is refused. */
    bool (*may_go)(void *ctx, const char *host, int port, bool https);
    void *ctx;
} hal_secrets;

hal_status hal_secrets_copy(hal_secrets *out, const hal_secrets *in, hal_err *err) HAL_MUST_CHECK;
/** Adds how the values look URL-encoded and in base64, for hal_secrets_hide in texts. */
hal_status hal_secrets_add_forms(hal_secrets *s, hal_err *err) HAL_MUST_CHECK;
/** Overwrites and frees what hal_secrets_copy made. */
void hal_secrets_wipe(hal_secrets *s);
/** Overwrites every occurrence of a secret of at least `size_min` bytes with asterisks, with
 * HAL_SECRET_TEXT_MIN those of its forms too. So many of
 * the last bytes may be the beginning of one that goes on behind them. */
size_t hal_secrets_hide(const hal_secrets *s, char *bytes, size_t n, size_t size_min);

#endif
