/* Strings of JSON text: validation, decoding, comparison. */
#include "base/utf8.h"
#include "file/json.h"

#include <string.h>

/* The value of four hexadecimal digits, or -1. */
static int32_t hex4(const char *text, size_t available)
{
    int32_t value = 0;
    if (available < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        value = 16 * value + digit;
    }
    return value;
}

/* The code point of the escape at text, which begins with a backslash, and its length in bytes; -1 where
 * it is not valid. U+0000 is not either: a decoded string never holds the byte that ends a C string. */
static int32_t read_escape(const char *text, size_t available, size_t *length)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (available < 2)
        return -1;
    if (text[1] != 'u') {
        const char *found = memchr(names, text[1], sizeof names - 1);
        *length = 2;
        return found == NULL ? -1 : values[found - names];
    }
    const int32_t high = hex4(text + 2, available - 2);
    *length = 6;
    if (high < 0xD800 || high > 0xDFFF)
        return high == 0 ? -1 : high;
    if (high > 0xDBFF || available < 12 || text[6] != '\\' || text[7] != 'u')
        return -1;
    const int32_t low = hex4(text + 8, available - 8);
    *length = 12;
    return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

int snn_json_read_string(snn_json *json, snn_json_string *string)
{
    if (json->error != NULL)
        return 0;
    if (snn_json_peek(json) != '"')
        return snn_json_fail(json, "wanted a string");
    const size_t begin = ++json->position;
    while (json->position < json->length) {
        const char *at = json->text + json->position;
        const unsigned char byte = (unsigned char)*at;
        size_t length = 1;
        if (byte == '"') {
            *string = (snn_json_string){json->text + begin, json->position - begin};
            json->position++;
            return 1;
        }
        if (byte < 0x20)
            return snn_json_fail(json, "a control character inside a string");
        if (byte == '\\') {
            if (read_escape(at, json->length - json->position, &length) < 0)
                return snn_json_fail(json, "an escape that is not allowed");
        } else if (byte >= 0x80) {
            length = snn_utf8_length(at, json->length - json->position);
            if (length == 0)
                return snn_json_fail(json, "bytes that are not UTF-8");
        }
        json->position += length;
    }
    return snn_json_fail(json, "a string without end");
}

/* Writes a code point as UTF-8; returns its bytes. */
static size_t put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(leads[length] | code);
    return length;
}

size_t snn_json_decode(snn_json_string string, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < string.length;) {
        if (string.text[i] != '\\') {
            out[written++] = string.text[i++];
            continue;
        }
        size_t length;
        const int32_t code = read_escape(string.text + i, string.length - i, &length);
        written += put_utf8((uint32_t)code, out + written);
        i += length;
    }
    return written;
}

int snn_json_equals(snn_json_string string, const char *text)
{
    char decoded[SNN_JSON_MAX_KEY];
    if (string.length > sizeof decoded)
        return 0;
    const size_t length = snn_json_decode(string, decoded);
    return length == strlen(text) && memcmp(decoded, text, length) == 0;
}

int snn_json_same_key(snn_json_string a, snn_json_string b)
{
    char decoded_a[SNN_JSON_MAX_KEY], decoded_b[SNN_JSON_MAX_KEY];
    const size_t length = snn_json_decode(a, decoded_a);
    return length == snn_json_decode(b, decoded_b) && memcmp(decoded_a, decoded_b, length) == 0;
}

snn_json_excerpt snn_json_show(snn_json_string string)
{
    enum { SHOWN = 40 };
    snn_json_excerpt excerpt = {""};
    const size_t count = string.length < SHOWN ? string.length : SHOWN;
    for (size_t i = 0; i < count; i++) {
        const char c = string.text[i];
        excerpt.text[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    memcpy(excerpt.text + count, string.length > SHOWN ? "..." : "", string.length > SHOWN ? 4 : 1);
    return excerpt;
}
