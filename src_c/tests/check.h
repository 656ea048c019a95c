/* The checks of the plain C tests: each failure is printed, the program goes on and exits with 1. */
#ifndef SNN_TEST_CHECK_H
#define SNN_TEST_CHECK_H

#include "sparsenn.h"

#include <stdio.h>

static int check_failures;

/* Prints what failed and where; returns whether the condition held. */
static inline int check_that(int condition, const char *text, const char *file, int line)
{
    if (!condition) {
        check_failures++;
        printf("%s:%d: failed: %s (last error: %s)\n", file, line, text, snn_last_error());
    }
    return condition;
}

static inline int check_status(snn_status got, snn_status wanted, const char *text, const char *file,
                               int line)
{
    if (got != wanted) {
        check_failures++;
        printf("%s:%d: failed: %s gave %s, wanted %s (last error: %s)\n", file, line, text,
               snn_status_name(got), snn_status_name(wanted), snn_last_error());
    }
    return got == wanted;
}

#define CHECK(condition) check_that(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_STATUS(call, status) check_status((call), (status), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_STATUS(call, SNN_OK)

/* The exit code of main. */
static inline int check_report(const char *name)
{
    printf("%s: %s, %d failure(s)\n", name, check_failures == 0 ? "passed" : "FAILED", check_failures);
    return check_failures != 0;
}

#endif
