/* A packing back to CSR, zeros left out. */
#include "base/memory.h"
#include "pack/pack.h"

/* Takes a weight that is not zero; those of a row come in the order of its columns. */
typedef void visit_weight(void *context, int64_t row, int64_t column, float weight);

static int64_t row_of(const snn_lanes *of, int64_t panel, int lane, int lanes)
{
    const int64_t at = panel * lanes + lane;
    if (of->rows)
        return of->rows[at];
    return at < of->row_count ? of->first_row + at : -1;
}

static void visit_column(const snn_packing *packing, int lanes, visit_weight *visit, void *context)
{
    const int windows = packing->shape, steps = SNN_CHUNK_STEPS / windows;
    for (int s = 0; s < packing->share_count; s++) {
        const snn_csr_column *share = snn_share(packing, s);
        for (int64_t p = 0; p < share->panel_count; p++)
            for (int64_t i = share->chunks[p] * SNN_CHUNK_STEPS; i < share->chunks[p + 1] * SNN_CHUNK_STEPS;
                 i++) {
                const int64_t chunk = i / SNN_CHUNK_STEPS;
                const int step = (int)(i % SNN_CHUNK_STEPS);
                const uint8_t *index = share->records + (size_t)chunk * SNN_RECORD_BYTES(lanes);
                const float *weight = (const float *)(const void *)(index + 4 * lanes);
                for (int l = 0; l < lanes; l++)
                    if (weight[step * lanes + l] != 0.0f)
                        visit(context, row_of(&share->lanes, p, l, lanes),
                              share->windows[chunk * windows + step / steps] + index[4 * l + step],
                              weight[step * lanes + l]);
            }
    }
}

static void visit_sell(const snn_packing *packing, int lanes, visit_weight *visit, void *context)
{
    for (int s = 0; s < packing->share_count; s++) {
        const snn_sell *share = snn_share(packing, s);
        for (int64_t p = 0; p < share->panel_count; p++)
            for (int64_t i = share->steps[p] * lanes; i < share->steps[p + 1] * lanes; i++)
                if (share->weights[i] != 0.0f)
                    visit(context, row_of(&share->lanes, p, (int)(i % lanes), lanes), share->indices[i],
                          share->weights[i]);
    }
}

static void visit_dense(const snn_packing *packing, visit_weight *visit, void *context)
{
    for (int s = 0; s < packing->share_count; s++) {
        const snn_dense *share = snn_share(packing, s);
        for (int64_t r = 0; r < share->row_count; r++) {
            const float *weights = share->weights +
                                   (size_t)(r / SNN_DENSE_ROWS * share->columns) * SNN_DENSE_ROWS +
                                   r % SNN_DENSE_ROWS;
            for (int64_t k = 0; k < share->columns; k++)
                if (weights[k * SNN_DENSE_ROWS] != 0.0f)
                    visit(context, share->first_row + r, k, weights[k * SNN_DENSE_ROWS]);
        }
    }
}

static void visit_tile(const snn_packing *packing, visit_weight *visit, void *context)
{
    const snn_kernel *kernel = packing->kernel;
    const int64_t height = kernel->shape;
    const int64_t step_bytes = kernel->format == SNN_FORMAT_PANEL ? 1 : height * kernel->index_bytes;
    for (int s = 0; s < packing->share_count; s++) {
        const snn_csr_tile *share = snn_share(packing, s);
        for (int64_t b = 0; b < share->block_count; b++) {
            const snn_csr_block *block = &share->blocks[b];
            const uint8_t *indices = block->indices;
            const float *weights = block->weights;
            const int32_t *rows = block->rows;
            for (int64_t g = 0; g < block->group_count; g++)
                for (uint32_t panel = 0; panel < block->groups[g].panels; panel++, rows += height) {
                    const int64_t steps = block->groups[g].steps;
                    for (int64_t e = 0; e < steps * height; e++)
                        if (weights[e] != 0.0f)
                            visit(context, rows[e % height],
                                  block->first_column + snn_tile_column(kernel, indices, e), weights[e]);
                    indices += steps * step_bytes;
                    weights += steps * height;
                }
        }
    }
}

static void visit_all(const snn_packing *packing, int lanes, visit_weight *visit, void *context)
{
    if (packing->format == SNN_FORMAT_DENSE)
        visit_dense(packing, visit, context);
    else if (packing->format == SNN_FORMAT_SELL)
        visit_sell(packing, lanes, visit, context);
    else if (packing->kernel->layout == SNN_LAYOUT_TILE)
        visit_tile(packing, visit, context);
    else
        visit_column(packing, lanes, visit, context);
}

static void count_weight(void *context, int64_t row, int64_t column, float weight)
{
    (void)column, (void)weight;
    ((int64_t *)context)[row + 1]++;
}

typedef struct unpacked {
    int64_t *next; /* (rows) where the next weight of each row goes */
    int32_t *indices;
    float *data;
} unpacked;

static void place_weight(void *context, int64_t row, int64_t column, float weight)
{
    unpacked *to = context;
    const int64_t at = to->next[row]++;
    to->indices[at] = (int32_t)column;
    to->data[at] = weight;
}

int snn_unpack(const snn_packing *packing, int lanes, int64_t rows, int64_t cols, snn_csr *csr)
{
    int64_t *indptr = snn_alloc((size_t)rows + 1, sizeof *indptr),
            *next = snn_alloc((size_t)rows, sizeof *next);
    *csr = (snn_csr){.rows = rows, .cols = cols, .indptr = indptr};
    if (indptr && next) {
        visit_all(packing, lanes, count_weight, indptr);
        for (int64_t r = 0; r < rows; r++) {
            next[r] = indptr[r];
            indptr[r + 1] += indptr[r];
        }
        const size_t nnz = (size_t)indptr[rows];
        unpacked to = {next, snn_alloc(nnz, sizeof *to.indices), snn_alloc(nnz, sizeof *to.data)};
        csr->indices = to.indices;
        csr->data = to.data;
        if (to.indices && to.data)
            visit_all(packing, lanes, place_weight, &to);
    }
    snn_free(next);
    return csr->indptr && csr->indices && csr->data && next;
}
