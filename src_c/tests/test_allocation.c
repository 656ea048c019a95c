/* Memory that runs out at any call leaks nothing, breaks nothing and is reported; reading needs little. */
#define _XOPEN_SOURCE 700
#include <math.h>

#include "counting_memory.h"
#include "sample_model.h"
#include "scratch.h"

/* One thing that allocates. Returns its status, and frees what it made. */
typedef snn_status action(const scratch *place);

static snn_status add_layers(const scratch *place)
{
    (void)place;
    static const float numbers[6] = {1, 2, 3, 4, 5, 6};
    snn_model *model = NULL;
    snn_status status = snn_model_create(2, &model);
    if (status == SNN_OK)
        status = snn_model_add_dense(model, 3, 2, numbers, numbers);
    if (status == SNN_OK)
        status = snn_model_add_csr(model, 2, 3, (int64_t[]){0, 1, 2}, (int32_t[]){0, 2}, numbers, numbers);
    for (int i = 0; i < 20 && status == SNN_OK; i++)
        status = snn_model_add_activation(model, SNN_NODE_RELU, 0, 0);
    snn_model_free(model);
    return status;
}

static snn_model *saved;
static snn_tune tune;

static snn_status save(const scratch *place) { return snn_model_save(saved, place->path); }

static snn_status load(const scratch *place)
{
    snn_model *model = NULL;
    const snn_status status = snn_model_load(place->path, &model);
    snn_model_free(model);
    return status;
}

static snn_status map(const scratch *place)
{
    snn_model *model = NULL;
    const snn_status status = snn_model_map(place->path, &model);
    snn_model_free(model);
    return status;
}

/* A plan of every kind of layer, for more threads than one and wide tiles too, run by itself and reserved. */
static snn_status run_plan(const scratch *place)
{
    (void)place;
    static float x[70 * 2], y[70];
    const int64_t batches[2] = {1, 70};
    const snn_plan_options options = {
        .threads = 3, .batch_sizes = batches, .batch_size_count = 2, .tune = tune};
    snn_plan *plan = NULL;
    snn_status status = snn_plan_create(saved, &options, &plan);
    if (status == SNN_OK)
        status = snn_plan_reserve(plan, 3);
    if (status == SNN_OK)
        status = snn_plan_run(plan, x, 70, y);
    snn_plan_free(plan);
    return status;
}

static snn_status run_sparse(const scratch *place)
{
    (void)place;
    static const int64_t indptr[4] = {0, 2, 2, 4};
    static const int32_t indices[4] = {0, 1, 0, 1};
    static float data[4], bias[3], x[2 * 70], y[3 * 70], ddata[4], dbias[3];
    snn_sparse *sparse = NULL;
    snn_status status = snn_sparse_create(3, 2, indptr, indices, 2, &sparse);
    if (status == SNN_OK)
        status = snn_sparse_forward(sparse, data, bias, x, 7, y);
    if (status == SNN_OK)
        status = snn_sparse_backward_input(sparse, data, y, 70, x);
    if (status == SNN_OK)
        status = snn_sparse_backward_weight(sparse, y, x, 70, ddata, dbias);
    snn_sparse_free(sparse);
    return status;
}

/* The products of a training step on tiles, and the update. */
static snn_status run_tiles(const scratch *place)
{
    (void)place;
    static const int64_t indptr[4] = {0, 2, 2, 4};
    static const int32_t indices[4] = {0, 1, 0, 1};
    enum { STRIDE = 8, MOST = 64 };
    static float data[4], bias[3], ddata[4], dbias[3], x[STRIDE * MOST], y[STRIDE * MOST], samples[2];
    const snn_update update = {.gradient_scale = 1,
                               .gradient_limit = INFINITY,
                               .rate = 0.1f,
                               .move_limit = INFINITY,
                               .low = -INFINITY,
                               .high = INFINITY};
    const snn_tiles in = {x, 1, STRIDE}, out = {y, 1, STRIDE};
    snn_sparse *sparse = NULL;
    CHECK(snn_tile_samples() > 0 && snn_tile_samples() <= MOST);
    snn_status status = snn_sparse_create(3, 2, indptr, indices, 2, &sparse);
    if (status == SNN_OK)
        status = snn_sparse_set(sparse, data);
    if (status == SNN_OK)
        status = snn_tiles_load(samples, 1, 2, 2, in);
    if (status == SNN_OK)
        status = snn_sparse_forward_tiles(sparse, bias, in, NULL, out);
    if (status == SNN_OK)
        status = snn_sparse_backward_weight_tiles(sparse, out, in, ddata, dbias);
    if (status == SNN_OK)
        status = snn_sparse_backward_input_tiles(sparse, out, in, NULL, in);
    if (status == SNN_OK)
        status = snn_sparse_update(sparse, &update, data, ddata, NULL, NULL);
    snn_sparse_free(sparse);
    return status;
}

/* Fails the first allocation, then the second, until the action gets through. */
static void fail_each(action *act, const scratch *place)
{
    const size_t held = memory_held;
    for (long n = 1; n < 10000; n++) {
        memory_reset(n);
        const snn_status status = act(place);
        const int failed = memory_calls >= n;
        memory_reset(0);
        CHECK(memory_held == held);
        CHECK_STATUS(status, failed ? SNN_ERROR_MEMORY : SNN_OK);
        if (!failed) {
            CHECK(n > 1);
            return;
        }
    }
    const int got_through = 0;
    CHECK(got_through);
}

/* Half a million weights with 16-bit indices, the case that grows most when it is read. */
static void test_bound(const scratch *place)
{
    enum { ROWS = 500, COLS = 1000 };
    int64_t *indptr = snn_alloc(ROWS + 1, sizeof *indptr);
    int32_t *indices = snn_alloc(ROWS * COLS, sizeof *indices);
    float *data = snn_alloc(ROWS * COLS, sizeof *data);
    for (int i = 0; i < ROWS * COLS; i++) {
        indptr[i / COLS + 1] = (i / COLS + 1) * COLS;
        indices[i] = i % COLS;
    }
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(COLS, &model));
    CHECK_OK(snn_model_add_csr(model, ROWS, COLS, indptr, indices, data, NULL));
    CHECK_OK(snn_model_save(model, place->path));
    snn_free(indptr);
    snn_free(indices);
    snn_free(data);
    snn_model_free(model);
    struct stat about;
    CHECK(stat(place->path, &about) == 0);
    const size_t before = memory_held;
    memory_reset(0);
    CHECK_OK(load(place));
    CHECK(memory_peak - before <= 2 * (size_t)about.st_size);
}

int main(void)
{
    const scratch place = scratch_create();
    saved = sample_model();
    fail_each(add_layers, &place);
    fail_each(save, &place);
    fail_each(load, &place);
    fail_each(map, &place);
    CHECK(scratch_empty(&place) == 1);
    for (tune = SNN_TUNE_MEASURE; tune <= SNN_TUNE_OFF; tune++)
        fail_each(run_plan, &place);
    fail_each(run_sparse, &place);
    fail_each(run_tiles, &place);
    test_bound(&place);
    snn_model_free(saved);
    CHECK(memory_held == 0);
    scratch_remove(&place);
    return check_report("test_allocation");
}
