/* Making a pattern ready to be trained as a convolution (conv.h). */
#include "base/minmax.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/dense.h"

/* One of the two axes of a convolution. */
typedef struct side {
    int64_t size, kernel, stride, pad, dilation, out;
} side;

static int make_axis(snn_axis *axis, int64_t kernel)
{
    *axis =
        (snn_axis){0, snn_alloc((size_t)kernel, sizeof(int64_t)), snn_alloc((size_t)kernel, sizeof(int32_t))};
    return axis->offsets && axis->of_kernel;
}

static void free_axis(snn_axis *axis)
{
    snn_free(axis->offsets);
    snn_free(axis->of_kernel);
}

/* Every place of the kernel, as an output reads it. */
static void forward_axis(const side *s, snn_axis *axis)
{
    axis->count = s->kernel;
    for (int64_t k = 0; k < s->kernel; k++) {
        axis->offsets[k] = k * s->dilation - s->pad;
        axis->of_kernel[k] = (int32_t)k;
    }
}

/* Those through which position phase, phase + stride, ... of x reach outputs: the last place reads the first.
 */
static void backward_axis(const side *s, int64_t phase, snn_axis *axis)
{
    axis->count = 0;
    for (int64_t k = s->kernel - 1; k >= 0; k--) {
        const int64_t distance = phase + s->pad - k * s->dilation;
        axis->of_kernel[k] = -1;
        if (distance % s->stride == 0) {
            axis->of_kernel[k] = (int32_t)axis->count;
            axis->offsets[axis->count++] = distance / s->stride;
        }
    }
}

static void sides_of(const snn_conv *c, side *down, side *across)
{
    const snn_conv_shape *s = &c->shape;
    *down = (side){s->height, s->kernel_h, s->stride_h, s->pad_top, s->dilation_h, c->out_height};
    *across = (side){s->width, s->kernel_w, s->stride_w, s->pad_left, s->dilation_w, c->out_width};
}

/* ---- the weights of a field ---- */

typedef struct entries {
    int64_t count;
    int32_t *rows, *columns, *numbers; /* (nnz) */
} entries;

/* Adds weight number, which stands at (row, place, channel) of the kernel, where the field has that place. */
static int add(entries *e, const snn_field *f, const snn_axis *down, const snn_axis *across, int64_t place,
               int64_t kernel_w, int64_t row, int64_t channel, int64_t number)
{
    const int32_t h = down->of_kernel[place / kernel_w], w = across->of_kernel[place % kernel_w];
    if (h < 0 || w < 0)
        return 0;
    e->rows[e->count] = (int32_t)row;
    e->columns[e->count] = (int32_t)(snn_field_column(f, h, w) + channel);
    e->numbers[e->count++] = (int32_t)number;
    return 1;
}

static int pack(const snn_conv *c, snn_field *f, const entries *e, int32_t *position)
{
    return c->dense ? snn_dense_pack(f, e->count, e->rows, e->columns, e->numbers, position)
                    : snn_field_pack(f, c->isa, e->count, e->rows, e->columns, e->numbers, position);
}

static int make_forward(snn_conv *c, const int64_t *indptr, const int32_t *indices, entries *e,
                        snn_axis *axes)
{
    const int64_t places = c->shape.kernel_h * c->shape.kernel_w;
    side down, across;
    sides_of(c, &down, &across);
    snn_field *f = &c->forward;
    *f = (snn_field){.height = down.size, .width = across.size, .channels = c->shape.channels};
    f->rows = c->rows;
    f->target_width = f->across = across.out;
    f->down = down.out;
    f->apart_h = f->apart_w = 1;
    f->step_h = down.stride;
    f->step_w = across.stride;
    f->kernel = c->kernel;
    f->dense = c->dense;
    forward_axis(&down, &axes[0]);
    forward_axis(&across, &axes[1]);
    if (!snn_field_place(f, &axes[0], &axes[1]) || snn_field_columns(f) > INT32_MAX)
        return 0;
    e->count = 0;
    for (int64_t row = 0; row < c->rows; row++)
        for (int64_t p = indptr[row]; p < indptr[row + 1]; p++)
            add(e, f, &axes[0], &axes[1], indices[p] % places, c->shape.kernel_w, row, indices[p] / places,
                p);
    return pack(c, f, e, c->forward_position);
}

/* The field of positions (h, w), (h + stride, w), ... of x; 1 where there is none, 0 when memory is out. */
static int make_phase(snn_conv *c, const int64_t *indptr, const int32_t *indices, int64_t h, int64_t w,
                      entries *e, snn_axis *axes)
{
    const int64_t places = c->shape.kernel_h * c->shape.kernel_w;
    side down, across;
    sides_of(c, &down, &across);
    backward_axis(&down, h, &axes[0]);
    backward_axis(&across, w, &axes[1]);
    if (!axes[0].count || !axes[1].count) {
        c->bare = 1;
        return 1;
    }
    snn_field *f = &c->backward[c->backward_count];
    *f = (snn_field){.height = down.out, .width = across.out, .channels = c->rows};
    f->rows = c->shape.channels;
    f->target_width = across.size;
    f->down = (down.size - h + down.stride - 1) / down.stride;
    f->across = (across.size - w + across.stride - 1) / across.stride;
    f->first_h = h;
    f->first_w = w;
    f->apart_h = down.stride;
    f->apart_w = across.stride;
    f->step_h = f->step_w = 1;
    f->kernel = c->kernel;
    f->dense = c->dense;
    const int number = c->backward_count++; // from here on it is cleared with the others
    if (!snn_field_place(f, &axes[0], &axes[1]) || snn_field_columns(f) > INT32_MAX)
        return 0;
    e->count = 0;
    for (int64_t row = 0; row < c->rows; row++)
        for (int64_t p = indptr[row]; p < indptr[row + 1]; p++)
            if (add(e, f, &axes[0], &axes[1], indices[p] % places, c->shape.kernel_w, indices[p] / places,
                    row, p))
                c->field_of[p] = number;
    return pack(c, f, e, c->backward_position);
}

static int make_backward(snn_conv *c, const int64_t *indptr, const int32_t *indices, entries *e,
                         snn_axis *axes)
{
    const int64_t high = snn_min(c->shape.stride_h, c->shape.height);
    const int64_t wide = snn_min(c->shape.stride_w, c->shape.width);
    const size_t most = (size_t)(snn_min(high, c->shape.kernel_h) * snn_min(wide, c->shape.kernel_w));
    c->backward = snn_alloc(most, sizeof *c->backward);
    c->tables = snn_alloc(most, sizeof *c->tables);
    if (!c->backward || !c->tables)
        return 0;
    for (int64_t p = 0; p < c->nnz; p++)
        c->field_of[p] = -1;
    for (int64_t h = 0; h < high; h++)
        for (int64_t w = 0; w < wide; w++)
            if (!make_phase(c, indptr, indices, h, w, e, axes))
                return 0;
    for (int i = 0; i < c->backward_count; i++)
        c->tables[i] = c->backward[i].weights;
    return 1;
}

/* ---- all ---- */

static int make_directions(snn_conv *c, const int64_t *indptr, const int32_t *indices)
{
    const size_t nnz = (size_t)c->nnz;
    entries e = {0, snn_alloc(nnz, 4), snn_alloc(nnz, 4), snn_alloc(nnz, 4)};
    snn_axis axes[2];
    int made = make_axis(&axes[0], c->shape.kernel_h);
    made = make_axis(&axes[1], c->shape.kernel_w) && made && e.rows && e.columns && e.numbers;
    made = made && make_forward(c, indptr, indices, &e, axes) && make_backward(c, indptr, indices, &e, axes);
    free_axis(&axes[0]);
    free_axis(&axes[1]);
    snn_free(e.rows);
    snn_free(e.columns);
    snn_free(e.numbers);
    return made;
}

static int make_sparse_buffers(snn_conv *c)
{
    const int64_t samples = c->kernel->samples;
    int64_t columns = snn_field_columns(&c->forward);
    for (int i = 0; i < c->backward_count; i++)
        columns = columns > snn_field_columns(&c->backward[i]) ? columns : snn_field_columns(&c->backward[i]);
    const int64_t rows = c->rows > c->shape.channels ? c->rows : c->shape.channels;
    c->scratch_floats = (size_t)((columns + rows + 1) * samples);
    c->gradient_stride = (size_t)snn_column_stride(c->forward.packing->entries + c->isa->lanes);
    c->scratch = snn_alloc((size_t)c->threads * c->scratch_floats, sizeof *c->scratch);
    c->gradient = snn_alloc(SNN_CONV_PARTS * c->gradient_stride, sizeof *c->gradient);
    c->dbias = snn_alloc(SNN_CONV_PARTS * ((size_t)c->rows + 1), sizeof *c->dbias);
    return c->scratch && c->gradient && c->dbias;
}

static int make_buffers(snn_conv *c)
{
    c->bias = snn_alloc((size_t)c->rows + 1, sizeof *c->bias);
    c->zeros = snn_alloc((size_t)c->shape.channels + 1, sizeof *c->zeros);
    return c->bias && c->zeros && (c->dense ? snn_dense_prepare(c) : make_sparse_buffers(c));
}

static snn_status check(const snn_conv_shape *s, int64_t rows, const int64_t *indptr, const int32_t *indices,
                        int threads, int64_t *height, int64_t *width)
{
    snn_status status = snn_check_conv_shape(s, height, width);
    if (status)
        return status;
    if (threads < 0 || threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS, threads);
    const int64_t places = s->kernel_h * s->kernel_w;
    if (rows < 1 || rows > INT32_MAX || places > INT32_MAX / s->channels || places > INT32_MAX / rows)
        return snn_fail(SNN_ERROR_UNSUPPORTED,
                        "weights of a convolution must be below %d a row and a channel", INT32_MAX);
    status = snn_csr_check(rows, s->channels * places, indptr, indices);
    if (!status && indptr[rows] >= INT32_MAX)
        status = snn_fail(SNN_ERROR_UNSUPPORTED, "nnz must be below %d, got %lld", INT32_MAX,
                          (long long)indptr[rows]);
    return status;
}

snn_status snn_conv_create(const char *isa_name, const snn_conv_shape *shape, int64_t rows,
                           const int64_t *indptr, const int32_t *indices, int threads, snn_conv **out)
{
    if (!out)
        return snn_fail(SNN_ERROR_ARGUMENT, "conv must not be NULL");
    int64_t height = 0, width = 0;
    snn_status status = check(shape, rows, indptr, indices, threads, &height, &width);
    const snn_isa *isa = NULL;
    if (!status)
        status = snn_isa_find(isa_name, &isa);
    if (status)
        return status;
    snn_conv *c = snn_alloc(1, sizeof *c);
    int made = c != NULL;
    if (made) {
        c->isa = isa;
        c->kernel = snn_training_kernel(isa);
        c->threads = threads ? threads : snn_threads_default();
        c->shape = *shape;
        c->rows = rows;
        c->nnz = indptr[rows];
        c->dense = c->nnz == rows * shape->channels * shape->kernel_h * shape->kernel_w &&
                   snn_dense_suits(isa, shape);
        c->out_height = height;
        c->out_width = width;
        c->forward_position = snn_alloc((size_t)c->nnz, sizeof *c->forward_position);
        c->backward_position = snn_alloc((size_t)c->nnz, sizeof *c->backward_position);
        c->field_of = snn_alloc((size_t)c->nnz, sizeof *c->field_of);
        made = c->forward_position && c->backward_position && c->field_of;
        made = made && make_directions(c, indptr, indices) && make_buffers(c);
    }
    if (!made) {
        snn_conv_free(c);
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a convolution of %lld weights",
                        (long long)indptr[rows]);
    }
    *out = c;
    return SNN_OK;
}

void snn_conv_free(snn_conv *c)
{
    if (!c)
        return;
    snn_field_clear(&c->forward);
    for (int i = 0; i < c->backward_count; i++)
        snn_field_clear(&c->backward[i]);
    void *all[] = {c->forward_position, c->backward_position, c->field_of, c->backward, c->tables,
                   c->scratch,          c->gradient,          c->dbias,    c->bias,     c->zeros,
                   c->x_panels,         c->dy_panels};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_free(c);
}

int snn_conv_threads(const snn_conv *c) { return c ? c->threads : 0; }
int64_t snn_conv_out_height(const snn_conv *c) { return c ? c->out_height : 0; }
int64_t snn_conv_out_width(const snn_conv *c) { return c ? c->out_width : 0; }
