/* The header as a whole: its metadata first, wherever it stands, then the tensors. */
#include "file/format.h"
#include "base/memory.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

/* The metadata that matters here, as it stands in the header. text NULL: not there. */
typedef struct metadata {
    snn_json_string format, version, nodes, outputs;
} metadata;

/* Reads the metadata object; keys of others are allowed, twice the same key is not. */
static snn_status read_metadata(snn_json *json, metadata *found)
{
    snn_json_string keys[SNN_FORMAT_MAX_METADATA];
    size_t count = 0;
    snn_json_string key, value;
    snn_json_open(json, '{');
    while (snn_json_next_key(json, &key)) {
        if (count == SNN_FORMAT_MAX_METADATA)
            return snn_fail(SNN_ERROR_FORMAT, "__metadata__: more than %d keys", SNN_FORMAT_MAX_METADATA);
        for (size_t i = 0; i < count; i++)
            if (snn_json_same_key(keys[i], key))
                return snn_fail(SNN_ERROR_FORMAT, "__metadata__: key \"%s\" stands twice",
                                snn_json_show(key).text);
        keys[count++] = key;
        if (!snn_json_read_string(json, &value))
            break;
        if (snn_json_equals(key, "format"))
            found->format = value;
        else if (snn_json_equals(key, "format_version"))
            found->version = value;
        else if (snn_json_equals(key, "nodes"))
            found->nodes = value;
        else if (snn_json_equals(key, "outputs"))
            found->outputs = value;
    }
    return json->error == NULL ? SNN_OK : snn_json_status(json, "header");
}

/* Finds the metadata in the header and checks the header's syntax from end to end. */
static snn_status find_metadata(const char *text, size_t length, metadata *found)
{
    snn_json json = {.text = text, .length = length};
    snn_json_string key;
    int seen = 0;
    snn_json_open(&json, '{');
    while (snn_json_next_key(&json, &key)) {
        if (!snn_json_equals(key, "__metadata__")) {
            snn_json_skip(&json);
            continue;
        }
        if (seen)
            return snn_fail(SNN_ERROR_FORMAT, "header: key \"__metadata__\" stands twice");
        seen = 1;
        const snn_status status = read_metadata(&json, found);
        if (status != SNN_OK)
            return status;
    }
    if (!snn_json_end(&json))
        return snn_json_status(&json, "header");
    return seen ? SNN_OK
                : snn_fail(SNN_ERROR_FORMAT, "header: no __metadata__, so this is not a sparsenn model file");
}

/* Reads a run of one to four digits without a leading zero; -1 where there is none. */
static int read_version_number(const char **at)
{
    int value = 0, digits = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, digits++)
        if (digits < 4)
            value = 10 * value + (**at - '0');
    return digits == 0 || digits > 4 || (digits > 1 && (*at)[-digits] == '0') ? -1 : value;
}

static snn_status check_version(snn_json_string version, int *major_read, int *minor)
{
    char text[SNN_JSON_MAX_KEY + 1] = "";
    if (version.length <= SNN_JSON_MAX_KEY)
        snn_json_decode(version, text);
    const char *at = text;
    const int major = read_version_number(&at);
    const int dot = *at == '.';
    /* Another major version may write its minor one as it likes. */
    if (major >= 0 && major != SNN_FORMAT_CHAIN && major != SNN_FORMAT_GRAPH && (dot || *at == '\0'))
        return snn_fail(SNN_ERROR_VERSION,
                        "the file is of format version \"%s\", this library reads %d.x and %d.x",
                        snn_json_show(version).text, SNN_FORMAT_CHAIN, SNN_FORMAT_GRAPH);
    at += dot;
    *minor = dot ? read_version_number(&at) : -1;
    *major_read = major;
    if (major < 0 || *minor < 0 || *at != '\0')
        return snn_fail(SNN_ERROR_FORMAT, "__metadata__: format_version must be \"MAJOR.MINOR\", got \"%s\"",
                        snn_json_show(version).text);
    return SNN_OK;
}

/* Reads a list that stands in the metadata as text. */
static snn_status read_list(const char *name, snn_json_string list, snn_layout *layout,
                            snn_status (*read)(const char *, size_t, snn_layout *))
{
    if (list.text == NULL)
        return snn_fail(SNN_ERROR_FORMAT, "__metadata__: no key \"%s\"", name);
    if (list.length > SNN_FORMAT_MAX_NODE_TEXT)
        return snn_fail(SNN_ERROR_FORMAT, "__metadata__: %s has %zu bytes, more than %d", name, list.length,
                        SNN_FORMAT_MAX_NODE_TEXT);
    char *text = snn_alloc(list.length, 1);
    if (text == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a list of %zu bytes", list.length);
    const snn_status status = read(text, snn_json_decode(list, text), layout);
    snn_free(text);
    return status;
}

snn_status snn_layout_read(const char *text, size_t length, uint64_t data_bytes, snn_layout *layout)
{
    metadata found = {{0}, {0}, {0}, {0}};
    *layout = (snn_layout){0};
    snn_status status = find_metadata(text, length, &found);
    if (status != SNN_OK)
        return status;
    if (found.format.text == NULL)
        return snn_fail(SNN_ERROR_FORMAT,
                        "__metadata__: no key \"format\", so this is not a sparsenn model file");
    if (!snn_json_equals(found.format, SNN_FORMAT_NAME))
        return snn_fail(SNN_ERROR_FORMAT, "__metadata__: format must be \"%s\", got \"%s\"", SNN_FORMAT_NAME,
                        snn_json_show(found.format).text);
    if (found.version.text == NULL)
        return snn_fail(SNN_ERROR_FORMAT, "__metadata__: no key \"format_version\"");
    status = check_version(found.version, &layout->major, &layout->minor);
    if (status == SNN_OK)
        status = read_list("nodes", found.nodes, layout, snn_layout_read_nodes);
    if (status == SNN_OK && layout->major == SNN_FORMAT_GRAPH)
        status = read_list("outputs", found.outputs, layout, snn_layout_read_outputs);
    if (status == SNN_OK)
        status = snn_layout_read_tensors(text, length, layout);
    if (status == SNN_OK)
        status = snn_layout_check_spans(layout, data_bytes);
    return status;
}
