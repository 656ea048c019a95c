/* UTF-8. */
#ifndef SNN_UTF8_H
#define SNN_UTF8_H

#include <stddef.h>

/* The bytes of the UTF-8 sequence at text (available bytes), or 0 where it is not valid: overlong, a
 * surrogate, beyond U+10FFFF or cut. */
size_t snn_utf8_length(const char *text, size_t available);

#endif
