/* Times of a plan's steps: each has one, of chains, graphs and convolutions; and what is refused. */
#include "sample_model.h"

#include "plan/plan.h"

enum { MOST_STEPS = 64 };

/* Every time is filled in, and a run beside it is not disturbed. */
static void check_profile(const snn_model *model, const snn_plan_options *options)
{
    double us[MOST_STEPS + 1];
    snn_plan *plan = NULL;
    CHECK_OK(snn_plan_create(model, options, &plan));
    const int64_t steps = plan->step_count;
    CHECK(steps <= MOST_STEPS);
    for (int i = 0; i <= steps; i++)
        us[i] = -1.0;
    CHECK_OK(snn_plan_profile(plan, us, steps));
    for (int i = 0; i < steps; i++)
        CHECK(us[i] >= 0.0 && us[i] < 1e7);
    CHECK(us[steps] == -1.0);
    CHECK(snn_plan_profile(plan, us, steps + 1) == SNN_ERROR_ARGUMENT);
    CHECK(snn_plan_profile(plan, NULL, steps) == SNN_ERROR_ARGUMENT);
    CHECK(snn_plan_profile(NULL, us, steps) == SNN_ERROR_ARGUMENT);
    snn_plan_free(plan);
}

/* A convolution of 3 x 3 on (2, 9, 7), and an activation that is fused. */
static snn_model *convolution(void)
{
    static float weight[5 * 18];
    static const int64_t window[10] = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    snn_model *model = NULL;
    int64_t x, h, y;
    for (int i = 0; i < 5 * 18; i++)
        weight[i] = (float)(i % 7) - 3.0f;
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x", (int64_t[]){2, 9, 7}, 3, &x));
    CHECK_OK(snn_model_add_node(model,
                                &(snn_node_spec){.op = "conv2d",
                                                 .operands = &x,
                                                 .operand_count = 1,
                                                 .integers = window,
                                                 .integer_count = 10,
                                                 .rows = 5,
                                                 .cols = 18,
                                                 .weight = weight},
                                &h));
    CHECK_OK(
        snn_model_add_node(model, &(snn_node_spec){.op = "relu", .operands = &h, .operand_count = 1}, &y));
    CHECK_OK(snn_model_add_output(model, "y", y));
    return model;
}

int main(void)
{
    snn_model *models[] = {sample_model(), sample_graph_of(4), convolution()};
    for (int i = 0; i < 3; i++) {
        for (int threads = 1; threads <= 3; threads += 2)
            check_profile(models[i], &(snn_plan_options){.tune = SNN_TUNE_OFF, .threads = threads});
        snn_model_free(models[i]);
    }
    return check_report("test_profile");
}
