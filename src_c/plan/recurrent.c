#include "plan/recurrent.h"

#include "base/memory.h"
#include "base/minmax.h"
#include "base/threads.h"

#include <math.h>
#include <string.h>

/* A product that takes one thread less than this is not shared: each step has two barriers then. */
#define SHARED_US 4.0

/* Buffers of (hidden) behind the result; the sums of a product follow. */
enum { H, C, RESET, BUFFERS };

/* A cell while it runs. */
typedef struct run {
    const snn_plan *plan;
    const snn_step *step;
    const snn_cell *cell;
    int member, members, exact;
    int64_t first, end; /* units of the member */
    const float *x;     /* (steps, rows) */
    float *y;           /* (steps, hidden), and the last states where it gives them */
    float *sums;        /* (rows) */
    snn_units units;
} run;

int64_t snn_recurrent_states(const snn_model *model, int64_t end)
{
    int64_t floats = 0;
    for (int64_t i = 0; i < end; i++) {
        snn_cell cell;
        const snn_op *op = snn_op_of(model->nodes[i].type);
        if (!op->cell)
            continue;
        op->cell(&model->nodes[i], &cell);
        floats += cell.states * cell.hidden;
    }
    return floats;
}

int snn_recurrent_init(snn_step *step, const snn_node *node, const snn_plan *plan)
{
    step->cell = snn_alloc(1, sizeof *step->cell);
    if (!step->cell)
        return 0;
    snn_op_of(node->type)->cell(node, step->cell);
    step->cell->offset = snn_recurrent_states(plan->shape, step->node);
    step->result.spare =
        BUFFERS * snn_column_stride(step->cell->hidden) + snn_column_stride(step->rows + plan->threads);
    return 1;
}

static int64_t steps_of(const snn_step *step) { return step->inputs / step->rows; }

/* Whether a second product follows the reset gate. */
static int is_twofold(const snn_step *step) { return step->op == SNN_OP_GRU && !step->cell->resets_after; }

int64_t snn_recurrent_products(const snn_step *step) { return steps_of(step) * (is_twofold(step) ? 2 : 1); }

/* ---- beginning and end ---- */

/* The i-th operand behind the first. */
static const float *operand(const run *r, const snn_frame *frame, int i)
{
    return snn_frame_operand(frame, &r->step->operands[1 + i]);
}

static void copy_units(const run *r, const float *from, float *to)
{
    memcpy(to + r->first, from + r->first, (size_t)(r->end - r->first) * sizeof *to);
}

static void fill_units(const run *r, float value, float *to)
{
    for (int64_t i = r->first; i < r->end; i++)
        to[i] = value;
}

static void begin(run *r, const snn_frame *frame, float *state)
{
    const snn_cell *cell = r->cell;
    const int64_t stride = snn_column_stride(cell->hidden);
    const int64_t peepholes = cell->has_initial * cell->states + cell->has_lengths;
    const float clip = r->plan->shape->nodes[r->step->node].attributes[0];
    r->sums = state + BUFFERS * stride;
    r->units = (snn_units){.hidden = cell->hidden,
                           .first = r->first,
                           .count = r->end - r->first,
                           .sums = r->sums,
                           .peepholes = cell->has_peepholes ? operand(r, frame, (int)peepholes) : NULL,
                           .h = state + H * stride,
                           .c = state + C * stride,
                           .update = state + C * stride,
                           .reset = state + RESET * stride,
                           .clip = clip > 0.0f ? clip : INFINITY,
                           .resets_after = cell->resets_after,
                           .f = snn_cell_epilogue(cell->activations[0]),
                           .g = snn_cell_epilogue(cell->activations[1]),
                           .o = snn_cell_epilogue(cell->activations[2])};
    r->units.h_before = r->units.h;
    r->units.c_before = r->units.c;
    float *const states[] = {r->units.h, r->units.c};
    for (int i = 0; i < cell->states; i++)
        if (frame->state)
            copy_units(r, frame->state + cell->offset + i * cell->hidden, states[i]);
        else if (cell->has_initial)
            copy_units(r, operand(r, frame, i), states[i]);
        else
            fill_units(r, 0.0f, states[i]);
}

/* The number of steps that count; -1 where it is NaN. */
static int64_t read_length(const run *r, const snn_frame *frame)
{
    const int64_t steps = steps_of(r->step);
    if (!r->cell->has_lengths)
        return steps;
    const float length = *operand(r, frame, r->cell->has_initial * r->cell->states);
    return isnan(length) ? -1 : length < (float)steps ? (int64_t)fmaxf(length, 0.0f) : steps;
}

/* The last states behind the steps, and to a stream. */
static void end_states(const run *r, const snn_frame *frame)
{
    const float *const states[] = {r->units.h, r->units.c};
    for (int i = 0; frame->next && i < r->cell->states; i++)
        copy_units(r, states[i], frame->next + r->cell->offset + i * r->cell->hidden);
    for (int i = 0; r->cell->gives_states && i < r->cell->states; i++)
        copy_units(r, states[i], r->y + (steps_of(r->step) + i) * r->cell->hidden);
}

/* ---- steps ---- */

/* Those that share a cell wait for each other. */
static void meet(const run *r)
{
    if (r->members > 1)
        snn_barrier();
}

/* The member's shares of W x + b -> sums. */
static void multiply(const run *r, const float *x)
{
    SNN_PAUSE();
    const snn_choice *choice = snn_single_choice(r->step);
    if (r->exact) {
        snn_step_multiply(r->plan, r->step, x, r->sums);
        for (int64_t i = 0; i < r->step->rows; i++)
            r->sums[i] += 0.0f; // as the kernels end a sum
        return;
    }
    for (int share = r->member; share < choice->packing->share_count; share += r->members)
        choice->kernel->run(snn_share(choice->packing, share), x, r->sums, r->step->rows, &r->step->epilogue);
}

static void end_step(const run *r)
{
    const snn_isa *isa = r->plan->isa;
    SNN_PAUSE();
    switch (r->step->op) {
    case SNN_OP_LSTM: isa->lstm(&r->units); break;
    case SNN_OP_GRU:
        isa->gru_gates(&r->units);
        if (is_twofold(r->step)) {
            meet(r);
            multiply(r, r->units.reset);
            meet(r);
        }
        isa->gru_state(&r->units);
        break;
    default: isa->rnn(&r->units); break;
    }
}

static void run_steps(run *r, int64_t length)
{
    const int64_t hidden = r->cell->hidden, steps = steps_of(r->step);
    for (int64_t i = 0; i < length; i++) {
        const int64_t at = r->cell->reverse ? length - 1 - i : i;
        r->units.x = r->x + at * r->step->rows;
        r->units.y = r->y + at * hidden;
        meet(r); // the state is there
        multiply(r, r->units.h);
        meet(r);
        end_step(r);
    }
    for (int64_t at = length; at < steps; at++)
        fill_units(r, 0.0f, r->y + at * hidden);
}

static void run_cell(const snn_frame *frame, run *r)
{
    const int64_t hidden = r->cell->hidden;
    r->first = snn_part(hidden, r->member, r->members);
    r->end = snn_part(hidden, r->member + 1, r->members);
    r->x = snn_frame_operand(frame, &r->step->operands[0]);
    begin(r, frame, snn_frame_result(frame, &r->step->result) + snn_column_stride(r->step->outputs));
    const int64_t length = read_length(r, frame);
    if (length < 0) {
        for (int64_t at = 0; at < r->step->outputs / hidden; at++)
            fill_units(r, NAN, r->y + at * hidden);
        return;
    }
    run_steps(r, length);
    end_states(r, frame);
}

void snn_recurrent_choose(snn_plan *plan)
{
    for (int64_t i = 0; i < plan->step_count; i++) {
        snn_step *step = &plan->steps[i];
        const snn_choice *choice = snn_single_choice(step);
        const double us = choice->measured_us > 0.0 ? choice->measured_us : choice->estimate_us;
        step->shared = step->type == SNN_STEP_RECURRENT && us >= SHARED_US;
    }
}

void snn_recurrent_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                       int member, int members)
{
    if (members > 1 && !step->shared) {
        // By turns, so that two directions of a layer run side by side.
        if ((step - plan->steps) % members != member)
            return;
        member = 0;
        members = 1;
    }
    run_cell(
        frame,
        &(run){.plan = plan, .step = step, .cell = step->cell, .y = y, .member = member, .members = members});
}

void snn_recurrent_exact(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y)
{
    run_cell(frame, &(run){.plan = plan, .step = step, .cell = step->cell, .y = y, .members = 1, .exact = 1});
}
