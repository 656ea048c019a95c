/* Products of a training step on tiles of samples: forward and input gradient.
 *
 * Work is a tile by a share of rows, a contiguous run of it a thread, so that a thread keeps whole tiles
 * where there are enough. A value is computed by one thread, in an order that depends on nothing else. */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "graph/op.h"
#include "train/train.h"

int64_t snn_tile_samples_for(const char *isa_name)
{
    const snn_isa *isa = NULL;
    return snn_isa_find(isa_name, &isa) ? 0 : 4 * isa->lanes;
}

int64_t snn_tile_samples(void) { return snn_tile_samples_for(NULL); }

snn_status snn_check_tiles(const char *name, snn_tiles tiles, int64_t count, int64_t features, int spare)
{
    if (tiles.count != count)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must hold %lld tiles, got %lld", name, (long long)count,
                        (long long)tiles.count);
    if (!tiles.values && count)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", name);
    if (tiles.stride < features + spare)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must have a stride of at least %lld rows, got %lld", name,
                        (long long)(features + spare), (long long)tiles.stride);
    return SNN_OK;
}

/* ---- loading ---- */

typedef struct loading {
    const snn_isa *isa;
    const float *x;
    int64_t batch, features;
    snn_tiles tiles;
} loading;

static void load(void *argument, int thread, int threads)
{
    const loading *l = argument;
    const int64_t width = 4 * l->isa->lanes, parts = l->tiles.count * threads;
    for (int64_t i = parts * thread / threads; i < parts * (thread + 1) / threads; i++) {
        const int64_t t = i / threads, part = i % threads, first = t * width;
        const int64_t samples = l->batch - first < width ? l->batch - first : width;
        const int64_t from = l->features * part / threads, to = l->features * (part + 1) / threads;
        SNN_PAUSE();
        float *tile = snn_tile_of(l->tiles, t, width) + from * width;
        l->isa->transpose(l->x + first * l->features + from, l->features, tile, width, samples, to - from,
                          width);
    }
}

snn_status snn_tiles_load_for(const char *isa_name, const float *x, int64_t batch, int64_t features,
                              int threads, snn_tiles tiles)
{
    loading l = {.x = x, .batch = batch, .features = features, .tiles = tiles};
    snn_status status = snn_isa_find(isa_name, &l.isa);
    if (status)
        return status;
    if (batch < 0 || features < 1 || (!x && batch) || threads < 0 || threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "x (batch, features) and threads must be in range, got (%lld, %lld) and %d",
                        (long long)batch, (long long)features, threads);
    const int64_t width = 4 * l.isa->lanes;
    status = snn_check_tiles("tiles", tiles, (batch + width - 1) / width, features, 0);
    if (status)
        return status;
    snn_parallel(threads ? threads : snn_threads_default(), load, &l);
    return SNN_OK;
}

snn_status snn_tiles_load(const float *x, int64_t batch, int64_t features, int threads, snn_tiles tiles)
{
    return snn_tiles_load_for(NULL, x, batch, features, threads, tiles);
}

/* ---- forward and input gradient ---- */

typedef struct product {
    const snn_sparse *sparse;
    const snn_direction *direction;
    snn_tiles from, to;
    snn_epilogue epilogue;
    snn_activation activation;
    const snn_tiles *made; /* input gradient: the activation's output; NULL: forward */
} product;

void snn_follow(const snn_isa *isa, const snn_activation *a, const float *made, const float *z, float *y,
                int64_t count)
{
    const snn_epilogue e = {NULL, a->type, a->low, a->high};
    if (made)
        isa->slope(made, z, y, count, &e);
    else if (z)
        isa->activate(z, y, count, &e);
}

/* On the rows of y that the kernel has just written. */
static void finish(const product *p, int64_t t, int share)
{
    const snn_direction *d = p->direction;
    const int64_t width = d->kernel->samples, first = d->bounds[share] * width;
    const int64_t count = (d->bounds[share + 1] - d->bounds[share]) * width;
    const float *z = p->activation.z.values ? snn_tile_of(p->activation.z, t, width) + first : NULL;
    const float *made = p->made ? snn_tile_of(*p->made, t, width) + first : NULL;
    snn_follow(p->sparse->isa, &p->activation, made, z, snn_tile_of(p->to, t, width) + first, count);
}

void snn_run_share(const snn_isa *isa, const snn_kernel *kernel, const void *packed, const float *x, float *y,
                   int64_t first, int64_t end, const snn_epilogue *epilogue)
{
    const int width = kernel->samples;
    float *rows = y + first * width;
    const int64_t values = (end - first) * width;
    kernel->run(packed, x, y, 0, epilogue);
    if (isa->has_nan(rows, values)) {
        isa->exact(kernel, packed, x, y, epilogue->bias, width);
        isa->activate(rows, rows, values, epilogue);
    }
}

static void multiply(void *argument, int thread, int threads)
{
    const product *p = argument;
    const snn_direction *d = p->direction;
    const int64_t width = d->kernel->samples, shares = d->packing->share_count,
                  parts = p->from.count * shares;
    const int active = p->activation.type != SNN_NODE_LINEAR;
    const snn_tiles to = !p->made && p->activation.z.values ? p->activation.z : p->to;
    for (int64_t i = parts * thread / threads; i < parts * (thread + 1) / threads; i++) {
        const int64_t t = i / shares;
        const int share = (int)(i % shares);
        SNN_PAUSE();
        snn_run_share(p->sparse->isa, d->kernel, snn_share(d->packing, share), snn_tile_of(p->from, t, width),
                      snn_tile_of(to, t, width), d->bounds[share], d->bounds[share + 1], &p->epilogue);
        SNN_PAUSE();
        if (active)
            finish(p, t, share);
    }
}

static const snn_activation none = {.type = SNN_NODE_LINEAR};

snn_status snn_check_activation(const snn_activation *a, int64_t count, int64_t features, int spare)
{
    const snn_op *op = snn_op_of(a->type);
    if (!op || op->is_graph || (op->kind != SNN_KIND_POINTWISE && op->type != SNN_OP_LINEAR))
        return snn_fail(SNN_ERROR_ARGUMENT, "activation must work on one value at a time, got type %d",
                        (int)a->type);
    if (op->reads_input || a->z.values)
        return snn_check_tiles("activation z", a->z, count, features, spare);
    return SNN_OK;
}

snn_epilogue snn_begin_forward(const snn_activation *a, const float *bias, int64_t rows, float *own,
                               snn_activation *left)
{
    for (int64_t r = 0; r < rows; r++)
        own[r] = bias ? bias[r] + 0.0f : 0.0f; // -0 becomes 0, as in plans
    *left = *a;
    if (!a->z.values)
        left->type = SNN_NODE_LINEAR; // the kernel's own epilogue does it
    return (snn_epilogue){own, a->z.values ? SNN_OP_LINEAR : (int)a->type, a->low, a->high};
}

snn_status snn_sparse_forward_tiles(snn_sparse *sparse, const float *bias, snn_tiles x,
                                    const snn_activation *activation, snn_tiles y)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    const snn_activation *a = activation ? activation : &none;
    const snn_direction *d = &sparse->forward;
    snn_status status = snn_check_tiles("x", x, x.count, d->cols, 0);
    if (!status)
        status = snn_check_tiles("y", y, x.count, d->rows, sparse->threads);
    if (!status)
        status = snn_check_activation(a, x.count, d->rows, sparse->threads);
    if (status)
        return status;
    product p = {.sparse = sparse, .direction = d, .from = x, .to = y};
    p.epilogue = snn_begin_forward(a, bias, d->rows, d->bias, &p.activation);
    snn_parallel(sparse->threads, multiply, &p);
    return SNN_OK;
}

snn_status snn_sparse_backward_input_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x,
                                           const snn_activation *activation, snn_tiles dx)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    const snn_activation *a = activation ? activation : &none;
    const snn_direction *d = &sparse->backward;
    snn_status status = snn_check_tiles("dy", dy, dy.count, d->cols, 0);
    if (!status)
        status = snn_check_tiles("dx", dx, dy.count, d->rows, sparse->threads);
    if (!status && a->type != SNN_NODE_LINEAR)
        status = snn_check_tiles("x", x, dy.count, d->rows, 0);
    if (!status)
        status = snn_check_activation(a, dy.count, d->rows, 0);
    if (status)
        return status;
    product p = {.sparse = sparse, .direction = d, .from = dy, .to = dx, .activation = *a, .made = &x};
    p.epilogue = (snn_epilogue){.bias = d->bias, .activation = SNN_OP_LINEAR};
    snn_parallel(sparse->threads, multiply, &p);
    return SNN_OK;
}
