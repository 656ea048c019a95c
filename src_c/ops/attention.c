/* v softmax(scale k' q + mask) of each head: q (heads, depth, queries), k (own heads, depth, keys), v (own
 * heads, width, keys) -> (heads, width, queries). Heads of q that stand side by side share one of k and v. A
 * mask is broadcast to (heads, queries, keys). Source: Vaswani et al. 2017, arXiv:1706.03762 */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>
#include <math.h>

enum { Q, K, V, MASK };
enum { HEADS = 1, ROWS, PLACES };
enum { CAUSAL, ZEROS };

static snn_status check(const float *attributes)
{
    return isfinite(attributes[0]) ? SNN_OK
                                   : snn_fail(SNN_ERROR_ARGUMENT, "attention: scale must be finite, got %g",
                                              (double)attributes[0]);
}

/* Axis of operand i behind the batch is repeated, or that long. */
static int fits_mask(const snn_value *mask, int from_end, int64_t wanted)
{
    const int axis = mask->rank - from_end;
    return axis < 1 || mask->dims[axis] == 1 || mask->dims[axis] == wanted;
}

static snn_status check_mask(const snn_value *const *operands)
{
    const snn_value *q = operands[Q], *mask = operands[MASK];
    if (mask->rank > 4 || (!mask->constant && mask->rank != 4) || !fits_mask(mask, 3, q->dims[HEADS]) ||
        !fits_mask(mask, 2, q->dims[PLACES]) || !fits_mask(mask, 1, operands[K]->dims[PLACES]))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "attention: mask must fit (batch, heads, queries, keys) of q %s and k %s, got %s",
                        snn_dims_show(q).text, snn_dims_show(operands[K]).text, snn_dims_show(mask).text);
    return SNN_OK;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *q = operands[Q], *k = operands[K], *v = operands[V];
    for (int i = Q; i <= V; i++)
        if (operands[i]->rank != 4 || operands[i]->constant)
            return snn_fail(SNN_ERROR_ARGUMENT, "attention: %c must have dims (batch, heads, %s), got %s",
                            "qkv"[i],
                            i == V   ? "width, keys"
                            : i == K ? "depth, keys"
                                     : "depth, queries",
                            snn_dims_show(operands[i]).text);
    for (int i = CAUSAL; i <= ZEROS; i++)
        if (node->integers[i] < 0 || node->integers[i] > 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "attention: %s must be 0 or 1, got %" PRId64,
                            i == CAUSAL ? "causal" : "zeros", node->integers[i]);
    const int64_t heads = q->dims[HEADS], own = k->dims[HEADS];
    if (q->dims[ROWS] != k->dims[ROWS] || own != v->dims[HEADS] || k->dims[PLACES] != v->dims[PLACES] ||
        (heads != own && (heads == SNN_DYNAMIC || own == SNN_DYNAMIC || heads % own)))
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: q, k and v must fit, got %s, %s and %s",
                        snn_dims_show(q).text, snn_dims_show(k).text, snn_dims_show(v).text);
    result->dims[ROWS] = v->dims[ROWS];
    return node->operand_count > MASK ? check_mask(operands) : SNN_OK;
}

/* Floats of a mask to the next place of an axis, 0 where it has one. */
static int64_t apart(const snn_value *mask, int from_end)
{
    const int axis = mask->rank - from_end;
    return axis < 1 || mask->dims[axis] == 1 ? 0 : snn_dims_product(mask, axis + 1, mask->rank);
}

static void attention(const snn_node *node, const snn_value *const *operands, snn_attention *a)
{
    const snn_value *q = operands[Q], *k = operands[K];
    *a = (snn_attention){.heads = q->dims[HEADS],
                         .own_heads = k->dims[HEADS],
                         .depth = q->dims[ROWS],
                         .width = operands[V]->dims[ROWS],
                         .queries = q->dims[PLACES],
                         .keys = k->dims[PLACES],
                         .causal = node->integers[CAUSAL] != 0,
                         .zeros = node->integers[ZEROS] != 0,
                         .scale = node->attributes[0],
                         .has_mask = node->operand_count > MASK};
    if (a->has_mask) {
        a->mask_head = apart(operands[MASK], 3);
        a->mask_query = apart(operands[MASK], 2);
        a->mask_key = apart(operands[MASK], 1);
    }
}

const snn_op snn_op_attention = {
    .type = SNN_OP_ATTENTION,
    .name = "attention",
    .kind = SNN_KIND_ATTENTION,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 3,
    .most_operands = 4,
    .integer_count = 2,
    .integers = {"causal", "zeros"},
    .attribute_count = 1,
    .attributes = {"scale"},
    .check = check,
    .infer = infer,
    .attention = attention,
};
