/* A small strict reader of JSON text (RFC 8259) over a byte range, without allocation or recursion by the
 * caller's data: nesting is limited. It pulls: the caller says what must come next.
 *
 *     snn_json json = {.text = text, .length = length};
 *     snn_json_string key;
 *     snn_json_open(&json, '{');
 *     while (snn_json_next_key(&json, &key))
 *         snn_json_skip(&json);
 *     if (!snn_json_end(&json)) ... json.error at byte json.position
 *
 * Functions return 1, or 0 after setting error; once error is set, all of them return 0. */
#ifndef SNN_JSON_H
#define SNN_JSON_H

#include <stddef.h>
#include <stdint.h>

#define SNN_JSON_MAX_DEPTH 16 /* containers within containers */
#define SNN_JSON_MAX_KEY 255  /* bytes of a key between its quotes */

typedef struct snn_json {
    const char *text;
    size_t length;
    size_t position;
    int depth;
    int fresh;         /* 1 just after an opening bracket */
    const char *error; /* what was wanted at position, or NULL */
} snn_json;

/* A string as it stands between its quotes: valid UTF-8 and valid escapes, \u0000 not
 * being one of them; not yet decoded. */
typedef struct snn_json_string {
    const char *text;
    size_t length;
} snn_json_string;

/* Sets the error, unless there is one; always returns 0. */
int snn_json_fail(snn_json *json, const char *wanted);
/* The first byte of the next value, or 0 at the end of the text. */
char snn_json_peek(snn_json *json);
/* Reads the opening bracket of an object '{' or array '['. */
int snn_json_open(snn_json *json, char bracket);
/* Reads on to the next key of the object and its colon; 0 at the closing bracket, which is read. */
int snn_json_next_key(snn_json *json, snn_json_string *key);
/* Reads on to the next value of the array; 0 at the closing bracket, which is read. */
int snn_json_next_item(snn_json *json);
int snn_json_read_string(snn_json *json, snn_json_string *string);
/* A whole number in [0, 10^18), without sign, fraction or exponent. */
int snn_json_read_whole(snn_json *json, int64_t *value);

/* The same of either sign. */
int snn_json_read_integer(snn_json *json, int64_t *value);
/* A number within float range; nine significant digits give back any float exactly. */
int snn_json_read_float(snn_json *json, float *value);
int snn_json_read_boolean(snn_json *json, int *value);
/* Reads any one value and checks its syntax. */
int snn_json_skip(snn_json *json);
/* 1 when nothing but white space is left and no error was met. */
int snn_json_end(snn_json *json);

/* Decodes into out (length bytes suffice: decoding never grows); returns the bytes written. */
size_t snn_json_decode(snn_json_string string, char *out);
/* Whether the decoded string is this ASCII text. */
int snn_json_equals(snn_json_string string, const char *text);
/* Whether two keys of at most SNN_JSON_MAX_KEY bytes decode to the same bytes. */
int snn_json_same_key(snn_json_string a, snn_json_string b);
/* The string's beginning, fit for a message: printable ASCII, at most 40 characters. */
typedef struct snn_json_excerpt {
    char text[44];
} snn_json_excerpt;
snn_json_excerpt snn_json_show(snn_json_string string);

#endif
