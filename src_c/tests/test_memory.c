/* A caller's allocator gets every request of the library, aligned as it asks; workspaces made ahead; a model
 * whose arrays lie in a mapped file. */
#define _XOPEN_SOURCE 700
#include "sample_model.h"
#include "scratch.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>

enum { INPUTS = 2, BATCH = 5 };

typedef struct counter {
    atomic_long taken, released;
    atomic_int misaligned;
} counter;

static void *count_allocate(void *context, size_t bytes, size_t alignment)
{
    counter *c = context;
    void *pointer = NULL;
    if (bytes == 0 || bytes % alignment != 0 || posix_memalign(&pointer, alignment, bytes) != 0)
        return NULL;
    c->taken++;
    c->misaligned += (uintptr_t)pointer % alignment != 0;
    memset(pointer, 0xA5, bytes); /* nothing may rely on zeros */
    return pointer;
}

static void count_release(void *context, void *pointer)
{
    ((counter *)context)->released++;
    free(pointer);
}

static snn_plan *make_plan(const snn_model *model)
{
    const snn_plan_options options = {.tune = SNN_TUNE_OFF};
    snn_plan *plan = NULL;
    CHECK_OK(snn_plan_create(model, &options, &plan));
    return plan;
}

/* Runs a plan of model; y (BATCH). The sample model has one output. */
static void run_model(const snn_model *model, float *y)
{
    static const float x[BATCH * INPUTS] = {1, 2, 3, -4, 0.5f, 0, -1, -1, 7, 8};
    snn_plan *plan = make_plan(model);
    CHECK_OK(snn_plan_run(plan, x, BATCH, y));
    snn_plan_free(plan);
}

static void test_allocator(void)
{
    counter c = {0};
    const snn_allocator counting = {count_allocate, count_release, &c};
    const snn_allocator half = {count_allocate, NULL, &c};
    float plain[BATCH], counted[BATCH];
    snn_model *model = sample_model();
    CHECK_STATUS(snn_set_allocator(&counting), SNN_ERROR_ARGUMENT); /* the model is there */
    run_model(model, plain);
    snn_model_free(model);
    CHECK_STATUS(snn_set_allocator(&half), SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_set_allocator(&counting));
    model = sample_model();
    run_model(model, counted);
    CHECK_STATUS(snn_set_allocator(NULL), SNN_ERROR_ARGUMENT);
    CHECK(c.taken > c.released);
    snn_model_free(model);
    CHECK(c.taken > 10 && c.taken == c.released && c.misaligned == 0);
    CHECK(memcmp(plain, counted, sizeof plain) == 0);
    CHECK_OK(snn_set_allocator(NULL));
    const long taken = c.taken;
    snn_model_free(sample_model());
    CHECK(c.taken == taken);
}

static void test_reserve(void)
{
    counter c = {0};
    const snn_allocator counting = {count_allocate, count_release, &c};
    CHECK_OK(snn_set_allocator(&counting));
    snn_model *model = sample_model();
    snn_plan *plan = make_plan(model);
    CHECK_OK(snn_plan_reserve(plan, 1));
    const long before = c.taken - c.released;
    CHECK_OK(snn_plan_reserve(plan, 1));
    CHECK(c.taken - c.released == before);
    CHECK_OK(snn_plan_reserve(plan, 2));
    const long one = c.taken - c.released - before;
    CHECK(one > 0);
    CHECK_OK(snn_plan_reserve(plan, 64));
    CHECK(c.taken - c.released == before + 63 * one);
    const float x[INPUTS] = {1, 2};
    float y[1];
    const long taken = c.taken;
    CHECK_OK(snn_plan_run(plan, x, 1, y));
    CHECK(c.taken == taken);
    const float nan[INPUTS] = {NAN, 2};
    CHECK_OK(snn_plan_run(plan, nan, 1, y)); // runs the sample once more
    CHECK(c.taken == taken);
    CHECK_STATUS(snn_plan_reserve(plan, 65), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_reserve(plan, 0), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_reserve(NULL, 1), SNN_ERROR_ARGUMENT);
    snn_plan_free(plan);
    snn_model_free(model);
    CHECK(c.taken == c.released);
    CHECK_OK(snn_set_allocator(NULL));
}

static void test_map(const scratch *place)
{
    snn_model *model = sample_model(), *mapped = NULL;
    snn_node_info node;
    float plain[BATCH], from_map[BATCH];
    CHECK_OK(snn_model_save(model, place->path));
    CHECK_OK(snn_model_map(place->path, &mapped));
    CHECK(same_model(model, mapped));
    /* A new file takes the name of the mapped one; its bytes stay. */
    CHECK_OK(snn_model_save(mapped, place->path));
    CHECK(same_model(model, mapped));
    run_model(model, plain);
    run_model(mapped, from_map);
    CHECK(memcmp(plain, from_map, sizeof plain) == 0);
    /* It may grow, by nodes that own their arrays. */
    CHECK_OK(snn_model_add_dense(mapped, 1, 1, plain, plain));
    CHECK_OK(snn_model_node(mapped, snn_model_node_count(mapped) - 1, &node));
    CHECK(node.weight[0] == plain[0] || plain[0] != plain[0]);
    snn_model_free(mapped);
    snn_model_free(model);
}

/* What reading refuses, mapping refuses in the same words. */
static void test_map_refuses(const scratch *place)
{
    static char mark;
    snn_model *const untouched = (snn_model *)(void *)&mark;
    snn_model *model = sample_model(), *loaded = untouched;
    struct stat about;
    CHECK_OK(snn_model_save(model, place->path));
    snn_model_free(model);
    CHECK(stat(place->path, &about) == 0);
    for (off_t length = about.st_size - 1; length >= 0; length--) {
        char message[512];
        CHECK(truncate(place->path, length) == 0);
        const snn_status status = snn_model_load(place->path, &loaded);
        strcpy(message, snn_last_error());
        CHECK(status != SNN_OK);
        CHECK_STATUS(snn_model_map(place->path, &loaded), status);
        CHECK(strcmp(message, snn_last_error()) == 0);
        CHECK(loaded == untouched);
    }
    CHECK_STATUS(snn_model_map(place->folder, &loaded), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_map("/nowhere", &loaded), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_map(NULL, &loaded), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_map(place->path, NULL), SNN_ERROR_ARGUMENT);
}

int main(void)
{
    const scratch place = scratch_create();
    test_allocator();
    test_reserve();
    test_map(&place);
    test_map_refuses(&place);
    scratch_remove(&place);
    return check_report("test_memory");
}
