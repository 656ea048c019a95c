/* The caches of this machine, in a file of its own so that a test may have others. */
#include "base/cpu.h"

#include <stdio.h>

/* What Linux says of a cache of the first processor, the level's own index; sysconf counts that of other
 * processors too. 0 where it is not known. */
static int64_t kernel_says(int level)
{
    char path[64];
    long long kilobytes = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lldK", &kilobytes) != 1 || kilobytes < 0)
        kilobytes = 0;
    fclose(file);
    return (int64_t)kilobytes << 10;
}

int64_t snn_cpu_cache_bytes(int level)
{
    const int64_t bytes = kernel_says(level);
    return bytes > 0 ? bytes : (int64_t)(level == 2 ? 512 : 16384) << 10;
}
