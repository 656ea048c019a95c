/* A plan inside the core: steps over numbered buffers, and for each way of cutting a batch (a bucket) the
 * kernel and packing of every step. Immutable once made, but for the pool of workspaces and the crowd. */
#ifndef SNN_PLAN_H
#define SNN_PLAN_H

#include "base/crowd.h"
#include "graph/op.h"
#include "kernels/kernel.h"
#include "pack/pack.h"

#include <stdatomic.h>
#include <time.h>

static inline double snn_microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* ---- steps ---- */

typedef enum snn_step_type {
    SNN_STEP_LINEAR,
    SNN_STEP_CONVOLUTION, /* a product of what a window holds, at every position */
    SNN_STEP_DEPTHWISE,   /* a convolution in which a channel of the result reads one of x: depthwise.h */
    SNN_STEP_RECURRENT,   /* recurrent.h */
    SNN_STEP_POOL,
    SNN_STEP_ACTIVATE,
    SNN_STEP_SOFTMAX,
    SNN_STEP_AXIS_NORM,
    SNN_STEP_PRODUCT,   /* product.h */
    SNN_STEP_ATTENTION, /* product.h */
    SNN_STEP_LOOKUP,
    SNN_STEP_REDUCE,
    SNN_STEP_RESIZE,
    SNN_STEP_PAIR, /* of two or three operands */
    SNN_STEP_MOVE
} snn_step_type;

/* Where a value lies while a tile runs. */
typedef struct snn_place {
    int64_t features;
    int64_t spare;         /* floats behind them where a convolution writes rows that fill up a panel, or
                              reads what it adds to those, and where a cell has its state */
    int64_t row;           /* of the arena; a row is a feature of the largest tile */
    int input;             /* of the plan, that is copied there; -1: a step gives it */
    const float *constant; /* (features), not in the arena; or NULL */
    int banded;            /* it is never whole: some rows at a time lie in a band's buffer (band.h) */
} snn_place;

#define SNN_MAX_BUCKETS 8

/* A way to compute a step in a bucket. */
/* Vectors of the widest tile that a kernel takes. */
#define SNN_WIDEST_TILE 4

typedef struct snn_choice {
    const snn_kernel *kernel;
    int64_t k_block;            /* CSR: columns a block or a window; 0 when dense */
    const snn_packing *packing; /* NULL until chosen */
    double estimate_us;         /* by the cost model: one tile, one thread */
    double measured_us;         /* 0: not timed */
} snn_choice;

typedef struct snn_step {
    snn_step_type type;
    int64_t node;            /* of the model, for reports */
    int64_t inputs, outputs; /* features of the first operand and of the result */
    int64_t operand_count;
    snn_place *operands; /* (operand_count) owned */
    snn_place result;
    int output; /* of the plan, that may be written where the caller wants it; -1: none */
    int wait;   /* when threads share a tile: all have to be done with the steps before */
    int64_t run_count;
    struct snn_broadcast_run *pairs; /* SNN_STEP_PAIR: (run_count) owned */
    struct snn_move *moves;          /* SNN_STEP_MOVE: (run_count) owned */
    float number;                    /* SNN_STEP_MOVE: what runs without an operand hold */
    int64_t turned_rows;             /* SNN_STEP_MOVE: the runs turn a matrix of so many rows (others: 0) */
    int op;                          /* SNN_OP_... */
    snn_axes axes;                   /* SNN_STEP_SOFTMAX, _AXIS_NORM, _REDUCE, _RESIZE */
    snn_product *product;            /* SNN_STEP_PRODUCT: owned */
    snn_attention *attention;        /* SNN_STEP_ATTENTION: owned */
    snn_mix *mixes;                  /* SNN_STEP_RESIZE: of each place of the result, owned */
    int64_t mix_count;
    struct snn_window *window; /* SNN_STEP_CONVOLUTION, _DEPTHWISE, _POOL: owned */
    int counts_padding;        /* SNN_OP_AVG_POOL2D */
    struct snn_band *band; /* it and the steps behind it run in bands: band.h; owned. NULL: it runs alone */
    int64_t together;      /* with a band: how many steps */
    struct snn_cell *cell; /* SNN_STEP_RECURRENT: owned */
    unsigned shared; /* SNN_STEP_RECURRENT: a bit for each bucket in which threads that share a tile share
                        each product */
    int64_t product_step; /* in tiles (sequence.h) the product of that step, less 1, is this one's, whose x is
                             its last operand; 0: none */
    int taken_over;       /* and this one is not run in tiles */
    int by_column;        /* nor, or so, for single samples, whose few steps are columns of their own */
    snn_epilogue epilogue;
    int64_t rows, cols; /* with weights: of W; a linear step's outputs and inputs */
    float *bias;        /* (rows + shares) owned */
    int64_t nnz;        /* weights that are not padding */
    int sparse;         /* the model holds CSR */
    snn_csr *weights;   /* by sample but for convolutions, and for SNN_STEP_DEPTHWISE: a stock's, or owned */
    snn_packing *packings;   /* owned list */
    struct snn_stock *stock; /* of a specialisation: weights and packings in common (stock.h); or NULL */
    int counted;             /* among the users of the stock's packings */
    snn_choice chosen[SNN_MAX_BUCKETS];
    const struct snn_problem *problem; /* with weights: what was tuned, shared with equal steps (problem.h) */
} snn_step;

/* ---- buckets: tile shapes that batches are cut into ---- */

typedef struct snn_bucket {
    snn_layout layout;
    int samples;
    double alone_us; /* one thread takes one tile through all steps while the others rest */
    double tile_us;  /* each thread takes one */
    double split_us; /* all threads share one tile, split by rows */
} snn_bucket;

/* A run of equal tiles. */
typedef struct snn_segment {
    int bucket;
    int split; /* 1: threads share each tile by rows; 0: a tile a thread */
    int64_t first_sample, tiles;
} snn_segment;
#define SNN_MAX_SEGMENTS (2 * SNN_MAX_BUCKETS + 2)

/* ---- inputs and outputs ---- */

typedef struct snn_port {
    snn_place place;
    int64_t features;
    int direct; /* an output: a step writes it where the caller wants it if the layout is the same */
    int seen;   /* that step says whether there is a NaN in it */
} snn_port;

/* ---- workspaces ---- */

/* An arena a thread, and behind them room for the inputs of thread 0 when threads share a tile. */
typedef struct snn_extent {
    size_t floats;                   /* in all */
    size_t arena_floats, row_floats; /* of an arena with its thread's scratch, of a row */
    size_t scratch_at;               /* floats of an arena before the scratch */
    size_t turns_at, turns;          /* floats before two lists of turns (turns.h), and of a list */
    size_t arrivals_at, arrivals;    /* floats before an snn_arrival of each thread, and how many */
} snn_extent;

typedef struct snn_workspace {
    float *memory;
    size_t floats; /* of memory */
    snn_extent extent;
    const float **x; /* (inputs), (outputs): pointers for a run that is given none */
    float **y;
    _Alignas(64) atomic_int_least64_t next_tile[SNN_MAX_SEGMENTS]; /* away from what threads only read */
} snn_workspace;
#define SNN_POOL 64

struct snn_plan {
    struct snn_shapes
        *shapes; /* owned: a plan of dynamic dims, which has no steps itself (shapes.h); or NULL */
    int special; /* it is a specialisation of such a one: stocks and pool are borrowed */
    struct snn_stock *stocks; /* (nodes) likewise; or NULL */
    const snn_isa *isa;
    int threads;
    int64_t inputs, outputs; /* features of all inputs, and of all outputs */
    int64_t widest;          /* features of any value */
    snn_port *ports_in, *ports_out;
    int64_t in_count, out_count;
    snn_model *shape; /* owned: the model without weights; of dynamic dims with them, as CSR */
    snn_step *steps;
    int64_t step_count;
    int64_t arena_rows, input_rows;
    int by_sample; /* it has windows, cells or products of values: values are of one sample, (channels,
                      positions), in bucket 0 alone */
    int by_tiles;  /* by sample, but samples may also be the lanes of tiles: sequence.h */
    int64_t widest_product; /* rows or columns of any weight */
    int64_t most_spare;     /* of any place */
    size_t scratch_floats;  /* by sample: of each thread, behind its arena */
    size_t buffers_at;      /* floats of the scratch before the buffers of bands */
    snn_bucket buckets[SNN_MAX_BUCKETS];
    int bucket_count;
    /* table[c]: how to begin cutting c samples, bucket * 2 + split; c in [1, table_size] */
    unsigned char *table;
    int64_t table_size;
    snn_tune tune;
    struct snn_problem *problems; /* owned list: what the steps are to the tuner */
    int64_t problem_count;
    int64_t tuned_problems; /* of these, timed for this plan */
    int cached;             /* all choices and times came from the tuning cache */
    double peak_gflops;     /* of multiply-adds in registers, one thread */
    double compile_seconds;
    _Atomic(snn_workspace *) *pool; /* (SNN_POOL) idle workspaces */
    snn_crowd *crowd;               /* owned; whether the threads of its runs are held up */
};

static inline int snn_is_convolution(const snn_step *step)
{
    return step->type == SNN_STEP_CONVOLUTION || step->type == SNN_STEP_DEPTHWISE;
}
/* Whether a step has weights that are packed for a kernel of kernels.def. */
static inline int snn_has_weights(const snn_step *step)
{
    return step->type == SNN_STEP_LINEAR || step->type == SNN_STEP_CONVOLUTION ||
           step->type == SNN_STEP_RECURRENT;
}

/* How many steps run as one: those of a band, or one. */
static inline int64_t snn_together(const snn_step *step) { return step->band ? step->together : 1; }

/* plan.c: a plan of a model without normalisations, whose dims are fixed. root: of whose shapes it is a
 * specialisation; NULL for none. */
snn_status snn_plan_make(const snn_model *model, const snn_isa *isa, const snn_plan_options *options,
                         const snn_plan *root, snn_plan **plan);

/* How a linear step computes single samples, bucket 0 of every plan: its packing, in the column layout or
 * dense, is what snn_unpack and snn_isa.exact read. */
static inline const snn_choice *snn_single_choice(const snn_step *step) { return &step->chosen[0]; }

/* lower.c, by the parts of lower.h: ports, shape and steps of a model, not yet packed. arena.c: where their
 * values lie, and which steps wait. */
snn_status snn_lower(const snn_model *model, snn_plan *plan);
snn_status snn_arena_init(snn_plan *plan, int64_t slots);
void snn_step_free(snn_step *step);
/* Rows of the arena that a place takes: panels write for rows that do not exist as well, one a share. */
static inline int64_t snn_place_rows(const snn_plan *plan, const snn_place *place)
{
    if (place->banded)
        return 0;
    const int64_t rows = snn_column_stride(place->features + place->spare) + plan->threads;
    return plan->by_sample ? snn_column_stride(rows) : rows;
}

/* schedule.c: cutting batches. Returns 0 when memory is out. */
int snn_schedule_init(snn_plan *plan);
/* Cuts batch into at most SNN_MAX_SEGMENTS segments, split ones last; returns how many. */
int snn_schedule(const snn_plan *plan, int64_t batch, snn_segment *segments);

/* candidates.c: the buckets of a plan for the batches it is made for. */
void snn_bucket_init(snn_plan *plan, const snn_plan_options *options);

/* tune.c: packs every linear step for the kernels chosen for it, problem by problem. folder: of the tuning
 * cache, NULL for none. */
snn_status snn_tune_steps(snn_plan *plan, const snn_model *model, const snn_plan_options *options,
                          const char *folder);
/* tune_buckets.c: fills the times of the buckets, from the cache, from those of the steps or by running
 * tiles. Afterwards the plan's workspaces fit its buckets. */
snn_status snn_tune_buckets(snn_plan *plan, const char *folder);
/* The times of the buckets from those of the chosen steps, with what turning x and y and barriers cost. */
void snn_bucket_estimate(snn_plan *plan);
/* GFLOP/s of multiply-adds in registers on one thread: what rates are compared with. */
double snn_measure_peak(const snn_isa *isa);

/* workspace.c */
/* How much scratch the steps of a plan by sample need, once their kernels are chosen. */
void snn_plan_set_scratch(snn_plan *plan);
snn_extent snn_plan_extent(const snn_plan *plan);
snn_workspace *snn_workspace_create(const snn_plan *plan);
void snn_workspace_free(snn_workspace *workspace);
/* An idle workspace, or a new one when all are in use; NULL when memory is out. */
snn_workspace *snn_workspace_take(const snn_plan *plan);
void snn_workspace_return(const snn_plan *plan, snn_workspace *workspace);
/* snn_plan_reserve of a plan of fixed dims. */
snn_status snn_workspace_reserve(const snn_plan *plan, int callers);

/* run.c */
/* Runs a batch that is cut into count segments, those with a tile a thread before those with split tiles. */
snn_status snn_plan_run_cut(const snn_plan *plan, snn_workspace *workspace, const float *x, snn_order x_order,
                            int64_t batch, float *y, snn_order y_order, const snn_segment *segments,
                            int count);
/* Runs batch samples as tiles of one bucket: how the tuner times it. x holds all inputs, one after the other,
 * and y all outputs. False NaNs (exact.c) stay. */
void snn_plan_run_bucket(const snn_plan *plan, snn_workspace *workspace, const float *x, int64_t batch,
                         float *y, int bucket, int split);

/* One tile of the first bucket on one thread: the least time so far of each step, by a clock -> us. */
void snn_plan_time_steps(const snn_plan *plan, snn_workspace *workspace, const float *x, float *y,
                         clockid_t clock, double *us);

#endif
