/* What a step of a stream costs beside a step of one pass over 100: two layers of LSTM and GRU, 512 units,
 * input 128, in parts of 1 to 16 steps.
 *
 *     make stream           builds this and runs it on one thread and on two, at 90 % zeros
 *     stream_steps 2 95     threads, percent of zeros
 *
 * One pass and the streams take turns; times are medians, and every part must have the bits of the pass. The
 * last two rows are cells without the products of their inputs, given as x instead: what a step of the layers
 * takes beyond that are those products.
 */
#define _POSIX_C_SOURCE 200809L
#include <sparsenn.h>
#include <sparsenn_stream.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN = 128, HIDDEN = 512, STEPS = 100, LAYERS = 2, WAYS = 6, ROUNDS = 41 };
static const int64_t parts[WAYS] = {STEPS, 1, 2, 4, 8, 16}; /* the first is the pass */

typedef struct kind {
    const char *name, *op;
    int given; /* whether the products of the inputs are */
    int64_t gates;
    size_t integer_count;
    int64_t integers[8];
} kind;

static const kind kinds[] = {{"LSTM", "lstm", 0, 4, 8, {0, 0, 0, 0, 0, 1, 1, 0}},
                             {"GRU", "gru", 0, 3, 7, {0, 0, 0, 0, 0, 1, 1}},
                             {"LSTM, states", "lstm", 1, 4, 8, {0, 0, 0, 0, 0, 1, 1, 0}},
                             {"GRU, states", "gru", 1, 3, 7, {0, 0, 0, 0, 0, 1, 1}}};

/* Inputs and outputs: one each, or of each layer where the products are given. */
typedef struct net {
    snn_plan *plan;
    int count;
    int64_t in[LAYERS]; /* features of a step; a result has HIDDEN */
    float *x[LAYERS], *whole[LAYERS], *made[LAYERS];
} net;

static double microseconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* In [-1, 1), by a linear congruential generator. */
static double uniform(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(state >> 11) / 4503599627370496.0 - 1.0;
}

static float *random_floats(int64_t count)
{
    float *made = malloc((size_t)count * sizeof *made);
    for (int64_t i = 0; made && i < count; i++)
        made[i] = (float)uniform();
    return made;
}

static snn_status add(snn_model *model, const char *op, int64_t *value, const int64_t *integers, size_t count)
{
    const snn_node_spec spec = {
        .op = op, .operands = value, .operand_count = 1, .integers = integers, .integer_count = count};
    int64_t made = 0;
    const snn_status status = snn_model_add_node(model, &spec, &made);
    *value = made;
    return status;
}

/* The node that spec says, with a random weight of so many zeros; value is its operand, then its result. */
static snn_status add_weight(snn_model *model, snn_node_spec spec, double zeros, int64_t *value)
{
    float *weight = random_floats(spec.rows * spec.cols);
    if (!weight)
        return SNN_ERROR_MEMORY;
    int64_t *indptr = calloc((size_t)spec.rows + 1, sizeof *indptr), made = 0, nnz = 0;
    int32_t *indices = malloc((size_t)(spec.rows * spec.cols) * sizeof *indices);
    snn_status status = SNN_ERROR_MEMORY;
    if (indptr && indices) {
        for (int64_t i = 0; i < spec.rows * spec.cols; i++) {
            if (uniform() >= 2.0 * zeros - 1.0) {
                indices[nnz] = (int32_t)(i % spec.cols);
                weight[nnz++] = weight[i] / 8.0f;
            }
            indptr[i / spec.cols + 1] = nnz;
        }
        spec.operands = value;
        spec.operand_count = 1;
        spec.indptr = indptr;
        spec.indices = indices;
        spec.data = weight;
        status = snn_model_add_node(model, &spec, &made);
        *value = made;
    }
    free(indptr);
    free(indices);
    free(weight);
    return status;
}

/* W x at every step, as a convolution of one place. */
static snn_status add_product(snn_model *model, int64_t rows, int64_t cols, double zeros, int64_t *value)
{
    static const int64_t turned[] = {2, 1}, window[] = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    const snn_node_spec product = {
        .op = "conv2d", .integers = window, .integer_count = 10, .rows = rows, .cols = cols};
    snn_status status = add(model, "transpose", value, turned, 2);
    if (!status)
        status = add(model, "reshape", value, (const int64_t[]){cols, 1, -1}, 3);
    if (!status)
        status = add_weight(model, product, zeros, value);
    if (!status)
        status = add(model, "reshape", value, (const int64_t[]){rows, -1}, 2);
    return status ? status : add(model, "transpose", value, turned, 2);
}

static snn_status add_layers(snn_model *model, const kind *k, double zeros, net *n)
{
    static const char *const names[2][LAYERS] = {{"x0", "x1"}, {"y0", "y1"}};
    const int64_t widths[LAYERS] = {IN, HIDDEN}, rows = k->gates * HIDDEN;
    const float clip = 0.0f;
    const snn_node_spec cell = {.op = k->op,
                                .attributes = &clip,
                                .attribute_count = 1,
                                .integers = k->integers,
                                .integer_count = k->integer_count,
                                .rows = rows,
                                .cols = HIDDEN};
    int64_t value = 0;
    snn_status status = SNN_OK;
    n->count = k->given ? LAYERS : 1;
    for (int i = 0; i < LAYERS && !status; i++) {
        if (i < n->count) {
            n->in[i] = k->given ? rows : widths[i];
            status = snn_model_add_input(model, names[0][i], (const int64_t[]){-1, n->in[i]}, 2, &value);
        }
        if (!status && !k->given)
            status = add_product(model, rows, widths[i], zeros, &value);
        if (!status)
            status = add_weight(model, cell, zeros, &value);
        if (!status && i >= LAYERS - n->count)
            status = snn_model_add_output(model, names[1][i], value);
    }
    return status;
}

static snn_status make_net(const kind *k, int threads, double zeros, net *n)
{
    const int64_t batch = 1;
    const snn_plan_options options = {.threads = threads, .batch_sizes = &batch, .batch_size_count = 1};
    snn_model *model = NULL;
    snn_status status = snn_model_create_graph(&model);
    if (!status)
        status = add_layers(model, k, zeros, n);
    if (!status)
        status = snn_plan_create(model, &options, &n->plan);
    snn_model_free(model);
    for (int i = 0; i < n->count && !status; i++) {
        n->x[i] = random_floats(STEPS * n->in[i]);
        n->whole[i] = random_floats(STEPS * HIDDEN);
        n->made[i] = random_floats(STEPS * HIDDEN);
        if (!n->x[i] || !n->whole[i] || !n->made[i])
            status = SNN_ERROR_MEMORY;
    }
    return status;
}

static void free_net(net *n)
{
    for (int i = 0; i < n->count; i++) {
        free(n->x[i]);
        free(n->whole[i]);
        free(n->made[i]);
    }
    snn_plan_free(n->plan);
}

/* Steps [from, from + count) through the stream, or as a run of their own where that is NULL. */
static snn_status take(const net *n, snn_stream *stream, int64_t from, int64_t count, float *const *results)
{
    int64_t dims[LAYERS][2];
    const int64_t *all[LAYERS];
    const float *x[LAYERS];
    float *y[LAYERS];
    for (int i = 0; i < n->count; i++) {
        dims[i][0] = count;
        dims[i][1] = n->in[i];
        all[i] = dims[i];
        x[i] = n->x[i] + from * n->in[i];
        y[i] = results[i] + from * HIDDEN;
    }
    return stream ? snn_stream_feed(stream, x, all, y) : snn_plan_run_shaped(n->plan, x, all, 1, y);
}

/* Microseconds a step in parts of that many; each way goes through whole parts alone. */
static snn_status time_parts(const net *n, snn_stream *stream, int64_t part, double *us)
{
    const int64_t steps = STEPS / part * part;
    snn_status status = snn_stream_reset(stream);
    const double start = microseconds_now();
    for (int64_t from = 0; from < steps && !status; from += part)
        status = part == STEPS ? take(n, NULL, 0, STEPS, n->whole) : take(n, stream, from, part, n->made);
    *us = (microseconds_now() - start) / (double)steps;
    for (int i = 0; i < n->count && !status && part < STEPS; i++)
        if (memcmp(n->made[i], n->whole[i], (size_t)(steps * HIDDEN) * sizeof(float)) != 0) {
            fprintf(stderr, "stream_steps: parts of %d steps give other bits\n", (int)part);
            exit(1);
        }
    return status;
}

static snn_status measure(const kind *k, int threads, double zeros)
{
    static double times[WAYS][ROUNDS];
    net n = {0};
    snn_stream *stream = NULL;
    snn_status status = make_net(k, threads, zeros, &n);
    if (!status)
        status = snn_stream_create(n.plan, 1, &stream);
    for (int round = -2; round < ROUNDS && !status; round++) // two rounds make shapes ready
        for (int way = 0; way < WAYS && !status; way++)
            status = time_parts(&n, stream, parts[way], &times[way][round < 0 ? 0 : round]);
    snn_stream_free(stream);
    free_net(&n);
    if (status)
        return status;
    for (int way = 0; way < WAYS; way++)
        qsort(times[way], ROUNDS, sizeof **times, compare);
    const double pass = times[0][ROUNDS / 2];
    printf("%-14s %7.1f us", k->name, pass);
    for (int way = 1; way < WAYS; way++)
        printf(" %6.2f", times[way][ROUNDS / 2] / pass);
    printf(" %7.1f us\n", times[1][ROUNDS / 2]);
    return SNN_OK;
}

int main(int count, char **arguments)
{
    const int threads = count > 1 ? atoi(arguments[1]) : 1;
    const double zeros = (count > 2 ? atof(arguments[2]) : 90.0) / 100.0;
    snn_status status = SNN_OK;
    printf(
        "%d thread(s), %g %% zeros: a step of a pass over %d, parts of 1, 2, 4, 8 and 16 beside it, of 1\n",
        threads, 100.0 * zeros, STEPS);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !status; i++)
        status = measure(&kinds[i], threads, zeros);
    if (status)
        fprintf(stderr, "stream_steps: %s\n", snn_last_error());
    return status != SNN_OK;
}
