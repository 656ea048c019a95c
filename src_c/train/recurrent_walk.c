/* What both ways of a recurrent cell through its steps share (recurrent.h). */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "graph/model.h"
#include "train/recurrent.h"

#include <math.h>
#include <string.h>

/* ---- checks ---- */

static snn_value sequence(int64_t steps, int64_t features)
{
    return (snn_value){.rank = 3, .dims = {SNN_DYNAMIC, steps, features}};
}

static snn_value vector(int64_t features, const float *constant)
{
    return (snn_value){
        .rank = 2, .dims = {constant ? 1 : SNN_DYNAMIC, features}, .constant = (float *)(uintptr_t)constant};
}

/* What the op says of a node with these operands. */
static snn_status check_node(snn_walk *w, const snn_op *op)
{
    const snn_recurrence *r = w->r;
    snn_node node = {
        .type = op->type, .rows = w->rows, .cols = w->hidden, .integer_count = op->integer_count};
    for (int i = 0; i < op->integer_count; i++)
        node.integers[i] = r->integers[i];
    op->cell(&node, &w->cell);
    static const float some = 0.0f;
    snn_value values[5] = {sequence(r->steps, w->rows)}, result = sequence(r->steps, w->rows);
    int64_t count = 1;
    for (int i = 0; i < w->cell.has_initial * w->cell.states; i++)
        values[count++] = vector(w->hidden, NULL);
    if (w->cell.has_lengths)
        values[count++] = vector(1, NULL);
    if (w->cell.has_peepholes)
        values[count++] = vector(3 * w->hidden, &some);
    const snn_value *operands[5];
    for (int i = 0; i < count; i++)
        operands[i] = &values[i];
    node.operand_count = count;
    const snn_status status = op->check(&r->clip);
    return status ? status : op->infer(&node, operands, &result);
}

static int needs_z(const snn_walk *w, int activations)
{
    int needs = w->r->clip > 0.0f;
    for (int i = 0; i < activations; i++)
        needs |= snn_op_of(w->cell.activations[i])->reads_input;
    return needs;
}

static snn_status check_arrays(const snn_walk *w)
{
    const snn_recurrence *r = w->r;
    const int64_t count = r->x.count, steps = r->steps, hidden = w->hidden;
    static const char *const initial[] = {"the initial h", "the initial c"};
    const int lstm = w->cell.states == 2, activations = lstm ? 3 : w->cell.gates == 3 ? 2 : 1;
    snn_status status = snn_check_tiles("x", r->x, count, steps * w->rows, 0);
    for (int i = 0; !status && i < w->cell.has_initial * w->cell.states; i++)
        status = snn_check_tiles(initial[i], r->initial[i], count, hidden, 0);
    if (!status && w->cell.has_lengths)
        status = snn_check_tiles("lengths", r->lengths, count, 1, 0);
    if (!status && w->cell.has_peepholes && !r->peepholes)
        status = snn_fail(SNN_ERROR_ARGUMENT, "peepholes must not be NULL");
    if (!status)
        status =
            snn_check_tiles("y", r->y, count, (steps + w->cell.gives_states * w->cell.states) * hidden, 0);
    if (!status)
        status = snn_check_tiles("h", r->h, count, (steps + 1) * hidden, 0);
    if (!status && lstm)
        status = snn_check_tiles("c", r->c, count, (steps + 1) * hidden, 0);
    if (!status && w->kept)
        status = snn_check_tiles("kept", r->kept, count, steps * w->kept * hidden, 0);
    if (!status && (needs_z(w, activations) || r->z.values))
        status = snn_check_tiles("z", r->z, count, steps * w->rows, 0);
    return status;
}

snn_status snn_walk_begin(snn_walk *w, snn_sparse *sparse, const snn_recurrence *r)
{
    if (!sparse || !r || !r->op)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse, recurrence and its op must not be NULL");
    const snn_op *op = snn_op_find(r->op);
    if (!op || !op->cell)
        return snn_fail(SNN_ERROR_ARGUMENT, "op must be a recurrent one, got \"%.40s\"", r->op);
    if (r->integer_count != (size_t)op->integer_count || !r->integers)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must have %d whole numbers, got %zu", r->op,
                        op->integer_count, r->integer_count);
    if (r->steps < 1 || r->window < 0)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "steps must be at least 1 and window at least 0, got %lld and %lld",
                        (long long)r->steps, (long long)r->window);
    *w = (snn_walk){.sparse = sparse,
                    .r = r,
                    .isa = sparse->isa,
                    .width = sparse->forward.kernel->samples,
                    .rows = sparse->rows,
                    .hidden = sparse->cols,
                    .clip = r->clip > 0.0f ? r->clip : INFINITY};
    const snn_status status = check_node(w, op);
    if (status)
        return status;
    w->twofold = op->type == SNN_OP_GRU && !w->cell.resets_after;
    w->kept = op->type == SNN_OP_LSTM ? SNN_KEPT_LSTM : op->type == SNN_OP_GRU ? SNN_KEPT_GRU : 0;
    for (int i = 0; i < SNN_CELL_ACTIVATIONS; i++)
        w->activations[i] = snn_cell_epilogue(w->cell.activations[i]);
    return check_arrays(w);
}

/* ---- room ---- */

snn_status snn_walk_reserve(snn_walk *w, int64_t rows)
{
    const int64_t looks = w->cell.has_peepholes ? 3 * w->hidden : 0, tiles = w->r->x.count;
    float *room = snn_sparse_scratch(w->sparse, (size_t)((tiles * rows + looks) * w->width));
    if (!room)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for %lld tiles of a recurrent cell",
                        (long long)tiles);
    w->work = room + looks * w->width;
    w->work_tile = rows * w->width;
    w->peepholes = looks ? room : NULL;
    for (int64_t i = 0; i < looks; i++)
        for (int64_t s = 0; s < w->width; s++)
            room[i * w->width + s] = w->r->peepholes[i];
    return SNN_OK;
}

/* ---- threads ---- */

typedef struct walking {
    const snn_walk *walk;
    snn_crew_task task;
} walking;

static void walk_part(void *argument, int thread, int threads)
{
    const walking *own = argument;
    const int64_t tiles = own->walk->r->x.count;
    if (tiles % threads) {
        own->task(&(snn_crew){own->walk, 0, tiles, thread, threads});
        return;
    }
    for (int64_t t = tiles * thread / threads; t < tiles * (thread + 1) / threads; t++)
        own->task(&(snn_crew){own->walk, t, t + 1, 0, 1});
}

/* What one thread takes for all steps, in microseconds: 50 multiply-adds and additions a nanosecond in
 * products, three values of a gate in the same. The crowd learns what it really is. */
static double one_thread_us(const snn_walk *w)
{
    const double steps = (double)(w->r->x.count * w->r->steps * w->width);
    return steps * (4e-5 * (double)w->sparse->nnz * (1 + w->twofold) + 3e-4 * (double)w->rows);
}

void snn_walk_run(const snn_walk *walk, snn_crew_task task)
{
    walking own = {walk, task};
    const int threads = walk->sparse->threads;
    if (!walk->r->x.count)
        return;
    if (walk->r->x.count % threads == 0) {
        snn_parallel(threads, walk_part, &own);
        return;
    }
    // Two barriers a step: a thread without a processor would hold up each of them.
    snn_crowd *crowd = &walk->sparse->crowds[walk->dx.values != NULL];
    const snn_crowd_visit visit = snn_crowd_enter(crowd, threads, one_thread_us(walk));
    snn_parallel(visit.threads, walk_part, &own);
    snn_crowd_leave(crowd, &visit, threads);
}

void snn_crew_meet(const snn_crew *crew)
{
    if (crew->members > 1)
        snn_barrier();
}

/* ---- units ---- */

void snn_crew_copy(const snn_crew *crew, const float *from, float *to)
{
    const int64_t first = snn_crew_first(crew);
    memcpy(to + first, from + first, (size_t)snn_crew_count(crew) * sizeof *to);
}

void snn_crew_clear(const snn_crew *crew, float *to)
{
    memset(to + snn_crew_first(crew), 0, (size_t)snn_crew_count(crew) * sizeof *to);
}

void snn_crew_add(const snn_crew *crew, const float *a, const float *b, float *to)
{
    const int64_t first = snn_crew_first(crew), count = snn_crew_count(crew);
    crew->walk->isa->pair(SNN_OP_ADD, (snn_side){a + first, count, 0}, (snn_side){b + first, count, 0},
                          to + first, 1, count);
}

void snn_crew_choose(const snn_crew *crew, const snn_count *count, const float *made, const float *other,
                     float *to)
{
    static const float zero = 0.0f;
    const int64_t first = snn_crew_first(crew), width = crew->walk->width;
    const snn_side mask = {count->mask, 0, 0}, one = {made + first, width, 0};
    const snn_side rest = other ? (snn_side){other + first, width, 0} : (snn_side){&zero, 0, 1};
    crew->walk->isa->select(mask, one, rest, to + first, snn_crew_count(crew) / width, width);
}

/* ---- steps ---- */

snn_count snn_walk_count(const snn_walk *w, int64_t tile, int64_t place)
{
    snn_count count = {.samples = w->width};
    if (!w->cell.has_lengths)
        return count;
    const float *lengths = snn_walk_at(w, w->r->lengths, tile, 0);
    count.samples = 0;
    for (int64_t s = 0; s < w->width; s++) {
        count.mask[s] = (float)(place + 1) <= lengths[s] ? 1.0f : 0.0f;
        count.samples += count.mask[s] != 0.0f;
    }
    return count;
}

void snn_crew_multiply(const snn_crew *crew, const snn_crew_product *p)
{
    const snn_walk *w = crew->walk;
    const snn_direction *d = p->direction;
    const int64_t shares = d->packing->share_count, parts = (crew->end - crew->first) * shares;
    SNN_PAUSE();
    for (int64_t i = parts * crew->member / crew->members; i < parts * (crew->member + 1) / crew->members;
         i++) {
        const int64_t tile = crew->first + i / shares;
        const int share = (int)(i % shares);
        if (d->bounds[share + 1] <= p->first_row || d->bounds[share] >= p->end_row ||
            !snn_walk_count(w, tile, p->place).samples)
            continue;
        const float *x =
            p->x.values ? snn_walk_at(w, p->x, tile, p->x_row) : snn_walk_work(w, tile, p->x_row);
        snn_run_share(w->isa, d->kernel, snn_share(d->packing, share), x, snn_walk_work(w, tile, p->y_row),
                      d->bounds[share], d->bounds[share + 1], &w->epilogue);
    }
    SNN_PAUSE();
}
