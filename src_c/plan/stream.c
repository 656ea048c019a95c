/* Streams: a plan run from states and to states, which two arrays hold in turn (sparsenn.h). */
#include "plan/stream.h"

#include "base/memory.h"
#include "base/status.h"
#include "plan/recurrent.h"
#include "plan/shapes.h"
#include "plan/tile.h"

#include <string.h>

struct snn_stream {
    const snn_plan *plan;
    int64_t batch, size;
    float *first;        /* (size) of every sequence */
    float *state, *next; /* (batch, size) */
};

static size_t bytes_of(const snn_stream *s) { return (size_t)(s->batch * s->size) * sizeof(float); }

static snn_stream *make(const snn_plan *plan, int64_t batch, int64_t size)
{
    snn_stream *s = snn_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (snn_stream){.plan = plan, .batch = batch, .size = size};
    s->first = snn_alloc((size_t)size, sizeof *s->first);
    s->state = snn_alloc((size_t)(batch * size), sizeof *s->state);
    s->next = snn_alloc((size_t)(batch * size), sizeof *s->next);
    if (s->first && s->state && s->next)
        return s;
    snn_stream_free(s);
    return NULL;
}

static snn_status no_memory(int64_t batch)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory for a stream of %lld sequences", (long long)batch);
}

/* What the cells of a model begin with: zeros, or constants. */
static void read_firsts(const snn_model *model, float *first)
{
    for (int64_t i = 0; i < model->count; i++) {
        const snn_node *node = &model->nodes[i];
        const snn_op *op = snn_op_of(node->type);
        snn_cell cell;
        if (!op->cell)
            continue;
        op->cell(node, &cell);
        float *own = first + snn_recurrent_states(model, i);
        for (int s = 0; cell.has_initial && s < cell.states; s++)
            memcpy(own + s * cell.hidden, model->values[node->operands[1 + s]].constant,
                   (size_t)cell.hidden * sizeof *own);
    }
}

snn_status snn_stream_create(const snn_plan *plan, int64_t batch, snn_stream **stream)
{
    if (!plan || !stream)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", plan ? "stream" : "plan");
    const int64_t size = snn_recurrent_states(plan->shape, plan->shape->count);
    if (batch < 1 || (size && batch > INT64_MAX / (int64_t)sizeof(float) / size))
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 1 and fit into memory, got %lld",
                        (long long)batch);
    const snn_status status = snn_stream_check(plan->shape);
    if (status)
        return status;
    snn_stream *made = make(plan, batch, size);
    if (!made)
        return no_memory(batch);
    read_firsts(plan->shape, made->first);
    *stream = made;
    return snn_stream_reset(made);
}

void snn_stream_free(snn_stream *stream)
{
    if (!stream)
        return;
    snn_free(stream->first);
    snn_free(stream->state);
    snn_free(stream->next);
    snn_free(stream);
}

static snn_status check(const void *stream, const char *name)
{
    return stream ? SNN_OK : snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", name);
}

snn_status snn_stream_feed(snn_stream *s, const float *const *x, const int64_t *const *dims, float *const *y)
{
    snn_status status = check(s, "stream");
    snn_special *special = NULL;
    if (!status)
        status = snn_shapes_enter(s->plan, dims, &special);
    if (status)
        return status;
    const snn_states states = {s->state, s->next, s->size};
    status = snn_plan_run_states(special->plan, x, s->batch, y, &states);
    snn_shapes_leave(special);
    if (!status) {
        float *state = s->state;
        s->state = s->next;
        s->next = state;
    }
    return status;
}

snn_status snn_stream_reset(snn_stream *s)
{
    const snn_status status = check(s, "stream");
    for (int64_t i = 0; !status && i < s->batch; i++)
        memcpy(s->state + i * s->size, s->first, (size_t)s->size * sizeof *s->state);
    return status;
}

snn_status snn_stream_copy(const snn_stream *s, snn_stream **copy)
{
    snn_status status = check(s, "stream");
    if (!status)
        status = check(copy, "copy");
    if (status)
        return status;
    snn_stream *made = make(s->plan, s->batch, s->size);
    if (!made)
        return no_memory(s->batch);
    memcpy(made->first, s->first, (size_t)s->size * sizeof *s->first);
    memcpy(made->state, s->state, bytes_of(s));
    *copy = made;
    return SNN_OK;
}

int64_t snn_stream_state_size(const snn_stream *s) { return s ? s->size : 0; }

snn_status snn_stream_get_state(const snn_stream *s, float *state)
{
    snn_status status = check(s, "stream");
    if (!status)
        status = check(state, "state");
    if (!status)
        memcpy(state, s->state, bytes_of(s));
    return status;
}

snn_status snn_stream_set_state(snn_stream *s, const float *state)
{
    snn_status status = check(s, "stream");
    if (!status)
        status = check(state, "state");
    if (!status)
        memcpy(s->state, state, bytes_of(s));
    return status;
}
