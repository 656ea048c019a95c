/* Numbers of JSON text, without strtod: that would follow the process's locale. */
#include "file/json.h"
#include "file/json_parts.h"

#include <float.h>

/* sign * digits * 10^exponent, as the text gives it; digits are cut after 18 significant ones. */
typedef struct number {
    int negative, whole; /* whole: neither fraction nor exponent */
    int significant;     /* digits counted from the first that is not 0 */
    uint64_t digits;
    int exponent; /* held within about +-EXPONENT_LIMIT */
} number;

enum { DIGITS_LIMIT = 18, EXPONENT_LIMIT = 100000 };

static int is_digit(const snn_json *json)
{
    return json->position < json->length && json->text[json->position] >= '0' &&
           json->text[json->position] <= '9';
}

static int is_byte(const snn_json *json, char byte)
{
    return json->position < json->length && json->text[json->position] == byte;
}

/* Reads a run of digits (at least one) into value; step is what one digit moves the exponent by. */
static int read_digits(snn_json *json, number *value, int step)
{
    if (!is_digit(json))
        return snn_json_fail(json, "wanted a digit");
    for (; is_digit(json); json->position++) {
        const int digit = json->text[json->position] - '0';
        if (value->significant < DIGITS_LIMIT) {
            value->digits = 10 * value->digits + (uint64_t)digit;
            value->exponent += step;
        } else if (value->exponent < EXPONENT_LIMIT) {
            value->exponent += step + 1;
        }
        if (value->digits != 0 && value->significant <= DIGITS_LIMIT + 1)
            value->significant++;
    }
    return 1;
}

static int read_exponent(snn_json *json, number *value)
{
    const int negative = is_byte(json, '-');
    if (negative || is_byte(json, '+'))
        json->position++;
    if (!is_digit(json))
        return snn_json_fail(json, "wanted a digit in the exponent");
    int exponent = 0;
    for (; is_digit(json); json->position++)
        if (exponent < EXPONENT_LIMIT)
            exponent = 10 * exponent + (json->text[json->position] - '0');
    value->exponent += negative ? -exponent : exponent;
    return 1;
}

static int read_number(snn_json *json, number *value)
{
    *value = (number){.whole = 1};
    if (json->error != NULL)
        return 0;
    snn_json_peek(json);
    value->negative = is_byte(json, '-');
    if (value->negative)
        json->position++;
    if (!is_digit(json))
        return snn_json_fail(json, "wanted a value");
    if (is_byte(json, '0')) {
        json->position++;
        if (is_digit(json))
            return snn_json_fail(json, "a number with a leading zero");
    } else if (!read_digits(json, value, 0)) {
        return 0;
    }
    if (is_byte(json, '.')) {
        value->whole = 0;
        json->position++;
        if (!read_digits(json, value, -1))
            return 0;
    }
    if (is_byte(json, 'e') || is_byte(json, 'E')) {
        value->whole = 0;
        json->position++;
        return read_exponent(json, value);
    }
    return 1;
}

int snn_json_skip_number(snn_json *json)
{
    number value;
    return read_number(json, &value);
}

static int read_integer(snn_json *json, int takes_negative, int64_t *value)
{
    number read;
    if (!read_number(json, &read))
        return 0;
    if ((read.negative && !takes_negative) || !read.whole)
        return snn_json_fail(json,
                             takes_negative ? "wanted a whole number" : "wanted a whole number, 0 or more");
    if (read.significant > DIGITS_LIMIT)
        return snn_json_fail(json, "a whole number of more than 18 digits");
    *value = read.negative ? -(int64_t)read.digits : (int64_t)read.digits;
    return 1;
}

int snn_json_read_whole(snn_json *json, int64_t *value) { return read_integer(json, 0, value); }

int snn_json_read_integer(snn_json *json, int64_t *value) { return read_integer(json, 1, value); }

int snn_json_read_float(snn_json *json, float *value)
{
    number read;
    if (!read_number(json, &read))
        return 0;
    /* Outside these powers the value is 0 or out of range as a float, whatever its digits. */
    enum { HIGHEST = 60, LOWEST = -100 };
    const int exponent = read.exponent < LOWEST ? LOWEST : read.exponent > HIGHEST ? HIGHEST : read.exponent;
    double power = 1;
    for (int i = 0; i < (exponent < 0 ? -exponent : exponent); i++)
        power *= 10;
    /* In double to within 2^-46; nine digits of a float leave 2^-29 to spare. */
    const double magnitude = exponent < 0 ? (double)read.digits / power : (double)read.digits * power;
    /* Half a unit beyond the largest float rounds to infinity. */
    if (magnitude >= (double)FLT_MAX + 0x1p103)
        return snn_json_fail(json, "a number out of the range of float32");
    *value = (float)(read.negative ? -magnitude : magnitude);
    return 1;
}
