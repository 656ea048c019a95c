#include "file/text.h"
#include "file/json.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_bytes(snn_text *text, const char *bytes, size_t count)
{
    if (text->failed)
        return;
    if (count >= text->capacity - text->length) {
        const size_t capacity = 2 * (text->length + count + 64);
        char *grown = snn_alloc(capacity, 1);
        text->failed = grown == NULL;
        if (grown == NULL)
            return;
        if (text->length > 0)
            memcpy(grown, text->bytes, text->length);
        snn_free(text->bytes);
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = '\0';
}

void snn_text_add(snn_text *text, const char *format, ...)
{
    char piece[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof piece)
        text->failed = 1;
    else
        add_bytes(text, piece, (size_t)length);
}

void snn_text_add_json(snn_text *text, const char *string, size_t length)
{
    add_bytes(text, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)string[i];
        if (byte == '"' || byte == '\\')
            add_bytes(text, "\\", 1);
        if (byte < 0x20)
            snn_text_add(text, "\\u%04x", byte);
        else
            add_bytes(text, string + i, 1);
    }
    add_bytes(text, "\"", 1);
}

/* Replaces the locale's decimal point, which may be several bytes, by a point; returns the new length. */
static size_t put_point(char *number)
{
    size_t length = 0;
    for (const char *at = number; *at != '\0'; at++) {
        const int plain = strchr("0123456789+-e", *at) != NULL;
        if (plain || length == 0 || number[length - 1] != '.')
            number[length++] = plain ? *at : '.';
    }
    number[length] = '\0';
    return length;
}

void snn_text_add_float(snn_text *text, float value)
{
    enum { ENOUGH = 9 }; /* significant digits that tell any two floats apart */
    char number[64];
    for (int digits = 1; digits <= ENOUGH; digits++) {
        snprintf(number, sizeof number, "%.*g", digits, (double)value);
        snn_json json = {.text = number, .length = put_point(number)};
        float back;
        if (snn_json_read_float(&json, &back) && memcmp(&back, &value, sizeof value) == 0)
            break;
    }
    add_bytes(text, number, strlen(number));
}

void snn_text_clear(snn_text *text)
{
    snn_free(text->bytes);
    *text = (snn_text){0};
}
