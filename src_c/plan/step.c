/* Running one step on one tile: products by shares of rows, all else by parts of the features. */
#include "plan/step.h"

#include "plan/depthwise.h"
#include "plan/product.h"
#include "plan/recurrent.h"
#include "plan/sequence.h"

#include "graph/value.h"

#include <string.h>

/* What a thread makes of a step without weights. */
typedef struct piece {
    const snn_plan *plan;
    const snn_step *step;
    const snn_frame *frame;
    float *y;
    int64_t y_stride;   /* column layout: of samples */
    int64_t first, end; /* features */
} piece;

/* ---- value by value ---- */

static void activate(const piece *p)
{
    const snn_isa *isa = p->plan->isa;
    const int64_t samples = p->frame->bucket->samples, count = p->end - p->first;
    const int64_t stride = snn_column_stride(p->step->outputs);
    const float *x = snn_frame_operand(p->frame, &p->step->operands[0]);
    if (p->frame->bucket->layout == SNN_LAYOUT_TILE) {
        isa->activate(x + p->first * samples, p->y + p->first * samples, count * samples, &p->step->epilogue);
        return;
    }
    for (int64_t s = 0; s < samples; s++)
        isa->activate(x + s * stride + p->first, p->y + s * p->y_stride + p->first, count,
                      &p->step->epilogue);
}

/* ---- pairs ---- */

/* Features [first, first + count) of an operand as one side of a pair: rows of a tile, or one row of a
 * sample. */
static snn_side side_of(const piece *p, const snn_place *place, int64_t at, int64_t step, int64_t sample)
{
    const float *x = snn_frame_operand(p->frame, place);
    if (p->frame->bucket->layout == SNN_LAYOUT_COLUMN) {
        x += at + (place->constant ? 0 : sample * snn_column_stride(place->features));
        return (snn_side){x, 0, step == 0};
    }
    const int64_t samples = place->constant ? 1 : p->frame->bucket->samples;
    return (snn_side){x + at * samples, step * samples, place->constant != NULL};
}

/* One run, cut to the piece. */
static void run_pair(const piece *p, const snn_broadcast_run *run)
{
    const snn_isa *isa = p->plan->isa;
    const snn_step *step = p->step;
    const int64_t from = run->to > p->first ? run->to : p->first;
    const int64_t to = run->to + run->count < p->end ? run->to + run->count : p->end;
    const int64_t samples = p->frame->bucket->samples;
    const int column = p->frame->bucket->layout == SNN_LAYOUT_COLUMN;
    if (from >= to)
        return;
    for (int64_t s = 0; s < (column ? samples : 1); s++) {
        float *y = column ? p->y + s * p->y_stride + from : p->y + from * samples;
        snn_side sides[SNN_MOST_BROADCAST];
        for (int64_t k = 0; k < step->operand_count; k++)
            sides[k] = side_of(p, &step->operands[k], run->from[k] + (from - run->to) * run->step[k],
                               run->step[k], s);
        if (step->operand_count == 2)
            isa->pair(step->op, sides[0], sides[1], y, column ? 1 : to - from, column ? to - from : samples);
        else
            isa->select(sides[0], sides[1], sides[2], y, column ? 1 : to - from,
                        column ? to - from : samples);
        if (step->epilogue.activation != SNN_OP_LINEAR)
            isa->activate(y, y, column ? to - from : (to - from) * samples, &step->epilogue);
    }
}

/* ---- moves ---- */

/* Features of a constant, as a move says, for all samples. */
static void fill(const piece *p, const float *from, const snn_move *move)
{
    const int64_t samples = p->frame->bucket->samples;
    const int column = p->frame->bucket->layout == SNN_LAYOUT_COLUMN;
    for (int64_t i = 0; i < move->count; i++) {
        const int64_t to = move->to + i * move->apart;
        for (int64_t s = 0; s < samples; s++)
            p->y[column ? s * p->y_stride + to : to * samples + s] = from[i * move->step];
    }
}

/* count floats, step apart, to places that are apart. */
static void spread(const float *from, int64_t step, float *restrict to, int64_t apart, int64_t count)
{
    if (step == 1 && apart == 1)
        memcpy(to, from, (size_t)count * sizeof *to);
    else if (apart == 1)
        for (int64_t i = 0; i < count; i++)
            to[i] = from[i * step];
    else
        for (int64_t i = 0; i < count; i++)
            to[i * apart] = from[i * step];
}

/* How many of a move's features are before that one of the result. */
static int64_t count_before(const snn_move *move, int64_t feature)
{
    if (feature <= move->to)
        return 0;
    const int64_t places = feature - move->to;
    return places >= move->count * move->apart ? move->count : (places + move->apart - 1) / move->apart;
}

/* One move, cut to the piece. */
static void run_move(const piece *p, const snn_move *move)
{
    const int64_t first = count_before(move, p->first), end = count_before(move, p->end);
    const int64_t samples = p->frame->bucket->samples;
    snn_move cut = *move;
    cut.from += first * move->step;
    cut.to += first * move->apart;
    cut.count = end - first;
    if (first >= end)
        return;
    if (move->operand < 0) {
        fill(p, &p->step->number, &(snn_move){-1, 0, 0, cut.to, cut.count, cut.apart});
        return;
    }
    const snn_place *place = &p->step->operands[move->operand];
    const float *x = snn_frame_operand(p->frame, place);
    if (place->constant)
        fill(p, x + cut.from, &cut);
    else if (p->frame->bucket->layout == SNN_LAYOUT_TILE)
        p->plan->isa->copy(x + cut.from * samples, cut.step * samples, p->y + cut.to * samples,
                           cut.apart * samples, cut.count, samples);
    else
        for (int64_t s = 0; s < samples; s++)
            spread(x + s * snn_column_stride(place->features) + cut.from, cut.step,
                   p->y + s * p->y_stride + cut.to, cut.apart, cut.count);
}

/* The rows of the result that begin in the piece, of samples by themselves. */
static void turn(const piece *p)
{
    const int64_t rows = p->step->turned_rows, columns = p->step->outputs / rows;
    const int64_t first = (p->first + rows - 1) / rows, end = (p->end + rows - 1) / rows;
    const snn_place *place = &p->step->operands[0];
    for (int64_t s = 0; s < p->frame->bucket->samples; s++)
        p->plan->isa->transpose(
            snn_frame_operand(p->frame, place) + s * snn_column_stride(place->features) + first, columns,
            p->y + s * p->y_stride + first * rows, rows, rows, end - first, rows);
}

/* ---- all ---- */

static void run_weightless(const piece *p)
{
    switch (p->step->type) {
    case SNN_STEP_PAIR:
        for (int64_t i = 0; i < p->step->run_count; i++)
            run_pair(p, &p->step->pairs[i]);
        break;
    case SNN_STEP_MOVE:
        if (p->step->turned_rows && p->frame->bucket->layout == SNN_LAYOUT_COLUMN) {
            turn(p);
            break;
        }
        for (int64_t i = 0; i < p->step->run_count; i++)
            run_move(p, &p->step->moves[i]);
        break;
    default: activate(p); break;
    }
}

snn_convolution snn_frame_convolution(const snn_plan *plan, const snn_step *step, const snn_frame *frame,
                                      float *y)
{
    return (snn_convolution){
        .plan = plan,
        .step = step,
        .window = step->window,
        .choice = snn_single_choice(step),
        .x = snn_frame_operand(frame, &step->operands[0]),
        .addend = step->operand_count > 1 ? snn_frame_operand(frame, &step->operands[1]) : NULL,
        .addend_plane = step->window->y_plane,
        .y = y,
        .spare = y == snn_frame_result(frame, &step->result),
        .scratch = frame->scratch,
        .taken = frame->turns ? frame->turns + (step - plan->steps) * plan->threads : NULL};
}

void snn_window_run(const snn_convolution *c, int member, int members)
{
    if (c->step->type == SNN_STEP_CONVOLUTION)
        snn_convolution_run(c, member, members);
    else if (c->step->type == SNN_STEP_DEPTHWISE)
        snn_depthwise_run(c, member, members);
    else
        snn_pool_run(c, member, members);
}

static int run_linear(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                      int64_t y_stride, int member, int members)
{
    const snn_choice *choice = &step->chosen[frame->bucket - plan->buckets];
    const float *x = snn_frame_operand(frame, &step->operands[0]);
    int found = 0;
    for (int share = member; share < choice->packing->share_count; share += members)
        found |= choice->kernel->run(snn_share(choice->packing, share), x, y, y_stride, &step->epilogue);
    return found;
}

int snn_step_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                 int64_t y_stride, int member, int members)
{
    if (step->type == SNN_STEP_LINEAR)
        return run_linear(plan, step, frame, y, y_stride, member, members);
    if (step->window) {
        const snn_convolution c = snn_frame_convolution(plan, step, frame, y);
        snn_window_run(&c, member, members);
        return 0;
    }
    const piece p = {plan,
                     step,
                     frame,
                     y,
                     y_stride,
                     snn_part(step->outputs, member, members),
                     snn_part(step->outputs, member + 1, members)};
    switch (step->type) {
    case SNN_STEP_RECURRENT: snn_recurrent_run(plan, step, frame, y, member, members); break;
    case SNN_STEP_MOVE:
        if (step->product_step && snn_takes_over(plan, step, frame))
            snn_sequence_multiply(plan, step, frame, y, member, members);
        else
            run_weightless(&p);
        break;
    case SNN_STEP_SOFTMAX:
    case SNN_STEP_AXIS_NORM:
    case SNN_STEP_REDUCE:
    case SNN_STEP_RESIZE: snn_axes_run(plan, step, frame, y, y_stride, member, members); break;
    case SNN_STEP_PRODUCT: snn_product_run(plan, step, frame, y, member, members); break;
    case SNN_STEP_ATTENTION: snn_attention_run(plan, step, frame, y, member, members); break;
    case SNN_STEP_LOOKUP: snn_lookup_run(step, frame, y, member, members); break;
    default: run_weightless(&p); break;
    }
    return 0;
}
