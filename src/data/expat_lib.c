/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/expat_lib.h"

#include "base/library.h"

#include <pthread.h>

static hal_expat expat;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
        {"XML_ParserCreate_MM", &expat.create},
        {"XML_ParserFree", &expat.free},
        {"XML_SetUserData", &expat.set_user_data},
        {"XML_SetElementHandler", &expat.set_element_handler},
        {"XML_SetCharacterDataHandler", &expat.set_text_handler},
        {"XML_SetCdataSectionHandler", &expat.set_cdata_handler},
        {"XML_SetStartDoctypeDeclHandler", &expat.set_doctype_handler},
        {"XML_SetXmlDeclHandler", &expat.set_declaration_handler},
        {"XML_SetSkippedEntityHandler", &expat.set_skipped_handler},
        {"XML_Parse", &expat.parse},
        {"XML_StopParser", &expat.stop},
        {"XML_GetErrorCode", &expat.error_code},
        {"XML_ErrorString", &expat.error_string},
        {"XML_GetCurrentByteIndex", &expat.byte_index},
        {"XML_SetReparseDeferralEnabled", &expat.set_reparse_deferral, true},
        {0},
    };
    hal_library_load("libexpat.so.1", symbols, why, sizeof why);
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
