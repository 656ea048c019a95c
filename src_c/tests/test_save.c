/* Saving replaces a file whole or not at all, whatever goes wrong or is killed meanwhile. */
#define _XOPEN_SOURCE 700
#include "sample_model.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* A model of about 400 kB, all of whose weights are value. */
static snn_model *large_model(float value)
{
    enum { WIDTH = 320 };
    static float weight[WIDTH * WIDTH];
    for (int i = 0; i < WIDTH * WIDTH; i++)
        weight[i] = value;
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(WIDTH, &model));
    CHECK_OK(snn_model_add_dense(model, WIDTH, WIDTH, weight, NULL));
    return model;
}

static void check_holds(const char *path, const snn_model *model)
{
    snn_model *loaded = NULL;
    CHECK_OK(snn_model_load(path, &loaded));
    CHECK(same_model(model, loaded));
    snn_model_free(loaded);
}

static mode_t mode_of(const char *path)
{
    struct stat about;
    CHECK(lstat(path, &about) == 0);
    return about.st_mode & 0777;
}

static void test_permissions(const scratch *place, const snn_model *model)
{
    const mode_t old = umask(027);
    CHECK_OK(snn_model_save(model, place->path));
    CHECK(mode_of(place->path) == 0640);
    CHECK(chmod(place->path, 0606) == 0);
    CHECK_OK(snn_model_save(model, place->path));
    CHECK(mode_of(place->path) == 0606);
    umask(old);
    CHECK(scratch_empty(place) == 1);
}

/* A link stays one, and the file that it points to is replaced. */
static void test_link(const scratch *place, const snn_model *model, const snn_model *other)
{
    char link[400];
    struct stat about;
    snprintf(link, sizeof link, "%s/link", place->folder);
    CHECK_OK(snn_model_save(model, place->path));
    CHECK(symlink("model.safetensors", link) == 0);
    CHECK_OK(snn_model_save(other, link));
    CHECK(lstat(link, &about) == 0 && S_ISLNK(about.st_mode));
    check_holds(place->path, other);
    CHECK(unlink(place->path) == 0);
    CHECK_STATUS(snn_model_save(model, link), SNN_ERROR_IO);
    CHECK(scratch_empty(place) == 1);
}

static void test_refused(const scratch *place, const snn_model *model)
{
    char path[PATH_MAX + 100];
    CHECK_STATUS(snn_model_save(model, place->folder), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_save(model, "/dev/null"), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_save(model, ""), SNN_ERROR_IO);
    snprintf(path, sizeof path, "%s/none/model", place->folder);
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_IO);
    CHECK(strstr(snn_last_error(), path) != NULL);
    snprintf(path, sizeof path, "%s/model/", place->folder);
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_IO);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_IO);
    path[300] = '\0';
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_IO);
    CHECK(scratch_empty(place) == 0);
}

/* What the super-user may do says nothing: a child without privileges tries, where there is one to be. */
static void test_read_only(const scratch *place, const snn_model *model, const snn_model *other)
{
    CHECK_OK(snn_model_save(model, place->path));
    CHECK(chmod(place->path, 0444) == 0);
    CHECK(chmod(place->folder, 0755) == 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(77);
        char fresh[400];
        snprintf(fresh, sizeof fresh, "%s/new", place->folder);
        const int refused = snn_model_save(other, place->path) == SNN_ERROR_IO &&
                            (geteuid() != 65534 || snn_model_save(other, fresh) == SNN_ERROR_IO);
        _exit(!refused);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
    check_holds(place->path, model);
    CHECK(scratch_empty(place) == 1);
}

/* A disk that fills up while writing, as a limit on the size of files. */
static void test_full_disk(const scratch *place, const snn_model *model, const snn_model *other)
{
    struct rlimit old, tight;
    CHECK_OK(snn_model_save(model, place->path));
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    tight = old;
    tight.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    CHECK_STATUS(snn_model_save(other, place->path), SNN_ERROR_IO);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    check_holds(place->path, model);
    CHECK(scratch_empty(place) == 1);
}

/* Saves the two in turns until it is killed; writes a byte to the pipe after the first save. */
static void save_for_ever(const scratch *place, const snn_model *model, const snn_model *other, int pipe_end)
{
    for (int first = 1;; first = 0)
        if (snn_model_save(other, place->path) != SNN_OK || (first && write(pipe_end, "", 1) != 1) ||
            snn_model_save(model, place->path) != SNN_OK)
            _exit(1);
}

static void test_kills(const scratch *place, const snn_model *model, const snn_model *other, int kills)
{
    uint32_t random = 1;
    int seen[2] = {0, 0};
    CHECK_OK(snn_model_save(model, place->path));
    fflush(stdout);
    for (int i = 0; i < kills; i++) {
        int ends[2];
        char byte;
        if (!CHECK(pipe(ends) == 0))
            break;
        const pid_t child = fork();
        if (child == 0)
            save_for_ever(place, model, other, ends[1]);
        close(ends[1]);
        CHECK(read(ends[0], &byte, 1) == 1);
        close(ends[0]);
        random = random * 1664525U + 1013904223U;
        nanosleep(&(struct timespec){.tv_nsec = random % 4000000}, NULL);
        int status = 0;
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        snn_model *loaded = NULL;
        if (!CHECK_OK(snn_model_load(place->path, &loaded)))
            break;
        const int first = same_model(loaded, model);
        CHECK(first || same_model(loaded, other));
        seen[!first]++;
        snn_model_free(loaded);
    }
    /* Else no save by a child was ever finished, and nothing was tested. */
    CHECK(seen[1] > 0);
    printf("%d kills: %d times the first model, %d times the second, %d files left\n", kills, seen[0],
           seen[1], scratch_empty(place));
}

/* Always in memory, so that valgrind still finds them in the children, which leave by _exit. */
static snn_model *volatile ones, *volatile twos;

/* test_save [KILLS] */
int main(int count, char **arguments)
{
    const scratch place = scratch_create();
    ones = large_model(1);
    twos = large_model(2);
    test_permissions(&place, ones);
    test_link(&place, ones, twos);
    test_refused(&place, ones);
    test_read_only(&place, ones, twos);
    test_full_disk(&place, ones, twos);
    test_kills(&place, ones, twos, count > 1 ? atoi(arguments[1]) : 100);
    snn_model_free(ones);
    snn_model_free(twos);
    scratch_remove(&place);
    return check_report("test_save");
}
