/* A plan's report as JSON text. */
#include "plan/plan.h"
#include "base/status.h"
#include "graph/op.h"

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

/* The op that ends the step, beside its product. */
static const char *activation_name(const snn_step *step)
{
    const int type = step->epilogue.activation;
    return type == SNN_OP_LINEAR ? "none" : snn_op_of(type)->name;
}

static void put_choice(text *t, const snn_choice *choice)
{
    put(t, "{\"kernel\": \"%s\", \"k_block\": %lld, \"estimate_us\": %.3f, \"measured_us\": ",
        choice->kernel->name, (long long)choice->k_block, choice->estimate_us);
    if (choice->measured_us > 0.0)
        put(t, "%.3f", choice->measured_us);
    else
        put(t, "null");
    if (choice->packing)
        put(t, ", \"bytes\": %zu, \"entries\": %lld", choice->packing->bytes,
            (long long)choice->packing->entries);
    put(t, "}");
}

static void put_linear(text *t, const snn_plan *plan, const snn_step *step)
{
    put(t, ", \"nnz\": %lld, \"stored\": \"%s\", \"sparsity\": %.6f, \"choices\": [", (long long)step->nnz,
        step->sparse ? "csr" : "dense",
        1.0 - (double)step->nnz / ((double)step->inputs * (double)step->outputs));
    for (int b = 0; b < plan->bucket_count; b++) {
        put(t, "%s{\"layout\": \"%s\", \"samples\": %d, \"chosen\": ", b ? ", " : "",
            plan->buckets[b].layout == SNN_LAYOUT_TILE ? "tile" : "column", plan->buckets[b].samples);
        put_choice(t, &step->chosen[b]);
        put(t, ", \"candidates\": [");
        for (int c = 0; c < step->candidate_count[b]; c++) {
            snn_choice candidate = step->candidates[b][c];
            candidate.packing = NULL; // those that lost are gone
            put(t, "%s", c ? ", " : "");
            put_choice(t, &candidate);
        }
        put(t, "]}");
    }
    put(t, "]");
}

snn_status snn_plan_report(const snn_plan *plan, char *buffer, size_t capacity, size_t *needed)
{
    static const char *const types[] = {"linear", "activation", "softmax"};
    static const char *const tunes[] = {"measure", "model", "off"};
    if (!plan || !needed || (!buffer && capacity))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL",
                        !plan     ? "plan"
                        : !needed ? "needed"
                                  : "buffer");
    text t = {buffer, capacity, 0};
    put(&t,
        "{\"isa\": \"%s\", \"threads\": %d, \"tune\": \"%s\", \"cached\": %s, \"peak_gflops\": %.2f, "
        "\"compile_seconds\": %.6f, \"inputs\": %lld, \"outputs\": %lld",
        plan->isa->name, plan->threads, tunes[plan->tune], plan->cached ? "true" : "false", plan->peak_gflops,
        plan->compile_seconds, (long long)plan->inputs, (long long)plan->outputs);
    put(&t, ", \"buckets\": [");
    for (int b = 0; b < plan->bucket_count; b++)
        put(&t, "%s{\"layout\": \"%s\", \"samples\": %d, \"tile_us\": %.3f, \"split_us\": %.3f}",
            b ? ", " : "", plan->buckets[b].layout == SNN_LAYOUT_TILE ? "tile" : "column",
            plan->buckets[b].samples, plan->buckets[b].tile_us, plan->buckets[b].split_us);
    put(&t, "], \"layers\": [");
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        put(&t,
            "%s{\"node\": %lld, \"type\": \"%s\", \"inputs\": %lld, \"outputs\": %lld, \"activation\": "
            "\"%s\"",
            i ? ", " : "", (long long)step->node, types[step->type], (long long)step->inputs,
            (long long)step->outputs, activation_name(step));
        if (step->type == SNN_STEP_LINEAR)
            put_linear(&t, plan, step);
        put(&t, "}");
    }
    put(&t, "]}");
    *needed = t.used + 1;
    return SNN_OK;
}
