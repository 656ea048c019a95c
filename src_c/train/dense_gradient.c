/* The weight gradient of a dense convolution (dense.h): a chunk of samples is turned into panels, x with its
 * padding, and then each thread adds its own sums up, in the order of samples and positions: how many threads
 * there are changes no bit. */
#include "train/dense.h"

#include "base/memory.h"
#include "base/minmax.h"
#include "base/status.h"
#include "base/threads.h"

#include <string.h>

/* Positions that are summed in registers: what they read then stays in the caches. */
enum { BAND = 256, R = SNN_TRAIN_ROWS };

/* How a convolution's values are laid out:
 * x (channel panels, chunk, height, width, panel) with padding, dy (row panels, chunk, positions, R). */
typedef struct sizes {
    int64_t panel, chunk, height, width, places, positions, channel_panels, row_panels;
} sizes;

static sizes sizes_of(const snn_conv *c)
{
    const snn_conv_shape *s = &c->shape;
    const int64_t panel = 2 * c->isa->lanes;
    return (sizes){.panel = panel,
                   .chunk = 2 * c->isa->lanes,
                   .height = s->height + s->pad_top + s->pad_bottom,
                   .width = s->width + s->pad_left + s->pad_right,
                   .places = s->kernel_h * s->kernel_w,
                   .positions = c->out_height * c->out_width,
                   .channel_panels = (s->channels + panel - 1) / panel,
                   .row_panels = snn_panels_of(c->rows)};
}

static int64_t items_of(const sizes *n) { return n->places * n->channel_panels * n->row_panels; }

int snn_dense_suits(const snn_isa *isa, const snn_conv_shape *s)
{
    const int64_t height = s->height + s->pad_top + s->pad_bottom,
                  width = s->width + s->pad_left + s->pad_right;
    return s->channels >= isa->lanes && height <= 4 * s->height + 64 && width <= 4 * s->width + 64;
}

int snn_dense_prepare(snn_conv *c)
{
    const sizes n = sizes_of(c);
    c->gradient = snn_alloc((size_t)(items_of(&n) * R), (size_t)n.panel * sizeof *c->gradient);
    c->dbias = snn_alloc((size_t)n.row_panels, R * sizeof *c->dbias);
    c->x_panels = snn_alloc((size_t)(n.channel_panels * n.chunk * n.height),
                            (size_t)(n.width * n.panel) * sizeof *c->x_panels);
    c->dy_panels =
        snn_alloc((size_t)(n.row_panels * n.chunk), (size_t)n.positions * R * sizeof *c->dy_panels);
    return c->gradient && c->dbias && c->x_panels && c->dy_panels;
}

typedef struct gradient {
    const snn_conv *conv;
    sizes n;
    snn_tiles dy, x;
    int64_t tile, sample; /* the chunk begins at this sample of this tile */
    float *ddata;
} gradient;

/* One position of the chunk: values (features, samples of a tile) -> panels of height, chunk rows of them
 * to_stride apart; panels lie chunk * to_stride apart. */
static void turn_position(const gradient *g, const float *from, int64_t features, int64_t height, float *to,
                          int64_t to_stride)
{
    const int64_t width = g->conv->kernel->samples;
    for (int64_t f = 0; f < features; f += height, to += g->n.chunk * to_stride)
        g->conv->isa->transpose(from + f * width, width, to, to_stride, snn_min(height, features - f),
                                g->n.chunk, height);
}

/* Work is a row of x or of dy. */
static void turn(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_conv *c = g->conv;
    const snn_conv_shape *s = &c->shape;
    const sizes *n = &g->n;
    const int64_t samples = c->kernel->samples, work = s->height + c->out_height;
    const float *x = snn_tile_of(g->x, g->tile, samples) + g->sample;
    const float *dy = snn_tile_of(g->dy, g->tile, samples) + g->sample;
    for (int64_t i = work * thread / threads; i < work * (thread + 1) / threads; i++) {
        SNN_PAUSE();
        for (int64_t w = 0; i < s->height && w < s->width; w++)
            turn_position(g, x + (i * s->width + w) * s->channels * samples, s->channels, n->panel,
                          c->x_panels + ((i + s->pad_top) * n->width + w + s->pad_left) * n->panel,
                          n->height * n->width * n->panel);
        for (int64_t w = 0; i >= s->height && w < c->out_width; w++) {
            const int64_t position = (i - s->height) * c->out_width + w;
            turn_position(g, dy + position * c->rows * samples, c->rows, R, c->dy_panels + position * R,
                          n->positions * R);
        }
    }
}

/* dbias (R) += dy, of one panel. */
static void add_bias(const snn_outer *o, const float *dy, float *dbias)
{
    float sums[R] = {0};
    for (int64_t sample = 0; sample < o->samples; sample++, dy += o->dy_sample)
        for (int64_t i = 0; i < o->rows * o->columns; i++)
            for (int r = 0; r < R; r++)
                sums[r] += dy[i * R + r];
    for (int r = 0; r < R; r++)
        dbias[r] += sums[r];
}

/* Items [first, last) of a band: panel by panel of dy for each panel of x at each place of the window. */
static void add_band(const gradient *g, const snn_outer *o, int64_t sample, int64_t row, int64_t first,
                     int64_t last)
{
    const snn_conv *c = g->conv;
    const snn_conv_shape *s = &c->shape;
    const sizes *n = &g->n;
    for (int64_t item = first; item < last; item++) {
        const int64_t down = item % n->row_panels, across = item / n->row_panels % n->channel_panels,
                      place = item / n->row_panels / n->channel_panels;
        const int64_t h = row * s->stride_h + place / s->kernel_w * s->dilation_h,
                      w = place % s->kernel_w * s->dilation_w;
        const float *dy = c->dy_panels + ((down * n->chunk + sample) * n->positions + row * c->out_width) * R;
        const float *x =
            c->x_panels + (((across * n->chunk + sample) * n->height + h) * n->width + w) * n->panel;
        c->isa->outer(o, dy, x, c->gradient + item * R * n->panel);
        if (item < n->row_panels)
            add_bias(o, dy, c->dbias + item * R);
    }
}

/* Work is an item. */
static void add(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_conv *c = g->conv;
    const sizes *n = &g->n;
    const int64_t items = items_of(n), first = items * thread / threads,
                  last = items * (thread + 1) / threads;
    const int64_t samples = snn_min(snn_max(BAND / n->positions, 1), n->chunk);
    const int64_t rows = samples > 1 ? c->out_height : snn_min(BAND / c->out_width + 1, c->out_height);
    snn_outer o = {.columns = c->out_width, .dy_sample = n->positions * R};
    o.x_sample = n->height * n->width * n->panel;
    o.x_row = c->shape.stride_h * n->width * n->panel;
    o.x_step = c->shape.stride_w * n->panel;
    for (int64_t sample = 0; sample < n->chunk; sample += samples)
        for (int64_t row = 0; row < c->out_height; row += rows) {
            o.samples = snn_min(samples, n->chunk - sample);
            o.rows = snn_min(rows, c->out_height - row);
            SNN_PAUSE();
            add_band(g, &o, sample, row, first, last);
        }
}

/* The sums of items -> ddata (rows, channels, places). Work is a row. */
static void collect(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_conv *c = g->conv;
    const sizes *n = &g->n;
    const int64_t channels = c->shape.channels;
    for (int64_t row = c->rows * thread / threads; row < c->rows * (thread + 1) / threads; row++)
        for (int64_t across = 0; across < n->channel_panels; across++) {
            const int64_t first = across * n->panel, count = snn_min(n->panel, channels - first);
            for (int64_t place = 0; place < n->places; place++) {
                const int64_t item = (place * n->channel_panels + across) * n->row_panels + row / R;
                const float *from = c->gradient + (item * R + row % R) * n->panel;
                float *to = g->ddata + (row * channels + first) * n->places + place;
                for (int64_t i = 0; i < count; i++)
                    to[i * n->places] = from[i];
            }
        }
}

void snn_dense_gradient(snn_conv *c, snn_tiles dy, snn_tiles x, float *ddata, float *dbias)
{
    gradient g = {.conv = c, .n = sizes_of(c), .dy = dy, .x = x, .ddata = ddata};
    memset(c->gradient, 0, (size_t)(items_of(&g.n) * R * g.n.panel) * sizeof *c->gradient);
    memset(c->dbias, 0, (size_t)(g.n.row_panels * R) * sizeof *c->dbias);
    for (g.tile = 0; g.tile < dy.count; g.tile++)
        for (g.sample = 0; g.sample < c->kernel->samples; g.sample += g.n.chunk) {
            snn_parallel(c->threads, turn, &g);
            snn_parallel(c->threads, add, &g);
        }
    snn_parallel(c->threads, collect, &g);
    if (dbias)
        memcpy(dbias, c->dbias, (size_t)c->rows * sizeof *dbias);
}
