#include "pnm.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_SIDE = 16384 };

/* The next number of the header, behind white space and comments; 0 where there is none up to most. */
static int read_number(FILE *file, int most)
{
    int c = fgetc(file);
    while (c == '#' || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        while (c == '#' && (c = fgetc(file)) != '\n' && c != EOF)
            c = '#';
        c = fgetc(file);
    }
    int number = 0;
    for (; c >= '0' && c <= '9'; c = fgetc(file)) {
        number = 10 * number + (c - '0');
        if (number > most)
            return 0;
    }
    return number; /* the one character behind it is read, as the format wants it */
}

/* Bytes as they lie in the file, pixel by pixel -> planes, in [0, 1]. */
static void spread(const unsigned char *bytes, int largest, image *result)
{
    const size_t plane = (size_t)result->height * (size_t)result->width;
    for (size_t i = 0; i < plane; i++)
        for (int c = 0; c < result->channels; c++)
            result->pixels[(size_t)c * plane + i] =
                (float)bytes[i * (size_t)result->channels + (size_t)c] / (float)largest;
}

static const char *read_image(FILE *file, image *result)
{
    const int first = fgetc(file), kind = fgetc(file);
    if (first != 'P' || (kind != '5' && kind != '6'))
        return "the image must be a binary PGM or PPM file (P5 or P6)";
    result->channels = kind == '5' ? 1 : 3;
    result->width = read_number(file, LARGEST_SIDE);
    result->height = read_number(file, LARGEST_SIDE);
    const int largest = read_number(file, 255);
    if (result->width == 0 || result->height == 0 || largest == 0)
        return "the image must have a width and a height in [1, 16384] and at most 255 as largest value";
    const size_t count =
        (size_t)result->channels * (size_t)result->height * (size_t)result->width;
    unsigned char *bytes = malloc(count);
    result->pixels = malloc(count * sizeof *result->pixels);
    const char *wrong = NULL;
    if (bytes == NULL || result->pixels == NULL)
        wrong = "out of memory for the image";
    else if (fread(bytes, 1, count, file) != count)
        wrong = "the image ends before its last pixel";
    else
        spread(bytes, largest, result);
    if (wrong != NULL)
        free(result->pixels);
    free(bytes);
    return wrong;
}

const char *pnm_read(const char *path, image *result)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return "the image cannot be opened";
    const char *wrong = read_image(file, result);
    fclose(file);
    return wrong;
}
