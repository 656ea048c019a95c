/* Loads a model file and runs it: all that a program needs to embed a network.
 *
 *     embed MODEL [INPUT]
 *
 * INPUT holds samples of float32, one after another, as numpy's tofile writes them; without it one sample of
 * zeros is run. Prints a line a sample, with nine digits a number: enough to get every float32 back exactly.
 */
#include <sparsenn.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what)
{
    fprintf(stderr, "embed: %s\n", what);
    return 1;
}

/* The samples of a file, (*batch, inputs); NULL where they cannot be read or are not whole. */
static float *read_samples(const char *path, int64_t inputs, int64_t *batch)
{
    const size_t sample_bytes = (size_t)inputs * sizeof(float);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    long bytes = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    float *samples = NULL;
    if (bytes > 0 && (size_t)bytes % sample_bytes == 0 && fseek(file, 0, SEEK_SET) == 0)
        samples = malloc((size_t)bytes);
    if (samples != NULL && fread(samples, 1, (size_t)bytes, file) != (size_t)bytes) {
        free(samples);
        samples = NULL;
    }
    fclose(file);
    *batch = bytes / (long)sample_bytes;
    return samples;
}

static void print_samples(const float *y, int64_t batch, int64_t outputs)
{
    for (int64_t i = 0; i < batch * outputs; i++)
        printf("%.9g%c", (double)y[i], (i + 1) % outputs == 0 ? '\n' : ' ');
}

static int run(const snn_plan *plan, const char *input)
{
    const int64_t inputs = snn_plan_inputs(plan), outputs = snn_plan_outputs(plan);
    int64_t batch = 1;
    float *x = input != NULL ? read_samples(input, inputs, &batch) : calloc((size_t)inputs, sizeof *x);
    if (x == NULL)
        return fail("the input must hold whole samples of float32");
    float *y = malloc((size_t)(batch * outputs) * sizeof *y);
    const int failed = y == NULL || snn_plan_run(plan, x, batch, y) != SNN_OK;
    if (!failed)
        print_samples(y, batch, outputs);
    free(x);
    free(y);
    return failed ? fail(y == NULL ? "no memory" : snn_last_error()) : 0;
}

int main(int count, char **arguments)
{
    if (count != 2 && count != 3)
        return fail("usage: embed MODEL [INPUT]");
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    if (snn_model_load(arguments[1], &model) != SNN_OK)
        return fail(snn_last_error());
    /* Without tuning the choices, and so every bit, are the same in each run on the same kind of processor.
     */
    const snn_plan_options options = {.tune = SNN_TUNE_OFF};
    const snn_status status = snn_plan_create(model, &options, &plan);
    snn_model_free(model); /* the plan holds all that it needs */
    if (status != SNN_OK)
        return fail(snn_last_error());
    const int code = run(plan, count == 3 ? arguments[2] : NULL);
    snn_plan_free(plan);
    return code;
}
