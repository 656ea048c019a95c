/* Which kernels could compute a step, and what the cost model says each would take.
 *
 * The model counts processor cycles of a core with two loads and two multiply-adds a cycle, at 4 GHz. Only
 * the order of the candidates matters where they are timed afterwards. */
#include "plan/problem.h"

#include <math.h>

#define CYCLES_A_US 4000.0
#define L1_FOR_X 36864.0

/* Single samples and the narrowest tile are always there, so that any batch runs; wider ones where a batch
 * of the options could use them. Widths of the tile layout are 1, 2 and 4 vectors. */
void snn_bucket_init(snn_plan *plan, const snn_plan_options *options)
{
    static const int columns[] = {1, 2, 4}, vectors[] = {1, 2, 4};
    int64_t largest = options->batch_sizes ? 1 : 64;
    for (size_t i = 0; options->batch_sizes && i < options->batch_size_count; i++)
        if (options->batch_sizes[i] > largest)
            largest = options->batch_sizes[i];
    if (plan->by_sample) {
        plan->buckets[plan->bucket_count++] = (snn_bucket){.layout = SNN_LAYOUT_COLUMN, .samples = 1};
        if (plan->by_tiles && plan->isa->lanes <= 2 * largest)
            plan->buckets[plan->bucket_count++] =
                (snn_bucket){.layout = SNN_LAYOUT_TILE, .samples = plan->isa->lanes};
        return;
    }
    for (int i = 0; i < 3; i++)
        if (i == 0 || columns[i] <= 2 * largest)
            plan->buckets[plan->bucket_count++] =
                (snn_bucket){.layout = SNN_LAYOUT_COLUMN, .samples = columns[i]};
    for (int i = 0; i < 3; i++)
        if (i == 0 || vectors[i] * plan->isa->lanes <= 2 * largest)
            plan->buckets[plan->bucket_count++] =
                (snn_bucket){.layout = SNN_LAYOUT_TILE, .samples = vectors[i] * plan->isa->lanes};
}

static double estimate_csr_tile(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel,
                                int64_t k_block)
{
    const double rows = (double)csr->rows, nnz = (double)csr->indptr[csr->rows];
    const double vectors = (double)kernel->samples / isa->lanes;
    const double blocks = ceil((double)csr->cols / (double)k_block);
    const double visits = rows * (1.0 + (blocks - 1.0) * (1.0 - exp(-nnz / rows / blocks)));
    // What of a block of x is not in L1, which it shares with the sums.
    const double tile_bytes = (double)k_block * kernel->samples * sizeof(float);
    const double missing = tile_bytes > L1_FOR_X ? 1.0 - L1_FOR_X / tile_bytes : 0.0;
    const double chains = (double)kernel->shape * vectors; // sums in flight hide the latency of an add
    const double short_chain = chains < 8.0 ? 8.0 / chains : 1.0;
    return nnz * (0.22 + vectors * (0.5 * short_chain + 0.3 * missing)) + visits * (2.0 + 1.5 * vectors);
}

static double estimate_csr_column(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel)
{
    const double rows = (double)csr->rows, nnz = (double)csr->indptr[csr->rows];
    const double held = nnz / rows / (double)csr->cols * kernel->window; // weights a row has in a window
    const double padding = 1.05 + (kernel->shape == 1 ? 3.0 : kernel->shape == 2 ? 1.8 : 1.3) / (held + 0.1);
    const double steps = nnz * padding / isa->lanes;
    const double lookup = isa->column_block == 64 ? kernel->window / 40.0 : kernel->window / 12.0;
    const double loads = 0.5 * kernel->window / isa->lanes * kernel->shape / SNN_CHUNK_STEPS;
    const double cycles = 0.7 + (lookup + 0.3 + loads) * kernel->samples;
    return steps * fmax(cycles, 20.0 * isa->lanes / SNN_CHUNK_STEPS / 25.0) +
           rows; // at most 25 bytes a cycle
}

/* A load for every weight and sample, about one a cycle. */
static double estimate_sell_column(const snn_csr *csr, const snn_kernel *kernel)
{
    return (double)csr->indptr[csr->rows] * (0.1 + 0.9 * kernel->samples) + 3.0 * (double)csr->rows;
}

/* Of a multiplication and addition of a vector: a cycle has two, if loads of x and of weights do not take
 * longer. */
static double cycles_a_vector(const snn_kernel *kernel, double vectors, double least)
{
    return fmax(least, 0.7 * (kernel->shape + vectors) / (kernel->shape * vectors));
}

/* Panels of rows that share their columns: like a dense product of what they hold. */
static double estimate_panel(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel,
                             int64_t k_block, int64_t slots)
{
    const double vectors = (double)kernel->samples / isa->lanes, rows = (double)csr->rows;
    const double blocks = ceil((double)csr->cols / (double)k_block);
    const double chains = (double)kernel->shape * vectors;
    const double short_chain = chains < 8.0 ? 8.0 / chains : 1.0;
    return (double)slots *
               (cycles_a_vector(kernel, vectors, 0.54) * vectors * short_chain + 0.3 / kernel->shape) +
           rows * blocks * (2.0 + 1.5 * vectors);
}

static double estimate(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int64_t k_block,
                       int64_t panel_slots)
{
    const double weights = (double)csr->rows * (double)csr->cols;
    const double vectors = (double)kernel->samples / isa->lanes;
    double cycles;
    if (kernel->format == SNN_FORMAT_PANEL)
        cycles = estimate_panel(csr, isa, kernel, k_block, panel_slots);
    else if (kernel->format == SNN_FORMAT_CSR)
        cycles = kernel->layout == SNN_LAYOUT_TILE ? estimate_csr_tile(csr, isa, kernel, k_block)
                                                   : estimate_csr_column(csr, isa, kernel);
    else if (kernel->format == SNN_FORMAT_SELL)
        cycles = estimate_sell_column(csr, kernel);
    else if (kernel->layout == SNN_LAYOUT_TILE)
        cycles = weights * vectors * cycles_a_vector(kernel, vectors, 0.56);
    else
        cycles = weights * fmax(0.17, 0.5 * kernel->samples / isa->lanes);
    return cycles / CYCLES_A_US;
}

/* Which candidate goes, so that there are at most so many of a kernel and of all; the count: none has to. */
static int surplus(const snn_tuned *tuned, const snn_kernel *kernel, int of_kernel)
{
    int found = 0, last = -1;
    for (int i = 0; i < tuned->count; i++)
        if (tuned->candidates[i].kernel == kernel) {
            found++;
            last = i;
        }
    return found == of_kernel ? last : tuned->count == SNN_MAX_CANDIDATES ? tuned->count - 1 : tuned->count;
}

/* Keeps the list in the order of estimates. */
static void insert(snn_tuned *tuned, snn_choice choice, int of_kernel)
{
    snn_choice *list = tuned->candidates;
    int at = surplus(tuned, choice.kernel, of_kernel);
    if (at == tuned->count)
        tuned->count++;
    else if (list[at].estimate_us <= choice.estimate_us)
        return;
    for (; at > 0 && list[at - 1].estimate_us > choice.estimate_us; at--)
        list[at] = list[at - 1];
    list[at] = choice;
}

/* Whether blocks of more than 512 columns may pay. With x that far beyond L1 their speed depends on the pages
 * that x and y get: they are for rows with so few weights that they win wherever those lie. */
static int wide_pays(const snn_csr *csr, const snn_kernel *kernel)
{
    const double density = (double)csr->indptr[csr->rows] / ((double)csr->rows * (double)csr->cols);
    return density < (kernel->samples <= 16 ? 0.022 : 0.014);
}

int snn_panels_pay(const snn_csr *csr, int64_t slots)
{
    return slots > 0 && slots <= 2 * csr->indptr[csr->rows];
}

/* Candidates worth timing: within a factor of the best estimate. */
static int worth_timing(const snn_tuned *tuned, int most)
{
    const snn_choice *list = tuned->candidates;
    int count = 0;
    while (count < tuned->count && list[count].estimate_us <= 1.6 * list[0].estimate_us)
        count++;
    return count < most ? count : most;
}

/* Whether a step may run a kernel in a bucket. */
static int fits(const snn_kernel *kernel, const snn_step *step, const snn_bucket *bucket)
{
    if (snn_takes_positions(step, bucket))
        return kernel->layout == SNN_LAYOUT_TILE;
    return kernel->layout == bucket->layout && kernel->samples == bucket->samples;
}

void snn_candidate_init(const snn_plan *plan, const snn_step *step, const snn_csr *csr, int bucket,
                        const snn_structure *structure, snn_tuned *tuned)
{
    static const int64_t k_blocks[] = {64, 128, 192, 256, 512, 1024};
    enum { k_block_count = sizeof k_blocks / sizeof *k_blocks };
    const snn_bucket *tile = &plan->buckets[bucket];
    // Tiles of a convolution may be of any width: kernels of all are timed, not one in all its blocks.
    const int all_widths = snn_takes_positions(step, tile);
    for (int i = 0; i < plan->isa->kernel_count; i++) {
        const snn_kernel *kernel = &plan->isa->kernels[i];
        if (!fits(kernel, step, tile))
            continue;
        const int blocked = kernel->format != SNN_FORMAT_DENSE && kernel->layout == SNN_LAYOUT_TILE;
        const int64_t slots = kernel->format == SNN_FORMAT_PANEL ? structure->panel_slots[kernel->shape] : 0;
        if (kernel->format == SNN_FORMAT_PANEL && !snn_panels_pay(csr, slots))
            continue;
        if (kernel->format == SNN_FORMAT_SELL && csr->cols > SNN_SELL_COLUMNS)
            continue;
        for (int k = 0; k < (blocked ? k_block_count : 1); k++) {
            const int64_t k_block = blocked ? k_blocks[k] : kernel->window;
            if (blocked && (k_block > snn_largest_block(kernel) || (k > 0 && k_blocks[k - 1] >= csr->cols)))
                continue;
            if (blocked && kernel->index_bytes == 2 && !kernel->loads && k_block <= 256 && csr->cols > 256)
                continue; // one byte would do
            if (k_block > 512 && csr->cols > 512 && !wide_pays(csr, kernel))
                continue;
            const double us = estimate(csr, plan->isa, kernel, k_block, slots);
            insert(tuned,
                   (snn_choice){.kernel = kernel,
                                .k_block = k_block,
                                .estimate_us = us * (double)snn_step_tiles(step, tile, kernel)},
                   all_widths ? 2 : k_block_count);
        }
    }
    tuned->worth = worth_timing(tuned, all_widths ? 8 : 6);
}
