/* What this machine offers. */
#ifndef SNN_CPU_H
#define SNN_CPU_H

/* 1 when the processor and the operating system can run the kernel set of that name. */
int snn_cpu_supports(const char *isa);
/* The processor's own name, "" where it is not known. Lives as long as the library. */
const char *snn_cpu_model(void);
/* Whole processors that a cgroup quota leaves to this process; INT_MAX without a quota. */
int snn_cpu_quota(void);

#endif
