/* The reader's grammar. Strings are in json_string.c, numbers in json_number.c. */
#include "file/json.h"
#include "file/json_parts.h"

#include <string.h>

int snn_json_fail(snn_json *json, const char *wanted)
{
    if (json->error == NULL)
        json->error = wanted;
    return 0;
}

char snn_json_peek(snn_json *json)
{
    while (json->position < json->length) {
        const char byte = json->text[json->position];
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r')
            return byte;
        json->position++;
    }
    return '\0';
}

/* Reads the one byte wanted, after white space. */
static int take(snn_json *json, char byte, const char *wanted)
{
    if (json->error != NULL)
        return 0;
    if (snn_json_peek(json) != byte || json->position == json->length)
        return snn_json_fail(json, wanted);
    json->position++;
    return 1;
}

int snn_json_open(snn_json *json, char bracket)
{
    if (!take(json, bracket, bracket == '{' ? "wanted an object" : "wanted an array"))
        return 0;
    if (json->depth == SNN_JSON_MAX_DEPTH)
        return snn_json_fail(json, "nested too deep (at most 16 levels)");
    json->depth++;
    json->fresh = 1;
    return 1;
}

/* Reads a comma, or the closing bracket: 0 then, as after an error. */
static int next(snn_json *json, char bracket, const char *wanted)
{
    if (json->error != NULL)
        return 0;
    if (snn_json_peek(json) == bracket) {
        json->position++;
        json->depth--;
        json->fresh = 0;
        return 0;
    }
    const int first = json->fresh;
    json->fresh = 0;
    return first || take(json, ',', wanted);
}

int snn_json_next_key(snn_json *json, snn_json_string *key)
{
    if (!next(json, '}', "wanted ',' or '}'"))
        return 0;
    if (snn_json_peek(json) != '"')
        return snn_json_fail(json, "wanted a key in double quotes");
    if (!snn_json_read_string(json, key))
        return 0;
    if (key->length > SNN_JSON_MAX_KEY)
        return snn_json_fail(json, "a key of more than 255 bytes");
    return take(json, ':', "wanted ':' after a key");
}

int snn_json_next_item(snn_json *json) { return next(json, ']', "wanted ',' or ']'"); }

static int take_word(snn_json *json, const char *word)
{
    const size_t length = strlen(word);
    if (json->length - json->position < length || memcmp(json->text + json->position, word, length) != 0)
        return snn_json_fail(json, "wanted a value");
    json->position += length;
    return 1;
}

int snn_json_read_boolean(snn_json *json, int *value)
{
    if (json->error != NULL)
        return 0;
    const char byte = snn_json_peek(json);
    if (byte != 't' && byte != 'f')
        return snn_json_fail(json, "wanted true or false");
    *value = byte == 't';
    return take_word(json, byte == 't' ? "true" : "false");
}

/* Reads one value that is no container. */
static int skip_scalar(snn_json *json)
{
    snn_json_string string;
    int truth;
    const char byte = snn_json_peek(json);
    if (byte == '"')
        return snn_json_read_string(json, &string);
    if (byte == 't' || byte == 'f')
        return snn_json_read_boolean(json, &truth);
    if (byte == 'n')
        return take_word(json, "null");
    return snn_json_skip_number(json);
}

int snn_json_skip(snn_json *json)
{
    /* The open brackets, innermost last; one loop in place of recursion. */
    char open[SNN_JSON_MAX_DEPTH];
    int depth = 0;
    if (json->error != NULL)
        return 0;
    do {
        const char byte = snn_json_peek(json);
        if (byte == '{' || byte == '[') {
            if (!snn_json_open(json, byte))
                return 0;
            open[depth++] = byte;
        } else if (!skip_scalar(json)) {
            return 0;
        }
        /* Step to the next value, leaving each container that has none. */
        while (depth > 0) {
            snn_json_string key;
            if (open[depth - 1] == '{' ? snn_json_next_key(json, &key) : snn_json_next_item(json))
                break;
            if (json->error != NULL)
                return 0;
            depth--;
        }
    } while (depth > 0);
    return 1;
}

int snn_json_end(snn_json *json)
{
    if (json->error != NULL)
        return 0;
    snn_json_peek(json);
    return json->position == json->length || snn_json_fail(json, "wanted the end of the text");
}
