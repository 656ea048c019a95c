/* Shared by the reader's files. */
#ifndef SNN_JSON_PARTS_H
#define SNN_JSON_PARTS_H

#include "file/json.h"

/* Reads any number and checks its syntax alone. */
int snn_json_skip_number(snn_json *json);

#endif
