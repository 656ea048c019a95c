/* Reading images: binary PGM (P5, grey) and PPM (P6, red green blue), one byte a value. */
#ifndef PNM_H
#define PNM_H

typedef struct image {
    int channels, height, width;
    float *pixels; /* (channels, height, width), in [0, 1]; free() it */
} image;

/* NULL, or what is wrong with the file; then there is nothing to free. */
const char *pnm_read(const char *path, image *result);

#endif
