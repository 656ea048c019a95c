/* Streams: sequences in parts give the bits of one run, on any number of threads; states that are kept, put
 * back and copied; what cannot come by and by is refused. */
#include "shaped_model.h"

#include <string.h>

enum { IN = 5, HIDDEN = 19, STEPS = 11, BATCH = 3 };

typedef struct net {
    snn_model *model;
    pattern of_input[2], of_state[2], last;
    snn_plan *plan;
} net;

#define ADD(n, value, ...) CHECK_OK(snn_model_add_node((n)->model, &(snn_node_spec){__VA_ARGS__}, value))

/* W x at every step, as a convolution of one place. */
static int64_t stepwise(net *n, int64_t x, const pattern *w)
{
    int64_t v;
    ADD(n, &v, .op = "transpose", SHAPED_OF(x), SHAPED_NUMBERS(2, 1));
    ADD(n, &v, .op = "reshape", SHAPED_OF(v), SHAPED_NUMBERS(w->cols, 1, -1));
    ADD(n, &v, .op = "conv2d", SHAPED_OF(v), SHAPED_NUMBERS(1, 1, 1, 1, 0, 0, 0, 0, 1, 1),
        SHAPED_WEIGHTS(*w));
    ADD(n, &v, .op = "reshape", SHAPED_OF(v), SHAPED_NUMBERS(w->rows, -1));
    ADD(n, &v, .op = "transpose", SHAPED_OF(v), SHAPED_NUMBERS(2, 1));
    return v;
}

/* An LSTM with constant first states, a GRU behind it, and a linear layer with tanh at every step. reverse:
 * of the GRU; steps -1: any number. */
static net make_net(int reverse, int64_t steps)
{
    net n = {.of_input = {make_pattern(4 * HIDDEN, IN, 0.4), make_pattern(3 * HIDDEN, HIDDEN, 0.6)},
             .of_state = {make_pattern(4 * HIDDEN, HIDDEN, 0.7), make_pattern(3 * HIDDEN, HIDDEN, 0.7)},
             .last = make_pattern(2, HIDDEN, 0.2)};
    float first[HIDDEN];
    int64_t x, v, h, c, y;
    const float clip = 0.0f;
    for (int i = 0; i < HIDDEN; i++)
        first[i] = (float)(uniform() - 0.5);
    CHECK_OK(snn_model_create_graph(&n.model));
    CHECK_OK(snn_model_add_input(n.model, "x", (int64_t[]){steps, IN}, 2, &x));
    CHECK_OK(snn_model_add_constant(n.model, (int64_t[]){HIDDEN}, 1, first, &h));
    CHECK_OK(snn_model_add_constant(n.model, (int64_t[]){HIDDEN}, 1, first, &c));
    v = stepwise(&n, x, &n.of_input[0]);
    ADD(&n, &v, .op = "lstm", SHAPED_OF(v, h, c), SHAPED_NUMBERS(0, 1, 0, 0, 0, 1, 1, 0), .attributes = &clip,
        .attribute_count = 1, SHAPED_WEIGHTS(n.of_state[0]));
    v = stepwise(&n, v, &n.of_input[1]);
    ADD(&n, &v, .op = "gru", SHAPED_OF(v), SHAPED_NUMBERS(reverse, 0, 0, 0, 0, 1, 1), .attributes = &clip,
        .attribute_count = 1, SHAPED_WEIGHTS(n.of_state[1]));
    ADD(&n, &y, .op = "tanh", SHAPED_OF(stepwise(&n, v, &n.last)));
    CHECK_OK(snn_model_add_output(n.model, "y", y));
    return n;
}

static void free_net(net *n)
{
    pattern *all[] = {&n->of_input[0], &n->of_input[1], &n->of_state[0], &n->of_state[1], &n->last};
    for (int i = 0; i < 5; i++)
        shaped_free_pattern(all[i]);
    snn_plan_free(n->plan);
    snn_model_free(n->model);
}

static void plan_net(net *n, int threads)
{
    const int64_t batch = 1;
    const snn_plan_options options = {
        .threads = threads, .batch_sizes = &batch, .batch_size_count = 1, .tune = SNN_TUNE_OFF};
    snn_plan_free(n->plan);
    n->plan = NULL;
    CHECK_OK(snn_plan_create(n->model, &options, &n->plan));
}

/* Steps [from, end) of all sequences through a stream -> those steps of y. */
static snn_status feed(snn_stream *stream, const float *x, int64_t from, int64_t end, float *y)
{
    float part[BATCH * STEPS * IN], made[BATCH * STEPS * 2];
    const int64_t steps = end - from, dims[] = {steps, IN};
    for (int64_t b = 0; b < BATCH; b++)
        memcpy(part + b * steps * IN, x + (b * STEPS + from) * IN, (size_t)(steps * IN) * sizeof *x);
    const float *xs[] = {part};
    float *ys[] = {made};
    const int64_t *all[] = {dims};
    const snn_status status = snn_stream_feed(stream, xs, all, ys);
    for (int64_t b = 0; !status && b < BATCH; b++)
        memcpy(y + (b * STEPS + from) * 2, made + b * steps * 2, (size_t)(steps * 2) * sizeof *y);
    return status;
}

static void run_whole(const net *n, const float *x, float *y)
{
    const int64_t dims[] = {STEPS, IN}, *all[] = {dims};
    CHECK_OK(snn_plan_run_shaped(n->plan, &x, all, BATCH, &y));
}

static int same(const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return 0;
    return 1;
}

static void test_parts(net *n, const float *x)
{
    enum { ALL = BATCH * STEPS * 2 };
    float whole[ALL], y[ALL], *kept;
    snn_stream *stream, *other;
    run_whole(n, x, whole);
    CHECK_OK(snn_stream_create(n->plan, BATCH, &stream));
    CHECK(snn_stream_state_size(stream) == 3 * HIDDEN);
    kept = snn_alloc((size_t)(BATCH * 3 * HIDDEN), sizeof *kept);
    for (int round = 0; round < 3; round++) {
        memset(y, 0, sizeof y);
        for (int64_t at = 0, end; at < STEPS; at = end) {
            end = at + 1 + (int64_t)(uniform() * 4);
            end = end > STEPS ? STEPS : end;
            CHECK_OK(feed(stream, x, at, end, y));
        }
        CHECK(same(y, whole, ALL));
        CHECK_OK(snn_stream_reset(stream));
    }
    memset(y, 0, sizeof y);
    CHECK_OK(feed(stream, x, 0, 4, y));
    CHECK_OK(snn_stream_get_state(stream, kept));
    CHECK_OK(snn_stream_copy(stream, &other));
    CHECK_OK(feed(stream, x, 0, 9, y)); // elsewhere
    CHECK_OK(feed(other, x, 4, STEPS, y));
    CHECK(same(y + 4 * 2, whole + 4 * 2, (STEPS - 4) * 2));
    CHECK_OK(snn_stream_set_state(stream, kept));
    memset(y, 0, sizeof y);
    CHECK_OK(feed(stream, x, 4, 7, y));
    const float *none = NULL;
    const int64_t dims[] = {2, IN}, *all[] = {dims};
    float *made = y;
    CHECK_STATUS(snn_stream_feed(stream, &none, all, &made), SNN_ERROR_ARGUMENT); // changes nothing
    CHECK_OK(feed(stream, x, 7, STEPS, y));
    CHECK(same(y + 4 * 2, whole + 4 * 2, (STEPS - 4) * 2));
    snn_free(kept);
    snn_stream_free(other);
    snn_stream_free(stream);
}

static void test_arguments(net *n)
{
    snn_stream *stream = NULL;
    const int64_t wrong[] = {3, IN + 1}, *all[] = {wrong};
    const float x[3 * (IN + 1)] = {0}, *xs[] = {x};
    float y[6], *ys[] = {y};
    CHECK_STATUS(snn_stream_create(NULL, 1, &stream), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_create(n->plan, 0, &stream), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_create(n->plan, 1, NULL), SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_stream_create(n->plan, 1, &stream));
    CHECK_STATUS(snn_stream_feed(stream, xs, all, ys), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_feed(NULL, xs, all, ys), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_get_state(stream, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_set_state(NULL, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_copy(stream, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_stream_reset(NULL), SNN_ERROR_ARGUMENT);
    CHECK(snn_stream_state_size(NULL) == 0);
    snn_stream_free(stream);
    snn_stream_free(NULL);
}

static void refuse(net *n)
{
    snn_stream *stream = NULL;
    plan_net(n, 1);
    CHECK_STATUS(snn_stream_create(n->plan, 1, &stream), SNN_ERROR_UNSUPPORTED);
    CHECK(stream == NULL);
    free_net(n);
}

/* y of the net, with one node more. */
#define REFUSE_WITH(value, ...)                                                                              \
    do {                                                                                                     \
        net more = make_net(0, -1);                                                                          \
        int64_t made;                                                                                        \
        const int64_t y = snn_model_value_count(more.model) - 1;                                             \
        ADD(&more, &made, __VA_ARGS__);                                                                      \
        CHECK_OK(snn_model_add_output(more.model, "more", made));                                            \
        refuse(&more);                                                                                       \
    } while (0)

static void test_what_is_refused(void)
{
    net backwards = make_net(1, -1), fixed = make_net(0, STEPS);
    refuse(&backwards);
    refuse(&fixed);
    REFUSE_WITH(made, .op = "reduce_mean", SHAPED_OF(y), SHAPED_NUMBERS(1, 1));
    REFUSE_WITH(made, .op = "softmax_axis", SHAPED_OF(y), SHAPED_NUMBERS(1));
    REFUSE_WITH(made, .op = "slice", SHAPED_OF(y), SHAPED_NUMBERS(1, 1, INT32_MAX, 1));
    REFUSE_WITH(made, .op = "reshape", SHAPED_OF(y), SHAPED_NUMBERS(2, -1)); // other steps in each row
    REFUSE_WITH(made, .op = "concat", SHAPED_OF(y, y), SHAPED_NUMBERS(1));
}

static void tests(const snn_isa *isa)
{
    (void)isa;
    float x[BATCH * STEPS * IN];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(2 * uniform() - 1);
    net n = make_net(0, -1);
    for (int threads = 1; threads <= 3; threads++) {
        plan_net(&n, threads);
        test_parts(&n, x);
    }
    x[4 * IN + 2] = INFINITY; // the first sequence goes through exact.c, where zeros of W read nothing
    x[7 * IN] = NAN;
    test_parts(&n, x);
    test_arguments(&n);
    free_net(&n);
    test_what_is_refused();
}

int main(void)
{
    on_every_isa(tests);
    return check_report("test_stream");
}
