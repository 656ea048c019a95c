/* Status messages of the core: one thread-local text, set where a failure is found. */
#ifndef SNN_STATUS_H
#define SNN_STATUS_H

#include "sparsenn.h"

/* Sets the calling thread's message (printf style, cut at 511 bytes) and returns status. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
snn_status snn_fail(snn_status status, const char *format, ...);

#endif
