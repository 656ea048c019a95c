/* Which layers are the same to the tuner, and what each of them chooses. */
#include "plan/problem.h"

#include "base/memory.h"
#include "base/minmax.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- structure ---- */

/* Standard deviation of the rows' lengths, in quarters of their mean. */
static int spread_of(const snn_csr *csr)
{
    const double mean = (double)csr->indptr[csr->rows] / (double)csr->rows;
    double squares = 0.0;
    for (int64_t r = 0; r < csr->rows; r++) {
        const double off = (double)(csr->indptr[r + 1] - csr->indptr[r]) - mean;
        squares += off * off;
    }
    const double quarters = mean > 0.0 ? 4.0 * sqrt(squares / (double)csr->rows) / mean : 0.0;
    return quarters < 20.0 ? (int)(quarters + 0.5) : 20;
}

/* Weights that stand alone, or first, in 64 columns of a row; in quarters of all. */
static int runs_of(const snn_csr *csr)
{
    int64_t runs = 0;
    for (int64_t r = 0; r < csr->rows; r++)
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            runs += p == csr->indptr[r] || csr->indices[p] / 64 != csr->indices[p - 1] / 64;
    const int64_t nnz = csr->indptr[csr->rows];
    return nnz ? (int)((4 * runs + nnz / 2) / nnz) : 0;
}

/* 0 when memory is out. */
static int find_structure(const snn_isa *isa, const snn_csr *csr, snn_structure *structure)
{
    int heights[16], count = 0;
    int64_t slots[16];
    *structure = (snn_structure){.spread = spread_of(csr), .runs = runs_of(csr)};
    for (int height = 1; height <= 16; height++)
        for (int i = 0; i < isa->kernel_count; i++)
            if (isa->kernels[i].format == SNN_FORMAT_PANEL && isa->kernels[i].shape == height) {
                heights[count++] = height;
                break;
            }
    if (!snn_panel_slots(csr, heights, count, slots))
        return 0;
    for (int i = 0; i < count; i++)
        structure->panel_slots[heights[i]] = slots[i];
    return 1;
}

/* ---- keys ---- */

static void write_key(const snn_step *step, const snn_csr *csr, const snn_structure *structure, char *key)
{
    const int is_window = step->type == SNN_STEP_CONVOLUTION && !step->by_column;
    const int64_t nnz = csr->indptr[csr->rows];
    const double density = (double)nnz / ((double)csr->rows * (double)csr->cols);
    int used = snprintf(key, SNN_KEY_BYTES, "%s %" PRId64 "x%" PRId64 " activation %d density %d rows %d:%d",
                        is_window ? "window" : "linear", csr->rows, csr->cols, step->epilogue.activation,
                        nnz ? (int)floor(8.0 * log2(density)) : -999, structure->spread, structure->runs);
    if (is_window) {
        const snn_window *w = step->window;
        used += snprintf(key + used, (size_t)(SNN_KEY_BYTES - used),
                         " positions %" PRId64 "x%" PRId64 " places %" PRId64 "x%" PRId64 " stride %" PRId64,
                         w->out_height, w->out_width, w->kernel_h, w->kernel_w, w->stride_w);
    }
    used += snprintf(key + used, (size_t)(SNN_KEY_BYTES - used), " panels");
    for (int height = 1; height <= 16; height++)
        if (snn_panels_pay(csr, structure->panel_slots[height]))
            used += snprintf(key + used, (size_t)(SNN_KEY_BYTES - used), " %d:%d", height,
                             (int)(4 * structure->panel_slots[height] / (nnz + 1)));
}

int snn_look_at(const snn_isa *isa, const snn_step *step, const snn_csr *csr, snn_look *look)
{
    if (!find_structure(isa, csr, &look->structure))
        return 0;
    write_key(step, csr, &look->structure, look->key);
    return 1;
}

snn_problem *snn_problem_find(const snn_plan *plan, const snn_look *look)
{
    snn_problem *p = plan->problems;
    while (p && strcmp(p->key, look->key))
        p = p->next;
    return p;
}

snn_problem *snn_problem_make(snn_plan *plan, const snn_step *step, const snn_csr *csr, const snn_look *look)
{
    snn_problem *problem = snn_alloc(1, sizeof *problem);
    if (!problem)
        return NULL;
    memcpy(problem->key, look->key, sizeof look->key);
    for (int b = 0; b < plan->bucket_count; b++)
        snn_candidate_init(plan, step, csr, b, &look->structure, &problem->buckets[b]);
    problem->next = plan->problems;
    plan->problems = problem;
    plan->problem_count++;
    return problem;
}

void snn_problems_free(snn_problem *list)
{
    for (snn_problem *next; list; list = next) {
        next = list->next;
        snn_free(list);
    }
}

/* ---- choosing ---- */

/* Times this near are the same: a packing less is worth more, and then what the cost model likes better,
 * which counts what is read: alone the weights of a step are in the caches, in a network they may not be. */
#define AS_GOOD 1.03
/* Kernels that gather promise too much when one thread alone is timed: beside another busy thread they took
 * half as long again, others a seventh longer. They are chosen where they are clearly faster. */
#define GATHERS_ALONE 1.15

static double cost(const snn_choice *choice)
{
    return choice->measured_us * (choice->kernel->format == SNN_FORMAT_SELL ? GATHERS_ALONE : 1.0);
}

static double least_cost(const snn_tuned *tuned)
{
    double least = cost(&tuned->candidates[0]);
    for (int c = 1; c < tuned->timed; c++)
        least = cost(&tuned->candidates[c]) < least ? cost(&tuned->candidates[c]) : least;
    return least;
}

/* Whether a candidate is the fastest, or as good. Where none was timed the first is meant. */
static int is_good(const snn_tuned *tuned, int c)
{
    return tuned->timed ? cost(&tuned->candidates[c]) <= AS_GOOD * least_cost(tuned) : c == 0;
}

/* Buckets that could read the packing of a choice; one more where a list has it. */
static int readers(const snn_plan *plan, const snn_problem *problem, const snn_choice *choice,
                   const snn_packing *made)
{
    int count = 0;
    while (made && !snn_same_packing(made->kernel, made->k_block, choice->kernel, choice->k_block))
        made = made->next;
    count += made != NULL;
    for (int b = 0; b < plan->bucket_count; b++) {
        const snn_tuned *tuned = &problem->buckets[b];
        for (int c = 0; c < snn_max(tuned->timed, 1); c++)
            if (is_good(tuned, c) &&
                snn_same_packing(choice->kernel, choice->k_block, tuned->candidates[c].kernel,
                                 tuned->candidates[c].k_block)) {
                count++;
                break;
            }
    }
    return count;
}

void snn_problem_choose(const snn_plan *plan, snn_problem *problem, const snn_packing *made)
{
    for (int b = 0; b < plan->bucket_count; b++) {
        snn_tuned *tuned = &problem->buckets[b];
        int most = 0;
        for (int c = 0; c < snn_max(tuned->timed, 1); c++) {
            const snn_choice *choice = &tuned->candidates[c];
            const int count = is_good(tuned, c) ? readers(plan, problem, choice, made) : 0;
            if (count > most || (count == most && most &&
                                 choice->estimate_us < tuned->candidates[tuned->chosen].estimate_us)) {
                most = count;
                tuned->chosen = c;
            }
        }
    }
}
