/* Eight threads share one plan: it is immutable, and each call takes a workspace of its own.
 *
 *     threads MODEL
 *
 * Every thread runs its own samples many times over, in batches of changing size. The outputs must be those
 * of the main thread alone, to the bit. */
#include <sparsenn.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 50, LARGEST = 70 };

typedef struct job {
    const snn_plan *plan;
    const float *x;      /* (LARGEST, inputs) */
    const float *wanted; /* (LARGEST, LARGEST, outputs): one run for each batch size from 1 */
    int number;
    int differences; /* runs that failed or gave other bits */
} job;

static size_t sample_bytes(const snn_plan *plan) { return (size_t)snn_plan_outputs(plan) * sizeof(float); }

static void *work(void *argument)
{
    job *mine = argument;
    const int64_t outputs = snn_plan_outputs(mine->plan);
    float *y = malloc(LARGEST * sample_bytes(mine->plan));
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t batch = 1 + (mine->number * 13 + round * 7) % LARGEST;
        const float *wanted = mine->wanted + (batch - 1) * LARGEST * outputs;
        if (y == NULL || snn_plan_run(mine->plan, mine->x, batch, y) != SNN_OK ||
            memcmp(y, wanted, (size_t)batch * sample_bytes(mine->plan)) != 0)
            mine->differences++;
    }
    free(y);
    return NULL;
}

/* Runs every batch size once in this thread. */
static int run_alone(const snn_plan *plan, float *x, float *wanted)
{
    for (int64_t i = 0; i < LARGEST * snn_plan_inputs(plan); i++)
        x[i] = (float)(i * 37 % 64 - 32) / 16.0f;
    for (int64_t batch = 1; batch <= LARGEST; batch++)
        if (snn_plan_run(plan, x, batch, wanted + (batch - 1) * LARGEST * snn_plan_outputs(plan)) != SNN_OK)
            return 0;
    return 1;
}

static int run_together(const snn_plan *plan, const float *x, const float *wanted)
{
    pthread_t threads[THREADS];
    job jobs[THREADS];
    int started = 0, differences = 0;
    for (; started < THREADS; started++) {
        jobs[started] = (job){plan, x, wanted, started, 0};
        if (pthread_create(&threads[started], NULL, work, &jobs[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        differences += jobs[i].differences;
    }
    printf("%d threads, %d runs each, %d differences\n", started, ROUNDS, differences);
    return started == THREADS && differences == 0;
}

int main(int count, char **arguments)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    const snn_plan_options options = {.tune = SNN_TUNE_OFF};
    if (count != 2 || snn_model_load(arguments[1], &model) != SNN_OK ||
        snn_plan_create(model, &options, &plan) != SNN_OK) {
        fprintf(stderr, "threads: %s\n", count == 2 ? snn_last_error() : "usage: threads MODEL");
        snn_model_free(model);
        return 1;
    }
    float *x = malloc((size_t)(LARGEST * snn_plan_inputs(plan)) * sizeof *x);
    float *wanted = malloc((size_t)LARGEST * LARGEST * sample_bytes(plan));
    const int good =
        x != NULL && wanted != NULL && run_alone(plan, x, wanted) && run_together(plan, x, wanted);
    free(x);
    free(wanted);
    snn_plan_free(plan);
    snn_model_free(model);
    return good ? 0 : 1;
}
