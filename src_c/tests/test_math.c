/* The functions of kernels/math.inl against double libm: special values exactly, and a
 * sweep over all float bit patterns in ulps of the exact result.
 *
 *     test_math [isa [stride]]    every stride-th pattern, 4099 by default; 1 is exhaustive (some minutes) */
#include <math.h>
#include <stdlib.h>

#include "vector_test.h"

#include "kernels/math.inl"
#include "kernels/logarithm.inl"

typedef struct function {
    const char *name;
    vf (*vector)(vf);
    double (*exact)(double);
    double bound;        /* ulps of the result */
    double scalar_bound; /* the same without fused multiply-add */
    float low, high;     /* no result lies outside */
    float at_minus_infinity, at_minus_zero, at_infinity;
} function;

static double exact_sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
static double exact_gelu(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }

static vf elu(vf x) { return vf_elu(x, vf_set1(1.0f)); }
static double exact_elu(double x) { return x > 0 ? x : expm1(x); }

static double exact_softplus(double x) { return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x))); }
static double exact_mish(double x)
{
    const double t = exp(-fabs(x)), more = 1 + 2 * t;
    return x > 0 ? x * more / (more + 2 * t * t) : x * t * (t + 2) / (t * (t + 2) + 2);
}

static const function functions[] = {
    {"exp", vf_exp, exp, 2.0, 2.0, 0.0f, INFINITY, 0.0f, 1.0f, INFINITY},
    {"tanh", vf_tanh, tanh, 2.0, 2.0, -1.0f, 1.0f, -1.0f, -0.0f, 1.0f},
    {"sigmoid", vf_sigmoid, exact_sigmoid, 2.5, 2.5, 0.0f, 1.0f, 0.0f, 0.5f, 1.0f},
    {"gelu", vf_gelu, exact_gelu, 7.0, 10.0, -0.17f, INFINITY, 0.0f, -0.0f, INFINITY},
    {"elu", elu, exact_elu, 1.0, 1.0, -1.0f, INFINITY, -1.0f, 0.0f, INFINITY},
    {"log", vf_log, log, 2.0, 2.0, -INFINITY, INFINITY, NAN, -INFINITY, INFINITY},
    {"softplus", vf_softplus, exact_softplus, 3.0, 3.0, 0.0f, INFINITY, 0.0f, 0x1.62e43p-1f, INFINITY},
    {"mish", vf_mish, exact_mish, 6.0, 6.0, -0.31f, INFINITY, -0.0f, -0.0f, INFINITY},
};

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* |got - exact| in units of the last place of a float as large as exact. Overflow counts as 2^128. */
static double ulps(float got, double exact)
{
    const double limit = 0x1p128;
    const double value = isinf(got) ? copysign(limit, (double)got) : (double)got;
    const double wanted = fabs(exact) > limit ? copysign(limit, exact) : exact;
    int exponent;
    frexp(wanted, &exponent);
    const int last = exponent - 24 > 103 ? 103 : exponent - 24;
    return fabs(value - wanted) / ldexp(1.0, last < -149 || wanted == 0.0 ? -149 : last);
}

/* One vector of inputs; counts failures and raises *worst and *worst_at. */
static int check(const function *f, const float x[VF_LANES], double *worst, float *worst_at)
{
    int failures = 0;
    float y[VF_LANES];
    vf_store(y, f->vector(vf_load(x)));
    for (int i = 0; i < VF_LANES; i++) {
        const double exact = f->exact((double)x[i]);
        if (isnan(x[i]) || (isnan(exact) && !isinf(x[i]))) {
            failures += !isnan(y[i]);
            continue;
        }
        if (isinf(x[i])) /* check_special does */
            continue;
        failures += !(y[i] >= f->low && y[i] <= f->high);
        const double error = isinf(exact) ? !(y[i] == exact) : ulps(y[i], exact);
        if (!(error <= *worst)) {
            *worst = error;
            *worst_at = x[i];
        }
    }
    return failures;
}

static int check_special(const function *f)
{
    const float inputs[] = {-INFINITY, -0.0f, INFINITY};
    const float wanted[] = {f->at_minus_infinity, f->at_minus_zero, f->at_infinity};
    int failures = 0;
    for (int i = 0; i < 3; i++) {
        float y[VF_LANES];
        vf_store(y, f->vector(vf_set1(inputs[i])));
        if (isnan(wanted[i]) ? !isnan(y[0]) : bits_of(y[0]) != bits_of(wanted[i])) {
            printf("%s(%g) is %a, wanted %a\n", f->name, (double)inputs[i], (double)y[0], (double)wanted[i]);
            failures++;
        }
    }
    return failures;
}

/* Neighbours of every power of two and every n ln(2)/2, where the pieces meet, then the sweep. */
static int check_all(const function *f, uint32_t stride)
{
    double worst = 0.0;
    float worst_at = 0.0f, x[VF_LANES];
    int failures = check_special(f);
    for (int n = -320; n <= 320; n++) {
        const uint32_t centre[2] = {bits_of((float)(n * 0.34657359027997265)),
                                    bits_of(ldexpf(n % 2 ? -1.0f : 1.0f, n / 2))};
        for (int which = 0; which < 2; which++) {
            for (int i = 0; i < VF_LANES; i++)
                x[i] = float_of(centre[which] + (uint32_t)i - VF_LANES / 2);
            failures += check(f, x, &worst, &worst_at);
        }
    }
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += (uint64_t)stride * VF_LANES) {
        for (int i = 0; i < VF_LANES; i++)
            x[i] = float_of((uint32_t)(bits + (uint64_t)stride * (unsigned)i));
        failures += check(f, x, &worst, &worst_at);
    }
    const double bound = strcmp(SNN_TEXT(SNN_ISA), "scalar") == 0 ? f->scalar_bound : f->bound;
    failures += !(worst <= bound);
    printf("%-8s largest error %.3f ulp (allowed %.1f) at %a = %.9g; %d failures\n", f->name, worst, bound,
           (double)worst_at, (double)worst_at, failures);
    return failures;
}

int main(int argc, char **argv)
{
    const int stop = vector_test_begin(argc, argv);
    if (stop)
        return stop;
    const long stride = argc > 2 ? strtol(argv[2], NULL, 10) : 4099;
    if (stride < 1)
        return 1;
    int failures = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        failures += check_all(&functions[i], (uint32_t)stride);
    return failures != 0;
}
