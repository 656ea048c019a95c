/* Which kernel set runs: an ordered table, and a loud override by SPARSENN_ISA. */
#include "base/cpu.h"
#include "kernels/kernel.h"
#include "base/status.h"
#include "base/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const snn_isa snn_isa_scalar;
#ifdef SNN_HAVE_AVX2
extern const snn_isa snn_isa_avx2;
#endif
#ifdef SNN_HAVE_AVX512
extern const snn_isa snn_isa_avx512;
#endif
#ifdef SNN_HAVE_NEON
extern const snn_isa snn_isa_neon;
#endif

static const snn_isa *const isas[] = {
#ifdef SNN_HAVE_AVX512
    &snn_isa_avx512,
#endif
#ifdef SNN_HAVE_AVX2
    &snn_isa_avx2,
#endif
#ifdef SNN_HAVE_NEON
    &snn_isa_neon,
#endif
    &snn_isa_scalar, NULL,
};

const snn_isa *const *snn_isa_table(void) { return isas; }

/* Writes the names of the ISAs of this build, or of those usable here, into text. */
static const char *list_isas(char *text, size_t size, int usable_only)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; isas[i]; i++)
        if (!usable_only || snn_cpu_supports(isas[i]->name))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "", isas[i]->name);
    return text;
}

snn_status snn_isa_find(const char *name, const snn_isa **isa)
{
    char list[64];
    const char *argument = "isa";
    if (!name) {
        name = getenv("SPARSENN_ISA");
        argument = "SPARSENN_ISA";
    }
    for (int i = 0; isas[i]; i++) {
        const int supported = snn_cpu_supports(isas[i]->name);
        if (name && *name) {
            if (strcmp(name, isas[i]->name))
                continue;
            if (!supported)
                return snn_fail(SNN_ERROR_ISA, "%s is %s, which this processor does not support; usable: %s",
                                argument, name, list_isas(list, sizeof list, 1));
        } else if (!supported) {
            continue;
        }
        *isa = isas[i];
        return SNN_OK;
    }
    return snn_fail(SNN_ERROR_ISA, "%s must be one of %s, got \"%s\"", argument,
                    list_isas(list, sizeof list, 0), name);
}

snn_status snn_cpu_query(snn_cpu_info *info)
{
    static _Thread_local char built[64], usable[64];
    const snn_isa *isa = NULL;
    if (!info)
        return snn_fail(SNN_ERROR_ARGUMENT, "info must not be NULL");
    const snn_status status = snn_isa_find(NULL, &isa);
    if (status)
        return status;
    info->isa = isa->name;
    info->isas_built = list_isas(built, sizeof built, 0);
    info->isas_usable = list_isas(usable, sizeof usable, 1);
    info->model = snn_cpu_model();
    info->threads = snn_threads_default();
    info->openmp = snn_threads_openmp();
    return SNN_OK;
}
