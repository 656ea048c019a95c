/* What this machine offers. */
#ifndef SNN_CPU_H
#define SNN_CPU_H

#include <stdint.h>

/* 1 when the processor and the operating system can run the kernel set of that name. */
int snn_cpu_supports(const char *isa);
/* The processor's own name, "" where it is not known. Lives as long as the library. */
const char *snn_cpu_model(void);
/* Whole processors that a cgroup quota leaves to this process; INT_MAX without a quota. */
int snn_cpu_quota(void);
/* Of the cache of level 2, a core's own, or 3, that of several; 512 KiB and 16 MiB where it is not known. */
int64_t snn_cpu_cache_bytes(int level);

#endif
