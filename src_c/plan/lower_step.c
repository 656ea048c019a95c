/* A node -> a step: its type, operands, weights and runs. */
#include "plan/lower.h"

#include "base/memory.h"
#include "plan/depthwise.h"
#include "plan/layer.h"
#include "plan/recurrent.h"
#include "plan/stock.h"

#include <string.h>

void snn_lower_activation(snn_step *step, const snn_node *node)
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

static int add_pair(void *list, const snn_broadcast_run *run) { return append(list, run, sizeof *run); }

/* The rows of a matrix, all of a value, that the runs turn; 0 where they do something else. */
static int64_t find_turned(const snn_step *step)
{
    const snn_move *first = step->moves;
    const int64_t runs = step->run_count, count = first->count;
    const int by_column = first->step == runs && first->apart == 1; // a run is a column of the matrix
    if (runs < 2 || step->operand_count != 1 || runs * count != step->outputs ||
        !(by_column || (first->step == 1 && first->apart == runs)))
        return 0;
    for (int64_t i = 0; i < runs; i++) {
        const snn_move *move = &step->moves[i];
        if (move->operand != 0 || move->count != count || move->step != first->step ||
            move->apart != first->apart || move->from != (by_column ? i : i * count) ||
            move->to != (by_column ? i * count : i))
            return 0;
    }
    return by_column ? count : runs;
}

/* values: the operands'. */
static int set_runs(snn_step *step, const snn_node *node, const snn_value *const *values,
                    const snn_value *result)
{
    snn_moves moves = {{0}};
    if (step->type == SNN_STEP_PAIR) {
        snn_broadcast_runs(values, (int)node->operand_count, result, add_pair, &moves.list);
        step->pairs = moves.list.items;
    } else {
        snn_op_of(node->type)->moves(node, values, result, &moves);
        step->moves = moves.list.items;
        step->number = node->attributes[0];
    }
    step->run_count = moves.list.count;
    if (step->type == SNN_STEP_MOVE && !moves.list.failed && step->run_count)
        step->turned_rows = find_turned(step);
    return !moves.list.failed;
}

/* ---- steps ---- */

/* A step of node that gives features; its operands are still to be set. NULL when memory is out. */
snn_step *snn_lower_add_step(snn_lowering *l, snn_step_type type, int64_t node, int64_t operands,
                             int64_t features)
{
    snn_step *step = &l->plan->steps[l->plan->step_count];
    step->operands = snn_alloc((size_t)operands + 1, sizeof *step->operands); // and what may be added
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

static int set_weights(const snn_lowering *l, snn_step *step, const snn_node *node)
{
    const size_t rows = (size_t)(node->rows + l->plan->threads + SNN_DENSE_ROWS);
    const int64_t widest = node->rows > node->cols ? node->rows : node->cols;
    step->rows = node->rows;
    step->cols = node->cols;
    step->stock = l->plan->stocks ? &l->plan->stocks[step->node] : NULL;
    step->sparse = step->stock ? !step->stock->dense : node->sparse;
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

static int set_depthwise(const snn_lowering *l, snn_step *step, const snn_node *node)
{
    snn_csr csr;
    const int made = snn_layer_view(node, &csr) && snn_layer_keep(step, &csr);
    if (made) {
        step->type = SNN_STEP_DEPTHWISE;
        step->nnz = csr.indptr[csr.rows];
        step->chosen[0].estimate_us = snn_depthwise_estimate_us(step, l->plan->isa);
    }
    snn_layer_clear(node, &csr);
    return made;
}

static int set_convolution(const snn_lowering *l, snn_step *step, const snn_node *node, const snn_value *x)
{
    if (!snn_lower_window(step, node, x))
        return 0;
    if (snn_depthwise_fits(node, step->window))
        return set_depthwise(l, step, node);
    snn_window_flatten(step->window);
    step->result.spare = step->window->out_height * step->window->out_width * l->plan->threads;
    if (step->result.spare > l->plan->most_spare)
        l->plan->most_spare = step->result.spare;
    return 1;
}

static int set_resize(snn_step *step, const snn_node *node, const snn_value *x, const snn_value *result)
{
    const int axis = (int)node->integers[0];
    snn_op_of(node->type)->axes(node, x, &step->axes);
    step->mix_count = result->dims[axis];
    step->mixes = snn_alloc((size_t)step->mix_count, sizeof *step->mixes);
    if (step->mixes)
        snn_op_of(node->type)->mixes(node, x->dims[axis], step->mix_count, step->mixes);
    return step->mixes != NULL;
}

static int set_product(snn_step *step, const snn_node *node, const snn_value *const *values,
                       const snn_value *result)
{
    step->product = snn_alloc(1, sizeof *step->product);
    if (step->product)
        snn_op_of(node->type)->product(node, values, result, step->product);
    return step->product != NULL;
}

static int set_attention(snn_step *step, const snn_node *node, const snn_value *const *values)
{
    step->attention = snn_alloc(1, sizeof *step->attention);
    if (step->attention)
        snn_op_of(node->type)->attention(node, values, step->attention);
    return step->attention != NULL;
}

/* values (operand_count): scratch. */
static int set_step(const snn_lowering *l, snn_step *step, const snn_node *node, const snn_value **values)
{
    for (int64_t k = 0; k < node->operand_count; k++) {
        step->operands[k] = l->places[node->operands[k]];
        values[k] = &l->model->values[node->operands[k]];
    }
    step->inputs = step->operands[0].features;
    step->op = node->type;
    switch (step->type) {
    case SNN_STEP_LINEAR: return set_weights(l, step, node);
    case SNN_STEP_CONVOLUTION: return set_weights(l, step, node) && set_convolution(l, step, node, values[0]);
    case SNN_STEP_RECURRENT: return set_weights(l, step, node) && snn_recurrent_init(step, node, l->plan);
    case SNN_STEP_POOL: return snn_lower_window(step, node, values[0]);
    case SNN_STEP_PAIR:
    case SNN_STEP_MOVE: return set_runs(step, node, values, &l->model->values[node->value]);
    case SNN_STEP_RESIZE: return set_resize(step, node, values[0], &l->model->values[node->value]);
    case SNN_STEP_PRODUCT: return set_product(step, node, values, &l->model->values[node->value]);
    case SNN_STEP_ATTENTION: return set_attention(step, node, values);
    case SNN_STEP_SOFTMAX:
    case SNN_STEP_AXIS_NORM:
    case SNN_STEP_REDUCE: snn_op_of(node->type)->axes(node, values[0], &step->axes); return 1;
    case SNN_STEP_ACTIVATE: snn_lower_activation(step, node); return 1;
    default: return 1;
    }
}

static snn_step_type type_of(const snn_op *op)
{
    switch (op->kind) {
    case SNN_KIND_MATRIX:
        return op->window ? SNN_STEP_CONVOLUTION : op->cell ? SNN_STEP_RECURRENT : SNN_STEP_LINEAR;
    case SNN_KIND_POOL: return SNN_STEP_POOL;
    case SNN_KIND_SOFTMAX: return SNN_STEP_SOFTMAX;
    case SNN_KIND_AXIS_NORM: return SNN_STEP_AXIS_NORM;
    case SNN_KIND_PRODUCT: return SNN_STEP_PRODUCT;
    case SNN_KIND_ATTENTION: return SNN_STEP_ATTENTION;
    case SNN_KIND_LOOKUP: return SNN_STEP_LOOKUP;
    case SNN_KIND_REDUCE: return SNN_STEP_REDUCE;
    case SNN_KIND_RESIZE: return SNN_STEP_RESIZE;
    case SNN_KIND_PAIR: return SNN_STEP_PAIR;
    case SNN_KIND_MOVE: return SNN_STEP_MOVE;
    default: return SNN_STEP_ACTIVATE;
    }
}

snn_step *snn_lower_make_step(snn_lowering *l, int64_t index)
{
    const snn_node *node = &l->model->nodes[index];
    const snn_value **values = snn_alloc((size_t)node->operand_count, sizeof *values);
    snn_step *step = values ? snn_lower_add_step(l, type_of(snn_op_of(node->type)), index,
                                                 node->operand_count, node->outputs)
                            : NULL;
    const int made = step && set_step(l, step, node, values);
    snn_free(values);
    return made ? step : NULL;
}

void snn_step_free(snn_step *step)
{
    snn_free(step->operands);
    snn_free(step->pairs);
    snn_free(step->moves);
    snn_free(step->mixes);
    snn_free(step->product);
    snn_free(step->attention);
    snn_free(step->bias);
    snn_free(step->window);
    snn_free(step->band);
    snn_free(step->cell);
    if (step->weights && !step->stock) {
        snn_free((void *)step->weights->indptr);
        snn_free((void *)step->weights->indices);
        snn_free((void *)step->weights->data);
        snn_free(step->weights);
    }
    for (snn_packing *packing = step->packings, *next; packing; packing = next) {
        next = packing->next;
        snn_packing_free(packing);
    }
}
