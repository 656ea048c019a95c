#include "plan/fetch.h"

#include "base/minmax.h"

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Bits [first, end). */
static uint64_t bits(int64_t first, int64_t end)
{
    return end > first ? ~(uint64_t)0 >> (64 - (end - first)) << first : 0;
}

static void find_inside(snn_fetch *fetch)
{
    const snn_window *w = fetch->window;
    for (int64_t k = 0; k < w->kernel_h; k++) {
        const int64_t down = k * w->dilation_h - w->pad_top;
        fetch->rows_in[k] = 0;
        for (int i = 0; i < fetch->part_count; i++) {
            const snn_fetch_part *part = &fetch->parts[i];
            if (part->row + down >= 0 && part->row + down < w->height)
                fetch->rows_in[k] |= bits(part->to, part->to + part->count);
        }
    }
    for (int64_t k = 0; k < w->kernel_w; k++) {
        const int64_t right = k * w->dilation_w - w->pad_left;
        fetch->columns_in[k] = 0;
        for (int i = 0; i < fetch->part_count; i++) {
            const snn_fetch_part *part = &fetch->parts[i];
            const int64_t end = part->column + part->count;
            const int64_t low = clamp(-right, part->column, end), high = clamp(w->width - right, low, end);
            fetch->columns_in[k] |= bits(part->to + low - part->column, part->to + high - part->column);
        }
    }
}

void snn_fetch_begin(snn_fetch *fetch, const snn_isa *isa, const snn_window *window, int64_t first,
                     int64_t count, int64_t samples)
{
    int64_t row = first / window->out_width, column = first % window->out_width;
    fetch->window = window;
    fetch->samples = samples;
    fetch->part_count = 0;
    for (int64_t to = 0; to < count; row++, column = 0) {
        const int64_t n = snn_min(window->out_width - column, count - to);
        fetch->parts[fetch->part_count++] = (snn_fetch_part){row, column, to, n};
        to += n;
    }
    // One part alone is whole vectors but for its ends already.
    fetch->at_once = isa->copy_bits && fetch->part_count > 1 && window->stride_h == 1 &&
                     window->stride_w == 1 && window->out_width == window->width &&
                     window->kernel_h <= SNN_MOST_SIDE && window->kernel_w <= SNN_MOST_SIDE;
    fetch->first = first;
    if (fetch->at_once)
        find_inside(fetch);
}

/* One place of the window in channels one after the other: their planes from x on -> rows from to on, stride
 * apart. */
static void fetch_place(const snn_fetch *fetch, const snn_isa *isa, int64_t place, const float *x,
                        int64_t channels, float *to, int64_t stride)
{
    static const float zeros[SNN_MOST_PARTS];
    const snn_window *w = fetch->window;
    const int64_t down = place / w->kernel_w * w->dilation_h - w->pad_top;
    const int64_t right = place % w->kernel_w * w->dilation_w - w->pad_left;
    if (fetch->at_once) {
        const uint64_t inside = fetch->rows_in[place / w->kernel_w] & fetch->columns_in[place % w->kernel_w];
        isa->copy_bits(x + fetch->first + down * w->width + right, w->x_plane, to, stride, channels,
                       fetch->samples, inside);
        return;
    }
    // Columns of the result that find something.
    const int64_t low = right < 0 ? (-right + w->stride_w - 1) / w->stride_w : 0;
    const int64_t high = right < w->width ? (w->width - right - 1) / w->stride_w + 1 : 0;
    int64_t done = 0; // of the tile
    for (int i = 0; i < fetch->part_count; i++) {
        const snn_fetch_part *part = &fetch->parts[i];
        const int64_t row = part->row * w->stride_h + down;
        const int64_t a = clamp(low, part->column, part->column + part->count);
        const int64_t count = clamp(high, a, part->column + part->count) - a;
        if (row < 0 || row >= w->height || count == 0)
            continue;
        const float *from = x + row * w->width + a * w->stride_w + right;
        const int64_t at = part->to + a - part->column;
        if (at > done)
            isa->copy(zeros, 0, to + done, stride, channels, at - done);
        if (w->stride_w == 1)
            isa->copy(from, w->x_plane, to + at, stride, channels, count);
        else
            isa->pick(from, w->x_plane, w->stride_w, to + at, stride, channels, count);
        done = at + count;
    }
    if (fetch->samples > done)
        isa->copy(zeros, 0, to + done, stride, channels, fetch->samples - done);
}

void snn_fetch_columns(const snn_fetch *fetch, const snn_isa *isa, const float *x, int64_t begin, int64_t end,
                       float *to)
{
    const snn_window *w = fetch->window;
    const int64_t places = w->kernel_h * w->kernel_w;
    int64_t channel = begin / places, place = begin % places;
    for (int64_t i = 0; i < snn_min(places, end - begin); i++) {
        const int64_t column = channel * places + place;
        fetch_place(fetch, isa, place, x + channel * w->x_plane, (end - 1 - column) / places + 1,
                    to + (column - begin) * fetch->samples, places * fetch->samples);
        if (++place == places) {
            place = 0;
            channel++;
        }
    }
}
