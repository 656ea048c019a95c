/* A folder of its own for a test that writes files, and whole files in and out of memory. */
#ifndef SNN_TEST_SCRATCH_H
#define SNN_TEST_SCRATCH_H

#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct scratch {
    char folder[256];
    char path[320]; /* a file inside it */
} scratch;

static inline scratch scratch_create(void)
{
    scratch made;
    const char *base = getenv("TMPDIR");
    snprintf(made.folder, sizeof made.folder, "%s/sparsenn-test-XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(made.folder) == NULL) {
        perror(made.folder);
        exit(1);
    }
    snprintf(made.path, sizeof made.path, "%s/model.safetensors", made.folder);
    return made;
}

/* Removes every file in the folder, and returns how many there were. */
static inline int scratch_empty(const scratch *from)
{
    int count = 0;
    DIR *listing = opendir(from->folder);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count += unlinkat(dirfd(listing), entry->d_name, 0) == 0;
    }
    closedir(listing);
    return count;
}

static inline void scratch_remove(const scratch *made)
{
    scratch_empty(made);
    rmdir(made->folder);
}

/* The whole file (*count bytes), to be freed; exits where it cannot be read. */
static inline unsigned char *read_file(const char *path, size_t *count)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &about) != 0) {
        perror(path);
        exit(1);
    }
    *count = (size_t)about.st_size;
    unsigned char *bytes = malloc(*count + 1);
    if (bytes == NULL || fread(bytes, 1, *count, file) != *count)
        exit(1);
    fclose(file);
    return bytes;
}

#endif
