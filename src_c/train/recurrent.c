/* A recurrent cell forward, as it trains (recurrent.h): a product a step, and behind it gates and state of a
 * tile in one pass, which keeps what the way back reads. */
#include "train/recurrent.h"

#include "base/status.h"
#include "base/threads.h"

enum { SUMS }; /* rows of work: (rows + threads) W h + b */

/* The units of the member in a tile of a step. */
static snn_units units_of(const snn_crew *crew, int64_t t, int64_t place)
{
    const snn_walk *w = crew->walk;
    const snn_recurrence *r = w->r;
    float *kept = snn_walk_at(w, r->kept, t, place * w->kept * w->hidden);
    const int64_t units = w->hidden * w->width;
    return (snn_units){.hidden = units,
                       .first = snn_crew_first(crew),
                       .count = snn_crew_count(crew),
                       .sums = snn_walk_work(w, t, SUMS),
                       .x = snn_walk_at(w, r->x, t, place * w->rows),
                       .peepholes = w->peepholes,
                       .h_before = snn_walk_before(w, r->h, t, place),
                       .c_before = snn_walk_before(w, r->c, t, place),
                       .h = snn_walk_after(w, r->h, t, place),
                       .c = snn_walk_after(w, r->c, t, place),
                       .update = kept ? kept + SNN_KEPT_UPDATE * units : NULL,
                       .reset = kept ? kept + (w->twofold ? SNN_KEPT_INNER : SNN_KEPT_RESET) * units : NULL,
                       .y = snn_walk_at(w, r->y, t, place * w->hidden),
                       .kept = kept,
                       .z = snn_walk_at(w, r->z, t, place * w->rows),
                       .clip = w->clip,
                       .resets_after = w->cell.resets_after,
                       .f = w->activations[0],
                       .g = w->activations[1],
                       .o = w->activations[2]};
}

/* A step that counts for no sample of the tile: the state stays. */
static void skip(const snn_crew *crew, const snn_units *u)
{
    const snn_walk *w = crew->walk;
    snn_crew_copy(crew, u->h_before, u->h);
    if (w->r->c.values)
        snn_crew_copy(crew, u->c_before, u->c);
    snn_crew_clear(crew, u->y);
    for (int64_t i = 0; i < w->kept; i++)
        snn_crew_clear(crew, u->kept + i * u->hidden);
}

static void end_step(const snn_crew *crew, int64_t place)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        const snn_units u = units_of(crew, t, place);
        const snn_count count = snn_walk_count(w, t, place);
        SNN_PAUSE();
        if (!count.samples) {
            skip(crew, &u);
            continue;
        }
        switch (w->cell.gates) {
        case 4: w->isa->lstm(&u); break;
        case 3: w->isa->gru_state(&u); break;
        default: w->isa->rnn(&u); break;
        }
        if (count.samples == w->width)
            continue;
        snn_crew_choose(crew, &count, u.y, NULL, u.y);
        snn_crew_choose(crew, &count, u.h, u.h_before, u.h);
        if (w->r->c.values)
            snn_crew_choose(crew, &count, u.c, u.c_before, u.c);
    }
}

/* The gates of a GRU; where the reset gate comes before W, the second product. */
static void open_gates(const snn_crew *crew, int64_t place)
{
    const snn_walk *w = crew->walk;
    for (int64_t t = crew->first; t < crew->end; t++) {
        const snn_units u = units_of(crew, t, place);
        SNN_PAUSE();
        if (snn_walk_count(w, t, place).samples)
            w->isa->gru_gates(&u);
    }
    if (!w->twofold)
        return;
    snn_crew_meet(crew);
    snn_crew_multiply(crew, &(snn_crew_product){.direction = &w->sparse->forward,
                                                .x = w->r->kept,
                                                .x_row = (place * w->kept + SNN_KEPT_INNER) * w->hidden,
                                                .y_row = SUMS,
                                                .first_row = 2 * w->hidden,
                                                .end_row = w->rows,
                                                .place = place});
    snn_crew_meet(crew);
}

/* The first states, or zeros; and the last, where the result has them. */
static void end_states(const snn_crew *crew, int first)
{
    const snn_walk *w = crew->walk;
    const snn_tiles states[] = {w->r->h, w->r->c};
    const int64_t from = snn_walk_place(w, 0), last = snn_walk_place(w, w->r->steps - 1);
    for (int64_t t = crew->first; t < crew->end; t++) {
        for (int i = 0; i < w->cell.states; i++) {
            float *to = first ? snn_walk_before(w, states[i], t, from)
                              : snn_walk_at(w, w->r->y, t, (w->r->steps + i) * w->hidden);
            if (!first)
                snn_crew_copy(crew, snn_walk_after(w, states[i], t, last), to);
            else if (w->cell.has_initial)
                snn_crew_copy(crew, snn_walk_at(w, w->r->initial[i], t, 0), to);
            else
                snn_crew_clear(crew, to);
        }
    }
}

static void run(const snn_crew *crew)
{
    const snn_walk *w = crew->walk;
    end_states(crew, 1);
    for (int64_t i = 0; i < w->r->steps; i++) {
        const int64_t place = snn_walk_place(w, i);
        snn_crew_meet(crew); // the state is there
        snn_crew_multiply(crew, &(snn_crew_product){.direction = &w->sparse->forward,
                                                    .x = w->r->h,
                                                    .x_row = (place + w->cell.reverse) * w->hidden,
                                                    .y_row = SUMS,
                                                    .end_row = w->twofold ? 2 * w->hidden : w->rows,
                                                    .place = place});
        snn_crew_meet(crew);
        if (w->cell.gates == 3)
            open_gates(crew, place);
        end_step(crew, place);
    }
    if (w->cell.gives_states)
        end_states(crew, 0);
}

snn_status snn_recurrent_forward_tiles(snn_sparse *sparse, const snn_recurrence *r)
{
    snn_walk walk;
    snn_status status = snn_walk_begin(&walk, sparse, r);
    if (!status)
        status = snn_walk_reserve(&walk, walk.rows + sparse->threads);
    if (status)
        return status;
    const snn_activation none = {.type = SNN_NODE_LINEAR};
    snn_activation left;
    walk.epilogue = snn_begin_forward(&none, r->bias, walk.rows, sparse->forward.bias, &left);
    snn_walk_run(&walk, run);
    return SNN_OK;
}
