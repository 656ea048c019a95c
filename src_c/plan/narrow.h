/* The tile shapes that a plan of many weights packs them for. */
#ifndef SNN_NARROW_H
#define SNN_NARROW_H

#include "plan/plan.h"

/* Drops buckets that no batch of the options uses, where packing for all would take much memory; every step
 * has its choices, none is packed. 0 when memory is out. */
int snn_bucket_narrow(snn_plan *plan, const snn_plan_options *options);

#endif
