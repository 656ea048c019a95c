/* Making a pattern ready for training: W and its transpose packed, and where each weight stands in them. */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <string.h>

const snn_kernel *snn_training_kernel(const snn_isa *isa)
{
    for (int i = 0; i < isa->kernel_count; i++) {
        const snn_kernel *kernel = &isa->kernels[i];
        if (kernel->format == SNN_FORMAT_CSR && kernel->layout == SNN_LAYOUT_TILE &&
            kernel->index_bytes == 1 && kernel->samples == 4 * isa->lanes &&
            kernel->shape == isa->sampled_rows)
            return kernel;
    }
    return NULL;
}

/* The bits of the number. Packing copies floats, so that it arrives whole; 0.0f, which packing fills up with,
 * names none. */
float snn_name_of(int64_t p)
{
    const int32_t number = (int32_t)(p + 1);
    float name;
    memcpy(&name, &number, sizeof name);
    return name;
}

static int64_t number_of(const float *name)
{
    int32_t number;
    memcpy(&number, name, sizeof number);
    return (int64_t)number - 1;
}

void snn_take_names(snn_packing *packing, int32_t *position)
{
    float *weights = packing->memory;
    for (int64_t e = 0; e < packing->entries; e++) {
        const int64_t p = number_of(weights + e);
        if (p >= 0)
            position[p] = (int32_t)e;
        weights[e] = 0.0f;
    }
}

/* The transpose's pattern, its weights named by their place in the original. */
static int transpose(const snn_csr *csr, int64_t *indptr, int32_t *indices, float *names)
{
    int64_t *next = snn_alloc((size_t)csr->cols, sizeof *next);
    if (!next)
        return 0;
    const int64_t nnz = csr->indptr[csr->rows];
    for (int64_t p = 0; p < nnz; p++)
        indptr[csr->indices[p] + 1]++;
    for (int64_t c = 0; c < csr->cols; c++) {
        indptr[c + 1] += indptr[c];
        next[c] = indptr[c];
    }
    for (int64_t row = 0; row < csr->rows; row++) {
        for (int64_t p = csr->indptr[row]; p < csr->indptr[row + 1]; p++) {
            const int64_t at = next[csr->indices[p]]++;
            indices[at] = (int32_t)row;
            names[at] = snn_name_of(p);
        }
    }
    snn_free(next);
    return 1;
}

/* Packs a matrix whose weights are names; afterwards the packing's weights are zero. */
static int make_direction(snn_direction *d, const snn_csr *named, const snn_isa *isa, int threads)
{
    const int64_t nnz = named->indptr[named->rows];
    d->rows = named->rows;
    d->cols = named->cols;
    d->kernel = snn_training_kernel(isa);
    d->bias = snn_alloc((size_t)d->rows + (size_t)threads, sizeof *d->bias);
    d->bounds = snn_alloc((size_t)threads + 1, sizeof *d->bounds);
    d->position = snn_alloc((size_t)nnz, sizeof *d->position);
    if (!d->bias || !d->bounds || !d->position)
        return 0;
    snn_split_rows(named, threads, d->bounds);
    const int64_t k_block = nnz * 8 > d->rows * d->cols ? 128 : 256;
    d->packing = snn_pack(named, isa, d->kernel, k_block, threads, d->bounds);
    if (!d->packing)
        return 0;
    d->weights = d->packing->memory;
    snn_take_names(d->packing, d->position);
    return d->packing->entries <= INT32_MAX;
}

static void clear_direction(snn_direction *d)
{
    snn_packing_free(d->packing);
    snn_free(d->position);
    snn_free(d->bounds);
    snn_free(d->bias);
}

static int make_both(snn_sparse *s, const int32_t *indices)
{
    float *names = snn_alloc((size_t)s->nnz, sizeof *names);
    int64_t *indptr = snn_alloc((size_t)s->cols + 1, sizeof *indptr);
    int32_t *rows = snn_alloc((size_t)s->nnz, sizeof *rows);
    int made = names && indptr && rows;
    if (made) {
        for (int64_t p = 0; p < s->nnz; p++)
            names[p] = snn_name_of(p);
        const snn_csr pattern = {s->rows, s->cols, s->indptr, indices, names};
        const snn_csr transposed = {s->cols, s->rows, indptr, rows, names};
        made = make_direction(&s->forward, &pattern, s->isa, s->threads) &&
               transpose(&pattern, indptr, rows, names) &&
               make_direction(&s->backward, &transposed, s->isa, s->threads);
    }
    snn_free(names);
    snn_free(indptr);
    snn_free(rows);
    return made;
}

snn_status snn_sparse_create_for(const char *isa_name, int64_t rows, int64_t cols, const int64_t *indptr,
                                 const int32_t *indices, int threads, snn_sparse **out)
{
    if (!out)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    if (threads < 0 || threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS, threads);
    snn_status status = snn_csr_check(rows, cols, indptr, indices);
    if (status)
        return status;
    const snn_isa *isa = NULL;
    status = snn_isa_find(isa_name, &isa);
    if (status)
        return status;
    if (indptr[rows] >= INT32_MAX)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "nnz must be below %d, got %lld", INT32_MAX,
                        (long long)indptr[rows]);
    snn_sparse *s = snn_alloc(1, sizeof *s);
    int ready = s != NULL;
    if (ready) {
        s->isa = isa;
        s->threads = threads ? threads : snn_threads_default();
        s->rows = rows;
        s->cols = cols;
        s->nnz = indptr[rows];
        s->indptr = snn_alloc((size_t)rows + 1, sizeof *s->indptr);
        s->dbias = snn_alloc((size_t)rows + (size_t)s->threads, sizeof *s->dbias);
        ready = s->indptr && s->dbias;
    }
    if (ready) {
        memcpy(s->indptr, indptr, ((size_t)rows + 1) * sizeof *indptr);
        ready = make_both(s, indices);
    }
    if (ready) {
        const size_t spare = (size_t)s->threads * (size_t)isa->lanes;
        s->gradient = snn_alloc((size_t)s->forward.packing->entries + spare, sizeof *s->gradient);
        ready = s->gradient != NULL;
    }
    if (!ready) {
        snn_sparse_free(s);
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a sparse pattern of %lld weights",
                        (long long)indptr[rows]);
    }
    *out = s;
    return SNN_OK;
}

snn_status snn_sparse_create(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices,
                             int threads, snn_sparse **out)
{
    return snn_sparse_create_for(NULL, rows, cols, indptr, indices, threads, out);
}

void snn_sparse_free(snn_sparse *sparse)
{
    if (!sparse)
        return;
    clear_direction(&sparse->forward);
    clear_direction(&sparse->backward);
    snn_free(sparse->indptr);
    snn_free(sparse->gradient);
    snn_free(sparse->dbias);
    snn_free(sparse->scratch);
    snn_free(sparse);
}

int snn_sparse_threads(const snn_sparse *sparse) { return sparse ? sparse->threads : 0; }
