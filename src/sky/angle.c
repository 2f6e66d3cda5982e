/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/angle.h"

#include "base/number.h"
#include "sky/vector.h"

#include <math.h>

/* What a number stands for. The families "d m s" and "h m s" may be chained downwards. */
typedef enum unit {
    UNIT_NONE,
    UNIT_DEG,
    UNIT_HOUR,
    UNIT_MINUTE, /* of the unit before it */
    UNIT_SECOND,
    UNIT_ARCMIN,
    UNIT_ARCSEC,
    UNIT_MAS,
    UNIT_RAD,
} unit;

static const struct {
    const char *name;
    unit is;
} unit_names[] = {
    {"deg", UNIT_DEG},
    {"d", UNIT_DEG},
    {"degree", UNIT_DEG},
    {"degrees", UNIT_DEG},
    {"\xC2\xB0", UNIT_DEG},
    {"arcmin", UNIT_ARCMIN},
    {"arcmins", UNIT_ARCMIN},
    {"'", UNIT_ARCMIN},
    {"\xE2\x80\xB2", UNIT_ARCMIN},
    {"arcsec", UNIT_ARCSEC},
    {"arcsecs", UNIT_ARCSEC},
    {"\"", UNIT_ARCSEC},
    {"''", UNIT_ARCSEC},
    {"\xE2\x80\xB3", UNIT_ARCSEC},
    {"mas", UNIT_MAS},
    {"rad", UNIT_RAD},
    {"h", UNIT_HOUR},
    {"hourangle", UNIT_HOUR},
    {"m", UNIT_MINUTE},
    {"s", UNIT_SECOND},
};

enum { SHOWN_MAX = 60 }; /* characters of the user's text that an error repeats */

#define SHOWN(text)                                                                                \
    (int)((text).size_bytes < SHOWN_MAX ? (text).size_bytes : SHOWN_MAX),                          \
        ((text).data ? (text).data : "")

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static hal_slice tail(hal_slice text, size_t from)
{
    return (hal_slice){text.data + from, text.size_bytes - from};
}

static hal_slice trim(hal_slice text)
{
    while (text.size_bytes && is_blank(text.data[0]))
        text = tail(text, 1);
    while (text.size_bytes && is_blank(text.data[text.size_bytes - 1]))
        text.size_bytes--;
    return text;
}

static unit unit_of(hal_slice word)
{
    for (size_t i = 0; i < sizeof unit_names / sizeof *unit_names; i++) {
        const char *name = unit_names[i].name;
        size_t n = strlen(name), j = 0;
        while (j < n && n == word.size_bytes && lower(word.data[j]) == name[j])
            j++;
        if (j == n)
            return unit_names[i].is;
    }
    return UNIT_NONE;
}

/* A run of letters, or of the signs for degree, minute and second. */
static size_t unit_length(hal_slice text)
{
    size_t n = 0;
    while (n < text.size_bytes && is_letter(text.data[n]))
        n++;
    if (n)
        return n;
    if (text.size_bytes >= 2 && text.data[0] == '\'' && text.data[1] == '\'')
        return 2;
    if (text.size_bytes && (text.data[0] == '\'' || text.data[0] == '"'))
        return 1;
    if (text.size_bytes >= 2 && !memcmp(text.data, "\xC2\xB0", 2))
        return 2;
    if (text.size_bytes >= 3 && !memcmp(text.data, "\xE2\x80", 2))
        return 3;
    return 0;
}

static double in_degrees(double value, unit u)
{
    switch (u) {
    case UNIT_HOUR:
        return value * 15.0;
    case UNIT_ARCMIN:
        return value / 60.0;
    case UNIT_ARCSEC:
        return value / 3600.0;
    case UNIT_MAS:
        return value / 3600000.0;
    case UNIT_RAD:
        return value * HAL_DEG_PER_RAD;
    default:
        return value;
    }
}

static bool is_negative(hal_slice text)
{
    return text.size_bytes && text.data[0] == '-';
}

/* Whole units, minutes, seconds (the last may have decimals) of one sign; NULL reason when good. */
static const char *join_sixtieths(double *out, const double part[3], size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        if (i > 0 && !(part[i] >= 0 && part[i] < 60))
            return "minutes and seconds are from 0 to below 60";
        if (i + 1 < n_parts && part[i] != floor(part[i]))
            return "only the last part may have decimals";
    }
    *out = n_parts == 1
               ? part[0]
               : (part[0] * 3600.0 + part[1] * 60.0 + (n_parts == 3 ? part[2] : 0)) / 3600.0;
    return NULL;
}

/* One number with its unit; returns the bytes used, 0 when there is no number. */
static size_t scan_part(hal_slice text, double *value, hal_slice *word)
{
    size_t n = hal_number_take_double(text, value);
    if (n == 0)
        return 0;
    while (n < text.size_bytes && is_blank(text.data[n]))
        n++;
    size_t length = unit_length(tail(text, n));
    *word = (hal_slice){text.data + n, length};
    n += length;
    while (n < text.size_bytes && is_blank(text.data[n]))
        n++;
    return n;
}

/* Rank inside a chain: 0 for the head, 1 minutes, 2 seconds, -1 for units that stand alone. */
static int chain_rank(unit u, unit head)
{
    if (u == UNIT_MINUTE || (u == UNIT_ARCMIN && head == UNIT_DEG))
        return 1;
    if (u == UNIT_SECOND || (u == UNIT_ARCSEC && head == UNIT_DEG))
        return 2;
    return -1;
}

static hal_status parse_angle(double *out_deg, unit *head_out, hal_slice text, unit default_is,
                              hal_err *err)
{
    hal_slice rest = text;
    double part[3] = {0};
    size_t n_parts = 0;
    unit head = UNIT_NONE;
    int rank = 0;
    bool negative = is_negative(rest);
    while (rest.size_bytes) {
        double value;
        hal_slice word;
        if (n_parts && (rest.data[0] == '-' || rest.data[0] == '+'))
            return hal_err_set(err, HAL_E_USAGE, "angle \"%.*s\": only one sign, in front",
                               SHOWN(text));
        size_t used = scan_part(rest, &value, &word);
        if (used == 0)
            return hal_err_set(err, HAL_E_USAGE,
                               "\"%.*s\" is not an angle: write for example 0.5 deg, 12 arcmin, "
                               "30 arcsec or 1h30m",
                               SHOWN(text));
        unit u = word.size_bytes ? unit_of(word) : default_is;
        if (word.size_bytes && u == UNIT_NONE)
            return hal_err_set(err, HAL_E_USAGE,
                               "angle \"%.*s\": unknown unit \"%.*s\"; use deg, arcmin, arcsec, "
                               "mas, rad or h",
                               SHOWN(text), SHOWN(word));
        if (u == UNIT_NONE)
            return hal_err_set(err, HAL_E_USAGE,
                               "angle \"%.*s\" has no unit: write for example %.*s deg, %.*s "
                               "arcmin or %.*s arcsec",
                               SHOWN(text), SHOWN(text), SHOWN(text), SHOWN(text));
        if (n_parts == 0) {
            if (u == UNIT_MINUTE || u == UNIT_SECOND)
                return hal_err_set(err, HAL_E_USAGE,
                                   "angle \"%.*s\": m and s need h or d before them; use arcmin "
                                   "or arcsec",
                                   SHOWN(text));
            head = u;
            part[n_parts++] = fabs(value);
        } else {
            int next = word.size_bytes && (head == UNIT_DEG || head == UNIT_HOUR)
                           ? chain_rank(u, head)
                           : -1;
            if (next <= rank)
                return hal_err_set(err, HAL_E_USAGE,
                                   "angle \"%.*s\": after the first number only minutes, then "
                                   "seconds, as in 1h30m20s or 1d30m20s",
                                   SHOWN(text));
            if (part[rank] != floor(part[rank]))
                return hal_err_set(err, HAL_E_USAGE,
                                   "angle \"%.*s\": only the last part may have decimals",
                                   SHOWN(text));
            rank = next;
            part[rank] = value;
            n_parts = (size_t)rank + 1;
        }
        rest = tail(rest, used);
    }
    if (n_parts == 0)
        return hal_err_set(err, HAL_E_USAGE, "an angle is empty: write for example 0.5 deg");
    double value;
    const char *reason = join_sixtieths(&value, part, n_parts);
    if (reason)
        return hal_err_set(err, HAL_E_USAGE, "angle \"%.*s\": %s", SHOWN(text), reason);
    value = in_degrees(value, head);
    if (!isfinite(value))
        return hal_err_set(err, HAL_E_USAGE, "angle \"%.*s\" is too large", SHOWN(text));
    *out_deg = negative ? -value : value;
    *head_out = head;
    return HAL_OK;
}

hal_status hal_angle_parse(double *out_deg, hal_slice text, const char *default_unit, hal_err *err)
{
    unit default_is = default_unit ? unit_of(hal_slice_of(default_unit)) : UNIT_NONE;
    if (default_unit &&
        (default_is == UNIT_NONE || default_is == UNIT_MINUTE || default_is == UNIT_SECOND))
        return hal_err_set(err, HAL_E_USAGE,
                           "unknown unit \"%s\"; use deg, arcmin, arcsec, mas, rad or h",
                           default_unit);
    unit head;
    return parse_angle(out_deg, &head, trim(text), default_is, err);
}

/* --- positions ------------------------------------------------------------------------------ */

enum { TOKENS_MAX = 6 };

/* Splits at blanks; more than TOKENS_MAX words give TOKENS_MAX + 1. */
static size_t split_words(hal_slice text, hal_slice word[TOKENS_MAX])
{
    size_t n = 0, i = 0;
    while (i < text.size_bytes) {
        if (is_blank(text.data[i])) {
            i++;
            continue;
        }
        size_t from = i;
        while (i < text.size_bytes && !is_blank(text.data[i]))
            i++;
        if (n == TOKENS_MAX)
            return TOKENS_MAX + 1;
        word[n++] = (hal_slice){text.data + from, i - from};
    }
    return n;
}

/* Two halves: at the only comma, else in the middle of an even number of words. */
static bool split_halves(hal_slice text, hal_slice half[2])
{
    const char *comma = text.size_bytes ? memchr(text.data, ',', text.size_bytes) : NULL;
    if (comma) {
        size_t at = (size_t)(comma - text.data);
        half[0] = trim((hal_slice){text.data, at});
        half[1] = trim(tail(text, at + 1));
        return half[0].size_bytes && half[1].size_bytes;
    }
    hal_slice word[TOKENS_MAX];
    size_t n = split_words(text, word);
    if (n == 0 || n > TOKENS_MAX || n % 2)
        return false;
    const char *middle = word[n / 2].data;
    half[0] = trim((hal_slice){text.data, (size_t)(middle - text.data)});
    half[1] = tail(text, (size_t)(middle - text.data));
    return true;
}

/* Numbers separated by colons or blanks: "13:26:47.28", "13 26 47.28", "201.5". 0: not such. */
static size_t scan_sixtieths(hal_slice text, double part[3])
{
    size_t n = 0;
    while (n < 3) {
        size_t used = hal_number_take_double(text, &part[n]);
        if (used == 0 || (n && (text.data[0] == '-' || text.data[0] == '+')))
            return 0;
        n++;
        if (used == text.size_bytes)
            return n;
        bool blank = is_blank(text.data[used]);
        if (!blank && text.data[used] != ':')
            return 0;
        text = tail(text, used + 1);
        while (blank && text.size_bytes && is_blank(text.data[0]))
            text = tail(text, 1);
    }
    return 0;
}

typedef enum reading { READ_OK, READ_NOT, READ_BAD } reading;

/* One coordinate to degrees. READ_NOT: not the form of a coordinate. READ_BAD: `*reason` says. */
static reading read_half(double *out_deg, hal_slice text, bool is_ra, const char **reason)
{
    double part[3];
    size_t n = scan_sixtieths(text, part);
    if (n) {
        part[0] = fabs(part[0]);
        double value;
        *reason = join_sixtieths(&value, part, n);
        if (*reason)
            return READ_BAD;
        if (is_ra && n > 1)
            value *= 15.0;
        *out_deg = is_negative(text) ? -value : value;
        return READ_OK;
    }
    unit head;
    if (parse_angle(out_deg, &head, text, UNIT_NONE, NULL))
        return READ_NOT;
    if (head != UNIT_DEG && head != UNIT_HOUR)
        return READ_NOT;
    if (!is_ra && head == UNIT_HOUR) {
        *reason = "dec cannot be in hours";
        return READ_BAD;
    }
    return READ_OK;
}

static bool begins_with_frame(hal_slice text)
{
    static const char *const frames[] = {"J2000", "B1950", "ICRS", "FK5", "FK4", "GALACTIC"};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        size_t n = strlen(frames[i]), j = 0;
        while (j < n && j < text.size_bytes && lower(text.data[j]) == lower(frames[i][j]))
            j++;
        if (j < n || n >= text.size_bytes || !is_blank(text.data[n]))
            continue;
        char c = trim(tail(text, n)).data[0];
        return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
    }
    return false;
}

/* Letters, or a sign inside a word ("1934-638"), make a text a name. */
static bool may_be_name(hal_slice text)
{
    if (text.size_bytes == 0)
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = text.data[i];
        bool inner = i > 0 && !is_blank(text.data[i - 1]) && text.data[i - 1] != ',';
        if (is_letter(c) || (unsigned char)c >= 0x80 || ((c == '-' || c == '+') && inner))
            return true;
    }
    return false;
}

hal_status hal_position_parse(double *ra_deg, double *dec_deg, hal_slice text, hal_err *err)
{
    text = trim(text);
    hal_slice half[2];
    double ra, dec;
    const char *reason = NULL;
    reading got = READ_NOT;
    if (begins_with_frame(text))
        return hal_err_set(err, HAL_E_USAGE,
                           "position \"%.*s\": leave the frame out, positions are ICRS; write for "
                           "example 52.5 -27.4",
                           SHOWN(text));
    if (split_halves(text, half)) {
        got = read_half(&ra, half[0], true, &reason);
        if (got != READ_NOT) {
            const char *second_reason = NULL;
            reading second = read_half(&dec, half[1], false, &second_reason);
            got = second == READ_OK ? got : second;
            reason = reason ? reason : second_reason;
        }
    }
    if (got == READ_NOT && may_be_name(text))
        return hal_err_set(err, HAL_E_NOT_FOUND, "\"%.*s\" is a name, not a position", SHOWN(text));
    if (got == READ_NOT)
        reason = "write ra and dec, for example 52.5 -27.4 or 13:26:47.28 -47:28:46.1";
    else if (!reason && !(ra >= 0 && ra <= 360))
        reason = "ra must be from 0 to 360 degrees";
    else if (!reason && !(dec >= -90 && dec <= 90))
        reason = "dec must be from -90 to 90 degrees";
    if (reason)
        return hal_err_set(err, HAL_E_USAGE, "position \"%.*s\": %s", SHOWN(text), reason);
    *ra_deg = hal_ra_canonical(ra);
    *dec_deg = dec;
    return HAL_OK;
}

double hal_ra_canonical(double ra_deg)
{
    if (ra_deg > 0 && ra_deg < 360)
        return ra_deg;
    double r = fmod(ra_deg, 360.0);
    if (r < 0)
        r += 360.0;
    if (r >= 360.0 || r == 0)
        r = 0.0;
    return r;
}

double hal_separation_deg(double ra1_deg, double dec1_deg, double ra2_deg, double dec2_deg)
{
    return hal_separation_between(ra1_deg, dec1_deg, hal_cos_dec(dec1_deg), ra2_deg, dec2_deg,
                                  hal_cos_dec(dec2_deg));
}
