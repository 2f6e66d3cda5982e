/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/names.h"

#include "base/alloc.h"

void hal_names_clear(hal_names *names)
{
    hal_free(names->slots);
    *names = (hal_names){0};
}

/* The slot that holds `name` or is free for it. */
static uint32_t *slot_of(const hal_names *names, hal_name_of name_of, const void *list,
                         hal_slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.size_bytes; i++)
        h = (h ^ (unsigned char)name.data[i]) * 16777619u;
    size_t at = h & (names->n_slots - 1);
    while (names->slots[at] && !hal_slice_equals(name_of(list, names->slots[at] - 1), name))
        at = (at + 1) & (names->n_slots - 1);
    return &names->slots[at];
}

size_t hal_names_find(const hal_names *names, hal_name_of name_of, const void *list, hal_slice name)
{
    uint32_t number = names->n_slots ? *slot_of(names, name_of, list, name) : 0;
    return number ? number - 1 : SIZE_MAX;
}

hal_status hal_names_add(hal_names *names, hal_name_of name_of, const void *list, size_t i,
                         hal_err *err)
{
    if (2 * (names->n + 1) > names->n_slots) {
        hal_names grown = {.n_slots = names->n_slots ? 2 * names->n_slots : 64, .n = names->n};
        grown.slots = hal_calloc(grown.n_slots, sizeof *grown.slots);
        if (!grown.slots)
            return hal_err_nomem(err, grown.n_slots * sizeof *grown.slots);
        for (size_t k = 0; k < names->n_slots; k++)
            if (names->slots[k])
                *slot_of(&grown, name_of, list, name_of(list, names->slots[k] - 1)) =
                    names->slots[k];
        hal_free(names->slots);
        *names = grown;
    }
    *slot_of(names, name_of, list, name_of(list, i)) = (uint32_t)i + 1;
    names->n++;
    return HAL_OK;
}
