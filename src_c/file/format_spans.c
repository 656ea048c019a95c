/* How the tensors of a model file lie in its data: side by side, from its first byte to its last. */
#include "file/format.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdlib.h>

/* A span that knows whose it is, for sorting. */
typedef struct placed {
    snn_span span;
    int64_t node;
    snn_part part;
} placed;

static int by_place(const void *left, const void *right)
{
    const snn_span *a = &((const placed *)left)->span, *b = &((const placed *)right)->span;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

/* Walks the sorted spans: each must begin where the one before ended, the last must end with the data. */
static snn_status check_order(const placed *sorted, size_t count, uint64_t data_bytes)
{
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        const placed *at = &sorted[i];
        const char *name = snn_part_names[at->part];
        if (at->span.end > data_bytes)
            return snn_fail(SNN_ERROR_FORMAT,
                            "the file is cut: tensor %" PRId64 "%s ends at byte %" PRIu64
                            " of the data, which has %" PRIu64,
                            at->node, name, at->span.end, data_bytes);
        if (at->span.begin != end)
            return snn_fail(SNN_ERROR_FORMAT,
                            "tensor %" PRId64 "%s begins at byte %" PRIu64
                            " of the data, %s the tensor before it ends (%" PRIu64 ")",
                            at->node, name, at->span.begin,
                            at->span.begin < end ? "before" : "after a gap:", end);
        end = at->span.end;
    }
    if (end != data_bytes)
        return snn_fail(SNN_ERROR_FORMAT, "%" PRIu64 " bytes follow the last tensor", data_bytes - end);
    return SNN_OK;
}

snn_status snn_layout_check_spans(const snn_layout *layout, uint64_t data_bytes)
{
    placed *sorted = snn_alloc((size_t)layout->count * SNN_PART_COUNT, sizeof *sorted);
    if (sorted == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a table of %" PRId64 " tensors",
                        layout->count * SNN_PART_COUNT);
    size_t count = 0;
    for (int64_t i = 0; i < layout->count; i++)
        for (int part = 0; part < SNN_PART_COUNT; part++)
            if (layout->nodes[i].spans[part].present)
                sorted[count++] = (placed){layout->nodes[i].spans[part], i, (snn_part)part};
    qsort(sorted, count, sizeof *sorted, by_place);
    const snn_status status = check_order(sorted, count, data_bytes);
    snn_free(sorted);
    return status;
}
