/* Status names and the thread-local message of the last failure. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[512];

snn_status snn_fail(snn_status status, const char *format, ...)
{
    /* Formatted aside first, since an argument may be the last message itself. */
    char message[sizeof last_error];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    memcpy(last_error, message, sizeof message);
    return status;
}

const char *snn_last_error(void) { return last_error; }

const char *snn_status_name(snn_status status)
{
    switch (status) {
    case SNN_OK: return "SNN_OK";
    case SNN_ERROR_ARGUMENT: return "SNN_ERROR_ARGUMENT";
    case SNN_ERROR_MEMORY: return "SNN_ERROR_MEMORY";
    case SNN_ERROR_IO: return "SNN_ERROR_IO";
    case SNN_ERROR_FORMAT: return "SNN_ERROR_FORMAT";
    case SNN_ERROR_VERSION: return "SNN_ERROR_VERSION";
    case SNN_ERROR_CSR: return "SNN_ERROR_CSR";
    case SNN_ERROR_ISA: return "SNN_ERROR_ISA";
    case SNN_ERROR_UNSUPPORTED: return "SNN_ERROR_UNSUPPORTED";
    }
    return "unknown status";
}

const char *snn_version(void) { return SNN_VERSION_STRING; }
