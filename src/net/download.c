/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/download.h"

#include "net/loop_impl.h"

void hal_downloads_cancel(hal_loop *loop)
{
    (void)loop;
}
