#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include "base/file_replace.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static snn_status fail_errno(const char *what)
{
    return snn_fail(SNN_ERROR_IO, "%s: %s", what, strerror(errno));
}

/* Resolves path into replace->path, splits it, and opens its folder. */
static snn_status open_folder(const char *path, snn_file_replace *replace)
{
    if (realpath(path, replace->path) == NULL) {
        if (errno != ENOENT)
            return fail_errno("cannot resolve the path");
        const size_t length = strlen(path);
        if (length >= sizeof replace->path)
            return snn_fail(SNN_ERROR_IO, "the path has more than %zu bytes", sizeof replace->path - 1);
        memcpy(replace->path, path, length + 1);
    }
    char *slash = strrchr(replace->path, '/');
    const char *folder = slash == NULL ? "." : slash == replace->path ? "/" : replace->path;
    replace->target = slash == NULL ? replace->path : slash + 1;
    if (slash != NULL)
        *slash = '\0';
    if (*replace->target == '\0')
        return snn_fail(SNN_ERROR_IO, "the path names no file");
    replace->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return replace->folder < 0 ? fail_errno("cannot open the folder") : SNN_OK;
}

/* Whether the target may be replaced; *exists tells whether there is one, about what it is. */
static snn_status check_target(const snn_file_replace *replace, struct stat *about, int *exists)
{
    *exists = fstatat(replace->folder, replace->target, about, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*exists)
        return errno == ENOENT ? SNN_OK : fail_errno("cannot look at the file");
    if (S_ISLNK(about->st_mode))
        return snn_fail(SNN_ERROR_IO, "cannot write: a link to nothing");
    if (!S_ISREG(about->st_mode))
        return snn_fail(SNN_ERROR_IO, "cannot write: not a regular file");
    if (faccessat(replace->folder, replace->target, W_OK, 0) != 0)
        return fail_errno("cannot write the file");
    return SNN_OK;
}

/* Creates the temporary file under a name that nobody uses. */
static snn_status create_temporary(snn_file_replace *replace, mode_t mode)
{
    enum { ATTEMPTS = 1000 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct timespec now = {0, 0};
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(replace->temporary, sizeof replace->temporary, ".sparsenn-%ld-%lx-%d.tmp", (long)getpid(),
                 (unsigned long)now.tv_nsec, attempt);
        replace->file = openat(replace->folder, replace->temporary,
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (replace->file >= 0)
            return SNN_OK;
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return fail_errno("cannot create a file in the folder");
}

/* Gives the new file the owner and permissions of the old one, as far as this process may. A file
 * system or user that cannot is no reason not to save. */
static void keep_ownership(const snn_file_replace *replace, const struct stat *old)
{
    struct stat now;
    if (fstat(replace->file, &now) != 0)
        return;
    const int same_owner = now.st_uid == old->st_uid && now.st_gid == old->st_gid;
    if (same_owner || fchown(replace->file, old->st_uid, old->st_gid) == 0)
        (void)fchmod(replace->file, old->st_mode & 0777);
}

snn_status snn_replace_begin(const char *path, snn_file_replace *replace)
{
    replace->folder = -1;
    replace->file = -1;
    replace->quick = 0;
    replace->buffered = 0;
    struct stat about;
    int exists = 0;
    snn_status status = open_folder(path, replace);
    if (status == SNN_OK)
        status = check_target(replace, &about, &exists);
    /* Never wider than the old file's, not for a moment. */
    if (status == SNN_OK)
        status = create_temporary(replace, exists ? about.st_mode & 0777 : 0666);
    if (status == SNN_OK && exists)
        keep_ownership(replace, &about);
    if (status != SNN_OK && replace->folder >= 0)
        close(replace->folder);
    return status;
}

static snn_status write_fully(int file, const char *bytes, size_t count)
{
    while (count > 0) {
        const size_t some = count < ((size_t)1 << 30) ? count : (size_t)1 << 30;
        const ssize_t written = write(file, bytes, some);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail_errno("cannot write");
        bytes += written;
        count -= (size_t)written;
    }
    return SNN_OK;
}

static snn_status flush_buffer(snn_file_replace *replace)
{
    const snn_status status = write_fully(replace->file, replace->buffer, replace->buffered);
    replace->buffered = 0;
    return status;
}

snn_status snn_replace_write(snn_file_replace *replace, const void *bytes, size_t count)
{
    if (count > sizeof replace->buffer - replace->buffered) {
        const snn_status status = flush_buffer(replace);
        if (status != SNN_OK)
            return status;
    }
    if (count > sizeof replace->buffer)
        return write_fully(replace->file, bytes, count);
    if (count > 0)
        memcpy(replace->buffer + replace->buffered, bytes, count);
    replace->buffered += count;
    return SNN_OK;
}

snn_status snn_replace_commit(snn_file_replace *replace)
{
    const snn_status status = flush_buffer(replace);
    if (status != SNN_OK)
        return status;
    if (!replace->quick && fsync(replace->file) != 0)
        return fail_errno("cannot put the file on the disk");
    const int closed = close(replace->file);
    replace->file = -1;
    if (closed != 0)
        return fail_errno("cannot close the file");
    if (renameat(replace->folder, replace->temporary, replace->folder, replace->target) != 0)
        return fail_errno("cannot rename the temporary file");
    /* The new file is in place now. Some file systems cannot flush a folder, and say so with EINVAL. */
    replace->temporary[0] = '\0';
    if (!replace->quick && fsync(replace->folder) != 0 && errno != EINVAL)
        return fail_errno("the file was replaced, but its folder cannot be put on the disk");
    close(replace->folder);
    replace->folder = -1;
    return SNN_OK;
}

void snn_replace_cancel(snn_file_replace *replace)
{
    if (replace->file >= 0)
        close(replace->file);
    if (replace->temporary[0] != '\0')
        unlinkat(replace->folder, replace->temporary, 0);
    close(replace->folder);
}
