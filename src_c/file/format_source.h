/* Where the bytes of a model file come from: an open file, or memory. */
#ifndef SNN_FORMAT_SOURCE_H
#define SNN_FORMAT_SOURCE_H

#include "file/format.h"

typedef struct snn_source {
    const unsigned char *bytes; /* (size), or NULL: read from file */
    int file;                   /* an open descriptor */
    int mapped;                 /* 1: bytes outlive the model, whose arrays may lie in them */
    uint64_t size;
} snn_source;

/* Copies count bytes from offset to target. The range was checked against size. */
snn_status snn_source_read(const snn_source *source, uint64_t offset, void *target, size_t count);
/* Reads a whole model. */
snn_status snn_source_read_model(const snn_source *source, snn_model **model);

#endif
