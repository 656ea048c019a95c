/* The weights of a linear node: the caller's arrays, copied or borrowed. */
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"

#include <inttypes.h>
#include <string.h>

/* count elements of the given size, or a copy of them; NULL when memory is out. count is not negative. */
static void *take_array(const snn_node *node, const void *source, int64_t count, size_t size)
{
    if (node->mapped && source != NULL)
        return (void *)(uintptr_t)source; // never written
    if ((uint64_t)count > SIZE_MAX)
        return NULL;
    void *copy = snn_alloc((size_t)count, size);
    if (copy != NULL && count > 0)
        memcpy(copy, source, (size_t)count * size);
    return copy;
}

/* Adds the bias to a node whose weight is complete; the node is cleared on failure. complete: whether all of
 * the weight's arrays could be allocated. */
static snn_status finish(snn_node *node, int complete, const float *bias)
{
    if (complete && bias != NULL) {
        node->bias = take_array(node, bias, node->rows, sizeof *bias);
        complete = node->bias != NULL;
    }
    if (complete)
        return SNN_OK;
    snn_node_clear(node);
    return snn_fail(SNN_ERROR_MEMORY, "no memory for a layer of %" PRId64 " elements", node->nnz);
}

static snn_status check_shape(int64_t rows, int64_t cols)
{
    const snn_status status = snn_width_check("rows", rows);
    return status == SNN_OK ? snn_width_check("cols", cols) : status;
}

snn_status snn_node_make_dense(int64_t rows, int64_t cols, const float *weight, const float *bias, int borrow,
                               snn_node *node)
{
    const snn_status status = check_shape(rows, cols);
    if (status != SNN_OK)
        return status;
    if (weight == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "weight must not be NULL");
    *node = (snn_node){.type = SNN_OP_LINEAR,
                       .inputs = cols,
                       .outputs = rows,
                       .rows = rows,
                       .cols = cols,
                       .nnz = rows * cols,
                       .mapped = borrow ? SNN_MAPPED_ALL : 0};
    node->weight = take_array(node, weight, node->nnz, sizeof *weight);
    return finish(node, node->weight != NULL, bias);
}

snn_status snn_node_make_csr(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices,
                             const float *data, const float *bias, int borrow, snn_node *node)
{
    snn_status status = check_shape(rows, cols);
    if (status == SNN_OK)
        status = snn_csr_check(rows, cols, indptr, indices);
    if (status != SNN_OK)
        return status;
    const int64_t nnz = indptr[rows];
    if (data == NULL && nnz > 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "data must not be NULL with %" PRId64 " stored weights", nnz);
    *node = (snn_node){.type = SNN_OP_LINEAR,
                       .inputs = cols,
                       .outputs = rows,
                       .rows = rows,
                       .cols = cols,
                       .sparse = 1,
                       .nnz = nnz,
                       .mapped = borrow ? SNN_MAPPED_ALL : 0};
    node->indptr = take_array(node, indptr, rows + 1, sizeof *indptr);
    node->indices = take_array(node, indices, nnz, sizeof *indices);
    node->data = take_array(node, data, nnz, sizeof *data);
    return finish(node, node->indptr != NULL && node->indices != NULL && node->data != NULL, bias);
}

void snn_node_set_arrays(snn_node *node, snn_node made)
{
    node->sparse = made.sparse;
    node->nnz = made.nnz;
    node->weight = made.weight;
    node->indptr = made.indptr;
    node->indices = made.indices;
    node->data = made.data;
    node->bias = made.bias;
    node->mapped = made.mapped;
}
