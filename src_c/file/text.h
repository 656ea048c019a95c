/* Text that grows as it is written. */
#ifndef SNN_TEXT_H
#define SNN_TEXT_H

#include <stddef.h>

typedef struct snn_text {
    char *bytes; /* (length), NUL-terminated, owned; NULL while empty */
    size_t length, capacity;
    int failed; /* 1 once memory was out: from then on nothing is added */
} snn_text;

/* Adds what printf would print; one call adds at most 511 bytes. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void snn_text_add(snn_text *text, const char *format, ...);
/* Adds ASCII text as a JSON string, in quotes and with escapes. */
void snn_text_add_json(snn_text *text, const char *string, size_t length);
/* Adds the shortest decimal number that reads back as value, which is finite; in every locale with a point.
 */
void snn_text_add_float(snn_text *text, float value);
void snn_text_clear(snn_text *text);

#endif
