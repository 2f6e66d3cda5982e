/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/expat_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static hal_expat expat;
static char why[256];

static void load(void)
{
    const struct {
        const char *name;
        void *slot;
        bool optional;
    } entries[] = {
        {"XML_ParserCreate_MM", &expat.create, false},
        {"XML_ParserFree", &expat.free, false},
        {"XML_SetUserData", &expat.set_user_data, false},
        {"XML_SetElementHandler", &expat.set_element_handler, false},
        {"XML_SetCharacterDataHandler", &expat.set_text_handler, false},
        {"XML_SetCdataSectionHandler", &expat.set_cdata_handler, false},
        {"XML_SetStartDoctypeDeclHandler", &expat.set_doctype_handler, false},
        {"XML_SetXmlDeclHandler", &expat.set_declaration_handler, false},
        {"XML_SetSkippedEntityHandler", &expat.set_skipped_handler, false},
        {"XML_Parse", &expat.parse, false},
        {"XML_StopParser", &expat.stop, false},
        {"XML_GetErrorCode", &expat.error_code, false},
        {"XML_ErrorString", &expat.error_string, false},
        {"XML_GetCurrentByteIndex", &expat.byte_index, false},
        {"XML_SetReparseDeferralEnabled", &expat.set_reparse_deferral, true},
    };
    void *lib = dlopen("libexpat.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, sizeof why, "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(lib, entries[i].name);
        if (symbol)
            memcpy(entries[i].slot, &symbol, sizeof symbol); /* POSIX dlsym */
        else if (!entries[i].optional)
            snprintf(why, sizeof why, "libexpat.so.1 has no function %s", entries[i].name);
    }
}

const hal_expat *hal_expat_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!why[0])
        return &expat;
    hal_err_set(err, HAL_E_IO, "the XML library is missing: %s; install package libexpat1", why);
    return NULL;
}
