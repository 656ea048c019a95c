/* The inputs and outputs of a plan. */
#include "plan/lower.h"

#include "base/memory.h"
#include "base/status.h"

void snn_lower_input(snn_lowering *l, int64_t index)
{
    const int64_t id = l->model->input_values[index];
    const snn_value *value = &l->model->values[id];
    const int64_t features = snn_value_features(value);
    l->places[id] = (snn_place){.features = features, .row = l->slots++, .input = (int)index};
    l->plan->ports_in[index] = (snn_port){.place = l->places[id], .features = features};
    l->plan->inputs += features;
    if (features > l->plan->widest)
        l->plan->widest = features;
}

/* An output that is an input as it came is copied, so that every output has a step. */
static snn_status copy_input(snn_lowering *l, snn_place *place)
{
    snn_step *step = snn_lower_add_step(l, SNN_STEP_MOVE, -1, 1, place->features);
    if (step)
        step->moves = snn_alloc(1, sizeof *step->moves);
    if (!step || !step->moves)
        return snn_lower_out_of_memory(-1);
    step->inputs = place->features;
    step->operands[0] = *place;
    step->moves[step->run_count++] = (snn_move){.step = 1, .count = place->features, .apart = 1};
    *place = step->result;
    return SNN_OK;
}

snn_status snn_lower_output(snn_lowering *l, int64_t index)
{
    snn_place place = l->places[l->model->output_values[index].value];
    snn_status status = place.input >= 0 ? copy_input(l, &place) : SNN_OK;
    l->plan->ports_out[index] = (snn_port){.place = place, .features = place.features};
    l->plan->outputs += place.features;
    return status;
}

/* Which steps may write an output where the caller wants it: those whose slot is read by nothing else. uses
 * (slots): scratch of zeros. */
static void find_direct(const snn_plan *plan, int64_t *uses)
{
    for (int64_t i = 0; i < plan->out_count; i++)
        uses[plan->ports_out[i].place.row]++;
    for (int64_t i = 0; i < plan->step_count; i++)
        for (int64_t k = 0; k < plan->steps[i].operand_count; k++)
            if (!plan->steps[i].operands[k].constant)
                uses[plan->steps[i].operands[k].row]++;
    for (int64_t i = 0; i < plan->out_count; i++)
        for (int64_t s = 0; s < plan->step_count; s++)
            if (plan->steps[s].result.row == plan->ports_out[i].place.row &&
                uses[plan->steps[s].result.row] == 1) {
                plan->steps[s].output = (int)i;
                plan->ports_out[i].direct = 1;
                plan->ports_out[i].seen = plan->steps[s].type == SNN_STEP_LINEAR;
            }
}

snn_status snn_lower_direct(snn_lowering *l)
{
    int64_t *uses = snn_alloc((size_t)l->slots, sizeof *uses);
    if (uses)
        find_direct(l->plan, uses);
    snn_free(uses);
    return uses ? SNN_OK : snn_lower_out_of_memory(-1);
}
