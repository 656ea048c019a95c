/* Cutting a batch into tiles: the cheapest mixture of bucket shapes, by dynamic programming over the number
 * of samples left. A batch larger than the table begins with rounds of the shape that is cheapest a sample.
 */
#include "plan/plan.h"

#include "base/memory.h"

#include <float.h>

/* Samples that one use of choice covers: a tile shared by all threads, or a tile a thread. */
static int64_t covers(const snn_plan *plan, int choice)
{
    const snn_bucket *bucket = &plan->buckets[choice / 2];
    return choice % 2 ? bucket->samples : (int64_t)bucket->samples * plan->threads;
}

/* Waking the other threads costs more than the tuner saw, since it found them awake: about a third of what
 * sharing costs beside the work itself, by how far the processors are from each other. */
#define WAKE_PART 0.3
#define MOST_WAKE_US 0.7

static double shared_us(const snn_plan *plan, const snn_bucket *bucket)
{
    const double wake = WAKE_PART * (bucket->split_us - bucket->alone_us / plan->threads);
    return bucket->split_us + (wake < 0.0 ? 0.0 : wake < MOST_WAKE_US ? wake : MOST_WAKE_US);
}

/* One use of choice, which so many samples are left for: a thread that takes the only tile needs no other. */
static double costs(const snn_plan *plan, int choice, int64_t left)
{
    const snn_bucket *bucket = &plan->buckets[choice / 2];
    if (choice % 2)
        return shared_us(plan, bucket);
    return left <= bucket->samples ? bucket->alone_us : bucket->tile_us;
}

int snn_schedule_init(snn_plan *plan)
{
    int64_t widest = 1;
    for (int c = 0; c < 2 * plan->bucket_count; c++)
        if (covers(plan, c) > widest)
            widest = covers(plan, c);
    plan->table_size = 2 * widest;
    plan->table = snn_alloc((size_t)plan->table_size + 1, 1);
    double *best = snn_alloc((size_t)plan->table_size + 1, sizeof *best);
    if (!plan->table || !best) {
        snn_free(best);
        return 0;
    }
    for (int64_t left = 1; left <= plan->table_size; left++) {
        best[left] = DBL_MAX;
        for (int c = 0; c < 2 * plan->bucket_count; c++) {
            if (plan->threads == 1 && c % 2)
                continue; // nothing to split
            const int64_t rest = left - covers(plan, c);
            const double cost = costs(plan, c, left) + (rest > 0 ? best[rest] : 0.0);
            if (cost < best[left]) {
                best[left] = cost;
                plan->table[left] = (unsigned char)c;
            }
        }
    }
    snn_free(best);
    return 1;
}

int snn_schedule(const snn_plan *plan, int64_t batch, snn_segment *segments)
{
    int64_t uses[2 * SNN_MAX_BUCKETS] = {0};
    int64_t left = batch;
    if (left > plan->table_size) {
        int best = 0;
        for (int c = 0; c < 2 * plan->bucket_count; c += 2)
            if (costs(plan, c, left) / (double)covers(plan, c) <
                costs(plan, best, left) / (double)covers(plan, best))
                best = c;
        const int64_t rounds = (left - plan->table_size / 2) / covers(plan, best);
        uses[best] = rounds;
        left -= rounds * covers(plan, best);
    }
    while (left > 0) {
        const int c = plan->table[left];
        uses[c]++;
        left -= covers(plan, c);
    }
    // Tiles that threads take alone come first, widest first; those that they share come last.
    int count = 0;
    int64_t sample = 0;
    for (int split = 0; split < 2; split++) {
        for (int b = plan->bucket_count - 1; b >= 0 && sample < batch; b--) {
            const int64_t use = uses[2 * b + split];
            if (!use)
                continue;
            const int64_t width = plan->buckets[b].samples;
            int64_t tiles = split ? use : use * plan->threads;
            const int64_t needed = (batch - sample + width - 1) / width;
            if (tiles > needed)
                tiles = needed;
            segments[count++] =
                (snn_segment){.bucket = b, .split = split, .first_sample = sample, .tiles = tiles};
            sample += tiles * width;
        }
    }
    return count;
}
