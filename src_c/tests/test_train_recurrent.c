/* Recurrent cells in training on threads that are held up at random: forward, back and the weight's gradient
 * give the bits that one thread gives; what does not fit is refused. test_train_recurrent [runs [seed]]. */
#include "perturbed_threads.h"
#include "train_pattern.h"

#include <string.h>

enum { SPARE = 4, NUMBERS = 8 };

/* A cell, what it is given, and what one way of running it makes. */
typedef struct cell {
    snn_recurrence r;
    int64_t numbers[NUMBERS], hidden, gates, states, batch;
    pattern w;
    float *peepholes, *ddata, *dbias;
    snn_tiles dy, dx, dsums, dinitial[2];
} cell;

static float *random_row(int64_t count)
{
    float *row = snn_alloc((size_t)count, sizeof *row);
    for (int64_t i = 0; i < count; i++)
        row[i] = (float)(2 * uniform() - 1);
    return row;
}

static int odds(double share) { return uniform() < share; }
static int64_t from_to(int64_t least, int64_t most)
{
    return least + (int64_t)(uniform() * (double)(most - least + 1));
}

static snn_tiles empty(const cell *c, int64_t features) { return make_tiles(c->batch, features, SPARE, NAN); }
static snn_tiles filled(const cell *c, int64_t features)
{
    snn_tiles tiles = empty(c, features);
    fill(tiles, features, c->batch);
    return tiles;
}

static int64_t result_steps(const cell *c) { return c->r.steps + c->numbers[3] * c->states; }
static int64_t kept_of(const cell *c) { return c->gates == 4 ? 5 : 4; }

static cell random_cell(void)
{
    static const char *const ops[] = {"lstm", "gru", "rnn"};
    static const int64_t gates[] = {4, 3, 1}, numbers[] = {8, 7, 5};
    const int kind = (int)from_to(0, 2);
    cell c = {.gates = gates[kind], .states = kind == 0 ? 2 : 1, .hidden = from_to(1, 40)};
    c.batch = from_to(1, 3 * snn_tile_samples());
    c.r = (snn_recurrence){.op = ops[kind], .integer_count = (size_t)numbers[kind], .steps = from_to(1, 6)};
    c.r.clip = odds(0.7) ? 0.0f : 0.5f;
    c.r.window = odds(0.7) ? 0 : 2;
    for (int i = 0; i < 4; i++)
        c.numbers[i] = odds(0.5); // reverse, initial, lengths, states
    for (int i = 4; i < (kind == 0 ? 7 : kind == 1 ? 6 : 5); i++) {
        const int64_t any = from_to(0, 7); // gates are sigmoid or hard sigmoid, so that states stay small
        c.numbers[i] = odds(0.5) ? i > 4 || kind == 2 : i > 4 || kind == 2 ? any : any / 4 * 3;
    }
    c.numbers[kind == 0 ? 7 : 6] = kind < 2 && odds(0.5); // peepholes, or whether reset comes after
    c.w = make_pattern(c.gates * c.hidden, c.hidden, odds(0.2) ? -1 : uniform());
    c.r.bias = c.w.bias;
    c.peepholes = random_row(3 * c.hidden);
    c.r.x = filled(&c, c.r.steps * c.w.rows);
    c.dy = filled(&c, result_steps(&c) * c.hidden);
    for (int i = 0; i < 2; i++)
        c.r.initial[i] = filled(&c, c.hidden);
    c.r.lengths = filled(&c, 1);
    for (int64_t s = 0; s < c.batch; s++)
        *at(c.r.lengths, 0, s) = (float)from_to(0, c.r.steps + 1);
    return c;
}

/* Room for what is made; the rest is shared with c. */
static cell with_results(const cell *c)
{
    cell own = *c;
    own.r.integers = own.numbers;
    own.r.peepholes = own.peepholes;
    own.r.y = empty(c, result_steps(c) * c->hidden);
    own.r.h = empty(c, (c->r.steps + 1) * c->hidden);
    own.r.c = c->gates == 4 ? empty(c, (c->r.steps + 1) * c->hidden) : (snn_tiles){0};
    own.r.kept = empty(c, c->r.steps * kept_of(c) * c->hidden);
    own.r.z = empty(c, c->r.steps * c->w.rows);
    own.dx = empty(c, c->r.steps * c->w.rows);
    own.dsums = empty(c, c->r.steps * c->w.rows);
    for (int i = 0; i < 2; i++)
        own.dinitial[i] = i < c->states ? empty(c, c->hidden) : (snn_tiles){0};
    own.ddata = snn_alloc((size_t)(c->w.rows * c->w.cols), sizeof(float));
    own.dbias = snn_alloc((size_t)c->w.rows, sizeof(float));
    return own;
}

static void free_results(cell *c)
{
    float *const all[] = {c->r.y.values, c->r.h.values, c->r.c.values,        c->r.kept.values,
                          c->r.z.values, c->dx.values,  c->dsums.values,      c->dinitial[0].values,
                          c->ddata,      c->dbias,      c->dinitial[1].values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

static void free_cell(cell *c)
{
    float *const all[] = {c->w.data,           c->w.bias,    c->peepholes,           c->r.x.values,
                          c->r.lengths.values, c->dy.values, c->r.initial[0].values, c->r.initial[1].values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_free(c->w.indptr);
    snn_free(c->w.indices);
}

static void run_cell(cell *c, int threads)
{
    snn_sparse *sparse = NULL;
    c->r.integers = c->numbers;
    CHECK_OK(snn_sparse_create(c->w.rows, c->w.cols, c->w.indptr, c->w.indices, threads, &sparse));
    CHECK_OK(snn_sparse_set(sparse, c->w.data));
    const int apart = c->gates == 3 && c->numbers[6];
    for (int i = 0; i < 2; i++) { // in memory that is used before
        CHECK_OK(snn_recurrent_forward_tiles(sparse, &c->r));
        CHECK_OK(snn_recurrent_backward_tiles(sparse, &c->r, c->dy, c->dx, apart ? c->dsums : (snn_tiles){0},
                                              c->dinitial));
        CHECK_OK(
            snn_recurrent_backward_weight_tiles(sparse, &c->r, apart ? c->dsums : c->dx, c->ddata, c->dbias));
    }
    snn_sparse_free(sparse);
}

static int same_tiles(snn_tiles a, snn_tiles b, int64_t features)
{
    const int64_t width = snn_tile_samples();
    for (int64_t t = 0; a.values && t < a.count; t++)
        if (memcmp(a.values + t * a.stride * width, b.values + t * b.stride * width,
                   (size_t)(features * width) * sizeof(float)) != 0)
            return 0;
    return 1;
}

static int same(const cell *a, const cell *b)
{
    const int64_t nnz = a->w.indptr[a->w.rows];
    return same_tiles(a->r.y, b->r.y, result_steps(a) * a->hidden) &&
           same_tiles(a->dx, b->dx, a->r.steps * a->w.rows) &&
           same_tiles(a->dinitial[0], b->dinitial[0], a->hidden) &&
           same_tiles(a->dinitial[1], b->dinitial[1], a->hidden) &&
           memcmp(a->ddata, b->ddata, (size_t)nnz * sizeof(float)) == 0 &&
           memcmp(a->dbias, b->dbias, (size_t)a->w.rows * sizeof(float)) == 0;
}

/* Samples that fill up the last tile hand nothing back. */
static int is_finite(const cell *c)
{
    int right = 1;
    for (int64_t p = 0; p < c->w.indptr[c->w.rows]; p++)
        right &= isfinite(c->ddata[p]) != 0;
    for (int64_t r = 0; r < c->w.rows; r++)
        right &= isfinite(c->dbias[r]) != 0;
    return right;
}

static tally tallies[] = {{.name = "recurrent cells"}};

static void compare(void)
{
    cell given = random_cell(), one = with_results(&given);
    run_cell(&one, 1);
    CHECK(is_finite(&one));
    for (int threads = 2; threads <= SPARE; threads++) {
        cell many = with_results(&given);
        run_cell(&many, threads);
        count_run(&tallies[0], same(&one, &many));
        free_results(&many);
    }
    free_results(&one);
    free_cell(&given);
}

static void test_arguments(void)
{
    cell given = random_cell();
    cell c = with_results(&given);
    snn_sparse *sparse = NULL;
    c.r.integers = c.numbers;
    CHECK_OK(snn_sparse_create(c.w.rows, c.w.cols, c.w.indptr, c.w.indices, 1, &sparse));
    CHECK_OK(snn_sparse_set(sparse, c.w.data));
    CHECK_OK(snn_recurrent_forward_tiles(sparse, &c.r));
    CHECK_STATUS(snn_recurrent_forward_tiles(NULL, &c.r), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_recurrent_forward_tiles(sparse, NULL), SNN_ERROR_ARGUMENT);
    for (int i = 0; i < 7; i++) {
        snn_recurrence bad = c.r;
        switch (i) {
        case 0: bad.op = "linear"; break;
        case 1: bad.integer_count = 3; break;
        case 2: bad.steps = 0; break;
        case 3: bad.window = -1; break;
        case 4: bad.clip = NAN; break;
        case 5: bad.y = (snn_tiles){0}; break;
        default: bad.h.stride = 1; break;
        }
        CHECK_STATUS(snn_recurrent_forward_tiles(sparse, &bad), SNN_ERROR_ARGUMENT);
    }
    CHECK_STATUS(snn_recurrent_backward_tiles(sparse, &c.r, c.dy, (snn_tiles){0}, c.dsums, NULL),
                 SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_recurrent_backward_weight_tiles(sparse, &c.r, (snn_tiles){0}, c.ddata, NULL),
                 SNN_ERROR_ARGUMENT);
    snn_sparse_free(sparse);
    free_results(&c);
    free_cell(&given);
}

static long wanted;

static void tests(const snn_isa *isa)
{
    (void)isa;
    for (long i = 0; i < wanted && check_failures == 0; i++)
        compare();
    test_arguments();
}

int main(int argc, char **argv)
{
    wanted = wanted_runs(argc, argv, 60);
    on_every_isa(tests);
    CHECK(print_tallies(tallies, 1) == 0);
    return check_report("test_train_recurrent");
}
