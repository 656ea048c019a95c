/* Where a field reads, and its packing (field.h). */
#include "train/field.h"

#include "base/memory.h"

#include <string.h>

/* Runs of fewer columns are gathered: a block for each would be too short. */
enum { SHORT_RUN = 64 };

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Targets [*low, *high) of count whose windows, offsets from least to most, lie within size. */
static void find_inside(int64_t count, int64_t step, int64_t least, int64_t most, int64_t size, int64_t *low,
                        int64_t *high)
{
    *low = clamp(-floor_div(least, step), 0, count);
    *high = clamp(floor_div(size - 1 - most, step) + 1, *low, count);
}

int snn_field_place(snn_field *f, const snn_axis *down, const snn_axis *across)
{
    int adjacent = 1;
    for (int64_t w = 1; w < across->count; w++)
        adjacent &= across->offsets[w] == across->offsets[w - 1] + 1;
    f->groups = adjacent ? 1 : across->count;
    f->run_places = across->count / f->groups;
    f->run_count = down->count * f->groups;
    f->runs = snn_alloc((size_t)f->run_count, sizeof *f->runs);
    if (!f->runs)
        return 0;
    for (int64_t r = 0; r < f->run_count; r++)
        f->runs[r] = (snn_run){down->offsets[r / f->groups], across->offsets[r % f->groups]};
    f->least_h = down->offsets[0];
    f->least_w = across->offsets[0];
    find_inside(f->down, f->step_h, f->least_h, down->offsets[down->count - 1], f->height, &f->low_h,
                &f->high_h);
    find_inside(f->across, f->step_w, f->least_w, across->offsets[across->count - 1], f->width, &f->low_w,
                &f->high_w);
    const int64_t most = snn_largest_block(f->kernel), columns = f->run_places * f->channels;
    if (f->dense) {
        f->run_columns = columns;
        return 1;
    }
    f->run_blocks = (columns + most - 1) / most;
    f->run_columns = (columns + f->run_blocks - 1) / f->run_blocks * f->run_blocks;
    if (columns < SHORT_RUN && f->run_count > 1) {
        f->run_blocks = f->high_h = f->low_h = 0;
        f->run_columns = columns;
    }
    return 1;
}

int64_t snn_field_column(const snn_field *f, int64_t h, int64_t w)
{
    const int64_t run = f->groups == 1 ? h : h * f->groups + w, place = f->groups == 1 ? w : 0;
    return run * f->run_columns + place * f->channels;
}

/* The weights in order of row and column, as numbers: sorted by column and then, keeping that, by row. */
static void sort(int64_t count, const int32_t *keys, int64_t *next, int64_t range, const int32_t *from,
                 int32_t *to)
{
    memset(next, 0, (size_t)(range + 1) * sizeof *next);
    for (int64_t i = 0; i < count; i++)
        next[keys[i] + 1]++;
    for (int64_t k = 0; k < range; k++)
        next[k + 1] += next[k];
    for (int64_t i = 0; i < count; i++) {
        const int32_t item = from ? from[i] : (int32_t)i;
        to[next[keys[item]]++] = item;
    }
}

/* Blocks as they are read in place, from the first position that a window reads. */
static int place_blocks(snn_field *f)
{
    const snn_csr_tile *share = snn_share(f->packing, 0);
    snn_csr_block *blocks = snn_alloc((size_t)share->block_count, sizeof *blocks);
    if (!blocks)
        return 0;
    f->inside = (snn_csr_tile){share->block_count, blocks};
    for (int64_t b = 0; b < share->block_count; b++) {
        const snn_run *run = &f->runs[b / f->run_blocks];
        const int64_t from = b % f->run_blocks * (f->run_columns / f->run_blocks);
        blocks[b] = share->blocks[b];
        blocks[b].first_column =
            ((run->dh - f->least_h) * f->width + run->dw - f->least_w) * f->channels + from;
    }
    return 1;
}

int snn_field_pack(snn_field *f, const snn_isa *isa, int64_t count, const int32_t *rows,
                   const int32_t *columns, const int32_t *numbers, int32_t *position)
{
    const int64_t range = f->rows > snn_field_columns(f) ? f->rows : snn_field_columns(f);
    int64_t *next = snn_alloc((size_t)range + 1, sizeof *next);
    int32_t *by_column = snn_alloc((size_t)count, sizeof *by_column);
    int32_t *order = snn_alloc((size_t)count, sizeof *order);
    float *names = snn_alloc((size_t)count, sizeof *names);
    int made = next && by_column && order && names;
    if (made) {
        sort(count, columns, next, snn_field_columns(f), NULL, by_column);
        sort(count, rows, next, f->rows, by_column, order); // then next[r] is where row r ends
        memmove(next + 1, next, (size_t)f->rows * sizeof *next);
        next[0] = 0;
        for (int64_t i = 0; i < count; i++) {
            names[i] = snn_name_of(numbers[order[i]]);
            by_column[i] = columns[order[i]];
        }
        const snn_csr csr = {f->rows, snn_field_columns(f), next, by_column, names};
        const int64_t bounds[2] = {0, f->rows}, most = snn_largest_block(f->kernel);
        int64_t k_block = f->run_blocks ? f->run_columns / f->run_blocks : snn_field_columns(f);
        if (k_block > most)
            k_block = most;
        f->packing = snn_pack(&csr, isa, f->kernel, k_block, 1, bounds);
        made = f->packing && f->packing->entries <= INT32_MAX;
    }
    if (made) {
        f->weights = f->packing->memory;
        snn_take_names(f->packing, position);
        made = !f->run_blocks || place_blocks(f);
    }
    snn_free(next);
    snn_free(by_column);
    snn_free(order);
    snn_free(names);
    return made;
}

void snn_field_clear(snn_field *f)
{
    snn_free(f->runs);
    snn_free((void *)(uintptr_t)f->inside.blocks);
    if (f->dense)
        snn_free(f->weights);
    snn_packing_free(f->packing);
}

/* The run of target (i, j) -> to (run_places, channels, samples), with zeros outside of the source. */
static void gather(const snn_field *f, const float *source, const snn_run *run, int64_t i, int64_t j,
                   float *to)
{
    const int64_t floats = f->channels * f->kernel->samples;
    const int64_t h = i * f->step_h + run->dh, w = j * f->step_w + run->dw;
    const int64_t from = h < 0 || h >= f->height ? f->run_places : clamp(-w, 0, f->run_places);
    const int64_t end = clamp(f->width - w, from, f->run_places);
    memset(to, 0, (size_t)(from * floats) * sizeof *to);
    if (end > from)
        memcpy(to + from * floats, source + (h * f->width + w + from) * floats,
               (size_t)((end - from) * floats) * sizeof *to);
    memset(to + end * floats, 0, (size_t)((f->run_places - end) * floats) * sizeof *to);
}

const float *snn_field_window(const snn_field *f, const float *source, int64_t i, int64_t j, float *scratch,
                              const snn_csr_tile **packed)
{
    const int64_t samples = f->kernel->samples;
    if (i >= f->low_h && i < f->high_h && j >= f->low_w && j < f->high_w) {
        const int64_t h = i * f->step_h + f->least_h, w = j * f->step_w + f->least_w;
        *packed = &f->inside;
        return source + (h * f->width + w) * f->channels * samples;
    }
    for (int64_t r = 0; r < f->run_count; r++)
        gather(f, source, &f->runs[r], i, j, scratch + r * f->run_columns * samples);
    *packed = snn_share(f->packing, 0);
    return scratch;
}
