/* Tuning results on disk: a small text file for each problem and bucket, and one for each kind of plan.
 *
 * The first line says in words what was timed and where, so that two whose hashes collide do not share a
 * file; then come the times, a line each, and a checksum. Times are whole nanoseconds: no locale changes how
 * those are written. What is not, byte for byte, what would be written for its content is ignored, and so are
 * times that cannot be. */
#include "plan/problem.h"

#include "base/cpu.h"
#include "base/file_replace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define FILE_BYTES 4096 /* at most some 600 of the first line and a line of 60 for each of a few times */

/* ---- the text of a file ---- */

typedef struct page {
    size_t used;
    char text[FILE_BYTES];
} page;

static void put(page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int wrote = vsnprintf(p->text + p->used, FILE_BYTES - p->used, format, arguments);
    va_end(arguments);
    if (wrote > 0)
        p->used += (size_t)wrote;
    if (p->used >= FILE_BYTES)
        p->used = FILE_BYTES - 1; // cut: it will not be what is read
}

static uint64_t hash_on(uint64_t hash, const char *text)
{
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u; // FNV-1a
    return hash;
}

static uint64_t hash_of(const char *text) { return hash_on(14695981039346656037u, text); }

static int64_t nanoseconds(double us) { return (int64_t)(1e3 * us + 0.5); }

/* What all times depend on. */
static void put_machine(page *p, const snn_plan *plan)
{
    p->used = 0;
    put(p, "sparsenn %s 7 | %s | %s | threads %d | ", SNN_VERSION_STRING, plan->isa->name, snn_cpu_model(),
        plan->threads);
}

static void put_problem_key(page *p, const snn_plan *plan, const snn_problem *problem, int bucket)
{
    const snn_bucket *tile = &plan->buckets[bucket];
    put_machine(p, plan);
    put(p, "%s | %s %d\n", problem->key, tile->layout == SNN_LAYOUT_TILE ? "tile" : "column", tile->samples);
}

/* Steps by a hash: there may be any number of them. */
static void put_plan_key(page *p, const snn_plan *plan)
{
    uint64_t hash = hash_of("");
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        char text[192];
        snprintf(text, sizeof text, "\n%d %d %" PRId64 " %" PRId64 " %d %" PRId64 " %" PRId64 " %" PRId64 " ",
                 (int)step->type, step->op, step->inputs, step->outputs, step->epilogue.activation,
                 step->run_count, step->nnz, step->result.row);
        for (int64_t k = 0; k < step->operand_count; k++) {
            char operand[32];
            snprintf(operand, sizeof operand, "%" PRId64 " ", step->operands[k].row);
            hash = hash_on(hash, operand);
        }
        hash = hash_on(hash_on(hash, text), step->problem ? step->problem->key : "");
    }
    put_machine(p, plan);
    put(p, "plan of %" PRId64 " steps %016" PRIx64 " | buckets", plan->step_count, hash);
    for (int b = 0; b < plan->bucket_count; b++)
        put(p, " %d", plan->buckets[b].samples);
    put(p, "\n");
}

static void put_problem(page *p, const snn_tuned *tuned)
{
    for (int c = 0; c < tuned->timed; c++)
        put(p, "%s %" PRId64 " %" PRId64 "\n", tuned->candidates[c].kernel->name,
            tuned->candidates[c].k_block, nanoseconds(tuned->candidates[c].measured_us));
    put(p, "end %016" PRIx64 "\n", hash_of(p->text));
}

static void put_buckets(page *p, const snn_bucket *buckets, int count)
{
    for (int b = 0; b < count; b++)
        put(p, "%" PRId64 " %" PRId64 " %" PRId64 "\n", nanoseconds(buckets[b].alone_us),
            nanoseconds(buckets[b].tile_us), nanoseconds(buckets[b].split_us));
    put(p, "end %016" PRIx64 "\n", hash_of(p->text));
}

/* ---- files ---- */

static int write_path(const char *folder, const char *key, char *path)
{
    const int used = snprintf(path, PATH_BYTES, "%s/tune-%016" PRIx64, folder, hash_of(key));
    return used > 0 && used < PATH_BYTES;
}

/* The file of a key, ended by a NUL; 0 when there is none or it does not begin with the key. */
static int read_page(const char *folder, const char *key, page *p)
{
    char path[PATH_BYTES];
    struct stat status;
    const int file =
        write_path(folder, key, path)
            ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) // what is no file must not hold us up
            : -1;
    p->used = 0;
    if (file < 0)
        return 0;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size < FILE_BYTES)
        for (ssize_t got;
             p->used < FILE_BYTES - 1 && (got = read(file, p->text + p->used, FILE_BYTES - 1 - p->used)) > 0;)
            p->used += (size_t)got;
    close(file);
    p->text[p->used] = '\0';
    return strncmp(p->text, key, strlen(key)) == 0;
}

static int same(const page *a, const page *b)
{
    return a->used == b->used && memcmp(a->text, b->text, a->used) == 0;
}

static void write_page(const char *folder, const char *key, const page *p)
{
    char path[PATH_BYTES];
    snn_file_replace file;
    if (!write_path(folder, key, path) || snn_replace_begin(path, &file))
        return;
    file.quick = 1;
    if (snn_replace_write(&file, p->text, p->used) || snn_replace_commit(&file))
        snn_replace_cancel(&file);
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
    return us > 0.0 && us >= low / 50.0 && us <= 50.0 * high + 20.0;
}

/* One line "kernel k_block nanoseconds": moves the candidate that it names, one of [place, worth), to place.
 */
static int read_choice(const char **at, snn_tuned *tuned, int place)
{
    int64_t k_block, ns;
    *at += strspn(*at, "\n");
    const char *name = *at;
    const size_t length = strcspn(name, " \n");
    *at += length;
    if (!read_whole(at, &k_block) || !read_whole(at, &ns))
        return 0;
    for (int c = place; c < tuned->worth; c++) {
        snn_choice found = tuned->candidates[c];
        if (strlen(found.kernel->name) != length || strncmp(found.kernel->name, name, length) ||
            found.k_block != k_block)
            continue;
        found.measured_us = 1e-3 * (double)ns;
        tuned->candidates[c] = tuned->candidates[place];
        tuned->candidates[place] = found;
        return plausible(found.measured_us, found.estimate_us, found.estimate_us) &&
               (place == 0 || found.measured_us >= tuned->candidates[place - 1].measured_us);
    }
    return 0;
}

int snn_cache_read_problem(const snn_plan *plan, const char *folder, snn_problem *problem, int bucket)
{
    page key, got;
    snn_tuned tuned = problem->buckets[bucket];
    put_problem_key(&key, plan, problem, bucket);
    if (!read_page(folder, key.text, &got))
        return 0;
    const char *at = got.text + key.used;
    for (int c = 0; c < tuned.worth; c++)
        if (!read_choice(&at, &tuned, c))
            return 0;
    tuned.timed = tuned.worth;
    put_problem(&key, &tuned);
    if (!same(&key, &got))
        return 0;
    problem->buckets[bucket] = tuned;
    return 1;
}

void snn_cache_write_problem(const snn_plan *plan, const char *folder, const snn_problem *problem, int bucket)
{
    page key, whole;
    put_problem_key(&key, plan, problem, bucket);
    whole = key;
    put_problem(&whole, &problem->buckets[bucket]);
    write_page(folder, key.text, &whole);
}

int snn_cache_read_buckets(snn_plan *plan, const char *folder)
{
    page key, got;
    snn_bucket buckets[SNN_MAX_BUCKETS];
    put_plan_key(&key, plan);
    if (!read_page(folder, key.text, &got))
        return 0;
    const char *at = got.text + key.used;
    for (int b = 0; b < plan->bucket_count; b++) {
        int64_t alone, tile, split;
        const snn_bucket *expected = &plan->buckets[b];
        if (!read_whole(&at, &alone) || !read_whole(&at, &tile) || !read_whole(&at, &split))
            return 0;
        buckets[b] = *expected;
        buckets[b].alone_us = 1e-3 * (double)alone;
        buckets[b].tile_us = 1e-3 * (double)tile;
        buckets[b].split_us = 1e-3 * (double)split;
        if (!plausible(buckets[b].alone_us, expected->tile_us, expected->tile_us) ||
            !plausible(buckets[b].tile_us, expected->tile_us, expected->tile_us) ||
            !plausible(buckets[b].split_us, expected->tile_us / plan->threads, expected->split_us))
            return 0;
    }
    put_buckets(&key, buckets, plan->bucket_count);
    if (!same(&key, &got))
        return 0;
    memcpy(plan->buckets, buckets, (size_t)plan->bucket_count * sizeof *buckets);
    return 1;
}

void snn_cache_write_buckets(const snn_plan *plan, const char *folder)
{
    page key, whole;
    put_plan_key(&key, plan);
    whole = key;
    put_buckets(&whole, plan->buckets, plan->bucket_count);
    write_page(folder, key.text, &whole);
}
