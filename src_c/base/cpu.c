/* Processor features, name and cgroup quota. */
#include "base/cpu.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* __builtin_cpu_supports asks the operating system too (XGETBV), not the processor alone. */
int snn_cpu_supports(const char *isa)
{
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(isa, "avx2"))
        return avx2;
    if (!strcmp(isa, "avx512"))
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return !strcmp(isa, "scalar");
}

static void read_model(char name[49])
{
    unsigned words[12] = {0};
    for (unsigned leaf = 0; leaf < 3; leaf++)
        if (!__get_cpuid(0x80000002u + leaf, &words[4 * leaf], &words[4 * leaf + 1], &words[4 * leaf + 2],
                         &words[4 * leaf + 3]))
            return;
    memcpy(name, words, sizeof words);
}
#else
int snn_cpu_supports(const char *isa)
{
#if defined(__aarch64__)
    if (!strcmp(isa, "neon"))
        return 1;
#endif
    return !strcmp(isa, "scalar");
}

/* "model name" of /proc/cpuinfo, where the kernel gives one. */
static void read_model(char name[49])
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %48[^\n]", name) == 1)
            break;
    fclose(file);
}
#endif

const char *snn_cpu_model(void)
{
    static _Thread_local char name[49];
    memset(name, 0, sizeof name);
    read_model(name);
    size_t end = strlen(name), begin = 0;
    while (end > 0 && name[end - 1] == ' ')
        name[--end] = '\0';
    while (name[begin] == ' ')
        begin++;
    return name + begin;
}

/* Whole processors of "quota period" (cgroup v2) or of two files (v1); INT_MAX without a limit. */
static int whole_processors(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    const long long whole = (quota + period - 1) / period;
    return whole < INT_MAX ? (int)whole : INT_MAX;
}

static int read_v2(const char *path)
{
    long long quota = 0, period = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return INT_MAX;
    const int fields = fscanf(file, "%lld %lld", &quota, &period); // "max 100000" gives 0 fields: no limit
    fclose(file);
    return fields == 2 ? whole_processors(quota, period) : INT_MAX;
}

static long long read_number(const char *path)
{
    long long value = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lld", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

static int smaller(int a, int b) { return a < b ? a : b; }

/* The process's own group and every group above it may have a limit: the smallest holds. */
int snn_cpu_quota(void)
{
    int limit = smaller(read_v2("/sys/fs/cgroup/cpu.max"),
                        whole_processors(read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                                         read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us")));
    char line[512], path[600];
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (!file)
        return limit;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::/", 4))
            continue;
        char *group = line + 3;
        group[strcspn(group, "\n")] = '\0';
        for (char *slash = strrchr(group, '/'); slash && group[1]; slash = strrchr(group, '/')) {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
            limit = smaller(limit, read_v2(path));
            *slash = '\0';
            if (slash == group)
                break;
        }
    }
    fclose(file);
    return limit;
}
