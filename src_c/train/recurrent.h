/* A recurrent cell on its way through the steps of some tiles, forward (recurrent.c) or back
 * (recurrent_back.c).
 *
 * Steps are taken by their place in the sequence: one that does not count for a sample leaves its state as it
 * is, so all samples of a tile are at the same place. A tile of units and samples is units of the kernels in
 * recurrent.inl. Where tiles can be shared out evenly each thread takes its own through all steps; else all
 * threads share the rows of products, and the units, of every tile and wait for each other, fewer of them
 * while some are held up (base/crowd.h). */
#ifndef SNN_TRAIN_RECURRENT_H
#define SNN_TRAIN_RECURRENT_H

#include "graph/op.h"
#include "train/train.h"

enum { SNN_WIDEST_TILE = 64 };

typedef struct snn_walk {
    snn_sparse *sparse;
    const snn_recurrence *r;
    snn_cell cell;
    const snn_isa *isa;
    int64_t width, rows, hidden, kept; /* samples a tile; rows of W; numbers that are kept of a unit */
    int twofold;                       /* a second product follows the reset gate */
    snn_epilogue activations[SNN_CELL_ACTIVATIONS];
    float clip;
    float *peepholes; /* (3, hidden, width) or NULL */
    float *work;      /* (tiles, work_tile) */
    int64_t work_tile;
    snn_tiles dy, dx, dsums; /* back */
    const snn_tiles *dinitial;
    snn_epilogue epilogue; /* of the products: the bias, or zeros */
} snn_walk;

/* Tiles [first, end) that members go through together. */
typedef struct snn_crew {
    const snn_walk *walk;
    int64_t first, end;
    int member, members;
} snn_crew;

/* Which samples of a tile count at a place: how many, and a mask of ones and zeros. */
typedef struct snn_count {
    int64_t samples;
    float mask[SNN_WIDEST_TILE];
} snn_count;

/* An error where r does not fit to W, or its arrays do not fit to r. */
snn_status snn_walk_begin(snn_walk *walk, snn_sparse *sparse, const snn_recurrence *r);
/* Room to work in: rows (width) a tile, and the peepholes. */
snn_status snn_walk_reserve(snn_walk *walk, int64_t rows);
/* Runs task for each crew. */
typedef void (*snn_crew_task)(const snn_crew *crew);
void snn_walk_run(const snn_walk *walk, snn_crew_task task);

/* Those who share tiles wait for each other. */
void snn_crew_meet(const snn_crew *crew);
/* W, or its transpose, times rows of x from x_row on -> rows of the work from y_row on, in each tile of the
 * crew of which some sample counts at the place: the member's shares of it. */
typedef struct snn_crew_product {
    const snn_direction *direction;
    snn_tiles x;                /* without values: x_row is one of the work */
    int64_t x_row, y_row;       /* y_row: of the work, with reserve rows behind the product */
    int64_t first_row, end_row; /* shares with none of these rows of the product are left out */
    int64_t place;
} snn_crew_product;
void snn_crew_multiply(const snn_crew *crew, const snn_crew_product *product);

snn_count snn_walk_count(const snn_walk *walk, int64_t tile, int64_t place);

/* ---- where things lie ---- */

static inline float *snn_walk_at(const snn_walk *w, snn_tiles tiles, int64_t tile, int64_t row)
{
    return tiles.values ? snn_tile_of(tiles, tile, w->width) + row * w->width : NULL;
}
/* The i-th step in turn. */
static inline int64_t snn_walk_place(const snn_walk *w, int64_t i)
{
    return w->cell.reverse ? w->r->steps - 1 - i : i;
}
/* States before and after the step at a place. */
static inline float *snn_walk_before(const snn_walk *w, snn_tiles states, int64_t tile, int64_t place)
{
    return snn_walk_at(w, states, tile, (place + w->cell.reverse) * w->hidden);
}
static inline float *snn_walk_after(const snn_walk *w, snn_tiles states, int64_t tile, int64_t place)
{
    return snn_walk_at(w, states, tile, (place + !w->cell.reverse) * w->hidden);
}
/* Row number of the work of a tile. */
static inline float *snn_walk_work(const snn_walk *w, int64_t tile, int64_t row)
{
    return w->work + tile * w->work_tile + row * w->width;
}
/* ---- the member's units of arrays (units, width) ---- */

static inline int64_t snn_crew_first(const snn_crew *c)
{
    return c->walk->hidden * c->member / c->members * c->walk->width;
}
static inline int64_t snn_crew_count(const snn_crew *c)
{
    return c->walk->hidden * (c->member + 1) / c->members * c->walk->width - snn_crew_first(c);
}
void snn_crew_copy(const snn_crew *crew, const float *from, float *to);
void snn_crew_clear(const snn_crew *crew, float *to);
void snn_crew_add(const snn_crew *crew, const float *a, const float *b, float *to);
/* to = made where a sample counts, else other, or 0 where that is NULL. */
void snn_crew_choose(const snn_crew *crew, const snn_count *count, const float *made, const float *other,
                     float *to);

#endif
