/* A model's nodes -> a plan's steps over slots: places that a step, or an input, fills. What comes after a
 * product value by value is fused into it, views share their operand's slot, and nodes that no output needs
 * are left out. */
#include "plan/lower.h"

#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "plan/band.h"
#include "plan/sequence.h"

#include <inttypes.h>

snn_status snn_lower_out_of_memory(int64_t node)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory while lowering node %" PRId64, node);
}

static int is_plain(const snn_step *step) { return step->epilogue.activation == SNN_OP_LINEAR; }

/* Fuses the sum of two values into the convolution that gives one of them and is the last step but for views:
 * what it adds is there by then. Neither is broadcast: both have as many features as their sum. Returns
 * whether it did. */
static int fuse_sum(snn_lowering *l, const snn_node *node)
{
    if (node->type != SNN_OP_ADD)
        return 0;
    for (int side = 0; side < 2; side++) {
        const int64_t x = node->operands[side], other = node->operands[!side], maker = l->makers[x];
        const snn_place *addend = &l->places[other];
        if (maker < 0 || maker != l->plan->step_count - 1 || l->readers[x] != 1)
            continue;
        snn_step *step = &l->plan->steps[maker];
        if (!snn_is_convolution(step) || step->operand_count > 1 || !is_plain(step) || addend->constant ||
            addend->features != step->outputs || addend->row == step->result.row ||
            snn_value_features(&l->model->values[node->value]) != step->outputs)
            continue;
        step->operands[step->operand_count] = *addend;
        step->operands[step->operand_count++].spare =
            step->result.spare; // read for rows that fill up a panel
        l->places[node->value] = step->result;
        l->makers[node->value] = maker;
        return 1;
    }
    return 0;
}

static snn_status lower_node(snn_lowering *l, int64_t index)
{
    const snn_node *node = &l->model->nodes[index];
    const snn_op_kind kind = snn_op_of(node->type)->kind;
    const int64_t x = node->operands[0], y = node->value, maker = l->makers[x];
    if (kind == SNN_KIND_VIEW || (kind == SNN_KIND_POINTWISE && maker >= 0 && l->readers[x] == 1 &&
                                  is_plain(&l->plan->steps[maker]))) {
        l->places[y] = l->places[x];
        if (kind == SNN_KIND_POINTWISE)
            snn_lower_activation(&l->plan->steps[maker], node);
        else if (l->readers[x] == 1)
            l->makers[y] = maker;
        return SNN_OK;
    }
    if (fuse_sum(l, node))
        return SNN_OK;
    snn_step *step = snn_lower_make_step(l, index);
    if (!step)
        return snn_lower_out_of_memory(index);
    l->places[y] = step->result;
    if ((kind == SNN_KIND_MATRIX && step->type != SNN_STEP_RECURRENT) || kind == SNN_KIND_PAIR)
        l->makers[y] = l->plan->step_count - 1;
    return SNN_OK;
}

static int is_by_sample(const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    return op->window || op->cell || op->kind == SNN_KIND_PRODUCT || op->kind == SNN_KIND_ATTENTION ||
           op->kind == SNN_KIND_LOOKUP;
}

static snn_status find_bands(const snn_lowering *l)
{
    int64_t *readers = snn_alloc((size_t)l->slots, sizeof *readers);
    const int found = readers && snn_band_find(l->model, l->plan, readers);
    snn_free(readers);
    return found ? SNN_OK : snn_lower_out_of_memory(-1);
}

static snn_status lower_all(snn_lowering *l)
{
    const snn_model *model = l->model;
    snn_status status = SNN_OK;
    for (int64_t v = 0; v < model->value_count; v++) {
        l->makers[v] = -1;
        if (model->values[v].constant) // the plan's own copy
            l->places[v] = (snn_place){.features = snn_value_features(&model->values[v]),
                                       .input = -1,
                                       .constant = l->plan->shape->values[v].constant};
    }
    for (int64_t i = 0; i < model->count; i++)
        l->plan->by_sample |= l->readers[model->nodes[i].value] && is_by_sample(&model->nodes[i]);
    for (int64_t i = 0; i < model->input_count; i++)
        snn_lower_input(l, i);
    for (int64_t i = 0; i < model->count && !status; i++)
        if (l->readers[model->nodes[i].value])
            status = lower_node(l, i);
    for (int64_t i = 0; i < model->output_count && !status; i++)
        status = snn_lower_output(l, i);
    if (!status)
        status = snn_lower_direct(l);
    if (!status)
        status = find_bands(l);
    if (!status && !snn_sequence_find(l->plan, l->slots))
        status = snn_lower_out_of_memory(-1);
    return status ? status : snn_arena_init(l->plan, l->slots);
}

snn_status snn_lower(const snn_model *model, snn_plan *plan)
{
    const size_t values = (size_t)model->value_count;
    snn_lowering l = {.model = model, .plan = plan};
    snn_status status = snn_model_copy(model, NULL, plan->special, &plan->shape);
    if (status)
        return status;
    plan->in_count = model->input_count;
    plan->out_count = model->output_count;
    plan->ports_in = snn_alloc((size_t)plan->in_count, sizeof *plan->ports_in);
    plan->ports_out = snn_alloc((size_t)plan->out_count, sizeof *plan->ports_out);
    plan->steps = snn_alloc((size_t)(model->count + model->output_count), sizeof *plan->steps);
    l.readers = snn_alloc(values, sizeof *l.readers);
    l.places = snn_alloc(values, sizeof *l.places);
    l.makers = snn_alloc(values, sizeof *l.makers);
    if (plan->ports_in && plan->ports_out && plan->steps && l.readers && l.places && l.makers) {
        snn_model_count_readers(model, l.readers);
        status = lower_all(&l);
    } else {
        status = snn_lower_out_of_memory(-1);
    }
    snn_free(l.readers);
    snn_free(l.places);
    snn_free(l.makers);
    return status;
}
