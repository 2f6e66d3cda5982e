/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/yaml_lib.h"

#include "base/library.h"

#include <pthread.h>

static hal_yaml yaml;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
        {"yaml_parser_initialize", &yaml.initialize},
        {"yaml_parser_set_input_string", &yaml.set_input},
        {"yaml_parser_parse", &yaml.parse},
        {"yaml_event_delete", &yaml.delete_event},
        {"yaml_parser_delete", &yaml.delete_parser},
        {0},
    };
    hal_library_load("libyaml-0.so.2", symbols, why, sizeof why);
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
