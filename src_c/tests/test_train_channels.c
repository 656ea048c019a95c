/* Sums over channels and what is computed value by value in training, on every ISA that this machine can run,
 * against double precision; the same bits for any number of threads, held up at random. */
#include "perturbed_threads.h"
#include "train_pattern.h"

#include <float.h>
#include <string.h>

typedef struct arrays {
    snn_channels n;
    int64_t features;
    snn_tiles a, b, y, z;
    float *p, *q, *r;
} arrays;

static float *random_row(int64_t count)
{
    float *row = snn_alloc((size_t)count, sizeof *row);
    for (int64_t i = 0; i < count; i++)
        row[i] = (float)(2 * uniform() - 1);
    return row;
}

static int64_t channel_of(const arrays *s, int64_t feature) { return feature / s->n.inner % s->n.channels; }

static void test_sums(arrays *s)
{
    const int64_t channels = s->n.channels;
    double sums[64], products[64], again[128];
    for (s->n.threads = 1; s->n.threads <= 3; s->n.threads++) {
        CHECK_OK(snn_channels_sum(&s->n, s->a, s->b, sums, products));
        if (s->n.threads > 1)
            CHECK(memcmp(again, sums, (size_t)channels * 8) == 0 &&
                  memcmp(again + 64, products, (size_t)channels * 8) == 0);
        memcpy(again, sums, (size_t)channels * 8);
        memcpy(again + 64, products, (size_t)channels * 8);
    }
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, product = 0, size = 0;
        for (int64_t f = 0; f < s->features; f++)
            for (int64_t i = 0; i < s->n.batch && channel_of(s, f) == c; i++) {
                const double a = *at(s->a, f, i), b = *at(s->b, f, i);
                sum += a;
                product += a * b;
                size += fabs(a);
            }
        const double bound = 1e-12 * (1 + size);
        CHECK(near("sum", sums[c], sum, bound) && near("product", products[c], product, bound));
    }
}

/* What a row gives: p a + q b + r, or without b. */
static double combined(const arrays *s, int64_t feature, int64_t sample, int both)
{
    const int64_t c = channel_of(s, feature);
    if (sample >= s->n.batch)
        return 0;
    return (double)s->p[c] * *at(s->a, feature, sample) + s->r[c] +
           (both ? (double)s->q[c] * *at(s->b, feature, sample) : 0);
}

static void test_combine(arrays *s, int both, snn_node_type type)
{
    const int64_t samples = s->a.count * s->n.samples;
    snn_activation f = {.type = type, .z = type == SNN_NODE_GELU ? s->z : (snn_tiles){0}};
    s->n.threads = 1 + (int)(3 * uniform());
    CHECK_OK(snn_channels_combine(NULL, &s->n, s->p, s->a, both ? s->q : NULL, both ? s->b : (snn_tiles){0},
                                  s->r, &f, s->y));
    int right = 1;
    for (int64_t feature = 0; feature < s->features; feature++)
        for (int64_t i = 0; i < samples && right; i++) {
            const double z = combined(s, feature, i, both);
            const double y = type == SNN_NODE_RELU   ? (z > 0 ? z : 0)
                             : type == SNN_NODE_GELU ? 0.5 * z * (1 + erf(z / sqrt(2)))
                                                     : z;
            right = near("combined", *at(s->y, feature, i), y, 16 * FLT_EPSILON);
            if (type == SNN_NODE_GELU)
                right &= near("kept", *at(s->z, feature, i), z, 16 * FLT_EPSILON);
        }
    CHECK(right);
}

static void test_pointwise(arrays *s)
{
    const int64_t samples = s->a.count * s->n.samples, width = s->n.samples;
    const int threads = 1 + (int)(3 * uniform());
    const snn_activation relu = {.type = SNN_NODE_RELU};
    int right = 1;
    CHECK_OK(snn_tiles_activate(NULL, s->features, width, threads, &relu, s->a, s->y));
    for (int64_t f = 0; f < s->features; f++)
        for (int64_t i = 0; i < samples; i++)
            right &= *at(s->y, f, i) == (*at(s->a, f, i) > 0 ? *at(s->a, f, i) : 0);
    CHECK(right);
    CHECK_OK(snn_tiles_add(NULL, s->features, width, threads, s->a, s->b, s->z));
    for (int64_t f = 0; f < s->features; f++)
        for (int64_t i = 0; i < samples; i++)
            right &= *at(s->z, f, i) == *at(s->a, f, i) + *at(s->b, f, i);
    CHECK(right);
    CHECK_OK(snn_tiles_slope(NULL, s->features, width, threads, &relu, s->y, s->z));
    for (int64_t f = 0; f < s->features; f++)
        for (int64_t i = 0; i < samples; i++)
            right &= *at(s->z, f, i) == (*at(s->a, f, i) > 0 ? *at(s->a, f, i) + *at(s->b, f, i) : 0);
    CHECK(right);
}

static void test_shape(int64_t outer, int64_t channels, int64_t inner, int64_t batch)
{
    arrays s = {.n = {outer, channels, inner, snn_tile_samples(), batch, 1},
                .features = outer * channels * inner};
    snn_tiles *all[] = {&s.a, &s.b, &s.y, &s.z};
    for (int i = 0; i < 4; i++) {
        *all[i] = make_tiles(batch, s.features, 3, NAN);
        if (i < 2)
            fill(*all[i], s.features, s.a.count * s.n.samples); // what fills up the last tile counts nowhere
    }
    s.p = random_row(channels);
    s.q = random_row(channels);
    s.r = random_row(channels);
    test_sums(&s);
    for (int both = 0; both < 2; both++) {
        test_combine(&s, both, SNN_NODE_LINEAR);
        test_combine(&s, both, SNN_NODE_RELU);
        test_combine(&s, both, SNN_NODE_GELU);
    }
    test_pointwise(&s);
    snn_free(s.p);
    snn_free(s.q);
    snn_free(s.r);
    for (int i = 0; i < 4; i++)
        snn_free(all[i]->values);
}

static void test_arguments(void)
{
    const int64_t width = snn_tile_samples();
    snn_tiles a = make_tiles(3, 6, 0, 1.0f), few = {a.values, 1, 5};
    snn_channels n = {1, 6, 1, width, 3, 1}, bad = n;
    double sums[6], products[6];
    const float p[6] = {0};
    const snn_activation softmax = {.type = SNN_NODE_SOFTMAX}, relu = {.type = SNN_NODE_RELU};
    bad.threads = -1;
    CHECK_STATUS(snn_channels_sum(NULL, a, a, sums, products), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_channels_sum(&bad, a, a, sums, products), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_channels_sum(&n, a, few, sums, products), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_channels_combine("mmx", &n, p, a, NULL, (snn_tiles){0}, p, NULL, a), SNN_ERROR_ISA);
    CHECK_STATUS(snn_channels_combine(NULL, &n, p, a, NULL, a, p, NULL, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_channels_combine(NULL, &n, p, a, p, a, p, &softmax, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_tiles_activate(NULL, 6, width, 1, &softmax, a, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_tiles_activate(NULL, 6, width, 1, NULL, a, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_tiles_slope(NULL, 5, 1, 1, &relu, a, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_tiles_add(NULL, 6, width, 1, a, few, a), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_tiles_add(NULL, 7, width, 1, a, a, a), SNN_ERROR_ARGUMENT);
    snn_free(a.values);
}

static void all_tests(const snn_isa *isa)
{
    (void)isa;
    const int64_t width = snn_tile_samples(), batches[] = {1, width - 1, width, width + 1, 2 * width + 3};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        test_shape(1, 7, 1, batches[i]);
        test_shape(9, 5, 1, batches[i]);
        test_shape(1, 3, 4, batches[i]);
        test_shape(30, 17, 1, batches[i]);
    }
    if (width > 1)
        test_arguments();
}

int main(void)
{
    on_every_isa(all_tests);
    return check_report("test_train_channels");
}
