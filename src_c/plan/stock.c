#include "plan/stock.h"

static int reads(const snn_plan *plan, const snn_step *step, const snn_packing *packing)
{
    int found = 0;
    for (int b = 0; b < plan->bucket_count; b++)
        found |= step->chosen[b].packing == packing;
    return found;
}

void snn_stock_take(const snn_plan *plan, snn_step *step)
{
    while (step->packings) {
        snn_packing *packing = step->packings;
        step->packings = packing->next;
        packing->next = step->stock->packings;
        step->stock->packings = packing;
    }
    for (snn_packing *p = step->stock->packings; p; p = p->next)
        p->users += reads(plan, step, p);
    step->counted = 1;
}

void snn_stock_leave(const snn_plan *plan, snn_step *step)
{
    for (snn_packing **at = &step->stock->packings; *at && step->counted;) {
        snn_packing *packing = *at;
        packing->users -= reads(plan, step, packing);
        if (packing->users) {
            at = &packing->next;
            continue;
        }
        *at = packing->next;
        snn_packing_free(packing);
    }
    step->counted = 0;
}
