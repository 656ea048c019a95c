/* Whether steps of a model can come by and by. */
#ifndef SNN_PLAN_STREAM_H
#define SNN_PLAN_STREAM_H

#include "graph/model.h"

/* stream_check.c: SNN_ERROR_UNSUPPORTED, with the reason, where they cannot. */
snn_status snn_stream_check(const snn_model *model);

#endif
