/* The model file inside the core: its limits, its parts and what a header says. See FORMAT.md. */
#ifndef SNN_FORMAT_H
#define SNN_FORMAT_H

#include "file/json.h"
#include "graph/model_build.h"

#define SNN_FORMAT_NAME "sparsenn"
#define SNN_FORMAT_CHAIN 1 /* major versions */
#define SNN_FORMAT_GRAPH 2
#define SNN_FORMAT_MAX_HEADER 100000000 /* bytes, as in safetensors */
#define SNN_FORMAT_MAX_NODES 16384
#define SNN_FORMAT_MAX_NODE_TEXT (SNN_FORMAT_MAX_NODES * 1024) /* bytes of the list between its quotes */
#define SNN_FORMAT_MAX_METADATA 256                            /* keys */
#define SNN_FORMAT_NARROW_COLS 65536 /* up to so many columns indices are U16, beyond it I32 */

/* The tensors that a linear node, or a constant, may have. */
typedef enum snn_part {
    SNN_PART_WEIGHT,
    SNN_PART_DATA,
    SNN_PART_INDICES,
    SNN_PART_INDPTR,
    SNN_PART_BIAS,
    SNN_PART_CONSTANT,
    SNN_PART_COUNT
} snn_part;

/* What follows the node's number in a tensor's name: ".weight", ".weight.data" and so on. */
extern const char *const snn_part_names[SNN_PART_COUNT];

/* The dtype that a part must have in a node of that many inputs, and the bytes of one element. */
const char *snn_part_dtype(snn_part part, int64_t inputs);
uint64_t snn_part_size(snn_part part, int64_t inputs);
/* Where a tensor lies: bytes [begin, end) counted from the end of the header. */
typedef struct snn_span {
    uint64_t begin, end;
    int64_t count; /* elements */
    int present;
} snn_span;

/* What an entry of the node list is. In a chain all are nodes. */
typedef enum snn_entry { SNN_ENTRY_NODE, SNN_ENTRY_INPUT, SNN_ENTRY_CONSTANT } snn_entry;

/* One entry as the header describes it; node's arrays are NULL. */
typedef struct snn_format_node {
    snn_entry entry;
    snn_node node;
    int64_t first_operand, operand_count; /* of a graph, among those of the layout */
    char *name;                           /* of a graph, owned; NULL: none */
    int rank;                             /* of an input or a constant, without the batch */
    int64_t dims[SNN_MAX_RANK];
    int has_bias;
    snn_span spans[SNN_PART_COUNT];
} snn_format_node;

/* All that a header says. */
typedef struct snn_layout {
    int major, minor; /* of the file's version */
    int64_t count;
    snn_format_node *nodes; /* (count), owned */
    int64_t operand_count, operand_capacity;
    int64_t *operands; /* owned */
    int64_t output_count, output_capacity;
    snn_output *outputs; /* of a graph, owned, with their names */
} snn_layout;

/* Whether an entry has this tensor. */
int snn_part_wanted(const snn_format_node *node, snn_part part);
/* Frees what a layout owns. */
void snn_layout_clear(snn_layout *layout);

/* The newest minor version: that of the newest op. A file gets the oldest that has all of its nodes. */
int snn_format_minor(int major);

/* SNN_ERROR_FORMAT with the reader's error and its place; what names the text that was read. */
snn_status snn_json_status(const snn_json *json, const char *what);

/* Reads a header (length bytes of JSON) of a file with data_bytes bytes behind it. On success every
 * tensor that the nodes want is there, once, with the right dtype, shape and size, and together they
 * fill the data exactly. The caller clears the layout, on failure too. */
snn_status snn_layout_read(const char *text, size_t length, uint64_t data_bytes, snn_layout *layout);
/* Its parts: the JSON text of the node list; that of the outputs; the tensors of the header; how they lie in
 * the data. */
snn_status snn_layout_read_nodes(const char *text, size_t length, snn_layout *layout);
snn_status snn_layout_read_outputs(const char *text, size_t length, snn_layout *layout);
snn_status snn_layout_read_tensors(const char *text, size_t length, snn_layout *layout);
snn_status snn_layout_check_spans(const snn_layout *layout, uint64_t data_bytes);

#endif
