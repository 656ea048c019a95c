/* One object of the node list as read, before it is known to make sense. */
#ifndef SNN_FORMAT_ENTRY_H
#define SNN_FORMAT_ENTRY_H

#include "file/format.h"

/* The keys that an entry may have beside its op's attributes, as bits of the set that was seen. */
enum {
    SNN_KEY_TYPE = 1,
    SNN_KEY_INPUTS = 2,
    SNN_KEY_OUTPUTS = 4,
    SNN_KEY_WEIGHT = 8,
    SNN_KEY_BIAS = 16,
    SNN_KEY_OPERANDS = 32,
    SNN_KEY_NAME = 64,
    SNN_KEY_COUNT = 7,
    SNN_MAX_RAW_ATTRIBUTES = 12
};
extern const char *const snn_key_names[SNN_KEY_COUNT];

/* An attribute: a number, or whole numbers (a single one, or a list). */
typedef struct snn_raw_attribute {
    const char *name; /* as an op's table has it */
    float value;
    int is_whole, is_list, count;
    int is_negative; /* a single number below 0 */
    int64_t numbers[SNN_MAX_RANK];
} snn_raw_attribute;

typedef struct snn_raw_entry {
    unsigned seen;
    snn_json_string type, weight, name;
    int64_t inputs, outputs;
    int bias;
    int64_t first_operand, operand_count; /* among those of the layout */
    int attribute_count;
    snn_raw_attribute attributes[SNN_MAX_RAW_ATTRIBUTES];
} snn_raw_entry;

/* Reads the next object; operands go to the layout. */
snn_status snn_entry_read(snn_json *json, int64_t index, snn_layout *layout, snn_raw_entry *raw);
/* The attribute of that name; NULL where it is not there. */
const snn_raw_attribute *snn_entry_find(const snn_raw_entry *raw, const char *name);
/* An owned copy of a string, decoded; NULL when memory is out. */
char *snn_entry_copy(snn_json_string string);

#endif
