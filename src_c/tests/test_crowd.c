/* Threads that are held up: given up after a region that took far too long, tried again, and given up for
 * longer, by a clock of the test's own, which no other process moves; and a plan gives the same bits
 * meanwhile. */
#define _GNU_SOURCE
#include "base/crowd.h"
#include "check.h"
#include "plan/plan.h"
#include "sample_model.h"

#include <time.h>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>

enum { TICK_NS = 4000000, LOOK_NS = 50 };

static int64_t own_ns; /* 0: the machine's clock */

/* In place of the system's. A look at it takes a moment; the coarse clock stands still for a tick. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (!own_ns)
        return (int)syscall(SYS_clock_gettime, clock, t);
    own_ns += LOOK_NS;
    const int64_t ns = clock == CLOCK_MONOTONIC_COARSE ? own_ns - own_ns % TICK_NS : own_ns;
    *t = (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    return 0;
}

int clock_getres(clockid_t clock, struct timespec *t)
{
    *t = (struct timespec){.tv_nsec = clock == CLOCK_MONOTONIC_COARSE ? TICK_NS : 1};
    return 0;
}

static void use_own_clock(int own) { own_ns = own ? 1000000000 : 0; }
static void wait_us(double us) { own_ns += (int64_t)(1e3 * us); }
#else
static void use_own_clock(int own) { (void)own; }
static void wait_us(double us)
{
    const double end = snn_microseconds() + us;
    while (snn_microseconds() < end)
        nanosleep(&(struct timespec){0, 200000}, NULL);
}
#endif

static void wait_ms(int ms) { wait_us(1e3 * ms); }

/* A region that takes so long; the threads it was given. */
static int region(snn_crowd *crowd, int wanted, double one_thread_us, int ms)
{
    snn_crowd_visit visit = snn_crowd_enter(crowd, wanted, one_thread_us);
    if (visit.threads > 1)
        wait_ms(ms);
    snn_crowd_leave(crowd, &visit, wanted);
    return visit.threads;
}

/* A crowd's first region is not judged, however long it takes: it makes threads and touches new memory. */
static void begin(snn_crowd *crowd, int wanted)
{
    CHECK(region(crowd, wanted, 100.0, 20) == wanted);
    CHECK(crowd->fewer == 0);
}

/* Regions until all threads are tried again, which is the last of them; that one takes ms. */
static int runs_away(snn_crowd *crowd, int wanted, int ms)
{
    int runs = 0;
    while (region(crowd, wanted, 100.0, ms) < wanted && runs < 100000000)
        runs++;
    return runs;
}

static void test_quick_regions_keep_their_threads(void)
{
    snn_crowd crowd = {0};
    for (int i = 0; i < 10000; i++)
        CHECK(region(&crowd, 2, 1e6, 0) == 2);
    CHECK(crowd.fewer == 0);
}

/* Runs of 20 ms: 256 of them on one thread would be seconds, for a loss of 70 ms. */
static void test_long_runs_are_back_soon(void)
{
    snn_crowd crowd = {0};
    begin(&crowd, 2);
    CHECK(region(&crowd, 2, 2e4, 100) == 2);
    CHECK(crowd.fewer == 1 && crowd.runs < 16);
    atomic_store(&crowd.runs, 0);
    atomic_store(&crowd.until_ns, 0);
    CHECK(region(&crowd, 2, 2e4, 100) == 2); // again, at once
    CHECK(crowd.fewer == 1 && crowd.runs > 16 && crowd.runs < 256);
}

static void test_a_hold_up_is_followed_by_runs_alone(void)
{
    snn_crowd crowd = {0};
    begin(&crowd, 2);
    CHECK(region(&crowd, 2, 100.0, 20) == 2);
    CHECK(crowd.fewer == 1);
    const double start = snn_microseconds();
    CHECK(runs_away(&crowd, 2, 60) >= 16);
    const int64_t first = crowd.while_ns;
    CHECK(snn_microseconds() - start >= 15e3);
    CHECK(crowd.fewer == 1 && crowd.while_ns >= 2 * 15000000);
    CHECK(runs_away(&crowd, 2, 0) >= 256); // a hold-up soon after a hold-up
    CHECK(first > 0 && crowd.fewer == 0);
}

/* A short region is timed by a clock of ticks, but for one of eight: a slice of the scheduler is seen. */
static void test_short_regions_notice_too(void)
{
    for (int before = 0; before < 8; before++) {
        snn_crowd crowd = {0};
        begin(&crowd, 2);
        for (int i = 0; i < before; i++)
            region(&crowd, 2, 5.0, 0);
        crowd.fewer = 0; // whatever those met on a busy machine, where the clock is the machine's
        region(&crowd, 2, 5.0, 40);
        CHECK(crowd.fewer == 1);
    }
}

static void test_many_threads_are_given_up_in_steps(void)
{
    snn_crowd crowd = {0};
    int seen[4] = {0};
    begin(&crowd, 8);
    for (int i = 0; i < 4; i++) {
        while (crowd.fewer && crowd.runs > 0) // a try of all threads is not wanted here
            atomic_store(&crowd.runs, 0), atomic_store(&crowd.until_ns, INT64_MAX);
        seen[i] = region(&crowd, 8, 100.0, 20);
    }
    CHECK(seen[0] == 8 && seen[1] == 7 && seen[2] == 4 && seen[3] == 2);
    CHECK(crowd.fewer == 1);
}

/* Small delays in every region, none of them a slice: more than one thread would take, so given up. */
static void test_a_steady_loss_is_noticed(void)
{
    snn_crowd crowd = {0};
    int regions = 0;
    while (!crowd.fewer && regions < 1000) {
        region(&crowd, 2, 100.0, 1);
        regions++;
    }
    CHECK(regions < 50);
}

/* Failures in so many regions of 2 ms on one thread; on two, one of every is a failure and takes that long.
 */
static int count_failures(int regions, int every, double failure_us, double success_us)
{
    snn_crowd crowd = {0};
    int tries = 0, failures = 0;
    for (int i = 0; i < regions; i++) {
        const snn_crowd_visit visit = snn_crowd_enter(&crowd, 2, 2000.0);
        const int fails = visit.threads > 1 && ++tries % every == 0;
        failures += fails;
        wait_us(fails ? failure_us : visit.threads > 1 ? success_us : 2000.0);
        snn_crowd_leave(&crowd, &visit, 2);
    }
    return failures;
}

/* Threads that help a little twenty times and then fail cost more than they bring: they are soon left alone,
 * though no failure comes soon after another. */
static void test_the_share_of_failures_is_remembered(void)
{
    CHECK(count_failures(300, 21, 12000.0, 1600.0) <= 4);
}

static void test_a_plan_gives_the_same_bits(void)
{
    enum { batch = 70, inputs = 2, outputs = 1 };
    static float x[batch * inputs], wanted[batch * outputs], got[batch * outputs];
    snn_model *model = sample_model();
    for (int i = 0; i < batch * inputs; i++)
        x[i] = (float)(i % 17) * 0.1f - 0.7f;
    for (int threads = 2; threads <= 5; threads++) {
        const snn_plan_options options = {.threads = threads, .tune = (snn_tune)(threads % 3)};
        snn_plan *plan = NULL;
        CHECK_OK(snn_plan_create(model, &options, &plan));
        for (int b = 1; b <= batch; b++) {
            CHECK_OK(snn_plan_run(plan, x, b, wanted));
            for (int fewer = 1; fewer < threads; fewer++) {
                plan->crowd->fewer = fewer;
                plan->crowd->runs = 1000000;
                CHECK_OK(snn_plan_run(plan, x, b, got));
                CHECK(!memcmp(got, wanted, (size_t)(b * outputs) * sizeof *got));
            }
            plan->crowd->fewer = 0;
        }
        snn_plan_free(plan);
    }
    snn_model_free(model);
}

int main(void)
{
    use_own_clock(1);
    test_quick_regions_keep_their_threads();
    test_long_runs_are_back_soon();
    test_a_hold_up_is_followed_by_runs_alone();
    test_short_regions_notice_too();
    test_many_threads_are_given_up_in_steps();
    test_a_steady_loss_is_noticed();
    test_the_share_of_failures_is_remembered();
    use_own_clock(0);
    test_a_plan_gives_the_same_bits();
    return check_report("test_crowd");
}
