#include "plan/stock.h"

#include "base/memory.h"
#include "base/threads.h"
#include "graph/model.h"

#include <stdatomic.h>

static int reads(const snn_plan *plan, const snn_step *step, const snn_packing *packing)
{
    int found = 0;
    for (int b = 0; b < plan->bucket_count; b++)
        found |= step->chosen[b].packing == packing;
    return found;
}

void snn_stock_take(const snn_plan *plan, snn_step *step)
{
    while (step->packings) {
        snn_packing *packing = step->packings;
        step->packings = packing->next;
        packing->next = step->stock->packings;
        step->stock->packings = packing;
    }
    for (snn_packing *p = step->stock->packings; p; p = p->next)
        p->users += reads(plan, step, p);
    step->counted = 1;
}

void snn_stock_leave(const snn_plan *plan, snn_step *step)
{
    for (snn_packing **at = &step->stock->packings; *at && step->counted;) {
        snn_packing *packing = *at;
        packing->users -= reads(plan, step, packing);
        const int last = packing == step->stock->packings && !packing->next;
        if (packing->users || (last && !step->stock->csr.indptr)) {
            at = &packing->next;
            continue;
        }
        *at = packing->next;
        snn_packing_free(packing);
    }
    step->counted = 0;
}

/* ---- CSR ---- */

static void free_arrays(snn_csr *csr)
{
    snn_free((void *)csr->indptr);
    snn_free((void *)csr->indices);
    snn_free((void *)csr->data);
    csr->indptr = NULL;
    csr->indices = NULL;
    csr->data = NULL;
}

int snn_stock_view(const snn_stock *stock, const snn_isa *isa, snn_csr *csr)
{
    *csr = stock->csr;
    return csr->indptr || snn_unpack(stock->packings, isa->lanes, csr->rows, csr->cols, csr);
}

void snn_stock_clear(const snn_stock *stock, snn_csr *csr)
{
    if (!stock->csr.indptr)
        free_arrays(csr);
}

/* The arrays of the stock are those of its node. */
static void show(const snn_stock *stock, snn_node *node)
{
    node->indptr = (int64_t *)stock->csr.indptr;
    node->indices = (int32_t *)stock->csr.indices;
    node->data = (float *)stock->csr.data;
}

typedef struct unpacking {
    snn_stock *stocks;
    snn_model *shape;
    const snn_isa *isa;
    atomic_int_least64_t next;
    atomic_int failed;
} unpacking;

static void unpack_some(void *argument, int thread, int threads)
{
    unpacking *u = argument;
    (void)thread, (void)threads;
    for (int64_t i; (i = atomic_fetch_add(&u->next, 1)) < u->shape->count;) {
        snn_stock *stock = &u->stocks[i];
        snn_csr csr;
        if (!stock->packings || stock->csr.indptr)
            continue;
        if (snn_stock_view(stock, u->isa, &csr)) {
            stock->csr = csr;
            show(stock, &u->shape->nodes[i]);
        } else {
            free_arrays(&csr);
            atomic_store(&u->failed, 1);
        }
    }
}

int snn_stocks_unpack(snn_stock *stocks, snn_model *shape, const snn_isa *isa, int threads)
{
    unpacking u = {.stocks = stocks, .shape = shape, .isa = isa};
    snn_parallel(threads, unpack_some, &u);
    return !u.failed;
}

void snn_stocks_drop(snn_stock *stocks, snn_model *shape)
{
    for (int64_t i = 0; i < shape->count; i++) {
        if (!stocks[i].packings || stocks[i].read)
            continue;
        free_arrays(&stocks[i].csr);
        show(&stocks[i], &shape->nodes[i]);
    }
}

void snn_stocks_clear(snn_stock *stocks, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        for (snn_packing *packing = stocks[i].packings, *next; packing; packing = next) {
            next = packing->next;
            snn_packing_free(packing);
        }
}
