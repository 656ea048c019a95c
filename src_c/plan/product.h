/* What multiplies values by values: matmul and attention, of one sample. */
#ifndef SNN_PLAN_PRODUCT_H
#define SNN_PLAN_PRODUCT_H

#include "plan/step.h"

/* The part of member -> y. Threads share panels of columns, or of queries. */
void snn_product_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y, int member,
                     int members);
void snn_attention_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                       int member, int members);
/* Floats of scratch. */
int64_t snn_product_scratch(const snn_isa *isa);
int64_t snn_attention_scratch(const snn_isa *isa, const snn_step *step);

#endif
