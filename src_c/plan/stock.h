/* What plans of one model for several shapes have in common: weights and packings. Neither depends on how
 * many positions there are. */
#ifndef SNN_STOCK_H
#define SNN_STOCK_H

#include "plan/plan.h"

/* A node's. It is changed while a plan of a shape is made or freed, by one thread at a time. */
typedef struct snn_stock {
    snn_csr csr;           /* borrowed */
    int dense;             /* the caller's model holds it dense */
    snn_packing *packings; /* owned list; users counts the plans that read one */
} snn_stock;

/* Gives the packings of a step to its stock, and counts the step's plan among the users of those that it
 * chose. */
void snn_stock_take(const snn_plan *plan, snn_step *step);
/* The plan goes: so do packings that no other plan reads. */
void snn_stock_leave(const snn_plan *plan, snn_step *step);

#endif
