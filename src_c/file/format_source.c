/* Model files from disk, from memory and mapped. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "file/format_source.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
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

/* Reads a model whose arrays lie in the mapped file as far as they can. */
static snn_status load_mapped(snn_source source, snn_model **model)
{
    void *map = source.size > SIZE_MAX
                    ? MAP_FAILED
                    : mmap(NULL, (size_t)source.size, PROT_READ, MAP_PRIVATE, source.file, 0);
    if (map == MAP_FAILED)
        return snn_fail(SNN_ERROR_IO, "cannot map: %s",
                        source.size > SIZE_MAX ? "too large" : strerror(errno));
    source.bytes = map;
    source.mapped = 1;
    const snn_status status = snn_source_read_model(&source, model);
    if (status == SNN_OK) {
        (*model)->map = map;
        (*model)->map_bytes = (size_t)source.size;
    } else {
        munmap(map, (size_t)source.size);
    }
    return status;
}

static snn_status load_open_file(int file, int mapped, snn_model **model)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return snn_fail(SNN_ERROR_IO, "cannot read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return snn_fail(SNN_ERROR_IO, "cannot read: not a regular file");
    const snn_source source = {.bytes = NULL, .file = file, .size = (uint64_t)about.st_size};
    /* An empty file cannot be mapped; reading says what is wrong with it. */
    return mapped && source.size > 0 ? load_mapped(source, model) : snn_source_read_model(&source, model);
}

static snn_status load_path(const char *path, int mapped, snn_model **model)
{
    if (path == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "path must not be NULL");
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    /* O_NONBLOCK: opening a pipe must not wait for its other end. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return snn_fail(SNN_ERROR_IO, "cannot open: %s: %s", strerror(errno), path);
    snn_status status = load_open_file(file, mapped, model);
    close(file);
    if (status != SNN_OK)
        status = snn_fail(status, "%s: %s", snn_last_error(), path);
    return status;
}

snn_status snn_model_load(const char *path, snn_model **model) { return load_path(path, 0, model); }

snn_status snn_model_map(const char *path, snn_model **model) { return load_path(path, 1, model); }
