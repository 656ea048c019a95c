/* Softmaxes, normalisations, reductions and resizing over the middle of an operand (outer, count, inner).
 *
 * In the tile layout the samples stand behind inner, and both are columns; in the column layout a sample is
 * by itself. Threads share blocks: of columns, or of outer places where a row has none beside it. */
#include "plan/step.h"

#include "base/minmax.h"
#include "graph/model.h"

enum { BLOCK = 64 }; /* columns or places */

/* What one sample, or a tile as a whole, holds: columns: inner, or that times the samples of the tile. */
typedef struct part {
    const snn_isa *isa;
    const snn_step *step;
    const float *x;
    float *y;
    int64_t columns;
    snn_axis_norm norm; /* SNN_STEP_AXIS_NORM */
} part;

static int is_log(const part *p) { return p->step->op == SNN_OP_LOG_SOFTMAX; }

/* Outer places [first, first + count), whose values lie side by side. */
static void run_rows(const part *p, int64_t first, int64_t count)
{
    const int64_t values = p->step->axes.count;
    if (p->step->type == SNN_STEP_REDUCE) {
        p->isa->reduce_rows(p->step->op, p->x + first * values, p->y + first, count, values);
        return;
    }
    if (p->step->type == SNN_STEP_AXIS_NORM) {
        p->isa->axis_norm_rows(&p->norm, p->x + first * values, p->y + first * values, count);
        return;
    }
    for (int64_t o = first; o < first + count; o++)
        p->isa->softmax_column(is_log(p), p->x + o * values, p->y + o * values, values);
}

/* Columns [first, first + count) of one outer place. */
static void run_columns(const part *p, int64_t outer, int64_t first, int64_t count)
{
    const int64_t values = p->step->axes.count, from = outer * values * p->columns + first;
    if (p->step->type == SNN_STEP_REDUCE)
        p->isa->reduce(p->step->op, p->x + from, p->y + outer * p->columns + first, values, p->columns,
                       count);
    else if (p->step->type == SNN_STEP_AXIS_NORM)
        p->isa->axis_norm(&p->norm, p->x + from, p->y + from, count, p->columns);
    else
        p->isa->softmax_tile(is_log(p), p->x + from, p->y + from, values, count, p->columns);
}

/* Places [first, first + count) of one outer place -> y. */
static void resize(const part *p, int64_t outer, int64_t first, int64_t count)
{
    const snn_step *step = p->step;
    const float *x = p->x + outer * step->axes.count * p->columns;
    float *y = p->y + (outer * step->mix_count + first) * p->columns;
    if (p->columns == 1)
        p->isa->mix(x, step->mixes + first, count, y);
    else
        for (int64_t i = 0; i < count; i++)
            p->isa->mix_rows(x, step->mixes[first + i], p->columns, y + i * p->columns);
}

/* Threads share blocks of places. */
static void resize_part(const part *p, int member, int members)
{
    const int64_t block = p->columns == 1 ? BLOCK : 1, across = (p->step->mix_count + block - 1) / block;
    const int64_t blocks = p->step->axes.outer * across;
    for (int64_t b = blocks * member / members; b < blocks * (member + 1) / members; b++) {
        const int64_t first = b % across * block;
        resize(p, b / across, first, snn_min(block, p->step->mix_count - first));
    }
}

static void run_part(const part *p, int member, int members)
{
    if (p->step->type == SNN_STEP_RESIZE) {
        resize_part(p, member, members);
        return;
    }
    const int64_t outer = p->step->axes.outer;
    const int rows = p->columns == 1;
    const int64_t across = ((rows ? outer : p->columns) + BLOCK - 1) / BLOCK;
    const int64_t blocks = rows ? across : outer * across;
    for (int64_t b = blocks * member / members; b < blocks * (member + 1) / members; b++) {
        const int64_t first = b % across * BLOCK;
        if (rows)
            run_rows(p, first, snn_min(BLOCK, outer - first));
        else
            run_columns(p, b / across, first, snn_min(BLOCK, p->columns - first));
    }
}

static snn_axis_norm norm_of(const snn_plan *plan, const snn_step *step)
{
    if (step->type != SNN_STEP_AXIS_NORM)
        return (snn_axis_norm){0};
    return (snn_axis_norm){.count = step->axes.count,
                           .epsilon = plan->shape->nodes[step->node].attributes[0],
                           .scale = step->operands[1].constant,
                           .shift = step->operand_count > 2 ? step->operands[2].constant : NULL};
}

void snn_axes_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                  int64_t y_stride, int member, int members)
{
    const float *x = snn_frame_operand(frame, &step->operands[0]);
    const int64_t samples = frame->bucket->samples;
    const snn_axis_norm norm = norm_of(plan, step);
    if (frame->bucket->layout == SNN_LAYOUT_TILE) {
        run_part(&(part){plan->isa, step, x, y, step->axes.inner * samples, norm}, member, members);
        return;
    }
    for (int64_t s = 0; s < samples; s++) // by another thread first, where there is one block
        run_part(&(part){plan->isa, step, x + s * snn_column_stride(step->inputs), y + s * y_stride,
                         step->axes.inner, norm},
                 (int)((member + s) % members), members);
}
