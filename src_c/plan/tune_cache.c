/* Tuning results on disk: one small text file for each kind of plan.
 *
 * The first line is the key in words, so that two plans whose hashes collide do not share a file; then a line
 * a choice, a line a bucket, and a checksum. Times are whole nanoseconds: no locale changes how those are
 * written. A file is written beside its final name and renamed, so a reader sees a whole file or none. What
 * is not, byte for byte, what would be written for its content is ignored, and so are times that cannot be.
 */
#include "plan/plan.h"

#include "base/cpu.h"
#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 4096
#define PATH_BYTES 4096
#define FILE_BYTES (1 << 20)

/* Everything that the choices depend on; layers of nearly the same density count as the same.
 * Returns 0 when it does not fit. */
static int write_key(const snn_plan *plan, char *key)
{
    int used =
        snprintf(key, KEY_BYTES, "sparsenn %s 4 | %s | %s | threads %d | buckets %d |", SNN_VERSION_STRING,
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

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash;
}

static int write_path(const char *folder, const char *key, const char *suffix, char *path)
{
    const int used = snprintf(path, PATH_BYTES, "%s/tune-%016" PRIx64 "%s", folder, hash_of(key), suffix);
    return used > 0 && used < PATH_BYTES;
}

/* ---- the text of a file ---- */

static int64_t nanoseconds(double us) { return (int64_t)(1e3 * us + 0.5); }

/* The whole text for a plan's choices and times into text (FILE_BYTES); 0 when it does not fit. */
static size_t compose(const snn_plan *plan, const char *key, char *text)
{
    size_t used = (size_t)snprintf(text, FILE_BYTES, "%s\n", key);
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        for (int b = 0; step->type == SNN_STEP_LINEAR && b < plan->bucket_count && used < FILE_BYTES; b++)
            used += (size_t)snprintf(text + used, FILE_BYTES - used,
                                     "%" PRId64 " %d %s %" PRId64 " %" PRId64 "\n", i, b,
                                     step->chosen[b].kernel->name, step->chosen[b].k_block,
                                     nanoseconds(step->chosen[b].measured_us));
    }
    for (int b = 0; b < plan->bucket_count && used < FILE_BYTES; b++)
        used +=
            (size_t)snprintf(text + used, FILE_BYTES - used, "%" PRId64 " %" PRId64 "\n",
                             nanoseconds(plan->buckets[b].tile_us), nanoseconds(plan->buckets[b].split_us));
    if (used < FILE_BYTES)
        used += (size_t)snprintf(text + used, FILE_BYTES - used, "end %016" PRIx64 "\n", hash_of(text));
    return used < FILE_BYTES ? used : 0;
}

/* A file of at most FILE_BYTES - 1 bytes into text, ended by a NUL; the bytes read, 0 for none. */
static size_t read_text(const char *path, char *text)
{
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // what is no file must not hold us up
    if (file < 0)
        return 0;
    size_t used = 0;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size < FILE_BYTES)
        for (ssize_t got;
             used < FILE_BYTES - 1 && (got = read(file, text + used, FILE_BYTES - 1 - used)) > 0;)
            used += (size_t)got;
    close(file);
    text[used] = '\0';
    return used;
}

/* ---- reading; spaces and the like are not looked at, since the text is compared in the end ---- */

/* The next word is a whole number of at most 15 digits. */
static int read_whole(const char **at, int64_t *value)
{
    *at += strspn(*at, " \n");
    const size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 15)
        return 0;
    for (*value = 0; **at >= '0' && **at <= '9'; (*at)++)
        *value = 10 * *value + (**at - '0');
    return 1;
}

/* Whether a time could be one: far from what the cost model says, or from its parts, none was ever seen. */
static int plausible(double us, double low, double high)
{
    return us >= low / 50.0 && us <= 50.0 * high + 20.0;
}

/* One line "step bucket kernel k_block nanoseconds": sets chosen if it names a candidate. */
static int read_choice(const char **at, snn_step *step, int64_t index, int bucket)
{
    int64_t number, wanted_bucket, k_block, ns;
    if (!read_whole(at, &number) || !read_whole(at, &wanted_bucket) || number != index ||
        wanted_bucket != bucket)
        return 0;
    *at += strspn(*at, " ");
    const char *name = *at;
    const size_t length = strcspn(name, " \n");
    *at += length;
    if (!read_whole(at, &k_block) || !read_whole(at, &ns))
        return 0;
    for (int c = 0; c < step->candidate_count[bucket]; c++) {
        const snn_choice *candidate = &step->candidates[bucket][c];
        if (strlen(candidate->kernel->name) != length || strncmp(candidate->kernel->name, name, length) ||
            candidate->k_block != k_block)
            continue;
        step->chosen[bucket] = *candidate;
        step->chosen[bucket].measured_us = 1e-3 * (double)ns;
        return ns == 0 || plausible(1e-3 * (double)ns, candidate->estimate_us, candidate->estimate_us);
    }
    return 0;
}

/* The lines of the buckets, against what the times of the steps say. */
static int read_buckets(const char **at, snn_plan *plan)
{
    int64_t tile, split;
    snn_bucket_estimate(plan);
    for (int b = 0; b < plan->bucket_count; b++) {
        snn_bucket *bucket = &plan->buckets[b];
        if (!read_whole(at, &tile) || !read_whole(at, &split) || tile == 0 || split == 0 ||
            !plausible(1e-3 * (double)tile, bucket->tile_us, bucket->tile_us) ||
            !plausible(1e-3 * (double)split, bucket->tile_us / plan->threads, bucket->split_us))
            return 0;
        bucket->tile_us = 1e-3 * (double)tile;
        bucket->split_us = 1e-3 * (double)split;
    }
    return 1;
}

/* Fills chosen and buckets from text; 1 when all of it is what compose would write. spare: (FILE_BYTES). */
static int read_plan(snn_plan *plan, const char *key, const char *text, size_t length, char *spare)
{
    if (strncmp(text, key, strlen(key)))
        return 0;
    const char *at = text + strlen(key);
    for (int64_t i = 0; i < plan->step_count; i++)
        for (int b = 0; plan->steps[i].type == SNN_STEP_LINEAR && b < plan->bucket_count; b++)
            if (!read_choice(&at, &plan->steps[i], i, b))
                return 0;
    return read_buckets(&at, plan) && compose(plan, key, spare) == length && !memcmp(text, spare, length);
}

/* ---- a plan ---- */

int snn_cache_read(snn_plan *plan, const char *folder)
{
    char key[KEY_BYTES], path[PATH_BYTES];
    if (!write_key(plan, key) || !write_path(folder, key, "", path))
        return 0;
    char *text = snn_alloc(2, FILE_BYTES);
    if (!text)
        return 0;
    const size_t length = read_text(path, text);
    const int good = length > 0 && read_plan(plan, key, text, length, text + FILE_BYTES);
    snn_free(text);
    return good;
}

/* Writes all of text; 0 when that fails. */
static int write_text(int file, const char *text, size_t length)
{
    while (length > 0) {
        const ssize_t wrote = write(file, text, length);
        if (wrote <= 0)
            return 0;
        text += wrote;
        length -= (size_t)wrote;
    }
    return 1;
}

void snn_cache_write(const snn_plan *plan, const char *folder)
{
    char key[KEY_BYTES], path[PATH_BYTES], temporary[PATH_BYTES];
    if (!write_key(plan, key) || !write_path(folder, key, "", path) ||
        !write_path(folder, key, ".XXXXXX", temporary))
        return;
    char *text = snn_alloc(1, FILE_BYTES);
    const size_t length = text ? compose(plan, key, text) : 0;
    const int file = length ? mkstemp(temporary) : -1;
    if (file >= 0) {
        const int whole = write_text(file, text, length);
        if (close(file) || !whole || rename(temporary, path))
            unlink(temporary);
    }
    snn_free(text);
}
