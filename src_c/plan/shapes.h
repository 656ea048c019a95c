/* Plans of models with dynamic dims: a plan of fixed dims, a specialisation, for each shape of the inputs
 * that a run meets. Those used last are kept. They share weights and packings (stock.h), and workspaces. */
#ifndef SNN_SHAPES_H
#define SNN_SHAPES_H

#include "plan/stock.h"

typedef struct snn_shapes snn_shapes;

/* A specialisation. */
typedef struct snn_special {
    snn_plan *plan;
    int64_t **dims; /* (inputs): those behind the batch of each */
    int users;      /* calls that are in it */
    uint64_t used;  /* when it was last: the larger, the later */
    struct snn_special *next;
} snn_special;

/* Gives plan its shapes, and its shape the weights of a model without normalisations. */
snn_status snn_shapes_create(const snn_model *model, const snn_plan_options *options, snn_plan *plan);
void snn_shapes_free(snn_shapes *shapes);
snn_stock *snn_shapes_stocks(const snn_shapes *shapes);

/* The specialisation for dims, one array for each input; made where there is none. It stays until it is left.
 */
snn_status snn_shapes_enter(const snn_plan *plan, const int64_t *const *dims, snn_special **special);
/* The one for dims that are checked, or, dims NULL, the one that was used last; NULL where there is none. */
snn_special *snn_shapes_enter_ready(const snn_plan *plan, const int64_t *const *dims);
void snn_shapes_leave(snn_special *special);

/* Visits all, the one used last first, in haste: others wait. */
void snn_shapes_each(const snn_plan *plan, void (*visit)(void *context, const snn_special *special),
                     void *context);
/* snn_plan_reserve */
snn_status snn_shapes_reserve(const snn_plan *plan, int callers);

#endif
