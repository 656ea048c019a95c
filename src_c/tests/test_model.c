/* Models built by calls: what is accepted, what is refused and with which message. */
#include "base/memory.h"
#include "sample_model.h"

#include <math.h>

static const float some[64];

/* Whether the last message holds text. */
static int said(const char *text) { return strstr(snn_last_error(), text) != NULL; }

static void test_memory(void)
{
    for (size_t count = 0; count < 200; count += 7) {
        unsigned char *bytes = snn_alloc(count, 3);
        CHECK(bytes != NULL);
        CHECK((uintptr_t)bytes % 64 == 0);
        for (size_t i = 0; i < 3 * count; i++)
            CHECK(bytes[i] == 0);
        snn_free(bytes);
    }
    CHECK(snn_alloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(snn_alloc(SIZE_MAX, 1) == NULL);
    snn_free(NULL);
}

static void test_status(void)
{
    CHECK(strcmp(snn_status_name(SNN_OK), "SNN_OK") == 0);
    CHECK(strcmp(snn_status_name(SNN_ERROR_UNSUPPORTED), "SNN_ERROR_UNSUPPORTED") == 0);
    CHECK(strcmp(snn_status_name((snn_status)99), "unknown status") == 0);
    CHECK(strcmp(snn_version(), SNN_VERSION_STRING) == 0);
}

/* Checks that a CSR matrix is refused, with text in the message, by the check and by a model alike. */
static void refuse(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices,
                   snn_status wanted, const char *text)
{
    CHECK_STATUS(snn_csr_check(rows, cols, indptr, indices), wanted);
    if (!CHECK(said(text)))
        printf("  wanted \"%s\"\n", text);
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(cols < 1 ? 3 : cols > INT32_MAX ? INT32_MAX : cols, &model));
    CHECK_STATUS(snn_model_add_csr(model, rows, cols, indptr, indices, some, NULL), wanted);
    CHECK(snn_model_node_count(model) == 0);
    snn_model_free(model);
}

static void test_csr_check(void)
{
    static const int64_t good[3] = {0, 2, 3};
    static const int32_t columns[3] = {0, 2, 1};
    CHECK_OK(snn_csr_check(2, 3, good, columns));
    CHECK_OK(snn_csr_check(2, INT32_MAX, good, columns));
    CHECK_OK(snn_csr_check(2, 3, (int64_t[]){0, 0, 0}, NULL));
    CHECK_OK(snn_csr_check(1, 1, (int64_t[]){0, 1}, (int32_t[]){0}));

    refuse(0, 3, good, columns, SNN_ERROR_ARGUMENT, "rows must be in [1, 2147483647], got 0");
    refuse(-1, 3, good, columns, SNN_ERROR_ARGUMENT, "rows");
    refuse(INT64_C(1) << 31, 3, good, columns, SNN_ERROR_ARGUMENT, "got 2147483648");
    refuse(2, 0, good, columns, SNN_ERROR_ARGUMENT, "cols must be in [1, 2147483647], got 0");
    refuse(2, INT64_C(1) << 40, good, columns, SNN_ERROR_ARGUMENT, "cols");
    refuse(2, 3, NULL, columns, SNN_ERROR_ARGUMENT, "indptr must not be NULL");
    refuse(2, 3, good, NULL, SNN_ERROR_ARGUMENT, "indices must not be NULL with 3 stored weights");
    refuse(2, 3, (int64_t[]){1, 2, 3}, columns, SNN_ERROR_CSR, "indptr[0] = 1");
    refuse(2, 3, (int64_t[]){-1, 2, 3}, columns, SNN_ERROR_CSR, "indptr[0] = -1");
    refuse(2, 3, (int64_t[]){0, 2, 1}, columns, SNN_ERROR_CSR, "row 1 begins at 2 and ends at 1");
    refuse(2, 3, (int64_t[]){0, -2, 3}, columns, SNN_ERROR_CSR, "row 0 begins at 0 and ends at -2");
    refuse(2, 3, (int64_t[]){0, 4, 5}, columns, SNN_ERROR_CSR, "row 0 4 entries");
    refuse(2, 3, (int64_t[]){0, 2, INT64_MAX}, columns, SNN_ERROR_CSR, "row 1");
    refuse(2, 3, good, (int32_t[]){0, 3, 1}, SNN_ERROR_CSR, "indices[1] = 3 in row 0");
    refuse(2, 3, good, (int32_t[]){-1, 2, 1}, SNN_ERROR_CSR, "indices[0] = -1 in row 0");
    refuse(2, 3, good, (int32_t[]){0, 2, INT32_MIN}, SNN_ERROR_CSR, "in row 1");
    refuse(2, 3, good, (int32_t[]){2, 2, 1}, SNN_ERROR_CSR, "row 0 holds column 2 twice, at 0 and 1");
    refuse(2, 3, good, (int32_t[]){2, 0, 1}, SNN_ERROR_CSR, "row 0 holds 2 before 0, at 0 and 1");
}

static void test_refused(void)
{
    snn_model *model = NULL;
    CHECK_STATUS(snn_model_create(0, &model), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_create(-5, &model), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_create(INT64_MAX, &model), SNN_ERROR_ARGUMENT);
    CHECK(model == NULL);
    CHECK_STATUS(snn_model_create(4, NULL), SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_model_create(4, &model));

    CHECK_STATUS(snn_model_add_dense(NULL, 2, 4, some, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_dense(model, 2, 4, NULL, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_dense(model, 0, 4, some, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_dense(model, 2, 5, some, NULL), SNN_ERROR_ARGUMENT);
    CHECK(said("cols must be the model's output width 4, got 5"));
    CHECK_STATUS(snn_model_add_csr(NULL, 1, 4, (int64_t[]){0, 0}, NULL, NULL, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_csr(model, 1, 3, (int64_t[]){0, 0}, NULL, NULL, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_csr(model, 1, 4, (int64_t[]){0, 1}, (int32_t[]){0}, NULL, NULL),
                 SNN_ERROR_ARGUMENT);
    CHECK(said("data must not be NULL"));

    CHECK_STATUS(snn_model_add_activation(NULL, SNN_NODE_RELU, 0, 0), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_LINEAR, 0, 0), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, (snn_node_type)99, 0, 0), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_CLIP, 1, 1), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_CLIP, 2, 1), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_CLIP, 0, INFINITY), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_CLIP, NAN, 1), SNN_ERROR_ARGUMENT);
    static const float alphas[] = {0, INFINITY, NAN, -1};
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++)
        CHECK_STATUS(snn_model_add_activation(model, SNN_NODE_ELU, alphas[i], 0), SNN_ERROR_ARGUMENT);
    CHECK(said("alpha must be finite and above 0, got -1"));
    CHECK(snn_model_node_count(model) == 0);
    CHECK(snn_model_outputs(model) == 4);
    snn_model_free(model);
    snn_model_free(NULL);
}

static void test_sizes(void)
{
    snn_model *model = sample_model(), *again = sample_model(), *huge = NULL;
    snn_node_info info;
    CHECK(snn_model_inputs(model) == 2);
    CHECK(snn_model_outputs(model) == 1);
    CHECK(snn_model_node_count(model) == 11);
    CHECK(same_model(model, again));
    CHECK_OK(snn_model_node(model, 2, &info));
    CHECK(info.type == SNN_NODE_LINEAR && info.sparse && info.nnz == 6 && info.weight == NULL);
    CHECK(info.inputs == 3 && info.outputs == 4 && info.bias[3] == 4 && info.indices[5] == 2);
    CHECK_OK(snn_model_node(model, 3, &info));
    CHECK(info.type == SNN_NODE_CLIP && info.low == -0.1f && info.high == 6.0f && info.nnz == 0);
    CHECK_OK(snn_model_node(model, 10, &info));
    CHECK(info.type == SNN_NODE_ELU && info.low == 0.1f && info.high == 0 && info.nnz == 0);
    CHECK_STATUS(snn_model_node(model, 11, &info), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_node(model, -1, &info), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_node(model, 0, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_node(NULL, 0, &info), SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_model_create(INT32_MAX, &huge));
    CHECK_STATUS(snn_model_add_dense(huge, INT32_MAX, INT32_MAX, some, NULL), SNN_ERROR_MEMORY);
    CHECK(snn_model_node_count(huge) == 0);
    snn_model_free(huge);
    snn_model_free(again);
    snn_model_free(model);
}

int main(void)
{
    test_memory();
    test_status();
    test_csr_check();
    test_refused();
    test_sizes();
    return check_report("test_model");
}
