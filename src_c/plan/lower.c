/* A model's nodes -> a plan's steps over slots: places that a step, or an input, fills. What comes after a
 * product value by value is fused into it, views share their operand's slot, and nodes that no output needs
 * are left out. Until the arena is laid out, the row of a place is the number of its slot. */
#include "plan/plan.h"

#include "base/memory.h"
#include "base/status.h"
#include "graph/value.h"
#include "graph/model_build.h"

#include <inttypes.h>
#include <string.h>

typedef struct lowering {
    const snn_model *model;
    snn_plan *plan;
    int64_t slots;
    int64_t *readers;  /* (values) */
    snn_place *places; /* (values) */
    int64_t
        *makers; /* (values) the step that gives the value and into which what follows may be fused, or -1 */
} lowering;

static snn_status out_of_memory(int64_t node)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory while lowering node %" PRId64, node);
}

/* ---- epilogues ---- */

static int is_plain(const snn_step *step) { return step->epilogue.activation == SNN_OP_LINEAR; }

static void set_activation(snn_step *step, const snn_node *node)
{
    step->epilogue.activation = node->type;
    step->epilogue.low = node->attributes[0];
    step->epilogue.high = node->attributes[1];
}

/* ---- runs of features ---- */

/* A list of runs of either kind. */
typedef struct run_list {
    void *items;
    int64_t count, capacity;
    int failed;
} run_list;

static int append(run_list *list, const void *item, size_t size)
{
    list->failed |= !snn_grow(&list->items, list->count, &list->capacity, size);
    if (!list->failed)
        memcpy((char *)list->items + (size_t)list->count++ * size, item, size);
    return !list->failed;
}

struct snn_moves {
    run_list list;
};

void snn_move_add(snn_moves *moves, snn_move move) { append(&moves->list, &move, sizeof move); }

static int add_pair(void *list, const snn_pair_run *run) { return append(list, run, sizeof *run); }

/* values: the operands'. */
static int set_runs(snn_step *step, const snn_node *node, const snn_value *const *values,
                    const snn_value *result)
{
    snn_moves moves = {{0}};
    if (step->type == SNN_STEP_PAIR) {
        snn_broadcast_runs(values[0], values[1], result, add_pair, &moves.list);
        step->pairs = moves.list.items;
    } else {
        snn_op_of(node->type)->moves(node, values, &moves);
        step->moves = moves.list.items;
    }
    step->run_count = moves.list.count;
    return !moves.list.failed;
}

/* ---- steps ---- */

/* A step of node that gives features; its operands are still to be set. NULL when memory is out. */
static snn_step *add_step(lowering *l, snn_step_type type, int64_t node, int64_t operands, int64_t features)
{
    snn_step *step = &l->plan->steps[l->plan->step_count];
    step->operands = snn_alloc((size_t)operands, sizeof *step->operands);
    if (!step->operands)
        return NULL;
    l->plan->step_count++;
    step->type = type;
    step->node = node;
    step->operand_count = operands;
    step->outputs = features;
    step->output = -1;
    step->result = (snn_place){.features = features, .row = l->slots++, .input = -1};
    if (features > l->plan->widest)
        l->plan->widest = features;
    return step;
}

static int set_weights(const lowering *l, snn_step *step, const snn_node *node)
{
    const size_t rows = (size_t)(node->rows + l->plan->threads + SNN_DENSE_ROWS);
    const int64_t widest = node->rows > node->cols ? node->rows : node->cols;
    step->rows = node->rows;
    step->cols = node->cols;
    step->sparse = node->sparse;
    if (widest > l->plan->widest_product)
        l->plan->widest_product = widest;
    step->bias = snn_alloc(rows, sizeof *step->bias);
    // -0 becomes 0, which it is after the first product of 0, a padding's as well: no row tells which had
    // one.
    for (int64_t o = 0; step->bias && node->bias && o < node->rows; o++)
        step->bias[o] = node->bias[o] + 0.0f;
    step->epilogue.bias = step->bias;
    return step->bias != NULL;
}

/* The window of a node that has one. */
static int set_window(snn_step *step, const snn_node *node, const snn_value *operand)
{
    step->window = snn_alloc(1, sizeof *step->window);
    if (!step->window)
        return 0;
    snn_op_of(node->type)->window(node, operand, step->window);
    step->counts_padding = node->type == SNN_OP_AVG_POOL2D && node->integers[node->integer_count - 1];
    return 1;
}

/* values (operand_count): scratch. */
static int set_step(const lowering *l, snn_step *step, const snn_node *node, const snn_value **values)
{
    for (int64_t k = 0; k < node->operand_count; k++) {
        step->operands[k] = l->places[node->operands[k]];
        values[k] = &l->model->values[node->operands[k]];
    }
    step->inputs = step->operands[0].features;
    step->op = node->type;
    switch (step->type) {
    case SNN_STEP_LINEAR: return set_weights(l, step, node);
    case SNN_STEP_CONVOLUTION: return set_weights(l, step, node) && set_window(step, node, values[0]);
    case SNN_STEP_POOL: return set_window(step, node, values[0]);
    case SNN_STEP_PAIR:
    case SNN_STEP_MOVE: return set_runs(step, node, values, &l->model->values[node->value]);
    case SNN_STEP_ACTIVATE: set_activation(step, node); return 1;
    default: return 1;
    }
}

static snn_step_type type_of(const snn_op *op)
{
    switch (op->kind) {
    case SNN_KIND_MATRIX: return op->window ? SNN_STEP_CONVOLUTION : SNN_STEP_LINEAR;
    case SNN_KIND_POOL: return SNN_STEP_POOL;
    case SNN_KIND_SOFTMAX: return SNN_STEP_SOFTMAX;
    case SNN_KIND_PAIR: return SNN_STEP_PAIR;
    case SNN_KIND_MOVE: return SNN_STEP_MOVE;
    default: return SNN_STEP_ACTIVATE;
    }
}

static snn_status lower_node(lowering *l, int64_t index)
{
    const snn_node *node = &l->model->nodes[index];
    const snn_op_kind kind = snn_op_of(node->type)->kind;
    const int64_t x = node->operands[0], y = node->value, maker = l->makers[x];
    if (kind == SNN_KIND_VIEW || (kind == SNN_KIND_POINTWISE && maker >= 0 && l->readers[x] == 1 &&
                                  is_plain(&l->plan->steps[maker]))) {
        l->places[y] = l->places[x];
        if (kind == SNN_KIND_POINTWISE)
            set_activation(&l->plan->steps[maker], node);
        else if (l->readers[x] == 1)
            l->makers[y] = maker;
        return SNN_OK;
    }
    const snn_value **values = snn_alloc((size_t)node->operand_count, sizeof *values);
    snn_step *step =
        values ? add_step(l, type_of(snn_op_of(node->type)), index, node->operand_count, node->outputs)
               : NULL;
    const int made = step && set_step(l, step, node, values);
    snn_free(values);
    if (!made)
        return out_of_memory(index);
    l->places[y] = step->result;
    if (kind == SNN_KIND_MATRIX || kind == SNN_KIND_PAIR)
        l->makers[y] = l->plan->step_count - 1;
    return SNN_OK;
}

/* ---- inputs, constants, outputs ---- */

/* A slot for an input. */
static snn_status lower_input(lowering *l, int64_t index)
{
    const int64_t id = l->model->input_values[index];
    const snn_value *value = &l->model->values[id];
    const int64_t features = snn_value_features(value);
    if (features == SNN_DYNAMIC)
        return snn_fail(SNN_ERROR_UNSUPPORTED,
                        "input \"%.60s\": dims behind the batch must be fixed to make a plan, got %s",
                        value->name, snn_dims_show(value).text);
    l->places[id] = (snn_place){.features = features, .row = l->slots++, .input = (int)index};
    l->plan->ports_in[index] = (snn_port){.place = l->places[id], .features = features};
    l->plan->inputs += features;
    if (features > l->plan->widest)
        l->plan->widest = features;
    return SNN_OK;
}

/* An output that is an input as it came is copied, so that every output has a step. */
static snn_status copy_input(lowering *l, snn_place *place)
{
    snn_step *step = add_step(l, SNN_STEP_MOVE, -1, 1, place->features);
    if (step)
        step->moves = snn_alloc(1, sizeof *step->moves);
    if (!step || !step->moves)
        return out_of_memory(-1);
    step->inputs = place->features;
    step->operands[0] = *place;
    step->moves[step->run_count++] = (snn_move){.step = 1, .count = place->features};
    *place = step->result;
    return SNN_OK;
}

static snn_status lower_output(lowering *l, int64_t index)
{
    snn_place place = l->places[l->model->output_values[index].value];
    snn_status status = place.input >= 0 ? copy_input(l, &place) : SNN_OK;
    l->plan->ports_out[index] = (snn_port){.place = place, .features = place.features};
    l->plan->outputs += place.features;
    return status;
}

/* Which steps may write an output where the caller wants it: those whose slot is read by nothing else. uses
 * (slots): scratch of zeros. */
static void find_direct(const snn_plan *plan, int64_t *uses)
{
    for (int64_t i = 0; i < plan->out_count; i++)
        uses[plan->ports_out[i].place.row]++;
    for (int64_t i = 0; i < plan->step_count; i++)
        for (int64_t k = 0; k < plan->steps[i].operand_count; k++)
            if (!plan->steps[i].operands[k].constant)
                uses[plan->steps[i].operands[k].row]++;
    for (int64_t i = 0; i < plan->out_count; i++)
        for (int64_t s = 0; s < plan->step_count; s++)
            if (plan->steps[s].result.row == plan->ports_out[i].place.row &&
                uses[plan->steps[s].result.row] == 1) {
                plan->steps[s].output = (int)i;
                plan->ports_out[i].direct = 1;
            }
}

/* ---- all ---- */

static snn_status lower_all(lowering *l)
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
        l->plan->by_sample |= l->readers[model->nodes[i].value] && snn_op_of(model->nodes[i].type)->window;
    for (int64_t i = 0; i < model->input_count && !status; i++)
        status = lower_input(l, i);
    for (int64_t i = 0; i < model->count && !status; i++)
        if (l->readers[model->nodes[i].value])
            status = lower_node(l, i);
    for (int64_t i = 0; i < model->output_count && !status; i++)
        status = lower_output(l, i);
    if (status)
        return status;
    int64_t *uses = snn_alloc((size_t)l->slots, sizeof *uses);
    if (uses)
        find_direct(l->plan, uses);
    snn_free(uses);
    return uses ? snn_arena_init(l->plan, l->slots) : out_of_memory(-1);
}

snn_status snn_lower(const snn_model *model, snn_plan *plan)
{
    const size_t values = (size_t)model->value_count;
    lowering l = {.model = model, .plan = plan};
    snn_status status = snn_model_copy_shape(model, &plan->shape);
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
        status = out_of_memory(-1);
    }
    snn_free(l.readers);
    snn_free(l.places);
    snn_free(l.makers);
    return status;
}

void snn_step_free(snn_step *step)
{
    snn_free(step->operands);
    snn_free(step->pairs);
    snn_free(step->moves);
    snn_free(step->bias);
    snn_free(step->window);
    if (step->weights) {
        snn_free((void *)step->weights->indptr);
        snn_free((void *)step->weights->indices);
        snn_free((void *)step->weights->data);
    }
    snn_free(step->weights);
    for (snn_packing *packing = step->packings, *next; packing; packing = next) {
        next = packing->next;
        snn_packing_free(packing);
    }
}
