#include "plan/layer.h"

#include "base/memory.h"
#include "plan/recurrent.h"
#include "plan/stock.h"

#include <string.h>

/* ---- weights ---- */

/* A dense weight as CSR, zeros left out; owned arrays. Returns 0 when memory is out. */
static int csr_from_dense(const snn_node *node, snn_csr *csr)
{
    const size_t count = (size_t)node->rows * (size_t)node->cols;
    int64_t nnz = 0;
    for (size_t i = 0; i < count; i++)
        nnz += node->weight[i] != 0.0f;
    int64_t *indptr = snn_alloc((size_t)node->rows + 1, sizeof *indptr);
    int32_t *indices = snn_alloc((size_t)nnz, sizeof *indices);
    float *data = snn_alloc((size_t)nnz, sizeof *data);
    *csr = (snn_csr){node->rows, node->cols, indptr, indices, data};
    if (!indptr || !indices || !data)
        return 0;
    int64_t at = 0;
    for (int64_t row = 0; row < node->rows; row++) {
        const float *weight = node->weight + (size_t)row * (size_t)node->cols;
        for (int64_t k = 0; k < node->cols; k++) {
            if (weight[k] == 0.0f)
                continue;
            indices[at] = (int32_t)k;
            data[at++] = weight[k];
        }
        indptr[row + 1] = at;
    }
    return 1;
}

int snn_layer_view(const snn_node *node, snn_csr *csr)
{
    if (!node->sparse)
        return csr_from_dense(node, csr);
    *csr = (snn_csr){node->rows, node->cols, node->indptr, node->indices, node->data};
    return 1;
}

void snn_layer_clear(const snn_node *node, snn_csr *csr)
{
    if (node->sparse)
        return;
    snn_free((void *)csr->indptr);
    snn_free((void *)csr->indices);
    snn_free((void *)csr->data);
}

int snn_layer_keep(snn_step *step, const snn_csr *csr)
{
    if (step->stock) {
        step->weights = &step->stock->csr;
        step->stock->read = 1;
        return 1;
    }
    const size_t nnz = (size_t)csr->indptr[csr->rows], rows = (size_t)csr->rows + 1;
    int64_t *indptr = snn_alloc(rows, sizeof *indptr);
    int32_t *indices = snn_alloc(nnz, sizeof *indices);
    float *data = snn_alloc(nnz, sizeof *data);
    step->weights = snn_alloc(1, sizeof *step->weights);
    if (!indptr || !indices || !data || !step->weights) {
        snn_free(indptr);
        snn_free(indices);
        snn_free(data);
        return 0;
    }
    memcpy(indptr, csr->indptr, rows * sizeof *indptr);
    if (nnz) {
        memcpy(indices, csr->indices, nnz * sizeof *indices);
        memcpy(data, csr->data, nnz * sizeof *data);
    }
    *step->weights = (snn_csr){csr->rows, csr->cols, indptr, indices, data};
    return 1;
}

/* ---- packings ---- */

/* The one of a list that a choice reads; NULL for none. */
static const snn_packing *find_packing(const snn_packing *list, const snn_choice *choice)
{
    while (list && !snn_same_packing(list->kernel, list->k_block, choice->kernel, choice->k_block))
        list = list->next;
    return list;
}

const snn_packing *snn_layer_pack(const snn_plan *plan, snn_step *step, const snn_csr *csr,
                                  const snn_choice *choice, const int64_t *bounds)
{
    const snn_packing *found = find_packing(step->packings, choice);
    if (!found && step->stock)
        found = find_packing(step->stock->packings, choice);
    if (found)
        return found;
    snn_packing *made = snn_recurrent_pack(plan, step, csr, choice, bounds);
    if (!made)
        return NULL;
    made->next = step->packings;
    step->packings = made;
    return made;
}

void snn_layer_drop(const snn_plan *plan, snn_step *step)
{
    for (snn_packing **at = &step->packings; *at;) {
        int used = 0;
        for (int b = 0; b < plan->bucket_count; b++)
            used |= step->chosen[b].packing == *at;
        if (used) {
            at = &(*at)->next;
            continue;
        }
        snn_packing *unused = *at;
        *at = unused->next;
        snn_packing_free(unused);
    }
}
