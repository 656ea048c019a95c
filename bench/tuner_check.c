/* Is the tuner right? Forces every candidate on random (shape, sparsity, batch) and compares the plan's
 * choice with the best of them, timed in turn.
 *
 *     make tuner            builds this against the core and runs 40 cases
 *     tuner_check 40 7      cases, seed
 *
 * A line a case: the layer, the tile, the plan's kernel, the best kernel, and how much slower the choice was
 * in the same run. The last line counts the cases beyond 5 %. It reaches into the core (plan/): no example.
 */
#include "base/memory.h"
#include "plan/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;
static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

typedef struct matrix {
    snn_csr csr;
    int64_t *indptr;
    int32_t *indices;
    float *data;
} matrix;

static matrix random_matrix(int64_t rows, int64_t cols, double sparsity)
{
    matrix m = {.indptr = snn_alloc((size_t)rows + 1, sizeof(int64_t)),
                .indices = snn_alloc((size_t)(rows * cols), sizeof(int32_t)),
                .data = snn_alloc((size_t)(rows * cols), sizeof(float))};
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < cols; c++)
            if (uniform() >= sparsity) {
                m.indices[at] = (int32_t)c;
                m.data[at++] = (float)(uniform() - 0.5);
            }
        m.indptr[r + 1] = at;
    }
    m.csr = (snn_csr){rows, cols, m.indptr, m.indices, m.data};
    return m;
}

/* Least time of a candidate, all candidates in turn, a few runs each turn so that one's data is warm. */
static void time_all(const snn_step *step, snn_choice *list, int count, const float *x, float *y)
{
    for (int i = 0; i < count; i++)
        list[i].measured_us = 1e18;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < count; i++) {
            for (int again = 0; again < 3; again++) {
                const double start = snn_microseconds();
                for (int share = 0; share < list[i].packing->share_count; share++)
                    list[i].kernel->run(snn_share(list[i].packing, share), x, y,
                                        snn_column_stride(step->outputs), &step->epilogue);
                const double took = snn_microseconds() - start;
                if (took < list[i].measured_us)
                    list[i].measured_us = took;
            }
        }
    }
}

/* One layer, one bucket; returns how much slower the plan's choice is than the best candidate (1: as fast).
 */
static double check_case(int64_t rows, int64_t cols, double sparsity, int64_t batch)
{
    matrix m = random_matrix(rows, cols, sparsity);
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    const snn_plan_options options = {.threads = 1, .batch_sizes = &batch, .batch_size_count = 1};
    if (snn_model_create(cols, &model) ||
        snn_model_add_csr(model, rows, cols, m.indptr, m.indices, m.data, NULL) ||
        snn_plan_create(model, &options, &plan)) {
        fprintf(stderr, "%s\n", snn_last_error());
        exit(2);
    }
    snn_step *step = &plan->steps[0];
    int bucket = 0; // the widest that the batch fills
    for (int b = 0; b < plan->bucket_count; b++)
        if (plan->buckets[b].samples <= batch)
            bucket = b;
    const int samples = plan->buckets[bucket].samples, count = step->problem->buckets[bucket].count;
    snn_choice list[SNN_MAX_CANDIDATES];
    memcpy(list, step->problem->buckets[bucket].candidates, sizeof list);
    const int64_t bounds[2] = {0, rows};
    for (int i = 0; i < count; i++)
        list[i].packing = snn_pack(&m.csr, plan->isa, list[i].kernel, list[i].k_block, 1, bounds);
    float *x = snn_alloc((size_t)(snn_column_stride(cols) * samples), sizeof *x);
    float *y = snn_alloc((size_t)((snn_column_stride(rows) + 1) * samples), sizeof *y);
    for (int64_t i = 0; i < cols * samples; i++)
        x[i] = (float)uniform();
    time_all(step, list, count, x, y);
    int best = 0, chosen = -1;
    for (int i = 0; i < count; i++) {
        if (list[i].measured_us < list[best].measured_us)
            best = i;
        if (list[i].kernel == step->chosen[bucket].kernel && list[i].k_block == step->chosen[bucket].k_block)
            chosen = i;
    }
    const double ratio = list[chosen].measured_us / list[best].measured_us;
    printf(
        "%5lld x %-5lld %4.1f %%  %3d samples  %-18s %4lld %9.2f us   best %-18s %4lld %9.2f us   %.3f%s\n",
        (long long)rows, (long long)cols, 100 * sparsity, samples, list[chosen].kernel->name,
        (long long)list[chosen].k_block, list[chosen].measured_us, list[best].kernel->name,
        (long long)list[best].k_block, list[best].measured_us, ratio, ratio > 1.05 ? "  over 5 %" : "");
    for (int i = 0; i < count; i++) {
        snn_packing_free((snn_packing *)list[i].packing);
        list[i].packing = NULL;
    }
    snn_free(x);
    snn_free(y);
    snn_plan_free(plan);
    snn_model_free(model);
    snn_free(m.indptr);
    snn_free(m.indices);
    snn_free(m.data);
    return ratio;
}

int main(int argc, char **argv)
{
    static const int64_t batches[] = {1, 2, 4, 16, 32, 64};
    static const double sparsities[] = {0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99};
    const int cases = argc > 1 ? atoi(argv[1]) : 40;
    int over = 0;
    double worst = 1;
    state = 88172645463325252u + (argc > 2 ? (uint64_t)atoll(argv[2]) : 0) * 2654435761u;
    for (int i = 0; i < cases; i++) {
        const int64_t rows = 64 + (int64_t)(uniform() * 2500), cols = 64 + (int64_t)(uniform() * 2500);
        const double sparsity = sparsities[(int)(uniform() * 7)];
        const double ratio = check_case(rows, cols, sparsity, batches[(int)(uniform() * 6)]);
        over += ratio > 1.05;
        if (ratio > worst)
            worst = ratio;
    }
    printf("%d of %d cases over 5 %%, worst %.3f\n", over, cases, worst);
    return 0;
}
