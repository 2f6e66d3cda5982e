/* SPDX-License-Identifier: BSD-3-Clause */
/* LibYAML as a table of functions, loaded at first use: a start that reads no ECSV does not pay for
 * it. Only its header is used to build. Private to this folder. */
#ifndef HAL_DATA_YAML_LIB_H
#define HAL_DATA_YAML_LIB_H

#include "base/status.h"

#include <yaml.h>

typedef struct hal_yaml {
    int (*initialize)(yaml_parser_t *parser);
    void (*set_input)(yaml_parser_t *parser, const unsigned char *text, size_t n);
    int (*parse)(yaml_parser_t *parser, yaml_event_t *event);
    void (*delete_event)(yaml_event_t *event);
    void (*delete_parser)(yaml_parser_t *parser);
} hal_yaml;

/** NULL and HAL_E_IO naming the package when the library is missing. */
const hal_yaml *hal_yaml_load(hal_err *err);

#endif
