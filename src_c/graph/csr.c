/* Whether three arrays are a CSR matrix. Everything behind this check trusts them. */
#include "graph/model_build.h"
#include "base/status.h"

#include <inttypes.h>

snn_status snn_width_check(const char *name, int64_t value)
{
    if (value < 1 || value > SNN_MAX_WIDTH)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must be in [1, %" PRId32 "], got %" PRId64, name,
                        SNN_MAX_WIDTH, value);
    return SNN_OK;
}

/* indptr (rows + 1). Checked whole before indices is touched: it alone says how long indices is. */
static snn_status check_indptr(int64_t rows, int64_t cols, const int64_t *indptr)
{
    if (indptr[0] != 0)
        return snn_fail(SNN_ERROR_CSR, "indptr must start at 0, got indptr[0] = %" PRId64, indptr[0]);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t begin = indptr[row], end = indptr[row + 1];
        if (end < begin)
            return snn_fail(SNN_ERROR_CSR,
                            "indptr must not fall: row %" PRId64 " begins at %" PRId64
                            " and ends at %" PRId64,
                            row, begin, end);
        if (end - begin > cols)
            return snn_fail(SNN_ERROR_CSR,
                            "indptr gives row %" PRId64 " %" PRId64 " entries (%" PRId64 " to %" PRId64
                            "), but the matrix has %" PRId64 " columns",
                            row, end - begin, begin, end, cols);
    }
    return SNN_OK;
}

/* indices (end - begin) of one row: each in [0, cols), rising strictly. */
static snn_status check_row(int64_t row, int64_t cols, const int32_t *indices, int64_t begin, int64_t end)
{
    int32_t previous = -1;
    for (int64_t k = begin; k < end; k++) {
        const int32_t column = indices[k];
        if (column < 0 || column >= cols)
            return snn_fail(SNN_ERROR_CSR,
                            "indices must be in [0, %" PRId64 "), got indices[%" PRId64 "] = %" PRId32
                            " in row %" PRId64,
                            cols, k, column, row);
        if (column == previous)
            return snn_fail(SNN_ERROR_CSR,
                            "indices must be unique within a row: row %" PRId64 " holds column %" PRId32
                            " twice, at %" PRId64 " and %" PRId64,
                            row, column, k - 1, k);
        if (column < previous)
            return snn_fail(SNN_ERROR_CSR,
                            "indices must be sorted within a row: row %" PRId64 " holds %" PRId32
                            " before %" PRId32 ", at %" PRId64 " and %" PRId64,
                            row, previous, column, k - 1, k);
        previous = column;
    }
    return SNN_OK;
}

snn_status snn_csr_check(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices)
{
    snn_status status = snn_width_check("rows", rows);
    if (status == SNN_OK)
        status = snn_width_check("cols", cols);
    if (status != SNN_OK)
        return status;
    if (indptr == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "indptr must not be NULL");
    status = check_indptr(rows, cols, indptr);
    if (status != SNN_OK)
        return status;
    if (indices == NULL && indptr[rows] > 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "indices must not be NULL with %" PRId64 " stored weights",
                        indptr[rows]);
    for (int64_t row = 0; row < rows && status == SNN_OK; row++)
        status = check_row(row, cols, indices, indptr[row], indptr[row + 1]);
    return status;
}
