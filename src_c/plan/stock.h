/* What plans of one model for several shapes have in common: weights and packings. Neither depends on how
 * many positions there are. Weights are there once: as CSR while a plan of a shape is made, which may need a
 * packing of its own, and between that in the packings alone, unless a plan reads the CSR as it runs. */
#ifndef SNN_STOCK_H
#define SNN_STOCK_H

#include "graph/model.h"
#include "plan/plan.h"

/* A node's. It is changed while a plan of a shape is made or freed, by one thread at a time. */
typedef struct snn_stock {
    snn_csr csr;           /* the arrays of a node of the plan's shape; NULL: the packings have the weights */
    int dense;             /* the caller's model holds it dense */
    int read;              /* a plan reads csr as it runs */
    snn_packing *packings; /* owned list; users counts the plans that read one */
} snn_stock;

/* Gives the packings of a step to its stock, and counts the step's plan among the users of those that it
 * chose. */
void snn_stock_take(const snn_plan *plan, snn_step *step);
/* The plan goes: so do packings that no other plan reads, but for the last one if that has the weights. */
void snn_stock_leave(const snn_plan *plan, snn_step *step);
/* The weights as CSR, borrowed or made of a packing; 0 when memory is out. To be cleared in either case. */
int snn_stock_view(const snn_stock *stock, const snn_isa *isa, snn_csr *csr);
void snn_stock_clear(const snn_stock *stock, snn_csr *csr);
/* Gives all of shape's nodes, and stocks (nodes), their CSR again; 0 when memory is out. */
int snn_stocks_unpack(snn_stock *stocks, snn_model *shape, const snn_isa *isa, int threads);
/* Takes it from those whose packings have the weights. */
void snn_stocks_drop(snn_stock *stocks, snn_model *shape);
/* Frees the packings. */
void snn_stocks_clear(snn_stock *stocks, int64_t count);

#endif
