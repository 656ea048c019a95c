/* One plan run by many plain threads, from inside the caller's own parallel region, and in forked children:
 * each gets the bits of a plain call, and none waits for ever. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef _OPENMP
#define OMP(text) _Pragma(#text)
#else
#define OMP(text)
#endif

enum { WIDTH = 96, LARGEST = 130, CALLERS = 16, PATIENCE = 60 /* seconds */ };

static snn_plan *plan;
static snn_sparse *sparse;
static float input[LARGEST * WIDTH], wanted[LARGEST * WIDTH], product[WIDTH * LARGEST];
static int64_t starts[WIDTH + 1];
static int32_t columns[WIDTH * WIDTH];
static float weights[WIDTH * WIDTH];

/* Three layers of WIDTH, two of three weights zero; a plan and an operator for four threads. */
static void make_objects(void)
{
    int64_t nnz = 0;
    for (int row = 0; row < WIDTH; row++) {
        for (int column = row % 3; column < WIDTH; column += 3) {
            columns[nnz] = column;
            weights[nnz] = (float)((row * 7 + column * 5) % 31 - 15) / 64.0f;
            nnz++;
        }
        starts[row + 1] = nnz;
    }
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(WIDTH, &model));
    for (int layer = 0; layer < 3; layer++) {
        CHECK_OK(snn_model_add_csr(model, WIDTH, WIDTH, starts, columns, weights, NULL));
        CHECK_OK(snn_model_add_activation(model, SNN_NODE_TANH, 0, 0));
    }
    const snn_plan_options options = {.threads = 4, .tune = SNN_TUNE_OFF};
    CHECK_OK(snn_plan_create(model, &options, &plan));
    CHECK_OK(snn_sparse_create(WIDTH, WIDTH, starts, columns, 4, &sparse));
    snn_model_free(model);
    for (int i = 0; i < LARGEST * WIDTH; i++)
        input[i] = (float)(i * 37 % 64 - 32) / 16.0f;
}

static void free_objects(void)
{
    snn_plan_free(plan);
    snn_sparse_free(sparse);
}

/* 1 when a run of the whole input gives the wanted bits. */
static int runs_right(void)
{
    float *y = malloc(sizeof wanted);
    const int right =
        y != NULL && snn_plan_run(plan, input, LARGEST, y) == SNN_OK && memcmp(y, wanted, sizeof wanted) == 0;
    free(y);
    return right;
}

static int multiplies_right(void)
{
    float *y = malloc(sizeof product);
    const int right = y != NULL && snn_sparse_forward(sparse, weights, NULL, input, LARGEST, y) == SNN_OK &&
                      memcmp(y, product, sizeof product) == 0;
    free(y);
    return right;
}

static void *call_often(void *right)
{
    for (int i = 0; i < 20; i++)
        *(int *)right += runs_right();
    return NULL;
}

static void test_plain_threads(void)
{
    pthread_t threads[CALLERS];
    int right[CALLERS] = {0};
    for (int i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&threads[i], NULL, call_often, &right[i]) == 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(right[i] == 20);
    }
}

/* Runs the check in a child, which an alarm ends if it hangs; 1 when it exited with success. */
static int passes_in_child(int (*check)(void))
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        _exit(check() ? 0 : 1);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int everything_right(void) { return runs_right() && multiplies_right(); }

static int right_in_grandchild(void) { return everything_right() && passes_in_child(everything_right); }

/* Objects of the child's own, made and run there. */
static int starts_anew(void)
{
    make_objects();
    CHECK_OK(snn_plan_run(plan, input, LARGEST, wanted));
    const int right = runs_right();
    free_objects();
    return right && check_failures == 0;
}

/* Called by some of the threads of the caller's own region: a barrier of the library's that took in the
 * others would end that region early or never. */
static int right_in_callers_region(void)
{
    snn_sparse *serial = NULL;
    float y[WIDTH];
    int right = 0;
    make_objects();
    CHECK_OK(snn_sparse_create(WIDTH, WIDTH, starts, columns, 1, &serial));
    CHECK_OK(snn_plan_run(plan, input, LARGEST, wanted));
    OMP(omp parallel num_threads(3) reduction(+ : right))
    {
        OMP(omp for schedule(static, 1) nowait)
        for (int i = 0; i < 2; i++)
            right += runs_right();
        OMP(omp master)
        right += snn_sparse_forward(serial, weights, NULL, input, 1, y) == SNN_OK;
    }
    snn_sparse_free(serial);
    free_objects();
    return right == 3 && check_failures == 0;
}

/* A parent that ran nothing but a region of its own: the library has not seen OpenMP's threads start. */
static int child_of_callers_region(void)
{
    int sum = 0;
    OMP(omp parallel num_threads(4) reduction(+ : sum))
    sum += 1;
    return sum >= 1 && passes_in_child(starts_anew);
}

int main(void)
{
    /* First, while this process has one thread: the children may have several. */
    CHECK(passes_in_child(child_of_callers_region));
    CHECK(passes_in_child(right_in_callers_region));
    make_objects();
    CHECK_OK(snn_plan_run(plan, input, LARGEST, wanted));
    CHECK_OK(snn_sparse_forward(sparse, weights, NULL, input, LARGEST, product));
    CHECK(everything_right());
    test_plain_threads();
    CHECK(passes_in_child(right_in_grandchild));
    CHECK(everything_right());
    free_objects();
    return check_report("test_threads");
}
