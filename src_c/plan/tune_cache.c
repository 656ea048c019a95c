/* Tuning results on disk: one small text file for each kind of plan.
 *
 * The first line is the key in words, so that two plans whose hashes collide do not share a file. A file is
 * written beside its final name and renamed, so a reader sees a whole file or none. */
#include "plan/plan.h"

#include "base/cpu.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_BYTES 4096
#define PATH_BYTES 4096

/* Everything that the choices depend on; layers of nearly the same density count as the same.
 * Returns 0 when it does not fit. */
static int write_key(const snn_plan *plan, char *key)
{
    int used =
        snprintf(key, KEY_BYTES, "sparsenn %s 3 | %s | %s | threads %d | buckets %d |", SNN_VERSION_STRING,
                 plan->isa->name, snn_cpu_model(), plan->threads, plan->bucket_count);
    for (int64_t i = 0; i < plan->step_count && used < KEY_BYTES; i++) {
        const snn_step *step = &plan->steps[i];
        const double density = (double)step->nnz / ((double)step->inputs * (double)step->outputs);
        used += snprintf(key + used, (size_t)(KEY_BYTES - used), " %d:%" PRId64 "x%" PRId64 ":%d:%d",
                         (int)step->type, step->outputs, step->inputs,
                         step->nnz ? (int)floor(16.0 * log2(density)) : -999, (int)step->epilogue.activation);
    }
    return used < KEY_BYTES - 1;
}

static int write_path(const char *folder, const char *key, const char *suffix, char *path)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *c = key; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    const int used = snprintf(path, PATH_BYTES, "%s/tune-%016" PRIx64 "%s", folder, hash, suffix);
    return used > 0 && used < PATH_BYTES;
}

/* One line "step bucket kernel k_block us": sets chosen if it names a candidate. */
static int read_choice(snn_plan *plan, FILE *file)
{
    int64_t index, k_block;
    int bucket;
    char name[40];
    double us;
    if (fscanf(file, "%" SCNd64 " %d %39s %" SCNd64 " %lf", &index, &bucket, name, &k_block, &us) != 5)
        return 0;
    if (index < 0 || index >= plan->step_count || bucket < 0 || bucket >= plan->bucket_count || !(us >= 0.0))
        return 0;
    snn_step *step = &plan->steps[index];
    for (int c = 0; c < step->candidate_count[bucket]; c++) {
        snn_choice *candidate = &step->candidates[bucket][c];
        if (strcmp(candidate->kernel->name, name) || candidate->k_block != k_block)
            continue;
        step->chosen[bucket] = *candidate;
        step->chosen[bucket].measured_us = us;
        return 1;
    }
    return 0;
}

int snn_cache_read(snn_plan *plan, const char *folder)
{
    char key[KEY_BYTES], path[PATH_BYTES], first[KEY_BYTES];
    if (!write_key(plan, key) || !write_path(folder, key, "", path))
        return 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int good = fgets(first, sizeof first, file) != NULL;
    if (good)
        first[strcspn(first, "\n")] = '\0';
    good = good && !strcmp(first, key);
    for (int64_t i = 0; good && i < plan->step_count; i++)
        for (int b = 0; good && plan->steps[i].type == SNN_STEP_LINEAR && b < plan->bucket_count; b++)
            good = read_choice(plan, file);
    for (int b = 0; good && b < plan->bucket_count; b++) {
        snn_bucket *bucket = &plan->buckets[b];
        good = fscanf(file, "%lf %lf", &bucket->tile_us, &bucket->split_us) == 2 && bucket->tile_us > 0.0 &&
               bucket->split_us > 0.0;
    }
    for (int64_t i = 0; good && i < plan->step_count; i++) // every choice was there, none twice
        for (int b = 0; plan->steps[i].type == SNN_STEP_LINEAR && b < plan->bucket_count; b++)
            good = good && plan->steps[i].chosen[b].kernel;
    fclose(file);
    return good;
}

void snn_cache_write(const snn_plan *plan, const char *folder)
{
    char key[KEY_BYTES], path[PATH_BYTES], temporary[PATH_BYTES];
    if (!write_key(plan, key) || !write_path(folder, key, "", path))
        return;
    if (!write_path(folder, key, ".XXXXXX", temporary))
        return;
    const int descriptor = mkstemp(temporary);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file) {
        if (descriptor >= 0)
            close(descriptor);
        return;
    }
    fprintf(file, "%s\n", key);
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        for (int b = 0; step->type == SNN_STEP_LINEAR && b < plan->bucket_count; b++)
            fprintf(file, "%" PRId64 " %d %s %" PRId64 " %.3f\n", i, b, step->chosen[b].kernel->name,
                    step->chosen[b].k_block, step->chosen[b].measured_us);
    }
    for (int b = 0; b < plan->bucket_count; b++)
        fprintf(file, "%.3f %.3f\n", plan->buckets[b].tile_us, plan->buckets[b].split_us);
    const int failed = ferror(file);
    if (fclose(file) || failed || rename(temporary, path))
        unlink(temporary);
}
