/* A plan's report as JSON text. */
#include "plan/band.h"
#include "plan/depthwise.h"
#include "plan/problem.h"
#include "plan/shapes.h"
#include "base/status.h"
#include "graph/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that may not fit: used counts what it would take. */
typedef struct text {
    char *buffer;
    size_t capacity, used;
} text;

static void put(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int room = t->used < t->capacity;
    const int wrote =
        vsnprintf(room ? t->buffer + t->used : NULL, room ? t->capacity - t->used : 0, format, arguments);
    va_end(arguments);
    if (wrote > 0)
        t->used += (size_t)wrote;
}

/* value, at least 0, with so many digits after the point; printf's point is the locale's. */
static void put_fixed(text *t, double value, int digits)
{
    int64_t scale = 1;
    for (int i = 0; i < digits; i++)
        scale *= 10;
    // A plan's times are finite; what would not fit a whole number is cut.
    const int64_t whole = value < 1e12 ? (int64_t)(value * (double)scale + 0.5) : (int64_t)1e12 * scale;
    put(t, "%" PRId64 ".%0*" PRId64, whole / scale, digits, whole % scale);
}

/* The op that ends the step, beside its product. */
static const char *activation_name(const snn_step *step)
{
    const int type = step->epilogue.activation;
    return type == SNN_OP_LINEAR ? "none" : snn_op_of(type)->name;
}

/* What the step is: the kind of ops that a chain has, the name of others. */
static const char *type_name(const snn_plan *plan, const snn_step *step)
{
    switch (step->type) {
    case SNN_STEP_LINEAR: return "linear";
    case SNN_STEP_ACTIVATE: return "activation";
    case SNN_STEP_SOFTMAX: return "softmax";
    default: return step->node < 0 ? "copy" : snn_op_of(plan->shape->nodes[step->node].type)->name;
    }
}

/* Times are those of repeats of what was timed. */
static void put_choice(text *t, const snn_choice *choice, double repeats)
{
    put(t, "{\"kernel\": \"%s\", \"k_block\": %lld, \"estimate_us\": ", choice->kernel->name,
        (long long)choice->k_block);
    put_fixed(t, repeats * choice->estimate_us, 3);
    put(t, ", \"measured_us\": ");
    if (choice->measured_us > 0.0)
        put_fixed(t, repeats * choice->measured_us, 3);
    else
        put(t, "null");
    if (choice->packing)
        put(t, ", \"bytes\": %zu, \"entries\": %lld", choice->packing->bytes,
            (long long)choice->packing->entries);
    put(t, "}");
}

/* Its one way, for single samples. */
static void put_depthwise(text *t, const snn_plan *plan, const snn_step *step)
{
    put(t,
        "{\"layout\": \"column\", \"samples\": 1, \"chosen\": {\"kernel\": \"%s\", \"k_block\": 0, "
        "\"estimate_us\": ",
        snn_depthwise_kernel(step, plan->isa));
    put_fixed(t, step->chosen[0].estimate_us, 3);
    put(t, ", \"measured_us\": null, \"bytes\": %zu, \"entries\": %" PRId64 "}, \"candidates\": []}]",
        (size_t)step->nnz * (sizeof(float) + sizeof(int32_t)), step->nnz);
}

static void put_linear(text *t, const snn_plan *plan, const snn_step *step)
{
    put(t, ", \"nnz\": %lld, \"stored\": \"%s\", \"sparsity\": ", (long long)step->nnz,
        step->sparse ? "csr" : "dense");
    put_fixed(t, 1.0 - (double)step->nnz / ((double)step->cols * (double)step->rows), 6);
    if (snn_is_convolution(step) && step->operand_count > 1)
        put(t, ", \"adds\": true");
    put(t, ", \"rows\": %" PRId64 ", \"cols\": %" PRId64 ", \"positions\": %" PRId64, step->rows, step->cols,
        snn_step_positions(step));
    put(t, ", \"choices\": [");
    if (step->type == SNN_STEP_DEPTHWISE) {
        put_depthwise(t, plan, step);
        return;
    }
    for (int b = 0; b < plan->bucket_count; b++) {
        put(t, "%s{\"layout\": \"%s\", \"samples\": %d, \"chosen\": ", b ? ", " : "",
            plan->buckets[b].layout == SNN_LAYOUT_TILE ? "tile" : "column", plan->buckets[b].samples);
        put_choice(t, &step->chosen[b], snn_step_repeats(step, &plan->buckets[b]));
        put(t, ", \"candidates\": [");
        const snn_tuned *tuned = &step->problem->buckets[b];
        for (int c = 0; c < tuned->count; c++) {
            put(t, "%s", c ? ", " : "");
            put_choice(t, &tuned->candidates[c], snn_step_repeats(step, &plan->buckets[b]));
        }
        put(t, "]}");
    }
    put(t, "]");
}

/* Dims of what the step gives, without the batch, and floats of a sample that it reads. */
static void put_values(text *t, const snn_plan *plan, const snn_step *step)
{
    int64_t reads = 0;
    for (int64_t i = 0; i < step->operand_count - (step->product_step > 0); i++)
        reads += step->operands[i].constant ? 0 : step->operands[i].features;
    put(t, ", \"reads\": %" PRId64 ", \"dims\": [", reads);
    const snn_value *value =
        step->node < 0 ? NULL : &plan->shape->values[plan->shape->nodes[step->node].value];
    for (int i = 1; value && i < value->rank; i++)
        put(t, "%s%" PRId64, i > 1 ? ", " : "", value->dims[i]);
    if (!value)
        put(t, "%" PRId64, step->outputs);
    put(t, "]");
    if (step->band)
        put(t, ", \"together\": %" PRId64 ", \"band_rows\": %" PRId64, step->together, step->band->height);
    if (step->window)
        put(t, ", \"kernel_size\": [%" PRId64 ", %" PRId64 "], \"stride\": [%" PRId64 ", %" PRId64 "]",
            step->window->kernel_h, step->window->kernel_w, step->window->stride_h, step->window->stride_w);
}

/* ---- shapes ---- */

/* While they are put. */
typedef struct shapes_text {
    text *t;
    const snn_plan *plan;
    int count;
} shapes_text;

/* Dims behind the batch of each input: [[3, 32, 32]]. */
static void put_shape(text *t, const snn_model *shape, int64_t *const *dims)
{
    for (int64_t i = 0; i < shape->input_count; i++) {
        const snn_value *value = &shape->values[shape->input_values[i]];
        put(t, i ? ", [" : "[[");
        for (int k = 1; k < value->rank; k++)
            put(t, "%s%" PRId64, k > 1 ? ", " : "", dims ? dims[i][k - 1] : value->dims[k]);
        put(t, "]");
    }
    put(t, "]");
}

static void put_special(void *context, const snn_special *special)
{
    shapes_text *shapes = context;
    put(shapes->t, shapes->count++ ? ", " : "");
    put_shape(shapes->t, shapes->plan->shape, special->dims);
}

static void put_shapes(text *t, const snn_plan *plan)
{
    shapes_text shapes = {t, plan, 0};
    put(t, "], \"shapes\": [");
    if (plan->shapes)
        snn_shapes_each(plan, put_special, &shapes);
    else
        put_shape(t, plan->shape, NULL);
}

/* ---- all ---- */

/* A plan of fixed dims, but for the end. */
static void put_plan(text *t, const snn_plan *plan)
{
    static const char *const tunes[] = {"measure", "model", "off"};
    put(t,
        "{\"isa\": \"%s\", \"threads\": %d, \"tune\": \"%s\", \"cached\": %s, \"problems\": {\"count\": "
        "%lld, \"tuned\": %lld, \"read\": %lld}, \"peak_gflops\": ",
        plan->isa->name, plan->threads, tunes[plan->tune], plan->cached ? "true" : "false",
        (long long)plan->problem_count, (long long)plan->tuned_problems,
        (long long)(plan->tune == SNN_TUNE_MEASURE ? plan->problem_count - plan->tuned_problems : 0));
    put_fixed(t, plan->peak_gflops, 2);
    put(t, ", \"compile_seconds\": ");
    put_fixed(t, plan->compile_seconds, 6);
    const snn_extent extent = plan->shapes ? (snn_extent){0} : snn_plan_extent(plan);
    put(t,
        ", \"inputs\": %lld, \"outputs\": %lld, \"arena_bytes\": %zu, \"workspace_bytes\": %zu, \"buckets\": "
        "[",
        (long long)plan->inputs, (long long)plan->outputs, extent.scratch_at * sizeof(float),
        extent.floats * sizeof(float));
    for (int b = 0; b < plan->bucket_count; b++) {
        put(t, "%s{\"layout\": \"%s\", \"samples\": %d, \"alone_us\": ", b ? ", " : "",
            plan->buckets[b].layout == SNN_LAYOUT_TILE ? "tile" : "column", plan->buckets[b].samples);
        put_fixed(t, plan->buckets[b].alone_us, 3);
        put(t, ", \"tile_us\": ");
        put_fixed(t, plan->buckets[b].tile_us, 3);
        put(t, ", \"split_us\": ");
        put_fixed(t, plan->buckets[b].split_us, 3);
        put(t, "}");
    }
    put(t, "], \"layers\": [");
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        put(t,
            "%s{\"node\": %lld, \"type\": \"%s\", \"inputs\": %lld, \"outputs\": %lld, \"activation\": "
            "\"%s\"",
            i ? ", " : "", (long long)step->node, type_name(plan, step), (long long)step->inputs,
            (long long)step->outputs, activation_name(step));
        put_values(t, plan, step);
        if (snn_has_weights(step) || step->type == SNN_STEP_DEPTHWISE)
            put_linear(t, plan, step);
        put(t, "}");
    }
}

snn_status snn_plan_report(const snn_plan *plan, char *buffer, size_t capacity, size_t *needed)
{
    if (!plan || !needed || (!buffer && capacity))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL",
                        !plan     ? "plan"
                        : !needed ? "needed"
                                  : "buffer");
    text t = {buffer, capacity, 0};
    snn_special *last = plan->shapes ? snn_shapes_enter_ready(plan, NULL) : NULL;
    put_plan(&t, last ? last->plan : plan);
    if (last)
        snn_shapes_leave(last);
    put_shapes(&t, plan);
    put(&t, "]}");
    *needed = t.used + 1;
    return SNN_OK;
}
