/* What layer_norm and rms_norm share. */
#ifndef SNN_OPS_AXIS_NORM_H
#define SNN_OPS_AXIS_NORM_H

#include "graph/value.h"

/* epsilon: finite and at least 0 */
snn_status snn_axis_norm_check(const float *attributes);
/* x and, of its places along a whole number "axis", the constants scale and, if there is one, shift. */
snn_status snn_axis_norm_infer(snn_node *node, const snn_value *const *operands, snn_value *result);

#endif
