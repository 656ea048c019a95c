/* Pools in training, on every ISA that this machine can run, against double precision and the first of equal
 * values; the same bits for any number of threads, held up at random. */
#include "perturbed_threads.h"
#include "random_window.h"
#include "train_pattern.h"

#include <float.h>
#include <string.h>

typedef struct network {
    snn_pool pool;
    snn_conv_shape shape;
    int64_t out_height, out_width, batch;
    snn_tiles x, dy;
} network;

/* The position of x that a place of the window meets at (i, j); -1: padding. */
static int64_t met(const snn_conv_shape *s, int64_t place, int64_t i, int64_t j)
{
    const int64_t h = i * s->stride_h - s->pad_top + place / s->kernel_w * s->dilation_h;
    const int64_t w = j * s->stride_w - s->pad_left + place % s->kernel_w * s->dilation_w;
    return h < 0 || h >= s->height || w < 0 || w >= s->width ? -1 : h * s->width + w;
}

/* What a window gives, and adds what goes back to dx (positions, channels, batch). */
static double exact(const network *n, int64_t i, int64_t j, int64_t channel, int64_t sample, double *dx)
{
    const snn_conv_shape *s = &n->shape;
    const int64_t places = s->kernel_h * s->kernel_w;
    double sum = 0, largest = -INFINITY, inside = 0;
    int64_t first = -1;
    for (int64_t place = 0; place < places; place++) {
        const int64_t position = met(s, place, i, j);
        if (position < 0)
            continue;
        const double x = *at(n->x, position * s->channels + channel, sample);
        inside++;
        sum += x;
        first = first < 0 || x > largest ? position : first;
        largest = x > largest ? x : largest;
    }
    const double dy = *at(n->dy, (i * n->out_width + j) * s->channels + channel, sample);
    const double count = n->pool == SNN_POOL_MEAN ? (double)places : inside > 0 ? inside : 1;
    for (int64_t place = 0; place < places; place++) {
        const int64_t position = met(s, place, i, j);
        if (position < 0 || (n->pool == SNN_POOL_MAX && position != first))
            continue;
        dx[(position * s->channels + channel) * n->batch + sample] +=
            n->pool == SNN_POOL_MAX ? dy : dy / count;
    }
    return n->pool == SNN_POOL_MAX ? largest : sum / count;
}

static void check_network(const network *n, const char *isa)
{
    const snn_conv_shape *s = &n->shape;
    const int64_t inputs = s->height * s->width * s->channels, places = s->kernel_h * s->kernel_w;
    const int64_t outputs = n->out_height * n->out_width * s->channels;
    double *wanted = snn_alloc((size_t)(inputs * n->batch), sizeof *wanted);
    snn_tiles y[3], dx[3];
    for (int threads = 1; threads <= 3; threads++) {
        y[threads - 1] = make_tiles(n->batch, outputs, 0, NAN);
        dx[threads - 1] = make_tiles(n->batch, inputs, 0, NAN);
        CHECK_OK(snn_pool_forward_tiles(isa, n->pool, s, threads, n->x, y[threads - 1]));
        CHECK_OK(snn_pool_backward_tiles(isa, n->pool, s, threads, n->x, y[0], n->dy, dx[threads - 1]));
    }
    int right = 1;
    for (int64_t o = 0; o < outputs && right; o++)
        for (int64_t sample = 0; sample < n->batch; sample++) {
            const int64_t i = o / s->channels / n->out_width, j = o / s->channels % n->out_width;
            const double value = exact(n, i, j, o % s->channels, sample, wanted);
            right &= *at(y[0], o, sample) == value ||
                     near("y", *at(y[0], o, sample), value, FLT_EPSILON * (double)(places + 1));
        }
    for (int64_t f = 0; f < inputs && right; f++)
        for (int64_t sample = 0; sample < n->batch; sample++)
            right &= near("dx", *at(dx[0], f, sample), wanted[f * n->batch + sample],
                          FLT_EPSILON * (double)(places + 1) * (double)places);
    for (int other = 1; other < 3; other++) {
        right &=
            !memcmp(y[0].values, y[other].values, (size_t)(y[0].count * outputs * snn_tile_samples()) * 4);
        right &=
            !memcmp(dx[0].values, dx[other].values, (size_t)(y[0].count * inputs * snn_tile_samples()) * 4);
    }
    CHECK(right);
    for (int i = 0; i < 3; i++) {
        snn_free(y[i].values);
        snn_free(dx[i].values);
    }
    snn_free(wanted);
}

static void test_shape(const snn_conv_shape *s, int64_t batch, const char *isa)
{
    network n = {.shape = *s, .batch = batch};
    n.out_height = windows_down(s);
    n.out_width = windows_across(s);
    const int64_t inputs = s->height * s->width * s->channels;
    const int64_t outputs = n.out_height * n.out_width * s->channels;
    n.x = make_tiles(batch, inputs, 0, 0.0f);
    n.dy = make_tiles(batch, outputs, 0, 0.0f);
    fill(n.x, inputs, batch);
    fill(n.dy, outputs, batch);
    for (int64_t f = 0; f < inputs; f++) // many that are alike
        for (int64_t sample = 0; sample < batch; sample += 2)
            *at(n.x, f, sample) = roundf(2 * *at(n.x, f, sample));
    for (n.pool = SNN_POOL_MAX; n.pool <= SNN_POOL_MEAN_INSIDE; n.pool++)
        check_network(&n, isa);
    snn_free(n.x.values);
    snn_free(n.dy.values);
}

static void test_arguments(void)
{
    const snn_conv_shape shape = {2, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1};
    snn_conv_shape bad = shape;
    bad.stride_h = 0;
    snn_tiles x = make_tiles(1, 32, 0, 0.0f), y = make_tiles(1, 8, 0, 0.0f);
    CHECK_STATUS(snn_pool_forward_tiles("mmx", SNN_POOL_MAX, &shape, 1, x, y), SNN_ERROR_ISA);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, (snn_pool)3, &shape, 1, x, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, SNN_POOL_MAX, NULL, 1, x, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, SNN_POOL_MAX, &bad, 1, x, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, SNN_POOL_MAX, &shape, -1, x, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, SNN_POOL_MAX, &shape, 1, y, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_forward_tiles(NULL, SNN_POOL_MAX, &shape, 1, x, (snn_tiles){0}),
                 SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_backward_tiles(NULL, SNN_POOL_MAX, &shape, 1, x, y, y, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_pool_backward_tiles(NULL, SNN_POOL_MAX, &shape, 1, x, y, (snn_tiles){0}, x),
                 SNN_ERROR_ARGUMENT);
    snn_free(x.values);
    snn_free(y.values);
}

static void test_random_shape(const char *isa)
{
    const snn_conv_shape s = random_window(from(1, 9));
    if (windows_down(&s) && windows_across(&s))
        test_shape(&s, from(1, 20), isa);
}

static long random_shapes;

static void tests(const snn_isa *isa)
{
    static const snn_conv_shape wide = {301, 3, 4, 2, 3, 1, 2, 1, 0, 0, 1, 1, 1};
    test_shape(&wide, 2, isa->name);
    for (long i = 0; i < random_shapes && check_failures == 0; i++)
        test_random_shape(isa->name);
    test_arguments();
}

int main(int argc, char **argv)
{
    random_shapes = wanted_runs(argc, argv, 60);
    on_every_isa(tests);
    return check_report("test_train_pool");
}
