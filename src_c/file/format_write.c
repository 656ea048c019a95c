/* Writes a model file. */
#define _XOPEN_SOURCE 700 /* for PATH_MAX */
#include "base/file_replace.h"
#include "base/status.h"
#include "file/format_text.h"

#include <inttypes.h>
#include <string.h>

/* Where the bytes of a model file go. */
typedef struct sink {
    snn_file_replace *file; /* NULL: memory */
    char *memory;           /* (capacity): holds as much as fits */
    size_t capacity, used;
} sink;

static snn_status put(sink *to, const void *bytes, size_t count)
{
    if (to->file)
        return snn_replace_write(to->file, bytes, count);
    if (count > SIZE_MAX - 1 - to->used)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "the model file would be larger than memory");
    if (to->used < to->capacity && count > 0)
        memcpy(to->memory + to->used, bytes,
               count < to->capacity - to->used ? count : to->capacity - to->used);
    to->used += count;
    return SNN_OK;
}

static snn_status put_narrow(sink *to, const int32_t *indices, int64_t count)
{
    uint16_t narrow[2048];
    enum { CHUNK = sizeof narrow / sizeof narrow[0] };
    for (int64_t done = 0; done < count; done += CHUNK) {
        const size_t some = count - done < CHUNK ? (size_t)(count - done) : (size_t)CHUNK;
        for (size_t i = 0; i < some; i++)
            narrow[i] = (uint16_t)indices[done + (int64_t)i];
        const snn_status status = put(to, narrow, some * sizeof *narrow);
        if (status != SNN_OK)
            return status;
    }
    return SNN_OK;
}

static snn_status put_tensor(void *context, const snn_tensor *tensor)
{
    if (tensor->part == SNN_PART_INDICES && tensor->size == sizeof(uint16_t))
        return put_narrow(context, tensor->array, tensor->count);
    return put(context, tensor->array, (size_t)tensor->count * (size_t)tensor->size);
}

static snn_status put_model(const snn_model *model, sink *to)
{
    snn_text header = {0};
    snn_status status = snn_header_write(model, &header);
    const uint64_t length = header.length;
    if (status == SNN_OK)
        status = put(to, &length, sizeof length);
    if (status == SNN_OK)
        status = put(to, header.bytes, header.length);
    if (status == SNN_OK)
        status = snn_each_tensor(model, put_tensor, to);
    snn_text_clear(&header);
    return status;
}

static snn_status check_savable(const snn_model *model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    if (model->count == 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "model has no nodes: there is nothing to save");
    if (model->output_count == 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "model has no outputs: there is nothing to save");
    const int64_t count = snn_entry_count(model);
    if (count > SNN_FORMAT_MAX_NODES)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "model has %" PRId64 " nodes, the format has room for %d",
                        count, SNN_FORMAT_MAX_NODES);
    return SNN_OK;
}

static snn_status write_file(const snn_model *model, const char *path)
{
    snn_file_replace file;
    snn_status status = snn_replace_begin(path, &file);
    if (status != SNN_OK)
        return status;
    status = put_model(model, &(sink){.file = &file});
    if (status == SNN_OK)
        status = snn_replace_commit(&file);
    if (status != SNN_OK)
        snn_replace_cancel(&file);
    return status;
}

snn_status snn_model_save(const snn_model *model, const char *path)
{
    snn_status status = check_savable(model);
    if (status == SNN_OK && path == NULL)
        status = snn_fail(SNN_ERROR_ARGUMENT, "path must not be NULL");
    if (status == SNN_OK)
        status = write_file(model, path);
    if (status == SNN_ERROR_IO)
        status = snn_fail(status, "%s: %s", snn_last_error(), path);
    return status;
}

snn_status snn_model_save_memory(const snn_model *model, void *buffer, size_t capacity, size_t *needed)
{
    snn_status status = check_savable(model);
    if (status == SNN_OK && (needed == NULL || (buffer == NULL && capacity > 0)))
        status = snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", needed == NULL ? "needed" : "buffer");
    sink to = {.memory = buffer, .capacity = capacity};
    if (status == SNN_OK)
        status = put_model(model, &to);
    if (status == SNN_OK)
        *needed = to.used;
    return status;
}
