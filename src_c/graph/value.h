/* Dims of values, and what ops share in computing them. */
#ifndef SNN_VALUE_H
#define SNN_VALUE_H

#include "graph/model.h"

/* The product of dims [first, end); SNN_DYNAMIC where one of them is. */
int64_t snn_dims_product(const snn_value *value, int first, int end);
/* Features of a sample: the product of the dims behind the batch. */
static inline int64_t snn_value_features(const snn_value *value)
{
    return snn_dims_product(value, 1, value->rank);
}
/* SNN_OK when every dim behind the batch is in [1, 2^31) or dynamic, and their product below 2^31. */
snn_status snn_dims_check(const char *name, const snn_value *value);
/* "(batch, 3, ?)" for messages; the text lives in the buffer. */
typedef struct snn_dims_text {
    char text[160];
} snn_dims_text;
snn_dims_text snn_dims_show(const snn_value *value);
/* An axis behind the batch, counted from the batch as 0, or from the end when negative, made plain. */
snn_status snn_axis_check(const char *op, const snn_value *value, int64_t *axis);

#define SNN_MOST_BROADCAST 3 /* operands */

/* Broadcasting as in numpy, the batch apart: snn_op.infer of two or three operands. */
snn_status snn_broadcast_infer(snn_node *node, const snn_value *const *operands, snn_value *result);
/* Runs of the result, in order: features [to, to + count) come from operand k's from from[k] on, step[k] (0
 * or 1) apart. Dims are fixed. */
typedef struct snn_broadcast_run {
    int64_t from[SNN_MOST_BROADCAST], step[SNN_MOST_BROADCAST], to, count;
} snn_broadcast_run;
typedef int snn_broadcast_visit(void *context, const snn_broadcast_run *run);
/* Calls visit for each run of operands (operand_count) until it returns 0; 1 when all were visited. */
int snn_broadcast_runs(const snn_value *const *operands, int operand_count, const snn_value *result,
                       snn_broadcast_visit *visit, void *context);

#endif
