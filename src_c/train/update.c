/* Optimizer steps: values, state and both packings in one pass over the stored weights. */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

/* Weights a round: their values, gradient and state stay in L1 until the packings have them. */
enum { CHUNK = 1024 };

void snn_sparse_scatter(const void *owner, const float *data, int64_t first, int64_t last)
{
    const snn_sparse *sparse = owner;
    const int32_t *forward = sparse->forward.position, *backward = sparse->backward.position;
    float *rows = sparse->forward.weights, *columns = sparse->backward.weights;
    for (int64_t p = first; p < last; p++) {
        rows[forward[p]] = data[p];
        columns[backward[p]] = data[p];
    }
}

typedef struct update {
    const snn_moved *moved; /* NULL: a dense parameter */
    const snn_isa *isa;
    const snn_update *options;
    float *values;
    const float *gradient;
    float *first, *second;
    int64_t count;
} update;

static void update_part(void *argument, int thread, int threads)
{
    const update *u = argument;
    const int64_t end = u->count * (thread + 1) / threads;
    for (int64_t i = u->count * thread / threads; i < end; i += CHUNK) {
        const int64_t count = end - i < CHUNK ? end - i : CHUNK;
        SNN_PAUSE();
        if (u->options)
            u->isa->update(u->options, u->values + i, u->gradient + i, u->first ? u->first + i : NULL,
                           u->second ? u->second + i : NULL, count);
        if (u->moved)
            u->moved->scatter(u->moved->owner, u->values, i, i + count);
    }
}

static snn_status check_update(const update *u)
{
    if (!u->options)
        return snn_fail(SNN_ERROR_ARGUMENT, "update must not be NULL");
    if (u->count < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "count must be at least 0, got %lld", (long long)u->count);
    const snn_optimizer kind = u->options->optimizer;
    if ((unsigned)kind > SNN_OPTIMIZER_ADAM)
        return snn_fail(SNN_ERROR_ARGUMENT, "optimizer must be in [0, %d], got %d", SNN_OPTIMIZER_ADAM,
                        (int)kind);
    const int needs_first = kind != SNN_OPTIMIZER_SGD, needs_second = kind == SNN_OPTIMIZER_ADAM;
    if (u->count &&
        (!u->values || !u->gradient || (needs_first && !u->first) || (needs_second && !u->second)))
        return snn_fail(SNN_ERROR_ARGUMENT, "values, gradient and the optimizer's state must not be NULL");
    return SNN_OK;
}

snn_status snn_update_values(const snn_update *options, float *values, const float *gradient, float *first,
                             float *second, int64_t count, int threads)
{
    update u = {NULL, NULL, options, values, gradient, first, second, count};
    snn_status status = check_update(&u);
    if (!status)
        status = snn_isa_find(options->isa, &u.isa);
    if (status)
        return status;
    if (threads < 0 || threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS, threads);
    if (threads == 0)
        threads = snn_threads_default();
    snn_parallel(count < 16 * CHUNK ? 1 : threads, update_part, &u);
    return SNN_OK;
}

snn_status snn_moved_update(const snn_moved *moved, const snn_update *options, float *data,
                            const float *ddata, float *first, float *second)
{
    update u = {moved, moved->isa, options, data, ddata, first, second, moved->nnz};
    const snn_status status = check_update(&u);
    if (status)
        return status;
    snn_parallel(moved->nnz < 16 * CHUNK ? 1 : moved->threads, update_part, &u);
    return SNN_OK;
}

snn_status snn_moved_set(const snn_moved *moved, const float *data)
{
    if (!data && moved->nnz)
        return snn_fail(SNN_ERROR_ARGUMENT, "data must not be NULL");
    update u = {.moved = moved, .isa = moved->isa, .values = (float *)(uintptr_t)data, .count = moved->nnz};
    snn_parallel(moved->nnz < 16 * CHUNK ? 1 : moved->threads, update_part, &u);
    return SNN_OK;
}

static snn_moved moved_of(const snn_sparse *s)
{
    return (snn_moved){s->isa, s->threads, s->nnz, snn_sparse_scatter, s};
}

snn_status snn_sparse_update(snn_sparse *sparse, const snn_update *options, float *data, const float *ddata,
                             float *first, float *second)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    const snn_moved moved = moved_of(sparse);
    return snn_moved_update(&moved, options, data, ddata, first, second);
}

snn_status snn_sparse_set(snn_sparse *sparse, const float *data)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    const snn_moved moved = moved_of(sparse);
    return snn_moved_set(&moved, data);
}
