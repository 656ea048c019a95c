#include "plan/sequence.h"

#include "base/memory.h"
#include "base/threads.h"

#include <string.h>

/* What the search knows of each slot (places have their numbers as rows by now). */
typedef struct search {
    snn_plan *plan;
    int64_t *readers; /* (slots) steps and outputs that read it */
    int64_t *maker;   /* (slots) the step that fills it; -1: an input */
} search;

static int count(const search *s)
{
    const snn_plan *plan = s->plan;
    int cells = 0;
    for (int64_t i = 0; i < plan->in_count; i++)
        s->maker[plan->ports_in[i].place.row] = -1;
    for (int64_t i = 0; i < plan->out_count; i++)
        s->readers[plan->ports_out[i].place.row]++;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        s->maker[step->result.row] = i;
        cells += step->type == SNN_STEP_RECURRENT;
        for (int64_t k = 0; k < step->operand_count; k++)
            if (!step->operands[k].constant)
                s->readers[step->operands[k].row]++;
    }
    return cells;
}

/* The step that gives a place if it is of a type; NULL for none. */
static snn_step *made_by(const search *s, const snn_place *place, snn_step_type type)
{
    const int64_t maker = place->constant ? -1 : s->maker[place->row];
    return maker >= 0 && s->plan->steps[maker].type == type ? &s->plan->steps[maker] : NULL;
}

/* Whether a step turns a matrix of so many rows; of one row or column, leaves it as it is. */
static int turns(const snn_step *step, int64_t rows)
{
    if (rows > 1 && step->outputs > rows)
        return step->turned_rows == rows;
    const snn_move *move = step->moves;
    return step->run_count == 1 && step->operand_count == 1 && !move->operand && !move->from && !move->to &&
           move->count == step->outputs && (move->step == 1 || move->count == 1);
}

/* The convolution that a step turns the result of, where it is one of single places and of what turns its
 * operand; NULL for none. */
static snn_step *product_before(const search *s, const snn_step *back)
{
    snn_step *product = made_by(s, &back->operands[0], SNN_STEP_CONVOLUTION);
    if (!product || product->band || product->operand_count != 1 || s->readers[product->result.row] != 1)
        return NULL;
    const snn_window *w = product->window;
    const int64_t steps = w->out_height * w->out_width;
    if (w->kernel_h * w->kernel_w != 1 || w->height * w->width != steps || product->cols != w->channels ||
        product->rows * steps != product->outputs || !turns(back, product->rows))
        return NULL;
    const snn_step *there = made_by(s, &product->operands[0], SNN_STEP_MOVE);
    return there && !there->operands[0].constant && turns(there, steps) ? product : NULL;
}

/* So many steps of a single sample cost less one by one than as positions of a tile, most of which are empty.
 */
#define FEW_STEPS 4

/* A step takes a product over, whose x it reads from now on. */
static void take_over(const search *s, snn_step *step, snn_step *product)
{
    snn_step *there = &s->plan->steps[s->maker[product->operands[0].row]];
    step->by_column = product->by_column = there->by_column = product->outputs / product->rows <= FEW_STEPS;
    step->product_step = product - s->plan->steps + 1;
    step->operands[step->operand_count++] = there->operands[0];
    product->taken_over = there->taken_over = 1;
}

static void find_products(const search *s)
{
    for (int64_t i = 0; i < s->plan->step_count; i++) {
        snn_step *step = &s->plan->steps[i];
        snn_step *back =
            step->type == SNN_STEP_RECURRENT ? made_by(s, &step->operands[0], SNN_STEP_MOVE) : NULL;
        if (back && s->readers[back->result.row] == 1 && product_before(s, back)) {
            take_over(s, step, product_before(s, back));
            back->taken_over = 1;
            back->by_column = step->by_column;
        }
    }
    for (int64_t i = 0; i < s->plan->step_count; i++) {
        snn_step *back = &s->plan->steps[i];
        if (back->type == SNN_STEP_MOVE && !back->taken_over && product_before(s, back))
            take_over(s, back, product_before(s, back));
    }
}

/* Whether a step runs on tiles of samples. */
static int can_run(const snn_step *step)
{
    switch (step->type) {
    case SNN_STEP_LINEAR:
    case SNN_STEP_ACTIVATE:
    case SNN_STEP_SOFTMAX:
    case SNN_STEP_AXIS_NORM:
    case SNN_STEP_REDUCE:
    case SNN_STEP_RESIZE:
    case SNN_STEP_PAIR:
    case SNN_STEP_MOVE: return 1;
    case SNN_STEP_RECURRENT:
        return !step->operands[0].constant && !step->cell->has_lengths && !step->cell->has_peepholes;
    default: return step->taken_over;
    }
}

/* What turned x for products is run all the same where something else that runs reads it. */
static void keep_read(const search *s)
{
    for (int64_t i = 0; i < s->plan->out_count; i++) {
        snn_step *there = made_by(s, &s->plan->ports_out[i].place, SNN_STEP_MOVE);
        if (there)
            there->taken_over = 0;
    }
    for (int64_t i = s->plan->step_count - 1; i >= 0; i--) {
        const snn_step *step = &s->plan->steps[i];
        for (int64_t k = step->product_step ? 1 : 0; k < step->operand_count && !step->taken_over; k++) {
            snn_step *there = made_by(s, &step->operands[k], SNN_STEP_MOVE);
            if (there)
                there->taken_over = 0;
        }
    }
}

int snn_sequence_find(snn_plan *plan, int64_t slots)
{
    search s = {.plan = plan,
                .readers = snn_alloc((size_t)slots, sizeof *s.readers),
                .maker = snn_alloc((size_t)slots, sizeof *s.maker)};
    const int found = s.readers && s.maker;
    if (found && plan->by_sample && count(&s)) {
        find_products(&s);
        keep_read(&s);
        plan->by_tiles = 1;
        for (int64_t i = 0; i < plan->step_count; i++)
            plan->by_tiles &= can_run(&plan->steps[i]) && !plan->steps[i].band;
    }
    snn_free(s.readers);
    snn_free(s.maker);
    return found;
}

/* ---- running ---- */

void snn_sequence_product(const snn_plan *plan, const snn_step *step, const snn_frame *frame, int64_t at,
                          float *z, int member, int members)
{
    const snn_step *product = &plan->steps[step->product_step - 1];
    const snn_choice *choice = &product->chosen[frame->bucket - plan->buckets];
    SNN_PAUSE();
    const float *x = snn_frame_operand(frame, &step->operands[step->operand_count - 1]);
    for (int share = member; share < choice->packing->share_count; share += members)
        choice->kernel->run(snn_share(choice->packing, share),
                            x + at * product->cols * frame->bucket->samples, z, product->rows,
                            &product->epilogue);
}

void snn_sequence_multiply(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                           int member, int members)
{
    const snn_step *product = &plan->steps[step->product_step - 1];
    const int64_t steps = product->outputs / product->rows, row = product->rows * frame->bucket->samples;
    const int64_t fill = product->chosen[frame->bucket - plan->buckets].packing->share_count;
    const int64_t end = steps * (member + 1) / members;
    for (int64_t at = steps * member / members; at < end; at++) {
        // Rows that fill up panels are those of the steps behind, which another thread may have made already.
        const int is_border = end < steps && (end - at - 1) * product->rows < fill;
        float *to = is_border ? frame->scratch : y + at * row;
        snn_sequence_product(plan, step, frame, at, to, 0, 1);
        if (is_border)
            memcpy(y + at * row, to, (size_t)row * sizeof *to);
    }
}

int64_t snn_sequence_scratch(const snn_plan *plan, const snn_step *step, int samples)
{
    const snn_step *product = &plan->steps[step->product_step - 1];
    return (product->rows + plan->threads) * samples;
}
