/* Training on threads that are held up at random: products and updates give the bits that one thread gives.
 * test_perturbed_train [runs [seed]]. */
#include "check.h"

#include "perturbed_csr.h"

#include <math.h>
#include <string.h>

enum { LARGEST = 150, USUAL_RUNS = 1500, SPARE = MOST_THREADS };

static tally tallies[] = {{.name = "products of matrices"},
                          {.name = "products of tiles"},
                          {.name = "updates, sparse"},
                          {.name = "updates, dense"}};

/* One pattern with its numbers, and the operator that computes with them. */
typedef struct trained {
    const snn_csr *csr;
    const char *isa;
    int threads;
    snn_sparse *sparse;
    float *data, *ddata, *dbias; /* (nnz) (nnz) (rows) */
    float *y, *dx;               /* (rows, batch) (cols, batch) */
    float *first, *second;       /* (nnz) */
    snn_tiles x, dy, z, made, back;
} trained;

static float *random_values(int64_t count)
{
    float *values = snn_alloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = chance_value();
    return values;
}

static snn_tiles make_tiles(const char *isa, int64_t batch, int64_t features)
{
    const int64_t width = snn_tile_samples_for(isa), count = (batch + width - 1) / width;
    return (snn_tiles){snn_alloc((size_t)(count * (features + SPARE) * width), sizeof(float)), count,
                       features + SPARE};
}

static trained make_trained(const snn_csr *csr, const char *isa, int threads, int64_t batch)
{
    const size_t nnz = (size_t)csr->indptr[csr->rows];
    trained t = {.csr = csr, .isa = isa, .threads = threads};
    CHECK_OK(snn_sparse_create_for(isa, csr->rows, csr->cols, csr->indptr, csr->indices, threads, &t.sparse));
    t.data = snn_alloc(nnz, sizeof(float));
    memcpy(t.data, csr->data, nnz * sizeof(float));
    t.ddata = snn_alloc(nnz, sizeof(float));
    t.first = snn_alloc(nnz, sizeof(float));
    t.second = snn_alloc(nnz, sizeof(float));
    t.dbias = snn_alloc((size_t)csr->rows, sizeof(float));
    t.y = snn_alloc((size_t)(csr->rows * batch), sizeof(float));
    t.dx = snn_alloc((size_t)(csr->cols * batch), sizeof(float));
    t.x = make_tiles(isa, batch, csr->cols);
    t.back = make_tiles(isa, batch, csr->cols);
    t.dy = make_tiles(isa, batch, csr->rows);
    t.z = make_tiles(isa, batch, csr->rows);
    t.made = make_tiles(isa, batch, csr->rows);
    return t;
}

static void free_trained(trained *t)
{
    float *const all[] = {t->data, t->ddata,    t->first,       t->second,    t->dbias,    t->y,
                          t->dx,   t->x.values, t->back.values, t->dy.values, t->z.values, t->made.values};
    snn_sparse_free(t->sparse);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

static int same(const float *a, const float *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* All samples of the features, those that fill up the last tile included; not the scratch rows. */
static int same_tiles(snn_tiles a, snn_tiles b, int64_t features, int64_t width)
{
    for (int64_t t = 0; t < a.count; t++)
        if (!same(a.values + t * a.stride * width, b.values + t * b.stride * width, features * width))
            return 0;
    return 1;
}

/* ---- what is compared ---- */

static void multiply(trained *t, snn_order order, const float *bias, const float *x, const float *dy,
                     int64_t batch)
{
    CHECK_OK(snn_sparse_forward_ordered(t->sparse, order, t->data, bias, x, batch, t->y));
    CHECK_OK(snn_sparse_backward_input_ordered(t->sparse, order, t->data, dy, batch, t->dx));
    CHECK_OK(snn_sparse_backward_weight_ordered(t->sparse, order, dy, x, batch, t->ddata, t->dbias));
}

static void compare_matrices(trained *one, trained *many, const float *bias, int64_t batch)
{
    const int64_t rows = one->csr->rows, cols = one->csr->cols, nnz = one->csr->indptr[rows];
    float *x = random_values(cols * batch), *dy = random_values(rows * batch);
    const snn_order order = chance(2);
    multiply(one, order, bias, x, dy, batch);
    multiply(many, order, bias, x, dy, batch);
    count_run(&tallies[0], same(one->y, many->y, rows * batch) && same(one->dx, many->dx, cols * batch) &&
                               same(one->ddata, many->ddata, nnz) && same(one->dbias, many->dbias, rows));
    snn_free(x);
    snn_free(dy);
}

/* Products between tiles by the packings as they are: x and dy (batch, features). */
static void multiply_tiles(trained *t, const float *bias, const float *x, const float *dy, int64_t batch,
                           snn_activation a)
{
    const snn_csr *csr = t->csr;
    if (a.type == SNN_NODE_GELU)
        a.z = t->z;
    CHECK_OK(snn_tiles_load_for(t->isa, x, batch, csr->cols, t->threads, t->x));
    CHECK_OK(snn_tiles_load_for(t->isa, dy, batch, csr->rows, t->threads, t->dy));
    CHECK_OK(snn_sparse_forward_tiles(t->sparse, bias, t->x, &a, t->made));
    if (a.type == SNN_NODE_GELU)
        a.z = t->x;
    CHECK_OK(snn_sparse_backward_input_tiles(t->sparse, t->dy, t->x, &a, t->back));
    CHECK_OK(snn_sparse_backward_weight_tiles(t->sparse, t->dy, t->x, t->ddata, t->dbias));
}

static int same_products(const trained *one, const trained *many)
{
    const int64_t rows = one->csr->rows, cols = one->csr->cols, width = snn_tile_samples_for(one->isa);
    return same_tiles(one->x, many->x, cols, width) && same_tiles(one->made, many->made, rows, width) &&
           same_tiles(one->z, many->z, rows, width) && same_tiles(one->back, many->back, cols, width) &&
           same(one->ddata, many->ddata, one->csr->indptr[rows]) && same(one->dbias, many->dbias, rows);
}

static void compare_tiles(trained *one, trained *many, const float *bias, int64_t batch, tally *tally)
{
    static const snn_node_type types[] = {SNN_NODE_LINEAR, SNN_NODE_RELU, SNN_NODE_TANH, SNN_NODE_GELU,
                                          SNN_NODE_ELU};
    const snn_activation a = {.type = types[chance(5)], .low = 0.75f};
    float *x = random_values(one->csr->cols * batch), *dy = random_values(one->csr->rows * batch);
    multiply_tiles(one, bias, x, dy, batch, a);
    multiply_tiles(many, bias, x, dy, batch, a);
    count_run(tally, same_products(one, many));
    snn_free(x);
    snn_free(dy);
}

static snn_update random_update(void)
{
    return (snn_update){.gradient_scale = 1,
                        .gradient_limit = chance(2) ? INFINITY : 0.5f,
                        .optimizer = (snn_optimizer)chance(SNN_OPTIMIZER_ADAM + 1),
                        .beta1 = 0.9,
                        .beta2 = 0.99,
                        .rate = 0.05f,
                        .epsilon = 1e-8f,
                        .adam_rate = 0.03f,
                        .adam_epsilon = 1e-8f,
                        .move_limit = INFINITY,
                        .low = -INFINITY,
                        .high = INFINITY};
}

/* A step on the weights; the products after it show that both packings followed. */
static void compare_updates(trained *one, trained *many, const float *bias, int64_t batch)
{
    const snn_update u = random_update();
    const int64_t nnz = one->csr->indptr[one->csr->rows];
    CHECK_OK(snn_sparse_update(one->sparse, &u, one->data, one->ddata, one->first, one->second));
    CHECK_OK(snn_sparse_update(many->sparse, &u, many->data, many->ddata, many->first, many->second));
    count_run(&tallies[2], same(one->data, many->data, nnz) && same(one->first, many->first, nnz) &&
                               same(one->second, many->second, nnz));
    compare_tiles(one, many, bias, batch, &tallies[2]);
}

/* Enough values for more than one thread, and a few more. */
static void compare_dense_updates(int threads)
{
    enum { MOST = 20000 };
    static float values[2][MOST], first[2][MOST], second[2][MOST];
    const snn_update u = random_update();
    const int64_t count = MOST - chance(3000);
    float *gradient = random_values(count);
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    for (int64_t i = 0; i < count; i++)
        values[0][i] = values[1][i] = chance_value();
    for (int i = 0; i < 2; i++)
        CHECK_OK(snn_update_values(&u, values[i], gradient, first[i], second[i], count, i ? threads : 1));
    count_run(&tallies[3], same(values[0], values[1], count) && same(first[0], first[1], count) &&
                               same(second[0], second[1], count));
    snn_free(gradient);
}

static void run_pattern(void)
{
    const int large = chance(8) == 0; // an update of fewer weights takes one thread
    const int64_t rows = large ? WIDEST : odd_size(), cols = large ? 129 : odd_size();
    const int64_t batch = 1 + chance(LARGEST);
    const int threads = 1 + chance(MOST_THREADS);
    const snn_csr csr = random_csr(rows, cols, large ? 60 : chance(60), NULL);
    float *bias = random_values(rows);
    const char *isa = random_isa();
    trained one = make_trained(&csr, isa, 1, batch), many = make_trained(&csr, isa, threads, batch);
    for (int i = 0; i < 4; i++) {
        compare_matrices(&one, &many, bias, batch);
        compare_tiles(&one, &many, bias, batch, &tallies[1]);
        compare_updates(&one, &many, bias, batch);
    }
    if (chance(2))
        compare_dense_updates(threads);
    free_trained(&one);
    free_trained(&many);
    snn_free(bias);
    free_csr(&csr);
}

int main(int argc, char **argv)
{
    const long runs = wanted_runs(argc, argv, USUAL_RUNS);
    while (count_tallies(tallies, 4) < runs && check_failures == 0)
        run_pattern();
    CHECK(print_tallies(tallies, 4) == 0);
    return check_report("test_perturbed_train");
}
