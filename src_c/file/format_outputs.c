/* The outputs of a graph in a model file. */
#include "base/memory.h"
#include "base/status.h"
#include "file/format_entry.h"

#include <inttypes.h>

static snn_status read_output(snn_json *json, int64_t index, snn_layout *layout)
{
    snn_json_string key, name = {0};
    int64_t value = -1;
    int seen[2] = {0};
    snn_json_open(json, '{');
    while (snn_json_next_key(json, &key)) {
        const int is_name = snn_json_equals(key, "name");
        if (!is_name && !snn_json_equals(key, "value"))
            return snn_fail(SNN_ERROR_FORMAT, "output %" PRId64 ": unknown key \"%s\"", index,
                            snn_json_show(key).text);
        if (seen[is_name]++)
            return snn_fail(SNN_ERROR_FORMAT, "output %" PRId64 ": key \"%s\" stands twice", index,
                            snn_json_show(key).text);
        if (is_name)
            snn_json_read_string(json, &name);
        else
            snn_json_read_whole(json, &value);
    }
    if (json->error != NULL)
        return snn_json_status(json, "outputs");
    if (!seen[0] || !seen[1])
        return snn_fail(SNN_ERROR_FORMAT, "output %" PRId64 ": no key \"%s\"", index,
                        seen[1] ? "value" : "name");
    if (!snn_grow((void **)&layout->outputs, layout->output_count, &layout->output_capacity,
                  sizeof *layout->outputs))
        return snn_fail(SNN_ERROR_MEMORY, "no memory for the outputs");
    const snn_output made = {snn_entry_copy(name), value};
    if (made.name == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a name");
    layout->outputs[layout->output_count++] = made;
    return SNN_OK;
}

snn_status snn_layout_read_outputs(const char *text, size_t length, snn_layout *layout)
{
    snn_json json = {.text = text, .length = length};
    snn_status status = SNN_OK;
    snn_json_open(&json, '[');
    while (status == SNN_OK && snn_json_next_item(&json)) {
        if (layout->output_count == SNN_FORMAT_MAX_NODES)
            return snn_fail(SNN_ERROR_FORMAT, "outputs: more than %d", SNN_FORMAT_MAX_NODES);
        status = read_output(&json, layout->output_count, layout);
    }
    if (status != SNN_OK)
        return status;
    if (!snn_json_end(&json))
        return snn_json_status(&json, "outputs");
    return layout->output_count > 0 ? SNN_OK : snn_fail(SNN_ERROR_FORMAT, "outputs: the list is empty");
}
