/* Writes a file so that its name always stands for a whole one: the old until the new is on the disk. */
#ifndef SNN_FILE_REPLACE_H
#define SNN_FILE_REPLACE_H

#include "sparsenn.h"

#include <limits.h>

/* A file being written. begin, then write, then commit; cancel after any failure but begin's own. */
typedef struct snn_file_replace {
    int folder, file;    /* descriptors */
    int quick;           /* 0 from begin; 1 set then: commit does not wait for the disk */
    char path[PATH_MAX]; /* the target, links resolved */
    const char *target;  /* its name within folder */
    char temporary[80];  /* the new file's name within folder until it is renamed */
    size_t buffered;
    char buffer[16384];
} snn_file_replace;

/* Creates a temporary file beside path. A link is followed, so that the file it points to is replaced;
 * an existing file passes on its permissions and, where that is allowed, its owner. Refused: a target
 * that exists and is no regular file or may not be written, and a link to nothing. */
snn_status snn_replace_begin(const char *path, snn_file_replace *replace);
snn_status snn_replace_write(snn_file_replace *replace, const void *bytes, size_t count);
/* Puts the new file on the disk and in place of the old one. */
snn_status snn_replace_commit(snn_file_replace *replace);
/* Removes the temporary file. */
void snn_replace_cancel(snn_file_replace *replace);

#endif
