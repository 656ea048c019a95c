/* Where values lie: slots that live at the same time have rows of their own, others share them. And which
 * steps have to wait for all threads that share a tile. */
#include "plan/plan.h"

#include "base/memory.h"
#include "base/minmax.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

/* A slot from the step that fills it (-1: an input) to the last that reads it. */
typedef struct slot {
    int64_t number, rows, first, last, row; /* rows: with those to spare */
    int64_t within;                         /* the slot that it takes over, its own number where none */
} slot;

static void find_lives(const snn_plan *plan, slot *slots)
{
    for (int64_t i = 0; i < plan->in_count; i++) {
        const snn_place *place = &plan->ports_in[i].place;
        slots[place->row] = (slot){.rows = snn_place_rows(plan, place), .first = -1, .last = -1};
    }
    for (int64_t begin = 0, end; begin < plan->step_count; begin = end) {
        end = begin + snn_together(&plan->steps[begin]);
        for (int64_t i = begin; i < end; i++) {
            const snn_step *step = &plan->steps[i];
            for (int64_t k = 0; k < step->operand_count; k++) {
                const snn_place *place = &step->operands[k];
                if (place->constant)
                    continue;
                slot *read = &slots[place->row];
                read->last = end - 1;
                read->rows = snn_max(read->rows, snn_place_rows(plan, place));
            }
            // what steps run together with is there until the last of them is done
            slots[step->result.row] =
                (slot){.rows = snn_place_rows(plan, &step->result), .first = begin, .last = end - 1};
        }
    }
    for (int64_t i = 0; i < plan->out_count; i++)
        slots[plan->ports_out[i].place.row].last = plan->step_count;
}

/* Whether another of the steps [begin, i), which run together with step i, reads what it adds. */
static int is_read_before(const snn_plan *plan, int64_t begin, int64_t i)
{
    for (int64_t s = begin; s < i; s++)
        for (int64_t k = 0; k < plan->steps[s].operand_count; k++)
            if (!plan->steps[s].operands[k].constant &&
                plan->steps[s].operands[k].row == plan->steps[i].operands[1].row)
                return 1;
    return 0;
}

/* A sum that a convolution ends with can lie where one of its parts did, if nothing else reads that later:
 * each of its positions is read once, before it is written. */
static void take_over(const snn_plan *plan, slot *slots, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        slots[i].within = slots[i].number = i;
    for (int64_t i = 0, begin = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        if (i == begin + snn_together(&plan->steps[begin]))
            begin = i;
        if (step->type != SNN_STEP_CONVOLUTION || step->operand_count < 2 || step->operands[1].constant ||
            step->result.banded || is_read_before(plan, begin, i))
            continue;
        slot *part = &slots[slots[step->operands[1].row].within], *sum = &slots[step->result.row];
        if (part->first < 0 || part->last != begin + snn_together(&plan->steps[begin]) - 1 ||
            slots[step->operands[0].row].within == part->number)
            continue;
        sum->within = part->number;
        part->last = sum->last;
        part->rows = snn_max(part->rows, sum->rows);
        sum->rows = 0;
    }
}

static int by_rows(const void *a, const void *b)
{
    const slot *first = a, *second = b;
    if (first->rows != second->rows)
        return first->rows > second->rows ? -1 : 1;
    return (first->number > second->number) - (first->number < second->number);
}

/* Lays out the largest first, each as low as those that live beside it let it. placed (count): scratch, in
 * order of rows. Returns the rows in all. */
static int64_t lay_out(slot *slots, int64_t count, const slot **placed)
{
    int64_t end = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = 0, k = 0;
        for (; k < i && placed[k]->row < row + slots[i].rows; k++)
            if (placed[k]->first <= slots[i].last && slots[i].first <= placed[k]->last &&
                placed[k]->row + placed[k]->rows > row)
                row = placed[k]->row + placed[k]->rows;
        slots[i].row = row;
        for (k = i; k > 0 && placed[k - 1]->row > row; k--)
            placed[k] = placed[k - 1];
        placed[k] = &slots[i];
        if (row + slots[i].rows > end)
            end = row + slots[i].rows;
    }
    return end;
}

/* rows (slots): by number. */
static void set_rows(snn_plan *plan, const int64_t *rows)
{
    for (int64_t i = 0; i < plan->in_count; i++)
        plan->ports_in[i].place.row = rows[plan->ports_in[i].place.row];
    for (int64_t i = 0; i < plan->out_count; i++)
        plan->ports_out[i].place.row = rows[plan->ports_out[i].place.row];
    for (int64_t i = 0; i < plan->step_count; i++) {
        snn_step *step = &plan->steps[i];
        step->result.row = rows[step->result.row];
        for (int64_t k = 0; k < step->operand_count; k++)
            if (!step->operands[k].constant)
                step->operands[k].row = rows[step->operands[k].row];
    }
}

/* ---- waiting ---- */

static int overlap(const snn_plan *plan, const snn_place *a, const snn_place *b)
{
    if (a->constant || b->constant || a->banded || b->banded)
        return 0;
    return a->row < b->row + snn_place_rows(plan, b) && b->row < a->row + snn_place_rows(plan, a);
}

/* Whether step i reads what one of the steps [from, end) writes, or writes what one of them reads or writes:
 * each thread has a part of its own of every step. */
static int conflicts(const snn_plan *plan, int64_t from, int64_t end, int64_t i)
{
    const snn_step *step = &plan->steps[i];
    for (int64_t s = from; s < end; s++) {
        const snn_step *before = &plan->steps[s];
        if (overlap(plan, &step->result, &before->result))
            return 1;
        for (int64_t k = 0; k < step->operand_count; k++)
            if (overlap(plan, &step->operands[k], &before->result))
                return 1;
        for (int64_t k = 0; k < before->operand_count; k++)
            if (overlap(plan, &step->result, &before->operands[k]))
                return 1;
    }
    return 0;
}

static void find_waits(snn_plan *plan)
{
    int64_t from = 0; // the first step after the last wait
    for (int64_t begin = 0, end; begin < plan->step_count; begin = end) {
        end = begin + snn_together(&plan->steps[begin]);
        for (int64_t i = begin; i < end; i++)
            plan->steps[begin].wait |= conflicts(plan, from, begin, i);
        if (plan->steps[begin].wait)
            from = begin;
    }
}

/* Rows of an arena up to the last of an input, of all the values that are views of one: what a copy of the
 * inputs alone needs. */
static int64_t input_rows(const snn_plan *plan)
{
    int64_t end = 0;
    for (int64_t i = 0; i < plan->in_count; i++) {
        const snn_place *own = &plan->ports_in[i].place;
        end = snn_max(end, own->row + snn_place_rows(plan, own));
        for (int64_t s = 0; s < plan->step_count; s++)
            for (int64_t k = 0; k < plan->steps[s].operand_count; k++) {
                const snn_place *place = &plan->steps[s].operands[k];
                if (!place->constant && place->row == own->row)
                    end = snn_max(end, place->row + snn_place_rows(plan, place));
            }
    }
    return end;
}

snn_status snn_arena_init(snn_plan *plan, int64_t count)
{
    slot *slots = snn_alloc((size_t)count, sizeof *slots);
    const slot **placed = snn_alloc((size_t)count, sizeof *placed);
    int64_t *rows = snn_alloc((size_t)count, sizeof *rows);
    const int ready = slots && placed && rows;
    if (ready) {
        find_lives(plan, slots);
        take_over(plan, slots, count);
        qsort(slots, (size_t)count, sizeof *slots, by_rows);
        plan->arena_rows = lay_out(slots, count, placed);
        for (int64_t i = 0; i < count; i++) // ordered by rows: what takes over has none and comes last
            rows[slots[i].number] = slots[i].within == slots[i].number ? slots[i].row : rows[slots[i].within];
        set_rows(plan, rows);
        plan->input_rows = input_rows(plan);
        find_waits(plan);
    }
    snn_free(slots);
    snn_free((void *)placed);
    snn_free(rows);
    return ready ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for the arena");
}
