#include "plan/convolution.h"

#include "base/minmax.h"

#include "plan/fetch.h"

#include <string.h>

/* Columns that a kernel takes together. */
static int64_t block_columns(const snn_choice *choice, const snn_kernel *kernel)
{
    return kernel->format == SNN_FORMAT_DENSE ? SNN_DENSE_BLOCK(kernel->samples) : choice->k_block;
}

/* The narrowest kernel for so many positions that reads what the choice has packed. */
static const snn_kernel *kernel_for(const snn_convolution *c, int64_t count)
{
    const snn_choice *choice = c->choice;
    const snn_kernel *found = choice->kernel;
    for (int i = 0; i < c->plan->isa->kernel_count && count < found->samples; i++) {
        const snn_kernel *other = &c->plan->isa->kernels[i];
        if (other->layout == SNN_LAYOUT_TILE && other->samples >= count && other->samples < found->samples &&
            snn_same_packing(choice->kernel, choice->k_block, other, choice->k_block))
            found = other;
    }
    return found;
}

/* One tile: fetches the columns of a block when they are about to be used, block by block. y and addend: of
 * the tile. Behind count positions the tile has zeros. */
static void run_tile(const snn_convolution *c, const snn_kernel *kernel, int64_t first, int64_t count,
                     float *y, int64_t y_stride, const float *addend, int64_t addend_stride)
{
    const snn_packing *packing = c->choice->packing;
    const int64_t block = block_columns(c->choice, kernel), cols = c->step->cols;
    float *sums = c->scratch + snn_min(block, cols) * kernel->samples;
    snn_planes planes = {.x = c->scratch,
                         .sums = sums,
                         .y = y,
                         .y_stride = y_stride,
                         .addend = addend,
                         .addend_stride = addend_stride};
    snn_fetch fetch;
    snn_fetch_begin(&fetch, c->step->window, first, count, kernel->samples);
    for (int64_t column = 0; column < cols; column += block, planes.block++) {
        snn_fetch_columns(&fetch, c->plan->isa, c->x, column, snn_min(column + block, cols), c->scratch);
        for (int share = 0; share < packing->share_count; share++)
            kernel->planes(snn_share(packing, share), &planes, &c->step->epilogue);
    }
}

/* A tile of as many positions as the kernel takes samples. */
static void run_whole(const snn_convolution *c, const snn_kernel *kernel, int64_t first)
{
    const int64_t positions = c->step->window->out_height * c->step->window->out_width;
    run_tile(c, kernel, first, kernel->samples, c->y + first, positions, c->addend ? c->addend + first : NULL,
             positions);
}

/* A tile of fewer, or one whose y has no rows to spare: by way of scratch. */
static void run_part(const snn_convolution *c, const snn_kernel *kernel, int64_t first, int64_t count)
{
    const snn_isa *isa = c->plan->isa;
    const int64_t positions = c->step->window->out_height * c->step->window->out_width;
    const int64_t rows = c->step->rows, width = kernel->samples;
    const int64_t tile = (rows + c->plan->threads) * width;
    float *result = c->scratch + snn_min(block_columns(c->choice, kernel), c->step->cols) * width + tile;
    float *addend = c->addend ? result + tile : NULL;
    if (addend)
        isa->copy(c->addend + first, positions, addend, width, rows, count);
    run_tile(c, kernel, first, count, result, width, addend, width);
    isa->copy(result, width, c->y + first, positions, rows, count);
}

void snn_convolution_run(const snn_convolution *c, int64_t first, int64_t end)
{
    const int64_t positions = c->step->window->out_height * c->step->window->out_width;
    const int64_t width = c->choice->kernel->samples;
    for (int64_t i = first; i < end; i++) {
        const int64_t at = i * width, count = snn_min(width, positions - at);
        const snn_kernel *kernel = kernel_for(c, count);
        if (c->spare && count == width)
            run_whole(c, kernel, at);
        else if (c->spare && i > first && c->y != c->addend) // positions of the tile before, once more
            run_whole(c, kernel, positions - kernel->samples);
        else
            run_part(c, kernel, at, count);
    }
}

void snn_convolution_exact(const snn_convolution *c)
{
    const snn_csr *csr = c->step->weights;
    const snn_window *w = c->step->window;
    const int64_t positions = w->out_height * w->out_width, width = c->choice->kernel->samples;
    for (int64_t first = 0; first < positions; first += width) {
        const int64_t count = snn_min(width, positions - first);
        snn_fetch fetch;
        snn_fetch_begin(&fetch, w, first, count, width);
        snn_fetch_columns(&fetch, c->plan->isa, c->x, 0, csr->cols, c->scratch);
        for (int64_t r = 0; r < csr->rows; r++) {
            const int64_t at = r * positions + first;
            float sums[SNN_MOST_PARTS]; // y may be the addend
            for (int64_t i = 0; i < count; i++)
                sums[i] = c->step->epilogue.bias[r];
            for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
                c->plan->isa->scaled_add(csr->data[p], c->scratch + csr->indices[p] * width, sums, count);
            if (c->addend)
                c->plan->isa->scaled_add(1.0f, c->addend + at, sums, count);
            memcpy(c->y + at, sums, (size_t)count * sizeof *sums);
        }
    }
}

int64_t snn_convolution_scratch(const snn_plan *plan, const snn_step *step, int64_t samples)
{
    // a block is no wider than W; all of W for snn_convolution_exact
    return (step->cols + 3 * (step->rows + plan->threads)) * samples;
}
