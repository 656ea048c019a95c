/* A recurrent cell back through its steps (recurrent.h): gates and state of a tile in one pass, then what W
 * gives back to the state before. The gradient of W is one product over all steps at the end. */
#include "train/recurrent.h"

#include "base/status.h"
#include "base/threads.h"

#include <string.h>

/* Rows of work, in units of hidden: what comes back to h through W (with reserve rows, last), and of a GRU
 * beside W; what comes back to c; copies of both, and what a step is given, where not every sample counts; of
 * a GRU that multiplies twice, dz as each product takes it. */
enum { DIRECT, DC, HELD, HELD_C, GIVEN, PARTIAL };

static int64_t row_of(const snn_walk *w, int number) { return number * w->hidden; }
static int64_t dh_row(const snn_walk *w) { return row_of(w, PARTIAL) + (w->twofold ? w->rows : 0); }

static float *work(const snn_walk *w, int64_t tile, int number)
{
    return snn_walk_work(w, tile, row_of(w, number));
}
static float *work_dh(const snn_walk *w, int64_t tile) { return snn_walk_work(w, tile, dh_row(w)); }

static snn_units_back units_of(const snn_crew *crew, int64_t t, int64_t place)
{
    const snn_walk *w = crew->walk;
    const snn_recurrence *r = w->r;
    return (snn_units_back){.hidden = w->hidden * w->width,
                            .first = snn_crew_first(crew),
                            .count = snn_crew_count(crew),
                            .kept = snn_walk_at(w, r->kept, t, place * w->kept * w->hidden),
                            .z = snn_walk_at(w, r->z, t, place * w->rows),
                            .h_before = snn_walk_before(w, r->h, t, place),
                            .c_before = snn_walk_before(w, r->c, t, place),
                            .h = snn_walk_after(w, r->h, t, place),
                            .c = snn_walk_after(w, r->c, t, place),
                            .peepholes = w->peepholes,
                            .dh = work_dh(w, t),
                            .dy = snn_walk_at(w, w->dy, t, place * w->hidden),
                            .direct = w->cell.gates == 3 ? work(w, t, DIRECT) : NULL,
                            .dc = work(w, t, DC),
                            .dz = snn_walk_at(w, w->dx, t, place * w->rows),
                            .dsums = snn_walk_at(w, w->dsums, t, place * w->rows),
                            .inner = work_dh(w, t),
                            .clip = w->clip,
                            .resets_after = w->cell.resets_after,
                            .f = w->activations[0],
                            .g = w->activations[1],
                            .o = w->activations[2]};
}

static void clear_gates(const snn_crew *crew, const snn_units_back *u, float *to)
{
    for (int64_t i = 0; to && i < crew->walk->cell.gates; i++)
        snn_crew_clear(crew, to + i * u->hidden);
}

/* ---- a step ---- */

/* Samples for which the step does not count are given nothing; what they have is held. */
static void hold(const snn_crew *crew, int64_t t, const snn_count *count, snn_units_back *u)
{
    const snn_walk *w = crew->walk;
    float *held = work(w, t, HELD), *given = work(w, t, GIVEN);
    if (u->direct) {
        snn_crew_add(crew, u->dh, u->direct, held);
        snn_crew_clear(crew, u->direct);
    } else {
        snn_crew_copy(crew, u->dh, held);
    }
    snn_crew_add(crew, held, u->dy, given);
    snn_crew_choose(crew, count, given, NULL, given);
    u->dh = given;
    u->dy = NULL;
    snn_crew_copy(crew, u->dc, work(w, t, HELD_C));
    snn_crew_choose(crew, count, u->dc, NULL, u->dc);
}

/* What was held goes on. */
static void release(const snn_crew *crew, int64_t t, const snn_count *count, const snn_units_back *u)
{
    const snn_walk *w = crew->walk;
    snn_crew_choose(crew, count, work_dh(w, t), work(w, t, HELD), work_dh(w, t));
    if (u->direct)
        snn_crew_choose(crew, count, u->direct, NULL, u->direct);
    snn_crew_choose(crew, count, u->dc, work(w, t, HELD_C), u->dc);
}

static int some_count(const snn_walk *w, const snn_count *count)
{
    return count->samples > 0 && count->samples < w->width;
}

static void begin_step(const snn_crew *crew, int64_t place)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        snn_units_back u = units_of(crew, t, place);
        const snn_count count = snn_walk_count(w, t, place);
        SNN_PAUSE();
        if (!count.samples) {
            clear_gates(crew, &u, u.dz);
            clear_gates(crew, &u, u.dsums);
            continue;
        }
        if (some_count(w, &count))
            hold(crew, t, &count, &u);
        switch (w->cell.gates) {
        case 4: w->isa->lstm_back(&u); break;
        case 3: w->isa->gru_back(&u); break;
        default: w->isa->rnn_back(&u); break;
        }
    }
}

static void end_step(const snn_crew *crew, int64_t place)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end && w->cell.has_lengths; t++) {
        const snn_units_back u = units_of(crew, t, place);
        const snn_count count = snn_walk_count(w, t, place);
        SNN_PAUSE();
        if (some_count(w, &count))
            release(crew, t, &count, &u);
    }
}

/* x times the transpose of W -> dh. */
static void multiply(const snn_crew *crew, snn_tiles x, int64_t row, int64_t place)
{
    const snn_walk *w = crew->walk;
    snn_crew_meet(crew);
    snn_crew_multiply(crew, &(snn_crew_product){.direction = &w->sparse->backward,
                                                .x = x,
                                                .x_row = row,
                                                .y_row = dh_row(w),
                                                .end_row = w->hidden,
                                                .place = place});
    snn_crew_meet(crew);
}

/* Gates [first, end) of dz -> what the next product takes, zeros for the others. */
static void take_part(const snn_crew *crew, int64_t place, int first, int end)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        const snn_units_back u = units_of(crew, t, place);
        for (int gate = 0; gate < w->cell.gates; gate++) {
            float *to = work(w, t, PARTIAL) + gate * u.hidden;
            if (gate >= first && gate < end)
                snn_crew_copy(crew, u.dz + gate * u.hidden, to);
            else
                snn_crew_clear(crew, to);
        }
    }
}

/* Of a GRU whose reset gate comes before W. */
static void multiply_twice(const snn_crew *crew, int64_t place)
{
    const snn_walk *w = crew->walk;
    const snn_tiles none = {0};
    take_part(crew, place, 2, 3);
    multiply(crew, none, row_of(w, PARTIAL), place);
    for (int64_t t = crew->first; t < crew->end; t++) {
        const snn_units_back u = units_of(crew, t, place);
        SNN_PAUSE();
        if (snn_walk_count(w, t, place).samples)
            w->isa->gru_reset_back(&u);
    }
    take_part(crew, place, 0, 2);
    multiply(crew, none, row_of(w, PARTIAL), place);
}

/* ---- all of them ---- */

/* Nothing comes back but, in the beginning, what comes to the last states. */
static void begin(const snn_crew *crew, int first)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        float *const states[] = {work_dh(w, t), work(w, t, DC)};
        snn_crew_clear(crew, work(w, t, DIRECT));
        for (int i = 0; i < 2; i++)
            if (first && w->cell.gives_states && i < w->cell.states)
                snn_crew_copy(crew, snn_walk_at(w, w->dy, t, (w->r->steps + i) * w->hidden), states[i]);
            else
                snn_crew_clear(crew, states[i]);
    }
}

static void end(const snn_crew *crew)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        if (w->dinitial[0].values)
            snn_crew_add(crew, work_dh(w, t), work(w, t, DIRECT), snn_walk_at(w, w->dinitial[0], t, 0));
        if (w->dinitial[1].values)
            snn_crew_copy(crew, work(w, t, DC), snn_walk_at(w, w->dinitial[1], t, 0));
    }
}

static void run(const snn_crew *crew)
{
    const snn_walk *w = crew->walk;
    const int64_t window = w->r->window;
    begin(crew, 1);
    for (int64_t i = w->r->steps - 1; i >= 0; i--) {
        const int64_t place = snn_walk_place(w, i);
        if (window && (i + 1) % window == 0 && i + 1 < w->r->steps)
            begin(crew, 0);
        begin_step(crew, place);
        if (w->twofold)
            multiply_twice(crew, place);
        else
            multiply(crew, w->dsums.values ? w->dsums : w->dx, place * w->rows, place);
        end_step(crew, place);
    }
    end(crew);
}

snn_status snn_recurrent_backward_tiles(snn_sparse *sparse, const snn_recurrence *r, snn_tiles dy,
                                        snn_tiles dx, snn_tiles dsums, const snn_tiles dinitial[2])
{
    static const snn_tiles none[2];
    snn_walk w;
    snn_status status = snn_walk_begin(&w, sparse, r);
    if (!status)
        status = snn_check_tiles("dy", dy, r->x.count,
                                 (r->steps + w.cell.gives_states * w.cell.states) * w.hidden, 0);
    if (!status)
        status = snn_check_tiles("dx", dx, r->x.count, r->steps * w.rows, sparse->threads);
    if (!status && (w.cell.resets_after || dsums.values))
        status = snn_check_tiles("dsums", dsums, r->x.count, r->steps * w.rows, sparse->threads);
    for (int i = 0; !status && dinitial && i < 2; i++)
        if (dinitial[i].values)
            status = snn_check_tiles("dinitial", dinitial[i], r->x.count, w.hidden, 0);
    if (!status)
        status = snn_walk_reserve(&w, dh_row(&w) + w.hidden + sparse->threads);
    if (status)
        return status;
    w.dy = dy;
    w.dx = dx;
    w.dsums = w.cell.resets_after ? dsums : (snn_tiles){0};
    w.dinitial = dinitial ? dinitial : none;
    w.epilogue = (snn_epilogue){.bias = sparse->backward.bias, .activation = SNN_OP_LINEAR};
    snn_walk_run(&w, run);
    return SNN_OK;
}

snn_status snn_recurrent_backward_weight_tiles(snn_sparse *sparse, const snn_recurrence *r, snn_tiles dsums,
                                               float *ddata, float *dbias)
{
    snn_walk w;
    snn_status status = snn_walk_begin(&w, sparse, r);
    if (!status)
        status = snn_check_tiles("dsums", dsums, r->x.count, r->steps * w.rows, sparse->threads);
    if (!status && !ddata && sparse->nnz)
        status = snn_fail(SNN_ERROR_ARGUMENT, "ddata must not be NULL");
    if (status)
        return status;
    const int64_t tiles = r->x.count, steps = r->steps, width = w.width;
    const int64_t split = w.twofold ? 2 * w.hidden : w.rows;
    const snn_series slopes = {dsums.values, dsums.stride * width, w.rows * width};
    const snn_series states = {snn_walk_before(&w, r->h, 0, 0), r->h.stride * width, w.hidden * width};
    snn_sparse_gradient(sparse, tiles, steps, slopes, states, 0, split, ddata);
    if (dbias)
        memcpy(dbias, sparse->dbias, (size_t)split * sizeof *dbias);
    if (!w.twofold)
        return SNN_OK;
    const snn_series reset = {snn_walk_at(&w, r->kept, 0, SNN_KEPT_INNER * w.hidden), r->kept.stride * width,
                              w.kept * w.hidden * width};
    snn_sparse_gradient(sparse, tiles, steps, slopes, reset, split, w.rows, ddata);
    if (dbias)
        memcpy(dbias + split, sparse->dbias + split, (size_t)(w.rows - split) * sizeof *dbias);
    return SNN_OK;
}
