/* Every vector word against plain C on one lane at a time, bit for bit, over ordinary and special values.
 *
 *     test_words [isa] */
#include <math.h>
#include <stdlib.h>

#include "vector_test.h"

enum { BLOCK_REGISTERS = VF_BLOCK / VF_LANES, ROUNDS = 2000 };

static int failures;

static void expect(int same, const char *word)
{
    if (same)
        return;
    if (failures < 20)
        printf("%s is wrong\n", word);
    failures++;
}

/* Equal bit for bit, NaNs taken as one value. */
static int same_float(float a, float b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

static void expect_lanes(vf got, const float wanted[VF_LANES], const char *word)
{
    float lanes[VF_LANES];
    vf_store(lanes, got);
    for (int i = 0; i < VF_LANES; i++)
        expect(same_float(lanes[i], wanted[i]), word);
}

static uint32_t random_bits(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* One in four is special; the others are any float but NaN, half of them of ordinary size. */
static float random_float(void)
{
    static const float special[] = {0.0f,     -0.0f,      1.0f,       -1.0f,          0.5f,     -2.5f,
                                    1.5f,     0x1p-149f,  NAN,        -NAN,           INFINITY, -INFINITY,
                                    -0x1p23f, 8388607.5f, 4194304.5f, 0x1.fffffep127f};
    const uint32_t bits = random_bits();
    if (bits % 4 == 0)
        return special[random_bits() % (sizeof special / sizeof *special)];
    if (bits % 4 < 3)
        return (float)(int32_t)random_bits() * 0x1p-24f;
    float x;
    const uint32_t any = random_bits();
    memcpy(&x, &any, sizeof x);
    return isnan(x) ? 3.0f : x;
}

static float multiply_add(float a, float b, float c)
{
    if (strcmp(SNN_TEXT(SNN_ISA), "scalar") != 0)
        return fmaf(a, b, c);
    const float product = a * b;
    return product + c;
}

/* wanted is an expression in a[i], b[i], c[i], d[i]. */
#define EXPECT(got, wanted)                                                                                  \
    do {                                                                                                     \
        float lanes_[VF_LANES];                                                                              \
        for (int i = 0; i < VF_LANES; i++)                                                                   \
            lanes_[i] = (wanted);                                                                            \
        expect_lanes((got), lanes_, #got);                                                                   \
    } while (0)

static void check_arithmetic(const float *a, const float *b, const float *c, const float *d)
{
    const vf va = vf_load(a), vb = vf_load(b), vc = vf_load(c), vd = vf_load(d);
    EXPECT(va, a[i]);
    EXPECT(vf_set1(a[1]), a[1]);
    EXPECT(vf_zero(), 0.0f);
    EXPECT(vf_add(va, vb), a[i] + b[i]);
    EXPECT(vf_sub(va, vb), a[i] - b[i]);
    EXPECT(vf_mul(va, vb), a[i] * b[i]);
    EXPECT(vf_div(va, vb), a[i] / b[i]);
    EXPECT(vf_min(va, vb), a[i] < b[i] ? a[i] : b[i]);
    EXPECT(vf_max(va, vb), a[i] > b[i] ? a[i] : b[i]);
    EXPECT(vf_min(vb, va), b[i] < a[i] ? b[i] : a[i]);
    EXPECT(vf_max(vf_zero(), va), 0.0f > a[i] ? 0.0f : a[i]);
    EXPECT(vf_fma(va, vb, vc), multiply_add(a[i], b[i], c[i]));
    EXPECT(vf_abs(va), fabsf(a[i]));
    EXPECT(vf_round(va), rintf(a[i]));
    EXPECT(vf_select_lt(va, vb, vc, vd), a[i] < b[i] ? c[i] : d[i]);
    EXPECT(vf_copysign(va, vb), copysignf(a[i], b[i]));
    EXPECT(vf_or_nan(va, vb), isnan(b[i]) ? b[i] : a[i]);
    EXPECT(vf_sqrt(va), sqrtf(a[i]));
}

/* Of values whose squares, and what these are off, are ordinary floats. */
static void check_squares(void)
{
    float a[VF_LANES];
    for (int i = 0; i < VF_LANES; i++)
        a[i] = ldexpf((float)(random_bits() & 0xffffff) - 8388608.0f, (int)(random_bits() % 60) - 50);
    const vf va = vf_load(a);
    EXPECT(vf_square_rest(va, vf_mul(va, va)), (float)((double)a[i] * a[i] - (double)(a[i] * a[i])));
}

static void check_weights(const float *w, const float *x, const float *acc)
{
    const vw four = vw_load(w);
    const vf vx = vf_load(x), va = vf_load(acc);
    EXPECT(vw_splat(four, 0), w[0]);
    EXPECT(vw_splat(four, 1), w[1]);
    EXPECT(vw_splat(four, 2), w[2]);
    EXPECT(vw_splat(four, 3), w[3]);
    EXPECT(vf_fma_lane(four, 0, vx, va), multiply_add(w[0], x[i], acc[i]));
    EXPECT(vf_fma_lane(four, 1, vx, va), multiply_add(w[1], x[i], acc[i]));
    EXPECT(vf_fma_lane(four, 2, vx, va), multiply_add(w[2], x[i], acc[i]));
    EXPECT(vf_fma_lane(four, 3, vx, va), multiply_add(w[3], x[i], acc[i]));
}

/* x holds 256 floats. */
static void check_lookups(const float *x)
{
    uint8_t any[VF_LANES + 1], within[VF_LANES + 1];
    for (int i = 0; i <= VF_LANES; i++) {
        any[i] = (uint8_t)random_bits();
        within[i] = (uint8_t)(random_bits() % VF_BLOCK);
    }
    const uint8_t *wide = any + 1, *inside = within + 1; /* unaligned */
    vf block[BLOCK_REGISTERS];
    vf_block_load(x + 1, block);
    for (int r = 0; r < BLOCK_REGISTERS; r++)
        EXPECT(block[r], x[1 + r * VF_LANES + i]);
    uint16_t places[VF_LANES];
    for (int i = 0; i < VF_LANES; i++)
        places[i] = wide[i];
    EXPECT(vf_gather_u16(x, places), x[wide[i]]);
    EXPECT(vf_lookup_block(block, vi_load_u8(inside)), x[1 + inside[i]]);
}

static void check_every_index(void)
{
    float x[VF_BLOCK];
    for (int i = 0; i < VF_BLOCK; i++)
        x[i] = (float)(i + 1);
    vf block[BLOCK_REGISTERS];
    vf_block_load(x, block);
    uint8_t index[VF_LANES];
    for (int first = 0; first < VF_BLOCK; first++) {
        for (int i = 0; i < VF_LANES; i++)
            index[i] = (uint8_t)((first + i) % VF_BLOCK);
        EXPECT(vf_lookup_block(block, vi_load_u8(index)), x[(first + i) % VF_BLOCK]);
    }
}

static void check_pow2(void)
{
    float n[VF_LANES];
    for (int first = -126; first <= 127; first++) {
        for (int i = 0; i < VF_LANES; i++)
            n[i] = (float)(first + i > 127 ? 127 : first + i);
        EXPECT(vf_pow2(vf_load(n)), ldexpf(1.0f, (int)n[i]));
    }
}

/* The largest and the smallest float of every exponent. */
static void check_exponent(void)
{
    float n[VF_LANES], power[VF_LANES], below[VF_LANES];
    for (int first = -126; first <= 127; first++) {
        for (int i = 0; i < VF_LANES; i++) {
            n[i] = (float)(first + i > 127 ? 127 : first + i);
            power[i] = ldexpf(1.0f, (int)n[i]);
            below[i] = ldexpf(0x1.fffffep0f, (int)n[i]);
        }
        EXPECT(vf_exponent(vf_load(power)), n[i]);
        EXPECT(vf_exponent(vf_load(below)), n[i]);
    }
}

/* Integers, so that the order does not matter; every lane counts once. */
static void check_sum(void)
{
    float x[VF_LANES];
    for (int i = 0; i < VF_LANES; i++)
        x[i] = (float)(1 << i);
    expect(vf_sum(vf_load(x)) == (float)((1 << VF_LANES) - 1), "vf_sum");
}

/* A NaN in any lane, on either side, is noted and stays. */
static void check_nan(void)
{
    float x[VF_LANES];
    for (int i = 0; i < VF_LANES; i++)
        x[i] = i % 3 ? -INFINITY : 3.5f;
    const vf plain = vf_load(x);
    expect(!vn_any(vn_note(vn_note(vn_none(), plain, vf_zero()), vf_zero(), plain)), "vn_any without NaN");
    for (int i = 0; i < VF_LANES; i++) {
        const float before = x[i];
        x[i] = i % 2 ? NAN : -NAN;
        const vf marked = vf_load(x);
        expect(vn_any(vn_note(vn_note(vn_none(), marked, plain), plain, plain)), "vn_note, left");
        expect(vn_any(vn_note(vn_note(vn_none(), plain, marked), plain, plain)), "vn_note, right");
        x[i] = before;
    }
}

int main(int argc, char **argv)
{
    const int stop = vector_test_begin(argc, argv);
    if (stop)
        return stop;
    float values[4][VF_LANES + 1], x[257];
    for (int round = 0; round < ROUNDS; round++) {
        for (int k = 0; k < 4; k++)
            for (int i = 0; i <= VF_LANES; i++)
                values[k][i] = random_float();
        for (int i = 0; i < 257; i++)
            x[i] = random_float();
        /* one past the start: no word may need alignment */
        check_arithmetic(values[0] + 1, values[1] + 1, values[2] + 1, values[3] + 1);
        check_squares();
        check_weights(values[0] + 1, values[1] + 1, values[2] + 1);
        check_lookups(x);
    }
    check_every_index();
    check_pow2();
    check_exponent();
    check_sum();
    check_nan();
    printf("%d failures\n", failures);
    return failures != 0;
}
