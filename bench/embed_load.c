/* How long a C program takes from a model file to a plan, without tuning: 784-2048-2048-10, 5.8 million dense
 * weights, 95 % zeros at random places.
 *
 *     cc -O2 bench/embed_load.c $(python -m sparsenn.config --cflags --libs) -o embed_load && ./embed_load
 *
 * Prints medians and least times of several runs, in ms. The file is in the page cache, as after a first run.
 */
#define _POSIX_C_SOURCE 200809L
#include <sparsenn.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 21, LAYERS = 3 };
static const int64_t widths[LAYERS + 1] = {784, 2048, 2048, 10};

static double milliseconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_times(const char *what, double *times)
{
    qsort(times, RUNS, sizeof *times, compare);
    printf("%-24s median %7.2f ms, least %7.2f ms\n", what, times[RUNS / 2], times[0]);
}

/* Appends a layer with one weight in twenty, drawn by a linear congruential generator. */
static snn_status add_layer(snn_model *model, int64_t rows, int64_t cols)
{
    static uint64_t state = 1;
    int64_t *indptr = calloc((size_t)rows + 1, sizeof *indptr), nnz = 0;
    int32_t *indices = malloc((size_t)(rows * cols) * sizeof *indices);
    float *data = malloc((size_t)(rows * cols) * sizeof *data);
    snn_status status = SNN_ERROR_MEMORY;
    if (indptr != NULL && indices != NULL && data != NULL) {
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t column = 0; column < cols; column++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                if ((state >> 33) % 20 != 0)
                    continue;
                indices[nnz] = (int32_t)column;
                data[nnz++] = (float)(int32_t)(state >> 32) / 2147483648.0f;
            }
            indptr[row + 1] = nnz;
        }
        status = snn_model_add_csr(model, rows, cols, indptr, indices, data, NULL);
    }
    free(indptr);
    free(indices);
    free(data);
    return status;
}

static snn_status save_model(const char *path)
{
    snn_model *model = NULL;
    snn_status status = snn_model_create(widths[0], &model);
    for (int i = 0; i < LAYERS && status == SNN_OK; i++) {
        status = add_layer(model, widths[i + 1], widths[i]);
        if (status == SNN_OK && i + 1 < LAYERS)
            status = snn_model_add_activation(model, SNN_NODE_RELU, 0, 0);
    }
    if (status == SNN_OK)
        status = snn_model_save(model, path);
    snn_model_free(model);
    return status;
}

typedef snn_status load(const char *path, snn_model **model);

static snn_status measure(const char *name, load *read, const char *path)
{
    double reading[RUNS], compiling[RUNS], both[RUNS];
    const snn_plan_options options = {.tune = SNN_TUNE_OFF};
    for (int i = 0; i < RUNS; i++) {
        snn_model *model = NULL;
        snn_plan *plan = NULL;
        const double start = milliseconds_now();
        snn_status status = read(path, &model);
        const double loaded = milliseconds_now();
        if (status == SNN_OK)
            status = snn_plan_create(model, &options, &plan);
        const double compiled = milliseconds_now();
        snn_plan_free(plan);
        snn_model_free(model);
        if (status != SNN_OK)
            return status;
        reading[i] = loaded - start;
        compiling[i] = compiled - loaded;
        both[i] = compiled - start;
    }
    printf("%s\n", name);
    print_times("  load", reading);
    print_times("  compile, tuning off", compiling);
    print_times("  both", both);
    return SNN_OK;
}

int main(int count, char **arguments)
{
    const char *path = count > 1 ? arguments[1] : "embed_load.safetensors";
    snn_status status = save_model(path);
    if (status == SNN_OK)
        status = measure("snn_model_load", snn_model_load, path);
    if (status == SNN_OK)
        status = measure("snn_model_map", snn_model_map, path);
    remove(path);
    if (status != SNN_OK)
        fprintf(stderr, "embed_load: %s\n", snn_last_error());
    return status != SNN_OK;
}
