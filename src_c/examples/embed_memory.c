/* A model inside the program itself, for targets without a file system: small_model.c and small_model.h were
 * written by
 *
 *     sparsenn export small_model.safetensors --c-array small_model
 *
 * Runs one sample, all ones, and prints its outputs. */
#include "small_model.h"

#include <sparsenn.h>

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    float *x = NULL, *y = NULL;
    const snn_plan_options options = {.tune = SNN_TUNE_OFF};
    int code = 1;
    if (snn_model_load_memory(small_model, small_model_size, &model) != SNN_OK ||
        snn_plan_create(model, &options, &plan) != SNN_OK) {
        fprintf(stderr, "embed_memory: %s\n", snn_last_error());
        goto end;
    }
    const int64_t inputs = snn_plan_inputs(plan), outputs = snn_plan_outputs(plan);
    x = malloc((size_t)inputs * sizeof *x);
    y = malloc((size_t)outputs * sizeof *y);
    if (x == NULL || y == NULL)
        goto end;
    for (int64_t i = 0; i < inputs; i++)
        x[i] = 1.0f;
    if (snn_plan_run(plan, x, 1, y) != SNN_OK) {
        fprintf(stderr, "embed_memory: %s\n", snn_last_error());
        goto end;
    }
    for (int64_t i = 0; i < outputs; i++)
        printf("%.9g%c", (double)y[i], i + 1 == outputs ? '\n' : ' ');
    code = 0;
end:
    free(x);
    free(y);
    snn_plan_free(plan);
    snn_model_free(model);
    return code;
}
