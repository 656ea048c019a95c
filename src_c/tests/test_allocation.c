/* Memory that runs out at any call leaks nothing, breaks nothing and is reported; reading needs little. */
#define _XOPEN_SOURCE 700
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

static snn_status save(const scratch *place) { return snn_model_save(saved, place->path); }

static snn_status load(const scratch *place)
{
    snn_model *model = NULL;
    const snn_status status = snn_model_load(place->path, &model);
    snn_model_free(model);
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
    CHECK(scratch_empty(&place) == 1);
    test_bound(&place);
    snn_model_free(saved);
    CHECK(memory_held == 0);
    scratch_remove(&place);
    return check_report("test_allocation");
}
