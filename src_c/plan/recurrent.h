/* Recurrent cells of one sample: step by step, a product of W and the state, then its gates in one pass. */
#ifndef SNN_RECURRENT_H
#define SNN_RECURRENT_H

#include "graph/model.h"
#include "plan/step.h"

/* Floats of the states of all cells before node end. */
int64_t snn_recurrent_states(const snn_model *model, int64_t end);
/* The cell of a step of that node, and room for its state behind the result. 0 when memory is out. */
int snn_recurrent_init(snn_step *step, const snn_node *node, const snn_plan *plan);
/* How often W is multiplied at most. */
int64_t snn_recurrent_products(const snn_step *step);
/* Packs a step with weights for a choice; bounds (threads + 1), the rows of each share. Those of a cell for
 * single samples are a member's units of a gate each: what a member's units need is made by itself. NULL when
 * memory is out. */
snn_packing *snn_recurrent_pack(const snn_plan *plan, const snn_step *step, const snn_csr *csr,
                                const snn_choice *choice, const int64_t *bounds);
/* Which cells threads share in which buckets, once kernels are chosen. */
void snn_recurrent_choose(snn_plan *plan);
static inline int snn_recurrent_shared(const snn_step *step, int bucket)
{
    return step->shared >> bucket & 1;
}
/* snn_step_run. Threads share each product and the units behind it, and meet once a step or, where others
 * made what units need, twice; or one of them does it all. */
void snn_recurrent_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                       int member, int members);
/* The same by the weights that are not 0 alone: for exact.c. */
void snn_recurrent_exact(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y);

#endif
