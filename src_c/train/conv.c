/* The three products of a convolution in training, on tiles (conv.h).
 *
 * Output and input gradient: work is a tile by a position, a contiguous run of it a thread. Weight gradient:
 * work is a part of tiles and positions with sums of its own, which are then added in their order. Either way
 * a value does not depend on how many threads there are. */
#include "train/dense.h"

#include "base/status.h"
#include "base/threads.h"

#include <string.h>

static float *scratch_of(const snn_conv *c, int thread)
{
    return c->scratch + (size_t)thread * c->scratch_floats;
}

typedef struct product {
    const snn_conv *conv;
    const snn_field *fields;
    int field_count;
    snn_tiles from, to;
    snn_epilogue epilogue;
    snn_activation activation;
    const snn_tiles *made; /* input gradient: the activation's output; NULL: forward */
} product;

/* The rows y of one target. A kernel that fills up its panel writes a row behind the last, which is another
 * target's: then it writes to scratch. */
static void sum_sparse(const product *p, const snn_field *f, const float *from, int64_t i, int64_t j,
                       float *y, float *scratch)
{
    const int64_t width = f->kernel->samples;
    const snn_csr_tile *packed;
    const float *x = snn_field_window(f, from, i, j, scratch, &packed);
    const int spills = f->packing->fills_up;
    float *rows = spills ? scratch + snn_field_columns(f) * width : y;
    snn_run_share(p->conv->isa, f->kernel, packed, x, rows, 0, f->rows, &p->epilogue);
    if (spills)
        memcpy(y, rows, (size_t)(f->rows * width) * sizeof *y);
}

static void sum_dense(const product *p, const snn_field *f, const float *from, int64_t i, int64_t j, float *y)
{
    const snn_isa *isa = p->conv->isa;
    snn_dense_target(isa, f, from, i, j, p->epilogue.bias, y);
    if (p->epilogue.activation != SNN_OP_LINEAR)
        isa->activate(y, y, f->rows * f->kernel->samples, &p->epilogue);
}

/* One target of a tile. */
static void run_target(const product *p, const snn_field *f, int64_t t, int64_t i, int64_t j, float *scratch)
{
    const int64_t width = f->kernel->samples, at = snn_field_row(f, i, j) * width, count = f->rows * width;
    const snn_tiles to = !p->made && p->activation.z.values ? p->activation.z : p->to;
    const float *from = snn_tile_of(p->from, t, width);
    float *y = snn_tile_of(to, t, width) + at;
    if (f->dense)
        sum_dense(p, f, from, i, j, y);
    else
        sum_sparse(p, f, from, i, j, y, scratch);
    if (p->activation.type != SNN_NODE_LINEAR) {
        const float *z = p->activation.z.values ? snn_tile_of(p->activation.z, t, width) + at : NULL;
        const float *made = p->made ? snn_tile_of(*p->made, t, width) + at : NULL;
        snn_follow(p->conv->isa, &p->activation, made, z, snn_tile_of(p->to, t, width) + at, count);
    }
}

static void multiply(void *argument, int thread, int threads)
{
    const product *p = argument;
    for (int number = 0; number < p->field_count; number++) {
        const snn_field *f = &p->fields[number];
        const int64_t positions = f->down * f->across, parts = p->from.count * positions;
        for (int64_t n = parts * thread / threads; n < parts * (thread + 1) / threads; n++) {
            const int64_t position = n % positions;
            SNN_PAUSE();
            run_target(p, f, n / positions, position / f->across, position % f->across,
                       scratch_of(p->conv, thread));
        }
    }
}

static int64_t in_features(const snn_conv *c) { return c->shape.channels * c->shape.height * c->shape.width; }
static int64_t out_features(const snn_conv *c) { return c->rows * c->out_height * c->out_width; }

static const snn_activation none = {.type = SNN_NODE_LINEAR};

snn_status snn_conv_forward_tiles(snn_conv *c, const float *bias, snn_tiles x,
                                  const snn_activation *activation, snn_tiles y)
{
    if (!c)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    const snn_activation *a = activation ? activation : &none;
    snn_status status = snn_check_tiles("x", x, x.count, in_features(c), 0);
    if (!status)
        status = snn_check_tiles("y", y, x.count, out_features(c), 1);
    if (!status)
        status = snn_check_activation(a, x.count, out_features(c), 1);
    if (status)
        return status;
    product p = {.conv = c, .fields = &c->forward, .field_count = 1, .from = x, .to = y};
    p.epilogue = snn_begin_forward(a, bias, c->rows, c->bias, &p.activation);
    snn_parallel(c->threads, multiply, &p);
    return SNN_OK;
}

snn_status snn_conv_backward_input_tiles(snn_conv *c, snn_tiles dy, snn_tiles x,
                                         const snn_activation *activation, snn_tiles dx)
{
    if (!c)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    const snn_activation *a = activation ? activation : &none;
    const int64_t features = in_features(c), width = c->kernel->samples;
    snn_status status = snn_check_tiles("dy", dy, dy.count, out_features(c), 0);
    if (!status)
        status = snn_check_tiles("dx", dx, dy.count, features, 1);
    if (!status && a->type != SNN_NODE_LINEAR)
        status = snn_check_tiles("x", x, dy.count, features, 0);
    if (!status)
        status = snn_check_activation(a, dy.count, features, 0);
    if (status)
        return status;
    for (int64_t t = 0; c->bare && t < dx.count; t++)
        memset(snn_tile_of(dx, t, width), 0, (size_t)(features * width) * sizeof *dx.values);
    product p = {.conv = c, .fields = c->backward, .field_count = c->backward_count};
    p.from = dy;
    p.to = dx;
    p.activation = *a;
    p.made = &x;
    p.epilogue = (snn_epilogue){.bias = c->zeros, .activation = SNN_OP_LINEAR};
    snn_parallel(c->threads, multiply, &p);
    return SNN_OK;
}

/* ---- weight gradient ---- */

typedef struct gradient {
    const snn_conv *conv;
    snn_tiles dy, x;
    float *ddata;
    int64_t parts;
} gradient;

static void accumulate(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_conv *c = g->conv;
    const snn_field *f = &c->forward;
    const int64_t width = c->kernel->samples, positions = f->down * f->across, work = g->dy.count * positions;
    for (int64_t part = g->parts * thread / threads; part < g->parts * (thread + 1) / threads; part++) {
        const int64_t from = work * part / g->parts, end = work * (part + 1) / g->parts;
        for (int64_t n = from; n < end; n++) {
            const int64_t t = n / positions, i = n % positions / f->across, j = n % f->across;
            const snn_csr_tile *packed;
            SNN_PAUSE();
            const float *x =
                snn_field_window(f, snn_tile_of(g->x, t, width), i, j, scratch_of(c, thread), &packed);
            c->isa->sampled(packed, x, snn_tile_of(g->dy, t, width) + snn_field_row(f, i, j) * width,
                            c->gradient + (size_t)part * c->gradient_stride, c->dbias + part * (c->rows + 1),
                            n == from);
        }
    }
}

/* The parts' sums, in their order. */
static void collect(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_conv *c = g->conv;
    for (int64_t p = c->nnz * thread / threads; p < c->nnz * (thread + 1) / threads; p++) {
        const float *at = c->gradient + c->forward_position[p];
        float sum = at[0];
        for (int64_t part = 1; part < g->parts; part++)
            sum += at[(size_t)part * c->gradient_stride];
        g->ddata[p] = sum;
    }
}

snn_status snn_conv_backward_weight_tiles(snn_conv *c, snn_tiles dy, snn_tiles x, float *ddata, float *dbias)
{
    if (!c)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    if (!ddata && c->nnz)
        return snn_fail(SNN_ERROR_ARGUMENT, "ddata must not be NULL");
    snn_status status = snn_check_tiles("dy", dy, dy.count, out_features(c), 1);
    if (!status)
        status = snn_check_tiles("x", x, dy.count, in_features(c), 0);
    if (status)
        return status;
    if (c->dense) {
        snn_dense_gradient(c, dy, x, ddata, dbias);
        return SNN_OK;
    }
    const int64_t work = dy.count * c->out_height * c->out_width;
    gradient g = {c, dy, x, ddata, work < SNN_CONV_PARTS ? work : SNN_CONV_PARTS};
    if (work) {
        snn_parallel(c->threads, accumulate, &g);
        snn_parallel(c->threads, collect, &g);
    } else if (c->nnz) {
        memset(ddata, 0, (size_t)c->nnz * sizeof *ddata);
    }
    for (int64_t r = 0; dbias && r < c->rows; r++) {
        dbias[r] = 0.0f;
        for (int64_t part = 0; part < g.parts; part++)
            dbias[r] += c->dbias[part * (c->rows + 1) + r];
    }
    return SNN_OK;
}

/* ---- weights ---- */

static void scatter(const void *owner, const float *data, int64_t first, int64_t last)
{
    const snn_conv *c = owner;
    float *rows = c->forward.weights, **tables = c->tables;
    for (int64_t p = first; p < last; p++) {
        rows[c->forward_position[p]] = data[p];
        if (c->field_of[p] >= 0)
            tables[c->field_of[p]][c->backward_position[p]] = data[p];
    }
}

snn_status snn_conv_set(snn_conv *c, const float *data)
{
    if (!c)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    const snn_moved moved = snn_conv_moved(c, scatter);
    return snn_moved_set(&moved, data);
}

snn_status snn_conv_update(snn_conv *c, const snn_update *update, float *data, const float *ddata,
                           float *first, float *second)
{
    if (!c)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    const snn_moved moved = snn_conv_moved(c, scatter);
    return snn_moved_update(&moved, update, data, ddata, first, second);
}
