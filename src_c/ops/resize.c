/* More or fewer places of an axis, each the nearest one or a line between two. All is computed in float32, as
 * the sources of models do. */
#include "base/status.h"
#include "graph/mix.h"
#include "graph/value.h"
#include "ops/axes.h"

#include <inttypes.h>
#include <math.h>

enum { AXIS, SIZE, LINEAR, COORDINATES, ROUNDING };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, HALF_PIXEL_SYMMETRIC, COORDINATE_MODES };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, ROUNDINGS };
enum { LARGEST = 1 << 24 }; /* places: what float32 can count */

static snn_status check(const float *attributes)
{
    if (!(attributes[0] >= 0.0f && attributes[0] <= LARGEST))
        return snn_fail(SNN_ERROR_ARGUMENT, "resize: scale must be in [0, %d], got %g", LARGEST,
                        (double)attributes[0]);
    return SNN_OK;
}

/* Places of the result. */
static int64_t made_of(const snn_node *node, int64_t dim)
{
    const float scaled = (float)dim * node->attributes[0];
    return node->integers[SIZE] ? node->integers[SIZE] : scaled <= LARGEST ? (int64_t)floorf(scaled) : 0;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    const int64_t *at = node->integers;
    const snn_status status = snn_axis_infer(node, operands, result);
    if (status)
        return status;
    if (at[LINEAR] < 0 || at[LINEAR] > 1 || at[COORDINATES] < 0 || at[COORDINATES] >= COORDINATE_MODES ||
        at[ROUNDING] < 0 || at[ROUNDING] >= ROUNDINGS)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "resize: linear must be 0 or 1, coordinates in [0, %d] and rounding in [0, %d], got "
                        "%" PRId64 ", %" PRId64 " and %" PRId64,
                        COORDINATE_MODES - 1, ROUNDINGS - 1, at[LINEAR], at[COORDINATES], at[ROUNDING]);
    const int64_t dim = x->dims[at[AXIS]];
    if (at[SIZE] < 0 || at[SIZE] > LARGEST || (!at[SIZE] && node->attributes[0] == 0.0f))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "resize: size must be in [1, %d], or 0 and scale above 0, got %" PRId64, LARGEST,
                        at[SIZE]);
    if (dim != SNN_DYNAMIC && (dim > LARGEST || made_of(node, dim) < 1))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "resize: must make places in [1, %d] of axis %" PRId64 " of %s, with scale %g",
                        LARGEST, at[AXIS], snn_dims_show(x).text, (double)node->attributes[0]);
    result->dims[at[AXIS]] = at[SIZE] ? at[SIZE] : dim == SNN_DYNAMIC ? SNN_DYNAMIC : made_of(node, dim);
    return SNN_OK;
}

/* Where place x of made lies among count. */
static float place_of(int64_t mode, float x, float scale, int64_t count, int64_t made)
{
    const float half = (x + 0.5f) / scale - 0.5f;
    switch (mode) {
    case PYTORCH_HALF_PIXEL: return made > 1 ? half : 0.0f;
    case ASYMMETRIC: return x / scale;
    case ALIGN_CORNERS: return x * (float)(count - 1) / fmaxf(scale * (float)count - 1.0f, 1e-9f);
    case HALF_PIXEL_SYMMETRIC:
        return (float)count / 2.0f * (1.0f - (float)made / (scale * (float)count)) + half;
    default: return half;
    }
}

static float rounded(int64_t rounding, float x)
{
    switch (rounding) {
    case PREFER_FLOOR: return ceilf(x - 0.5f);
    case PREFER_CEIL: return floorf(nextafterf(x, INFINITY) + 0.5f); // a tie may have come out just below
    case FLOOR: return floorf(x);
    default: return ceilf(x);
    }
}

static void mixes(const snn_node *node, int64_t count, int64_t made, snn_mix *mixes)
{
    const int64_t *at = node->integers;
    const float given = node->attributes[0], scale = given > 0.0f ? given : (float)made / (float)count;
    for (int64_t i = 0; i < made; i++) {
        const float x = place_of(at[COORDINATES], (float)i, scale, count, made);
        const float place = at[LINEAR] ? x : rounded(at[ROUNDING], x);
        const float inside = fminf(fmaxf(place, 0.0f), (float)(count - 1)), low = floorf(inside);
        mixes[i] = (snn_mix){(int32_t)low, inside - low};
    }
}

const snn_op snn_op_resize = {
    .type = SNN_OP_RESIZE,
    .name = "resize",
    .kind = SNN_KIND_RESIZE,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 5,
    .integers = {"axis", "size", "linear", "coordinates", "rounding"},
    .attribute_count = 1,
    .attributes = {"scale"},
    .check = check,
    .infer = infer,
    .axes = snn_axis_axes,
    .mixes = mixes,
};
