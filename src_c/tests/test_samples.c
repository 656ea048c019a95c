/* Times of one thing: which of several samples count (plan/samples.h). */
#include "check.h"

#include "plan/samples.h"

#include <stddef.h>

static snn_samples of(const double *took, int count)
{
    snn_samples samples;
    snn_samples_init(&samples);
    for (int i = 0; i < count; i++)
        snn_samples_add(&samples, took[i]);
    return samples;
}

/* What is made of samples: the time, and whether it is agreed on. */
static void check_time(const double *took, int count, double wanted, int agreed)
{
    const snn_samples samples = of(took, count);
    const double us = snn_samples_us(&samples, 1.05);
    const int believed = snn_samples_agreed(&samples, 1.05) >= 0;
    if (!CHECK(us == wanted) || !CHECK(believed == agreed))
        printf("%d samples from %g on: %g us, believed %d; wanted %g, %d\n", count, count ? took[0] : 0.0, us,
               believed, wanted, agreed);
}

int main(void)
{
    const double quiet[] = {103, 101, 100, 250, 102, 900, 100.5, 104, 101};
    const double stands_still[] = {0, 100, 101, 102, 100.5}, falls_behind[] = {60, 100, 50, 101, 102};
    const double back[] = {-3, 100, 101, 102}, zeros[] = {0, 0, 0, 0, 100, 101, 102};
    const double near[] = {90, 100, 101, 102, 103}; // too near to be another thing: nobody knows
    const double busy[] = {400, 100, 130, 170, 220, 300}, two[] = {100, 101};
    check_time(quiet, 9, 100, 1);
    check_time(stands_still, 5, 100, 1);
    check_time(falls_behind, 5, 100, 1);
    check_time(back, 4, 100, 1);
    check_time(zeros, 7, 100, 1);
    check_time(near, 5, 101, 0);
    check_time(busy, 6, 170, 0);
    check_time(two, 2, 101, 0);
    check_time(two, 1, 100, 0);
    const double long_ones[] = {9000, 7100, 7000}, apart[] = {9000, 7000}; // a long one needs one more alone
    check_time(long_ones, 3, 7000, 1);
    check_time(apart, 2, 9000, 0);
    check_time(NULL, 0, DBL_MAX, 0);
    return check_report("test_samples");
}
