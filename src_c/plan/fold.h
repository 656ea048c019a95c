/* A model without batch normalisation, which lowering knows nothing of. */
#ifndef SNN_FOLD_H
#define SNN_FOLD_H

#include "graph/model.h"

/* *folded: the model that computes the same without nodes of kind SNN_KIND_NORM, to be freed before model,
 * whose arrays it reads; NULL where there are no such nodes. */
snn_status snn_fold_norms(const snn_model *model, snn_model **folded);

#endif
