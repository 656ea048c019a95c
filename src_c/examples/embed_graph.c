/* Runs a model with several inputs and outputs, whatever their names and dims: all of it is asked of the
 * plan.
 *
 *     embed_graph MODEL [BATCH FILE...]
 *
 * Each FILE holds BATCH samples of one input in the model's order, float32 sample by sample, as numpy's
 * tofile writes them; without any one sample of zeros is run. Prints a line an output: its name, then its
 * values with nine digits a number, sample by sample. */
#include <sparsenn.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what)
{
    fprintf(stderr, "embed_graph: %s\n", what);
    return 1;
}

/* Features of a sample of a value; a plan's have no dynamic dims behind the batch. */
static int64_t features_of(const snn_value_info *value)
{
    int64_t features = 1;
    for (size_t i = 1; i < value->rank; i++)
        features *= value->dims[i];
    return features;
}

/* count floats, zeros or those of a file; NULL where it does not hold as many. */
static float *read_floats(const char *path, size_t count)
{
    float *values = calloc(count ? count : 1, sizeof *values);
    FILE *file = path && values ? fopen(path, "rb") : NULL;
    const int right = file && fread(values, sizeof *values, count, file) == count && fgetc(file) == EOF;
    if (file)
        fclose(file);
    if (path && !right) {
        free(values);
        return NULL;
    }
    return values;
}

/* Fills x (inputs) and y (outputs) with arrays. */
static int make_arrays(const snn_plan *plan, int64_t batch, char **files, float **x, float **y)
{
    snn_value_info value;
    for (int64_t i = 0; i < snn_plan_input_count(plan); i++) {
        if (snn_plan_input(plan, i, &value) != SNN_OK)
            return fail(snn_last_error());
        x[i] = read_floats(files ? files[i] : NULL, (size_t)(batch * features_of(&value)));
        if (!x[i])
            return fail("each FILE must hold BATCH samples of its input");
    }
    for (int64_t i = 0; i < snn_plan_output_count(plan); i++) {
        if (snn_plan_output(plan, i, &value) != SNN_OK)
            return fail(snn_last_error());
        y[i] = read_floats(NULL, (size_t)(batch * features_of(&value)));
        if (!y[i])
            return fail("out of memory");
    }
    return 0;
}

static int run(const snn_plan *plan, int64_t batch, char **files, float **x, float **y)
{
    snn_value_info value;
    if (make_arrays(plan, batch, files, x, y))
        return 1;
    if (snn_plan_run_many(plan, (const float *const *)x, batch, y) != SNN_OK)
        return fail(snn_last_error());
    for (int64_t i = 0; i < snn_plan_output_count(plan); i++) {
        snn_plan_output(plan, i, &value);
        printf("%s", value.name ? value.name : "y");
        for (int64_t k = 0; k < batch * features_of(&value); k++)
            printf(" %.9g", (double)y[i][k]);
        printf("\n");
    }
    return 0;
}

int main(int count, char **arguments)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    const int64_t batch = count > 2 ? strtoll(arguments[2], NULL, 10) : 1;
    if (count < 2 || batch < 1)
        return fail("usage: embed_graph MODEL [BATCH FILE...]");
    if (snn_model_load(arguments[1], &model) != SNN_OK || snn_plan_create(model, NULL, &plan) != SNN_OK) {
        snn_model_free(model);
        return fail(snn_last_error());
    }
    snn_model_free(model); // the plan has all that it needs
    const int64_t inputs = snn_plan_input_count(plan), outputs = snn_plan_output_count(plan);
    float **x = calloc((size_t)inputs, sizeof *x), **y = calloc((size_t)outputs, sizeof *y);
    int code = 1;
    if (count > 2 && count != 3 + inputs)
        fail("there must be a FILE for each input");
    else if (x && y)
        code = run(plan, batch, count > 2 ? arguments + 3 : NULL, x, y);
    for (int64_t i = 0; x && i < inputs; i++)
        free(x[i]);
    for (int64_t i = 0; y && i < outputs; i++)
        free(y[i]);
    free(x);
    free(y);
    snn_plan_free(plan);
    return code;
}
