/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/yaml_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static hal_yaml yaml;
static char why[256];

static void load(void)
{
    const struct {
        const char *name;
        void *slot;
    } entries[] = {
        {"yaml_parser_initialize", &yaml.initialize},
        {"yaml_parser_set_input_string", &yaml.set_input},
        {"yaml_parser_parse", &yaml.parse},
        {"yaml_event_delete", &yaml.delete_event},
        {"yaml_parser_delete", &yaml.delete_parser},
    };
    void *lib = dlopen("libyaml-0.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, sizeof why, "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(lib, entries[i].name);
        if (symbol)
            memcpy(entries[i].slot, &symbol, sizeof symbol); /* POSIX dlsym */
        else
            snprintf(why, sizeof why, "libyaml-0.so.2 has no function %s", entries[i].name);
    }
}

const hal_yaml *hal_yaml_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!why[0])
        return &yaml;
    hal_err_set(err, HAL_E_IO, "the YAML library is missing: %s; install package libyaml-0-2", why);
    return NULL;
}
