/* Which steps run in bands. */
#include "plan/band.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "graph/model.h"

/* A value that is smaller, in parts of L3, stays in caches anyway: bands of less cost a few percent. */
#define LEAST_VALUE 0.0625
#define BUDGET 4.0          /* L2 caches, for all that a band touches: low bands cost more than L3 does */
#define MOST_MADE_TWICE 0.1 /* of the multiply-adds: rows that neighbouring threads both make */

/* While bands are looked for. */
typedef struct search {
    const snn_model *model;
    snn_plan *plan;
    const int64_t *readers;     /* (slots) operands and outputs that are one */
    double least_value, budget; /* bytes */
} search;

static int64_t channels_of(const snn_step *step)
{
    return step->type == SNN_STEP_POOL ? step->window->channels : step->rows;
}

/* The window of a step with the dims of planes. */
static snn_window window_of(const search *s, const snn_step *step)
{
    const snn_node *node = &s->model->nodes[step->node];
    snn_window w;
    snn_op_of(node->type)->window(node, &s->model->values[node->operands[0]], &w);
    return w;
}

static int can_begin(const search *s, const snn_step *step)
{
    return step->window && step->node >= 0 && window_of(s, step).out_height > 1;
}

/* Whether a step reads what the one before it gives, and nothing else does, as planes of the same dims. */
static int follows(const search *s, int64_t index)
{
    const snn_step *step = &s->plan->steps[index], *before = step - 1;
    return can_begin(s, step) && !step->operands[0].constant && step->operands[0].row == before->result.row &&
           s->readers[before->result.row] == 1 && step->window->channels == channels_of(before) &&
           step->operands[0].features == before->outputs;
}

static double weights_of(const search *s, const snn_step *step)
{
    const snn_node *node = &s->model->nodes[step->node];
    if (step->type == SNN_STEP_POOL)
        return 0.0;
    return node->sparse ? (double)node->nnz : (double)node->rows * (double)node->cols;
}

/* Rows of x that so many neighbouring rows of the result read, at most. */
static int64_t rows_read(const snn_window *w, int64_t rows)
{
    return snn_min((rows - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1, w->height);
}

/* Lays the buffers out for bands of so many rows; returns the bytes that a band touches. *twice: the share of
 * the multiply-adds that threads make although another does as well. */
static double lay_out(const search *s, int64_t first, snn_band *band, int64_t height, double *twice)
{
    double bytes = 0.0, work = 0.0, more = 0.0;
    int64_t rows = height, own = height; /* of what a step gives: with those for the next, without */
    band->height = height;
    band->floats = 0;
    for (int64_t i = band->count - 1; i >= 0; i--) {
        const snn_step *step = &s->plan->steps[first + i];
        snn_band_step *part = &band->steps[i];
        const snn_window *w = &part->window;
        const double weights = weights_of(s, step), row = weights * (double)w->out_width;
        const int64_t channels = channels_of(step);
        work += row * (double)w->out_height;
        more += row * (double)(snn_max(rows - own, 0) * (s->plan->threads - 1));
        bytes += 8.0 * weights + 4.0 * (double)(channels * rows * w->out_width);
        part->rows = rows;
        part->begins_at = band->floats;
        if (i < band->count - 1)
            band->floats += // and rows that fill up panels
                snn_column_stride((channels + s->plan->threads) * rows * w->out_width);
        own *= w->stride_h;
        rows = rows_read(w, rows);
        if (i == 0)
            bytes += 4.0 * (double)(w->channels * rows * w->width);
    }
    *twice = work > 0.0 ? more / work : 0.0;
    return bytes;
}

/* The highest bands of the steps that fit into the budget; 0 when there are none worth it. */
static int fits(const search *s, int64_t first, snn_band *band)
{
    const snn_window *last = &band->steps[band->count - 1].window;
    const int64_t share = (last->out_height + s->plan->threads - 1) / s->plan->threads;
    double twice;
    for (int64_t height = share;; height = (height + 1) / 2) {
        if (lay_out(s, first, band, height, &twice) <= s->budget)
            return twice <= MOST_MADE_TWICE;
        if (height == 1)
            return 0;
    }
}

static int is_large(const search *s, const snn_step *step)
{
    return 4.0 * (double)step->outputs > s->least_value;
}

/* The longest band from a step on -> band, whose count is 1 where there is none. */
static void grow(const search *s, int64_t first, snn_band *band)
{
    band->count = 1;
    band->steps[0].window = window_of(s, &s->plan->steps[first]);
    while (band->count < SNN_BAND_STEPS && first + band->count < s->plan->step_count) {
        snn_band longer = *band;
        const int64_t next = first + longer.count;
        if (!follows(s, next) || !is_large(s, &s->plan->steps[next - 1]))
            return;
        longer.steps[longer.count++].window = window_of(s, &s->plan->steps[next]);
        if (!fits(s, first, &longer))
            return;
        *band = longer;
    }
}

static int make(snn_plan *plan, int64_t first, const snn_band *found)
{
    snn_step *step = &plan->steps[first];
    step->band = snn_alloc(1, sizeof *step->band);
    if (!step->band)
        return 0;
    *step->band = *found;
    step->together = found->count;
    for (int64_t i = 0; i + 1 < found->count; i++)
        step[i].result.banded = step[i + 1].operands[0].banded = 1;
    return 1;
}

int snn_band_find(const snn_model *model, snn_plan *plan, int64_t *readers)
{
    const search s = {model, plan, readers, LEAST_VALUE * (double)snn_cpu_cache_bytes(3),
                      BUDGET * (double)snn_cpu_cache_bytes(2)};
    for (int64_t i = 0; i < plan->out_count; i++)
        readers[plan->ports_out[i].place.row]++;
    for (int64_t i = 0; i < plan->step_count; i++)
        for (int64_t k = 0; k < plan->steps[i].operand_count; k++)
            if (!plan->steps[i].operands[k].constant)
                readers[plan->steps[i].operands[k].row]++;
    for (int64_t i = 0; i < plan->step_count;) {
        snn_band band = {.count = 1};
        if (plan->by_sample && can_begin(&s, &plan->steps[i]))
            grow(&s, i, &band);
        if (band.count > 1 && !make(plan, i, &band))
            return 0;
        i += band.count;
    }
    return 1;
}

int64_t snn_band_scratch(const snn_plan *plan)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].band)
            most = snn_max(most, plan->steps[i].band->floats);
    return most;
}
