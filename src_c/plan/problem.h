/* Problems: what is tuned. Layers of one shape, density, structure and activation are one problem, whatever
 * their weights, in one plan or in several: it is tuned once, and its times serve them all. */
#ifndef SNN_PROBLEM_H
#define SNN_PROBLEM_H

#include "graph/op.h"
#include "plan/convolution.h"
#include "plan/recurrent.h"
#include "plan/sequence.h"

#define SNN_MAX_CANDIDATES 24
#define SNN_KEY_BYTES 384

/* What kernels' times depend on beside shape and density. */
typedef struct snn_structure {
    int64_t panel_slots[17]; /* by panel height, where the ISA has such panels; see snn_panel_slots */
    int spread; /* of the rows' lengths: 4 standard deviations to the mean, rounded, at most 20 */
    int runs;   /* quarters of the weights that begin a run within 64 columns */
} snn_structure;

/* A layer as the tuner sees it. */
typedef struct snn_look {
    snn_structure structure;
    char key[SNN_KEY_BYTES]; /* in words: layers of nearly the same density and structure have the same */
} snn_look;

/* A problem in one bucket: the ways to compute it, those that were timed first, fastest first. */
typedef struct snn_tuned {
    snn_choice candidates[SNN_MAX_CANDIDATES]; /* without packings */
    int count;
    int worth; /* of these the first are worth timing */
    int timed; /* worth or 0 */
    int chosen;
} snn_tuned;

typedef struct snn_problem {
    char key[SNN_KEY_BYTES]; /* in words */
    snn_tuned buckets[SNN_MAX_BUCKETS];
    struct snn_problem *next;
} snn_problem;

/* Positions of a convolution's result, products of a cell; 1 of any other step. */
static inline int64_t snn_step_positions(const snn_step *step)
{
    if (step->type == SNN_STEP_RECURRENT)
        return snn_recurrent_products(step);
    return snn_is_convolution(step) ? snn_window_positions(step->window) : 1;
}
/* How often a run of a tile does what was timed: once, but for the products of steps. */
static inline double snn_step_repeats(const snn_step *step, const snn_bucket *bucket)
{
    const int each = step->type == SNN_STEP_RECURRENT ||
                     (step->type == SNN_STEP_CONVOLUTION && !snn_takes_positions(step, bucket));
    return each ? (double)snn_step_positions(step) : 1.0;
}
/* How often a kernel runs for one tile of a step: a convolution's positions are its samples. */
static inline int64_t snn_step_tiles(const snn_step *step, const snn_bucket *bucket, const snn_kernel *kernel)
{
    return snn_takes_positions(step, bucket) ? snn_window_tiles(step->window, kernel) : 1;
}

/* problem.c */
/* 0 when memory is out. */
int snn_look_at(const snn_isa *isa, const snn_step *step, const snn_csr *csr, snn_look *look);
/* The plan's problem of a layer; NULL for none yet. */
snn_problem *snn_problem_find(const snn_plan *plan, const snn_look *look);
/* A new problem of the plan, with candidates in the order of the cost model; NULL when memory is out. */
snn_problem *snn_problem_make(snn_plan *plan, const snn_step *step, const snn_csr *csr, const snn_look *look);
void snn_problems_free(snn_problem *list);
/* Chooses in every bucket: the fastest, or one as good as that whose packing other buckets read as well, or
 * which is in a list of those made for other shapes. */
void snn_problem_choose(const snn_plan *plan, snn_problem *problem, const snn_packing *made);

/* candidates.c */
/* Whether panels with so many slots are candidates at all: rows that share their columns. */
int snn_panels_pay(const snn_csr *csr, int64_t slots);
/* The ways to compute a layer in a bucket, with the cost model's times, best first. */
void snn_candidate_init(const snn_plan *plan, const snn_step *step, const snn_csr *csr, int bucket,
                        const snn_structure *structure, snn_tuned *tuned);

/* tune_time.c */
/* A step to be timed, with room for what it reads and writes. */
typedef struct snn_bench {
    const snn_plan *plan;
    const snn_step *step;
    const snn_bucket *bucket;
    float *x, *y, *scratch; /* scratch: of a convolution */
} snn_bench;

double snn_clock_us(clockid_t clock);
/* The processor time of this thread where it moves with the time of day within 20 us; else that. */
clockid_t snn_tuning_clock(void);
/* Times the first count candidates of a list, whose packings are there, and sorts them by their
 * times; share by share on one thread. 1 when the samples agree, so that the times are to be believed. */
int snn_time_candidates(const snn_bench *bench, snn_choice *list, int count);

/* tune_cache.c: times measured by earlier plans on the same processor for as many threads. A folder of small
 * text files, one for each problem and bucket and one for each kind of plan, safe to delete and to share
 * between processes. Reading gives 1 when the file is there and sound, and changes nothing otherwise; failing
 * to write is not an error, the next plan is tuned again. */
int snn_cache_read_problem(const snn_plan *plan, const char *folder, snn_problem *problem, int bucket);
void snn_cache_write_problem(const snn_plan *plan, const char *folder, const snn_problem *problem,
                             int bucket);
/* The times of the buckets, which must hold estimates before. */
int snn_cache_read_buckets(snn_plan *plan, const char *folder);
void snn_cache_write_buckets(const snn_plan *plan, const char *folder);

#endif
