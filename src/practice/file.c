/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/file.h"

#include "practice/caom.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash_text(const char *text)
{
    uint64_t h = 1;
    for (; *text; text++)
        h = hal_mix(h ^ (unsigned char)*text);
    return h;
}

static void card(hal_file *f, const char *text)
{
    size_t n = strlen(text), at = f->header_bytes;
    if (at + 80 > sizeof f->header)
        return;
    memset(f->header + at, ' ', 80);
    memcpy(f->header + at, text, n < 80 ? n : 80);
    f->header_bytes += 80;
}

static void card_text(hal_file *f, const char *key, const char *value)
{
    char text[120];
    snprintf(text, sizeof text, "%-8s= '%-8.60s'", key, value);
    card(f, text);
}

static void card_int(hal_file *f, const char *key, long long value)
{
    char text[120];
    snprintf(text, sizeof text, "%-8s= %20lld", key, value);
    card(f, text);
}

/* FITS 4.0, sections 4 and 3.3: one image of 16-bit integers, blocks of 2880 bytes. */
static void fits_header(hal_file *f, const hal_cell *product)
{
    uint64_t pixels = (f->size_bytes - HAL_FITS_BLOCK) / 2;
    uint64_t width = 300 + f->key % 64, height = pixels / width;
    f->data_bytes = 2 * width * height;
    card(f, "SIMPLE  =                    T / conforms to FITS");
    card_int(f, "BITPIX", 16);
    card_int(f, "NAXIS", 2);
    card_int(f, "NAXIS1", (long long)width);
    card_int(f, "NAXIS2", (long long)height);
    card_text(f, "ORIGIN", "practice archive");
    card_text(f, "TELESCOP", product[1].text);
    card_text(f, "FILTER", product[19].text);
    card_int(f, "OBSID", product[0].value);
    card_text(f, "FILENAME", product[HAL_PRODUCT_FILENAME].text);
    card(f, "COMMENT Made from its name: no telescope has seen this.");
    card(f, "END");
    memset(f->header + f->header_bytes, ' ', sizeof f->header - f->header_bytes);
    f->header_bytes = sizeof f->header;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

bool hal_file_open(uint64_t seed, const char *uri, hal_file *out)
{
    uint64_t obsid;
    int index;
    hal_cell product[64];
    hal_scratch s = {.used = 0};
    if (!hal_caom_product_of_uri(seed, uri, &obsid, &index) ||
        !hal_caom_product(seed, obsid, index, product, &s))
        return false;
    memset(out, 0, sizeof *out);
    out->key = hal_mix(seed ^ hash_text(uri));
    out->size_bytes = (uint64_t)product[HAL_PRODUCT_SIZE].value;
    out->is_fits = ends_with(uri, ".fits");
    snprintf(out->etag, sizeof out->etag, "\"%016llx\"", (unsigned long long)out->key);
    if (out->is_fits) {
        out->content_type = "application/fits";
        fits_header(out, product);
        return true;
    }
    /* A JFIF start of image; or plain text. */
    static const char jfif[] = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00";
    bool jpeg = ends_with(uri, ".jpg");
    out->content_type = jpeg                      ? "image/jpeg"
                        : ends_with(uri, ".json") ? "application/json"
                                                  : "text/plain";
    out->data_bytes = out->size_bytes;
    if (jpeg) {
        out->header_bytes = sizeof jfif;
        memcpy(out->header, jfif, sizeof jfif);
    }
    return true;
}

static unsigned char byte_at(const hal_file *f, uint64_t i)
{
    uint64_t word = hal_mix(f->key + (i >> 3));
    unsigned char b = (unsigned char)(word >> 8 * (i & 7));
    if (f->is_fits)
        return i & 1 ? b : b & 0x0f; /* big-endian counts below 4096 */
    if (f->header_bytes)
        return b;
    return i % 64 == 63 || i + 1 == f->size_bytes ? '\n' : (unsigned char)('a' + b % 26);
}

size_t hal_file_part(const hal_file *f, uint64_t offset, char *out, size_t n)
{
    if (offset >= f->size_bytes)
        return 0;
    if (n > f->size_bytes - offset)
        n = (size_t)(f->size_bytes - offset);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;
        if (at < f->header_bytes)
            out[i] = f->header[at];
        else if (f->is_fits && at - f->header_bytes >= f->data_bytes)
            out[i] = 0;
        else
            out[i] = (char)byte_at(f, at - (f->is_fits ? f->header_bytes : 0));
    }
    return n;
}
