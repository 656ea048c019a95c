/* Model files from disk and from memory. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "format_source.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

snn_status snn_source_read(const snn_source *source, uint64_t offset, void *target, size_t count)
{
    if (source->bytes != NULL) {
        if (count > 0)
            memcpy(target, source->bytes + offset, count);
        return SNN_OK;
    }
    char *at = target;
    while (count > 0) {
        /* One call moves at most about 2 GiB anyway. */
        const size_t some = count < ((size_t)1 << 30) ? count : (size_t)1 << 30;
        const ssize_t got = pread(source->file, at, some, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return snn_fail(SNN_ERROR_IO, "cannot read: %s", strerror(errno));
        if (got == 0)
            return snn_fail(SNN_ERROR_IO, "the file was cut to %" PRIu64 " bytes while it was read", offset);
        at += got;
        offset += (uint64_t)got;
        count -= (size_t)got;
    }
    return SNN_OK;
}

snn_status snn_model_load_memory(const void *bytes, size_t byte_count, snn_model **model)
{
    if (bytes == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "bytes must not be NULL");
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    const snn_source source = {.bytes = bytes, .file = -1, .size = byte_count};
    return snn_source_read_model(&source, model);
}

static snn_status load_open_file(int file, snn_model **model)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return snn_fail(SNN_ERROR_IO, "cannot read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return snn_fail(SNN_ERROR_IO, "cannot read: not a regular file");
    const snn_source source = {.bytes = NULL, .file = file, .size = (uint64_t)about.st_size};
    return snn_source_read_model(&source, model);
}

snn_status snn_model_load(const char *path, snn_model **model)
{
    if (path == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "path must not be NULL");
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    /* O_NONBLOCK: opening a pipe must not wait for its other end. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return snn_fail(SNN_ERROR_IO, "cannot open: %s: %s", strerror(errno), path);
    snn_status status = load_open_file(file, model);
    close(file);
    if (status != SNN_OK)
        status = snn_fail(status, "%s: %s", snn_last_error(), path);
    return status;
}
