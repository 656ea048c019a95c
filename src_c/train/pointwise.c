/* Activations and sums of whole arrays of tiles, by threads. */
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

/* Floats that a thread takes at a time. */
enum { CHUNK = 1 << 14 };

typedef struct pass {
    const snn_isa *isa;
    snn_epilogue epilogue;
    const float *a, *b;
    float *y;
    int64_t tiles, floats, stride; /* of a tile that count; from one to the next */
    int kind;
} pass;

enum { ACTIVATE, SLOPE, ADD };

static void run(void *argument, int thread, int threads)
{
    const pass *p = argument;
    const int64_t chunks = (p->floats + CHUNK - 1) / CHUNK, work = p->tiles * chunks;
    for (int64_t i = work * thread / threads; i < work * (thread + 1) / threads; i++) {
        const int64_t first = i % chunks * CHUNK, at = i / chunks * p->stride + first;
        const int64_t count = p->floats - first < CHUNK ? p->floats - first : CHUNK;
        const float *b = p->b ? p->b + at : NULL;
        SNN_PAUSE();
        if (p->kind == ACTIVATE)
            p->isa->activate(p->a + at, p->y + at, count, &p->epilogue);
        else if (p->kind == SLOPE)
            p->isa->slope(p->a + at, b, p->y + at, count, &p->epilogue);
        else
            p->isa->pair(SNN_OP_ADD, (snn_side){p->a + at, count, 0}, (snn_side){b, count, 0}, p->y + at, 1,
                         count);
    }
}

static snn_status start(pass *p, const char *isa_name, int64_t features, int64_t samples, int threads,
                        snn_tiles a, snn_tiles b, snn_tiles y)
{
    snn_status status = snn_isa_find(isa_name, &p->isa);
    if (!status && (features < 1 || samples < 1 || threads < 0 || threads > SNN_MAX_THREADS))
        status = snn_fail(SNN_ERROR_ARGUMENT, "features, samples and threads must be in range");
    if (!status)
        status = snn_check_tiles("a", a, y.count, features, 0);
    if (!status && b.values)
        status = snn_check_tiles("b", b, y.count, features, 0);
    if (!status)
        status = snn_check_tiles("y", y, y.count, features, 0);
    if (!status && (a.stride != y.stride || (b.values && b.stride != y.stride)))
        status = snn_fail(SNN_ERROR_ARGUMENT, "all tiles must have one stride");
    if (status)
        return status;
    p->a = a.values;
    p->b = b.values;
    p->y = y.values;
    p->tiles = y.count;
    p->floats = features * samples;
    p->stride = y.stride * samples;
    snn_parallel(threads ? threads : snn_threads_default(), run, p);
    return SNN_OK;
}

snn_status snn_tiles_activate(const char *isa, int64_t features, int64_t samples, int threads,
                              const snn_activation *activation, snn_tiles z, snn_tiles y)
{
    if (!activation)
        return snn_fail(SNN_ERROR_ARGUMENT, "activation must not be NULL");
    pass p = {.kind = ACTIVATE, .epilogue = {NULL, activation->type, activation->low, activation->high}};
    const snn_activation alone = {activation->type, activation->low, activation->high, z};
    const snn_status status = snn_check_activation(&alone, y.count, features, 0);
    return status ? status : start(&p, isa, features, samples, threads, z, (snn_tiles){0}, y);
}

snn_status snn_tiles_slope(const char *isa, int64_t features, int64_t samples, int threads,
                           const snn_activation *activation, snn_tiles y, snn_tiles dy)
{
    if (!activation)
        return snn_fail(SNN_ERROR_ARGUMENT, "activation must not be NULL");
    pass p = {.kind = SLOPE, .epilogue = {NULL, activation->type, activation->low, activation->high}};
    const snn_isa *set = NULL;
    snn_status status = snn_isa_find(isa, &set);
    if (!status && features * samples % set->lanes)
        status = snn_fail(SNN_ERROR_ARGUMENT, "tiles must hold whole vectors of %d floats", set->lanes);
    if (!status)
        status = snn_check_activation(activation, dy.count, features, 0);
    return status ? status : start(&p, isa, features, samples, threads, y, activation->z, dy);
}

snn_status snn_tiles_add(const char *isa, int64_t features, int64_t samples, int threads, snn_tiles a,
                         snn_tiles b, snn_tiles y)
{
    pass p = {.kind = ADD};
    return start(&p, isa, features, samples, threads, a, b, y);
}
