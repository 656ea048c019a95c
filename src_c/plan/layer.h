/* A step with weights while a plan is made: these as CSR, and its packings. */
#ifndef SNN_LAYER_H
#define SNN_LAYER_H

#include "graph/model.h"
#include "plan/plan.h"

/* The weights of a node as CSR: borrowed from a sparse one, owned of a dense one; 0 when memory is out. To be
 * cleared in either case. */
int snn_layer_view(const snn_node *node, snn_csr *csr);
void snn_layer_clear(const snn_node *node, snn_csr *csr);

/* The step's packing for a choice, or its stock's, made if there is none yet; NULL when memory is out. bounds
 * (threads + 1): the rows of each share. */
const snn_packing *snn_layer_pack(const snn_plan *plan, snn_step *step, const snn_csr *csr,
                                  const snn_choice *choice, const int64_t *bounds);
/* Gives the step a copy of its weights, or those of its stock; 0 when memory is out. */
int snn_layer_keep(snn_step *step, const snn_csr *csr);
/* Frees the packings that no chosen kernel reads. */
void snn_layer_drop(const snn_plan *plan, snn_step *step);

#endif
