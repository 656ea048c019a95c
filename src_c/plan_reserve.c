/* Workspaces made ahead, so that calls from several threads at once allocate nothing. */
#include "plan.h"
#include "status.h"

/* Idle workspaces, and the first place without one (SNN_POOL when all are taken). */
static int count_idle(const snn_plan *plan, int *empty)
{
    int idle = 0;
    *empty = SNN_POOL;
    for (int i = SNN_POOL - 1; i >= 0; i--) {
        if (atomic_load(&plan->pool[i]) != NULL)
            idle++;
        else
            *empty = i;
    }
    return idle;
}

snn_status snn_plan_reserve(const snn_plan *plan, int callers)
{
    if (plan == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
    if (callers < 1 || callers > SNN_POOL)
        return snn_fail(SNN_ERROR_ARGUMENT, "callers must be in [1, %d], got %d", SNN_POOL, callers);
    int place;
    while (count_idle(plan, &place) < callers && place < SNN_POOL) {
        snn_workspace *made = snn_workspace_create(plan);
        if (made == NULL)
            return snn_fail(SNN_ERROR_MEMORY, "out of memory for the workspaces of %d callers", callers);
        /* Another thread may have returned its own to that place meanwhile. */
        snn_workspace *empty = NULL;
        if (!atomic_compare_exchange_strong(&plan->pool[place], &empty, made))
            snn_workspace_free(made);
    }
    return SNN_OK;
}
