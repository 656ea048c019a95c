/* Random models of odd sizes, and plans of them whose kernels are chosen at random, not by the tuner. */
#ifndef SNN_TEST_PERTURBED_MODEL_H
#define SNN_TEST_PERTURBED_MODEL_H

#include "check.h"
#include "perturbed_csr.h"
#include "plan/problem.h"

#include <string.h>

enum { MOST_STEPS = 5, MOST_NODES = 12 };

typedef struct random_model {
    snn_model *model;
    int64_t inputs, outputs;
    int nodes;
    snn_csr csr[MOST_NODES]; /* of the linear nodes; owned arrays */
} random_model;

static void add_linear(random_model *m, int64_t rows)
{
    static float bias[WIDEST];
    const int sparse = chance(3);
    float *dense = snn_alloc((size_t)(rows * m->outputs), sizeof *dense);
    const snn_csr csr = random_csr(rows, m->outputs, sparse ? 2 + chance(50) : 95, dense);
    for (int64_t r = 0; r < rows; r++)
        bias[r] = chance_value();
    if (sparse)
        CHECK_OK(snn_model_add_csr(m->model, rows, m->outputs, csr.indptr, csr.indices, csr.data, bias));
    else
        CHECK_OK(snn_model_add_dense(m->model, rows, m->outputs, dense, bias));
    snn_free(dense);
    m->csr[m->nodes++] = csr;
    m->outputs = rows;
}

static void add_activation(random_model *m)
{
    static const snn_node_type types[] = {SNN_NODE_RELU,    SNN_NODE_TANH, SNN_NODE_GELU,
                                          SNN_NODE_SIGMOID, SNN_NODE_CLIP, SNN_NODE_SOFTMAX};
    const snn_node_type type = types[chance(6)];
    const float limit = type == SNN_NODE_CLIP ? 0.75f : 0.0f;
    CHECK_OK(snn_model_add_activation(m->model, type, -limit, limit));
    m->nodes++;
}

static inline void make_random_model(random_model *m)
{
    memset(m, 0, sizeof *m);
    m->inputs = m->outputs = odd_size();
    CHECK_OK(snn_model_create(m->inputs, &m->model));
    const int steps = chance(2) ? 1 : 1 + chance(MOST_STEPS);
    for (int i = 0; i < steps; i++) {
        const int linear = chance(4);
        if (linear)
            add_linear(m, odd_size());
        if (!linear || chance(2))
            add_activation(m);
    }
}

static void free_random_model(random_model *m)
{
    for (int i = 0; i < m->nodes; i++)
        free_csr(&m->csr[i]);
    snn_model_free(m->model);
}

/* Idle workspaces were made for the kernels chosen before. */
static void refit_workspaces(snn_plan *plan)
{
    snn_plan_set_scratch(plan);
    for (int i = 0; i < SNN_POOL; i++)
        snn_workspace_free(atomic_exchange(&plan->pool[i], NULL));
}

/* In place of what was chosen for each step with weights and each bucket, any of its candidates. */
static void force_candidates(snn_plan *plan, const random_model *m)
{
    int64_t bounds[MOST_THREADS + 1];
    for (int64_t i = 0; i < plan->step_count; i++) {
        snn_step *step = &plan->steps[i];
        if (!snn_has_weights(step))
            continue;
        const snn_csr *csr = &m->csr[step->node];
        step->shared = (unsigned)chance(4);
        snn_split_rows(csr, plan->threads, bounds);
        for (int b = 0; b < plan->bucket_count; b++) {
            const snn_tuned *tuned = &step->problem->buckets[b];
            snn_choice choice = tuned->candidates[chance(tuned->count)];
            snn_packing *packing = snn_recurrent_pack(plan, step, csr, &choice, bounds);
            if (!CHECK(packing))
                return;
            packing->next = step->packings;
            step->packings = packing;
            choice.packing = packing;
            step->chosen[b] = choice;
        }
    }
    refit_workspaces(plan);
}

static snn_plan *make_random_plan(const random_model *m, int threads, const char *isa)
{
    const snn_plan_options options = {.threads = threads, .tune = SNN_TUNE_OFF, .isa = isa};
    snn_plan *plan = NULL;
    if (CHECK_OK(snn_plan_create(m->model, &options, &plan)))
        force_candidates(plan, m);
    return plan;
}

#endif
