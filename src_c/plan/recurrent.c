#include "plan/recurrent.h"

#include "base/memory.h"
#include "base/minmax.h"
#include "base/threads.h"
#include "plan/sequence.h"

#include <math.h>
#include <string.h>

/* A product that takes one thread less than this for each of those that would share it is not shared: they
 * meet in each step then. */
#define SHARED_US 0.5

/* Buffers of (hidden) behind the result; the sums of a product follow. h changes from one to the other with
 * each step: another thread may still read the state before. */
enum { H, NEXT_H, C, RESET, BUFFERS };

/* A cell while it runs. */
typedef struct run {
    const snn_plan *plan;
    const snn_step *step;
    const snn_cell *cell;
    const snn_frame *frame;
    int member, members, exact;
    int alone;          /* a member makes all that its units need beside the state */
    int64_t width;      /* samples: the lanes of a tile, or 1 */
    int64_t hidden;     /* units of all of them */
    int64_t first, end; /* of these the member's */
    const float *x; /* (steps, rows, width), or where the step has the product itself (rows, width) of one */
    float *y;       /* (steps, hidden), and the last states where it gives them */
    float *sums;    /* (rows, width) */
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

snn_packing *snn_recurrent_pack(const snn_plan *plan, const snn_step *step, const snn_csr *csr,
                                const snn_choice *choice, const int64_t *bounds)
{
    const int threads = plan->threads;
    if (step->type != SNN_STEP_RECURRENT || choice->kernel->layout != SNN_LAYOUT_COLUMN ||
        step->cell->hidden % 16)
        return snn_pack(csr, plan->isa, choice->kernel, choice->k_block, threads, bounds);
    const int shares = step->cell->gates * threads;
    int64_t *own = snn_alloc((size_t)shares + 1, sizeof *own);
    if (!own)
        return NULL;
    for (int share = 0; share < shares; share++)
        own[share] =
            share / threads * step->cell->hidden + snn_part(step->cell->hidden, share % threads, threads);
    own[shares] = csr->rows;
    snn_packing *made = snn_pack_told(csr, plan->isa, choice->kernel, shares, own);
    snn_free(own);
    return made;
}

/* ---- beginning and end ---- */

/* The i-th operand behind the first. */
static const float *operand(const run *r, int i)
{
    return snn_frame_operand(r->frame, &r->step->operands[1 + i]);
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

/* What the units of the member begin with: state i of a stream, of an operand, or zeros. */
static void first_state(const run *r, int i, float *to)
{
    const snn_cell *cell = r->cell;
    const int64_t width = r->width, units = (r->end - r->first) / width, unit = r->first / width;
    const float *from = r->frame->state     ? r->frame->state + cell->offset + i * cell->hidden
                        : cell->has_initial ? operand(r, i)
                                            : NULL;
    const int is_constant = !r->frame->state && from && r->step->operands[1 + i].constant != NULL;
    if (!from)
        fill_units(r, 0.0f, to);
    else if (width == 1 || (!r->frame->state && !is_constant))
        copy_units(r, from, to);
    else if (is_constant)
        for (int64_t k = r->first; k < r->end; k++)
            to[k] = from[k / width];
    else
        r->plan->isa->transpose(from + unit, r->frame->state_size, to + r->first, width, r->frame->samples,
                                units, width);
}

static void begin(run *r, float *state)
{
    const snn_cell *cell = r->cell;
    const int64_t stride = snn_column_stride(cell->hidden) * r->width;
    const int64_t peepholes = cell->has_initial * cell->states + cell->has_lengths;
    const float clip = r->plan->shape->nodes[r->step->node].attributes[0];
    r->sums = state + BUFFERS * stride;
    r->units = (snn_units){.hidden = r->hidden,
                           .first = r->first,
                           .count = r->end - r->first,
                           .sums = r->sums,
                           .peepholes = cell->has_peepholes ? operand(r, (int)peepholes) : NULL,
                           .h = state + H * stride,
                           .c = state + C * stride,
                           .update = state + C * stride,
                           .reset = state + RESET * stride,
                           .clip = clip > 0.0f ? clip : INFINITY,
                           .resets_after = cell->resets_after,
                           .f = snn_cell_epilogue(cell->activations[0]),
                           .g = snn_cell_epilogue(cell->activations[1]),
                           .o = snn_cell_epilogue(cell->activations[2])};
    r->units.c_before = r->units.c;
    float *const states[] = {r->units.h, r->units.c};
    for (int i = 0; i < cell->states; i++)
        first_state(r, i, states[i]);
}

/* The number of steps that count; -1 where it is NaN. */
static int64_t read_length(const run *r)
{
    const int64_t steps = steps_of(r->step);
    if (!r->cell->has_lengths)
        return steps;
    const float length = *operand(r, r->cell->has_initial * r->cell->states);
    return isnan(length) ? -1 : length < (float)steps ? (int64_t)fmaxf(length, 0.0f) : steps;
}

/* A last state, of the member's units -> the stream's. */
static void keep_state(const run *r, const float *state, float *next)
{
    const int64_t width = r->width, unit = r->first / width;
    if (width == 1)
        copy_units(r, state, next);
    else
        r->plan->isa->transpose(state + r->first, width, next + unit, r->frame->state_size,
                                (r->end - r->first) / width, r->frame->samples, (r->end - r->first) / width);
}

/* The last states behind the steps, and to a stream. */
static void end_states(const run *r)
{
    const float *const states[] = {r->units.h, r->units.c};
    for (int i = 0; r->frame->next && i < r->cell->states; i++)
        keep_state(r, states[i], r->frame->next + r->cell->offset + i * r->cell->hidden);
    for (int i = 0; r->cell->gives_states && i < r->cell->states; i++)
        copy_units(r, states[i], r->y + (steps_of(r->step) + i) * r->hidden);
}

/* ---- steps ---- */

/* Those that share a cell wait for each other. */
static void meet(const run *r)
{
    if (r->members > 1)
        snn_meet(r->frame->arrivals, r->member, r->members);
}
/* The same where units need sums that others made. */
static void meet_for_sums(const run *r)
{
    if (!r->alone)
        meet(r);
}

/* The member's shares of W x + b -> sums, at least of gates [first, end). */
static void multiply(const run *r, const float *x, int first, int end)
{
    SNN_PAUSE();
    if (r->exact) {
        snn_step_multiply(r->plan, r->step, x, r->sums);
        for (int64_t i = 0; i < r->step->rows; i++)
            r->sums[i] += 0.0f; // as the kernels end a sum
        return;
    }
    const snn_choice *choice = &r->step->chosen[r->frame->bucket - r->plan->buckets];
    const snn_packing *packing = choice->packing;
    const int from = packing->told ? first * r->plan->threads : 0;
    const int to = packing->told ? end * r->plan->threads : packing->share_count;
    for (int share = from + r->member; share < to; share += r->members)
        choice->kernel->run(snn_share(packing, share), x, r->sums, r->step->rows, &r->step->epilogue);
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
            multiply(r, r->units.reset, 2, 3);
            meet_for_sums(r);
        }
        isa->gru_state(&r->units);
        break;
    default: isa->rnn(&r->units); break;
    }
}

/* Whether shares of the product are those of the members' units. */
static int is_told(const run *r)
{
    return !r->exact && r->members == r->plan->threads &&
           r->step->chosen[r->frame->bucket - r->plan->buckets].packing->told;
}

static void run_steps(run *r, int64_t length)
{
    const int64_t hidden = r->hidden, steps = steps_of(r->step);
    const int takes = r->step->product_step && snn_takes_over(r->plan, r->step, r->frame);
    float *before = r->units.h,
          *after = before + (NEXT_H - H) * snn_column_stride(r->cell->hidden) * r->width;
    r->alone = r->members > 1 && !takes && is_told(r);
    for (int64_t i = 0; i < length; i++) {
        const int64_t at = r->cell->reverse ? length - 1 - i : i;
        r->units.h_before = before;
        r->units.h = after;
        r->units.x = r->x + (takes ? 0 : at * r->step->rows * r->width);
        r->units.y = r->y + at * hidden;
        meet(r); // the state is there
        if (takes)
            snn_sequence_product(r->plan, r->step, r->frame, at, (float *)(uintptr_t)r->x, r->member,
                                 r->members);
        multiply(r, before, 0, is_twofold(r->step) ? 2 : r->cell->gates);
        meet_for_sums(r);
        end_step(r);
        after = before;
        before = r->units.h;
    }
    r->units.h = before;
    for (int64_t at = length; at < steps; at++)
        fill_units(r, 0.0f, r->y + at * hidden);
}

static void run_cell(run *r)
{
    r->width = r->frame->bucket->samples;
    const int64_t hidden = r->hidden = r->cell->hidden * r->width;
    r->first = snn_part(r->cell->hidden, r->member, r->members) * r->width;
    r->end = snn_part(r->cell->hidden, r->member + 1, r->members) * r->width;
    r->x = snn_frame_operand(r->frame, &r->step->operands[0]);
    begin(r, snn_frame_result(r->frame, &r->step->result) + snn_column_stride(r->step->outputs) * r->width);
    const int64_t length = read_length(r);
    if (length < 0) {
        for (int64_t at = 0; at < r->step->outputs / r->cell->hidden; at++)
            fill_units(r, NAN, r->y + at * hidden);
        return;
    }
    run_steps(r, length);
    end_states(r);
}

void snn_recurrent_choose(snn_plan *plan)
{
    for (int64_t i = 0; i < plan->step_count; i++) {
        snn_step *step = &plan->steps[i];
        for (int b = 0; b < plan->bucket_count && step->type == SNN_STEP_RECURRENT; b++) {
            const snn_choice *choice = &step->chosen[b];
            const double us = choice->measured_us > 0.0 ? choice->measured_us : choice->estimate_us;
            step->shared |= (unsigned)(us >= SHARED_US * plan->threads) << b;
        }
    }
}

void snn_recurrent_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                       int member, int members)
{
    if (members > 1 && !snn_recurrent_shared(step, (int)(frame->bucket - plan->buckets))) {
        // By turns, so that two directions of a layer run side by side.
        if ((step - plan->steps) % members != member)
            return;
        member = 0;
        members = 1;
    }
    run_cell(&(run){.plan = plan,
                    .step = step,
                    .cell = step->cell,
                    .frame = frame,
                    .y = y,
                    .member = member,
                    .members = members});
}

void snn_recurrent_exact(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y)
{
    run_cell(&(run){
        .plan = plan, .step = step, .cell = step->cell, .frame = frame, .y = y, .members = 1, .exact = 1});
}
