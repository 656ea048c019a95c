/* Batch normalisation of inference is a factor and a shift of each channel. They are folded into the product
 * that gives the channels where nothing else reads it, else into a product that alone reads what is
 * normalised and pads nothing; elsewhere they become a Mul and an Add. A factor that is 0 or not finite is
 * not folded: the weights would read nothing, or NaN where they should not. */
#include "plan/fold.h"

#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "graph/value.h"

#include <math.h>
#include <string.h>

typedef struct folding {
    const snn_model *model;
    snn_model *made;
    int64_t *readers;      /* (values) */
    int64_t *values;       /* (values) the number in made; -1: not there yet */
    int64_t *makers;       /* (values) the node of made whose product it is, -1: none */
    int64_t *pending;      /* (values) the normalisation that its one reader is to take in, -1: none */
    double *scale, *shift; /* (most channels) of the node at hand */
} folding;

static snn_status out_of_memory(void)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory while folding batch normalisation");
}

static int is_norm(const snn_node *node) { return snn_op_of(node->type)->kind == SNN_KIND_NORM; }
static int is_matrix(const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    return op->kind == SNN_KIND_MATRIX && !op->cell;
}

static const float *constant_of(const folding *f, const snn_node *node, int operand)
{
    return f->model->values[node->operands[operand]].constant;
}

/* Sets scale and shift; returns their number. */
static int64_t read_norm(folding *f, const snn_node *node)
{
    const float *scale = constant_of(f, node, 1), *shift = constant_of(f, node, 2);
    const float *mean = constant_of(f, node, 3), *variance = constant_of(f, node, 4);
    const int64_t channels = f->model->values[node->value].dims[1];
    for (int64_t c = 0; c < channels; c++) {
        f->scale[c] = (double)scale[c] / sqrt((double)variance[c] + (double)node->attributes[0]);
        f->shift[c] = (double)shift[c] - (double)mean[c] * f->scale[c];
    }
    return channels;
}

static int may_fold(const folding *f, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        if (f->scale[c] == 0.0 || !isfinite(f->scale[c]))
            return 0;
    return 1;
}

/* ---- into a product ---- */

static void *own_copy(void *source, size_t count, size_t size)
{
    void *copy = snn_alloc(count, size);
    if (copy && source && count)
        memcpy(copy, source, count * size);
    return copy;
}

/* Gives a node of made a weight and a bias of its own, which may be written. 0 when memory is out. */
static int own_arrays(snn_node *node)
{
    float **weight = node->sparse ? &node->data : &node->weight;
    const unsigned bit = node->sparse ? SNN_MAPPED_DATA : SNN_MAPPED_WEIGHT;
    if (node->mapped & bit) {
        float *copy = own_copy(*weight, (size_t)node->nnz, sizeof *copy);
        if (!copy)
            return 0;
        *weight = copy;
        node->mapped &= ~bit;
    }
    if (node->mapped & SNN_MAPPED_BIAS) {
        float *copy = own_copy(node->bias, (size_t)node->rows, sizeof *copy);
        if (!copy)
            return 0;
        node->bias = copy; // zeros where there was none
        node->mapped &= ~(unsigned)SNN_MAPPED_BIAS;
    }
    return 1;
}

/* Where row r begins among the weights. */
static int64_t row_start(const snn_node *node, int64_t r)
{
    return node->sparse ? node->indptr[r] : r * node->cols;
}

/* What the product gives, times scale, plus shift. */
static snn_status fold_behind(const folding *f, snn_node *node)
{
    if (!own_arrays(node))
        return out_of_memory();
    float *weight = node->sparse ? node->data : node->weight;
    for (int64_t r = 0; r < node->rows; r++) {
        for (int64_t p = row_start(node, r); p < row_start(node, r + 1); p++)
            weight[p] = (float)((double)weight[p] * f->scale[r]);
        node->bias[r] = (float)((double)node->bias[r] * f->scale[r] + f->shift[r]);
    }
    return SNN_OK;
}

/* What the product reads, times scale, plus shift. */
static snn_status fold_before(const folding *f, snn_node *node, int64_t channels)
{
    if (!own_arrays(node))
        return out_of_memory();
    float *weight = node->sparse ? node->data : node->weight;
    const int64_t places = node->cols / channels;
    for (int64_t r = 0; r < node->rows; r++) {
        const int64_t first = row_start(node, r);
        double bias = (double)node->bias[r];
        for (int64_t p = first; p < row_start(node, r + 1); p++) {
            const int64_t c = (node->sparse ? node->indices[p] : p - first) / places;
            if (weight[p] != 0.0f)
                bias += (double)weight[p] * f->shift[c];
            weight[p] = (float)((double)weight[p] * f->scale[c]);
        }
        node->bias[r] = (float)bias;
    }
    return SNN_OK;
}

/* ---- nodes ---- */

/* The number in made of a value: of a constant, a copy. */
static snn_status value_of(folding *f, int64_t old, int64_t *number)
{
    const snn_value *value = &f->model->values[old];
    if (f->values[old] < 0) {
        snn_value copy = *value;
        const size_t count = (size_t)snn_value_features(value);
        copy.constant = own_copy(value->constant, count, sizeof *copy.constant);
        if (!copy.constant)
            return out_of_memory();
        const snn_status status = snn_model_add_value(f->made, &copy, value->name);
        if (status) {
            snn_free(copy.constant);
            return status;
        }
        f->values[old] = f->made->value_count - 1;
    }
    *number = f->values[old];
    return SNN_OK;
}

static snn_status copy_node(folding *f, const snn_node *node)
{
    const int64_t count = node->operand_count, y = node->value;
    int64_t *operands = snn_alloc((size_t)count, sizeof *operands);
    snn_status status = operands ? SNN_OK : out_of_memory();
    for (int64_t k = 0; k < count && !status; k++)
        status = value_of(f, node->operands[k], &operands[k]);
    snn_node bare = *node;
    bare.mapped = SNN_MAPPED_ALL; // read alone, until something is folded into it
    if (!status)
        status = snn_model_take_at(f->made, &bare, operands, count, f->model->values[y].name);
    snn_free(operands);
    if (status)
        return status;
    f->values[y] = f->made->value_count - 1;
    if (!is_matrix(node))
        return SNN_OK;
    f->makers[y] = f->made->count - 1;
    const int64_t norm = f->pending[node->operands[0]];
    if (norm < 0)
        return SNN_OK;
    const int64_t channels = read_norm(f, &f->model->nodes[norm]);
    return fold_before(f, &f->made->nodes[f->made->count - 1], channels);
}

/* Appends the node of a pair, of *value and part (channels, 1, ...), whose result becomes *value. */
static snn_status add_pair(folding *f, int op, const double *part, const snn_value *like, int64_t *value)
{
    snn_value constant = {.rank = like->rank, .dims = {1, like->dims[1]}};
    for (int i = 2; i < like->rank; i++)
        constant.dims[i] = 1;
    constant.constant = snn_alloc((size_t)like->dims[1], sizeof *constant.constant);
    if (!constant.constant)
        return out_of_memory();
    for (int64_t c = 0; c < like->dims[1]; c++)
        constant.constant[c] = (float)part[c];
    snn_status status = snn_model_add_value(f->made, &constant, NULL);
    if (status) {
        snn_free(constant.constant);
        return status;
    }
    const int64_t operands[] = {*value, f->made->value_count - 1};
    status = snn_model_take_at(f->made, &(snn_node){.type = op}, operands, 2, NULL);
    *value = f->made->value_count - 1;
    return status;
}

/* Whether a product reads what is there alone, not padding as well, whatever the dims. */
static int pads_nothing(const folding *f, const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    snn_window w;
    if (!op->window)
        return 1;
    op->window(node, &f->model->values[node->operands[0]], &w);
    return !w.pad_top && !w.pad_left && !w.pad_bottom && !w.pad_right;
}

/* Whether the one reader of a normalised value is a product that can take it in. */
static int reader_takes(const folding *f, int64_t value)
{
    for (int64_t i = 0; i < f->model->count && f->readers[value] == 1; i++) {
        const snn_node *node = &f->model->nodes[i];
        if (is_matrix(node) && node->operands[0] == value && f->readers[node->value])
            return pads_nothing(f, node);
    }
    return 0;
}

static snn_status fold_node(folding *f, int64_t index)
{
    const snn_node *node = &f->model->nodes[index];
    const int64_t x = node->operands[0], y = node->value, channels = read_norm(f, node);
    const int foldable = may_fold(f, channels);
    f->values[y] = f->values[x];
    if (foldable && f->makers[x] >= 0 && f->readers[x] == 1 && f->pending[x] < 0) {
        f->makers[y] = f->makers[x];
        return fold_behind(f, &f->made->nodes[f->makers[x]]);
    }
    if (foldable && f->pending[x] < 0 && reader_takes(f, y)) {
        f->pending[y] = index;
        return SNN_OK;
    }
    const snn_value *like = &f->model->values[y];
    const snn_status status = add_pair(f, SNN_OP_MUL, f->scale, like, &f->values[y]);
    return status ? status : add_pair(f, SNN_OP_ADD, f->shift, like, &f->values[y]);
}

static snn_status fold_all(folding *f)
{
    const snn_model *model = f->model;
    snn_status status = SNN_OK;
    int64_t node = 0;
    for (int64_t v = 0; v < model->value_count && !status; v++) {
        const snn_value *value = &model->values[v];
        if (node < model->count && model->nodes[node].value == v) {
            status = is_norm(&model->nodes[node]) ? fold_node(f, node) : copy_node(f, &model->nodes[node]);
            node++;
        } else if (!value->constant) {
            status = snn_model_append_input(f->made, value, value->name);
            f->values[v] = f->made->value_count - 1;
        }
    }
    for (int64_t i = 0; i < model->output_count && !status; i++)
        status = snn_model_append_output(f->made, model->output_values[i].name,
                                         f->values[model->output_values[i].value]);
    f->made->inputs = model->inputs;
    f->made->outputs = model->outputs;
    return status;
}

static snn_status fold(folding *f, int64_t channels)
{
    const size_t count = (size_t)f->model->value_count;
    int64_t *numbers = snn_alloc(4 * count, sizeof *numbers);
    f->scale = snn_alloc(2 * (size_t)channels, sizeof *f->scale);
    snn_status status = numbers && f->scale ? SNN_OK : out_of_memory();
    if (!status) {
        f->shift = f->scale + channels;
        f->readers = numbers;
        f->values = numbers + count;
        f->makers = numbers + 2 * count;
        f->pending = numbers + 3 * count;
        memset(numbers, -1, 4 * count * sizeof *numbers);
        snn_model_count_readers(f->model, f->readers);
        status = fold_all(f);
    }
    snn_free(numbers);
    snn_free(f->scale);
    return status;
}

snn_status snn_fold_norms(const snn_model *model, snn_model **folded)
{
    folding f = {.model = model};
    int64_t channels = 0;
    *folded = NULL;
    for (int64_t i = 0; i < model->count; i++) {
        const int64_t own = is_norm(&model->nodes[i]) ? model->values[model->nodes[i].value].dims[1] : 0;
        channels = own > channels ? own : channels;
    }
    if (!channels)
        return SNN_OK;
    snn_status status = snn_model_create_empty(1, &f.made);
    if (!status)
        status = fold(&f, channels);
    if (status)
        snn_model_free(f.made);
    else
        *folded = f.made;
    return status;
}
