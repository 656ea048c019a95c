#include "plan/convolution.h"

#include "base/minmax.h"

#include "plan/fetch.h"
#include "plan/turns.h"

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

/* A tile of positions, for some shares of the rows: those of [begin, end). */
typedef struct tile {
    int64_t first, count; /* positions */
    int begin, end;
} tile;

/* Fetches the columns of a block when they are about to be used, block by block. y and addend: of the tile.
 * Behind count positions the tile has zeros. */
static void run_tile(const snn_convolution *c, const snn_kernel *kernel, const tile *t, float *y,
                     int64_t y_stride, const float *addend, int64_t addend_stride)
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
    snn_fetch_begin(&fetch, c->plan->isa, c->window, t->first, t->count, kernel->samples);
    for (int64_t column = 0; column < cols; column += block, planes.block++) {
        snn_fetch_columns(&fetch, c->plan->isa, c->x, column, snn_min(column + block, cols), c->scratch);
        for (int share = t->begin; share < t->end; share++)
            kernel->planes(snn_share(packing, share), &planes, &c->step->epilogue);
    }
}

/* A tile of as many positions as the kernel takes samples. */
static void run_whole(const snn_convolution *c, const snn_kernel *kernel, const tile *t)
{
    run_tile(c, kernel, t, c->y + t->first, c->window->y_plane, c->addend ? c->addend + t->first : NULL,
             c->addend_plane);
}

/* A tile of fewer, or one whose y has no rows to spare: by way of scratch. */
static void run_part(const snn_convolution *c, const snn_kernel *kernel, const tile *t)
{
    const snn_isa *isa = c->plan->isa;
    const int64_t plane = c->window->y_plane, width = kernel->samples;
    const int64_t *bounds = c->choice->packing->bounds;
    const int64_t from = bounds ? bounds[t->begin] : 0, to = bounds ? bounds[t->end] : c->step->rows;
    const int64_t floats = (c->step->rows + c->plan->threads) * width;
    float *result = c->scratch + snn_min(block_columns(c->choice, kernel), c->step->cols) * width + floats;
    float *addend = c->addend ? result + floats : NULL;
    if (addend)
        isa->copy(c->addend + from * c->addend_plane + t->first, c->addend_plane, addend + from * width,
                  width, to - from, t->count);
    run_tile(c, kernel, t, result, width, addend, width);
    isa->copy(result + from * width, width, c->y + from * plane + t->first, plane, to - from, t->count);
}

/* Parts that a tile can be cut into: shares of the rows, where these are runs. */
static int parts_of(const snn_convolution *c)
{
    return c->choice->packing->bounds ? c->choice->packing->share_count : 1;
}

/* Where the part of member begins, in parts of tiles: by positions, of which the last tile has fewer. */
static int64_t begin_part(const void *opaque, int member, int members)
{
    const snn_convolution *c = opaque;
    const int64_t tiles = snn_window_tiles(c->window, c->choice->kernel);
    const int64_t width = c->choice->kernel->samples, parts = parts_of(c);
    if (member == members)
        return tiles * parts;
    const int64_t whole = (tiles - 1) * width, last = snn_window_positions(c->window) - whole;
    const int64_t all = whole + kernel_for(c, last)->samples;
    return (2 * all * member * parts + width * members) / (2 * width * members);
}

/* Parts [first, end) of tiles. */
static void run_parts(void *opaque, int64_t first, int64_t end)
{
    const snn_convolution *c = opaque;
    const int64_t positions = snn_window_positions(c->window);
    const int64_t width = c->choice->kernel->samples, parts = parts_of(c),
                  shares = c->choice->packing->share_count;
    for (int64_t next, at = first; at < end; at = next) {
        const int64_t i = at / parts;
        next = snn_min((i + 1) * parts, end);
        tile t = {.first = i * width,
                  .count = snn_min(width, positions - i * width),
                  .begin = (int)(at % parts),
                  .end = (int)(parts == 1 ? shares : next - i * parts)};
        const snn_kernel *kernel = kernel_for(c, t.count);
        if (c->spare && t.count < width && at - parts >= first && c->y != c->addend) {
            // positions of the tile before once more, by the thread that had them
            t.first = positions - kernel->samples;
            t.count = kernel->samples;
            run_whole(c, kernel, &t);
        } else if (c->spare && t.count == width) {
            run_whole(c, kernel, &t);
        } else {
            run_part(c, kernel, &t);
        }
    }
}

void snn_convolution_run(const snn_convolution *c, int member, int members)
{
    const snn_turns turns = {parts_of(c), begin_part, run_parts};
    snn_turns_run(&turns, (void *)c, c->taken, member, members);
}

void snn_convolution_run_tiles(const snn_convolution *c, int64_t first, int64_t end)
{
    run_parts((void *)c, first * parts_of(c), end * parts_of(c));
}

void snn_convolution_exact(const snn_convolution *c)
{
    const snn_isa *isa = c->plan->isa;
    const snn_packing *packing = c->choice->packing;
    const snn_step *step = c->step;
    const snn_window *w = c->window;
    const int64_t positions = snn_window_positions(w), width = isa->lanes;
    float *sums = c->scratch + step->cols * width; // y may be the addend
    for (int64_t first = 0; first < positions; first += width) {
        const int64_t count = snn_min(width, positions - first);
        snn_fetch fetch;
        snn_fetch_begin(&fetch, isa, w, first, count, width);
        snn_fetch_columns(&fetch, isa, c->x, 0, step->cols, c->scratch);
        for (int share = 0; share < packing->share_count; share++)
            isa->exact(c->choice->kernel, snn_share(packing, share), c->scratch, sums, step->epilogue.bias,
                       (int)width);
        for (int64_t r = 0; c->addend && r < step->rows; r++)
            isa->scaled_add(1.0f, c->addend + r * c->addend_plane + first, sums + r * width, count);
        isa->copy(sums, width, c->y + first, w->y_plane, step->rows, count);
    }
}

int64_t snn_convolution_scratch(const snn_plan *plan, const snn_step *step, int64_t samples)
{
    // a block is no wider than W; all of W and the sums of a tile for snn_convolution_exact
    return (step->cols + 3 * (step->rows + plan->threads)) * samples;
}
