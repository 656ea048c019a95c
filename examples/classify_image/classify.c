/* Says what is in an image, by a convolutional network that sparsenn has saved:
 *
 *     classify MODEL IMAGE [LABELS]
 *
 * MODEL   a .safetensors file with one input of (batch, channels, height, width) and one output of (batch,
 *         classes): logits
 * IMAGE   binary PGM where the network takes one channel, PPM where it takes three, of its height and width;
 *         it is given values in [0, 1]
 * LABELS  the names of the classes, a line each; without it their numbers are printed
 *
 * Prints the likeliest classes, a line each, with their scores: the softmax of the logits. */
#include "pnm.h"

#include <sparsenn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5, LONGEST_LABEL = 256 };

static int fail(const char *what)
{
    fprintf(stderr, "classify: %s\n", what);
    return 1;
}

/* Whether the network takes this image; says what it takes where not. */
static int check_image(const snn_plan *plan, const image *image)
{
    snn_value_info in, out;
    if (snn_plan_input_count(plan) != 1 || snn_plan_output_count(plan) != 1)
        return fail("the network must have one input and one output");
    if (snn_plan_input(plan, 0, &in) != SNN_OK || snn_plan_output(plan, 0, &out) != SNN_OK)
        return fail(snn_last_error());
    if (in.rank != 4 || out.rank != 2)
        return fail("the network must take images and give a score for each class");
    const int got[] = {image->channels, image->height, image->width};
    for (int i = 0; i < 3; i++) {
        if (in.dims[i + 1] == -1 || in.dims[i + 1] == got[i])
            continue;
        fprintf(stderr, "classify: the image must have %d channels, height %d and width %d, got %d, %d, %d\n",
                (int)in.dims[1], (int)in.dims[2], (int)in.dims[3], got[0], got[1], got[2]);
        return 1;
    }
    return 0;
}

/* Logits (classes) -> scores that add up to 1, in place. */
static void softmax(float *scores, int64_t classes)
{
    float largest = scores[0], sum = 0.0f;
    for (int64_t i = 1; i < classes; i++)
        largest = scores[i] > largest ? scores[i] : largest;
    for (int64_t i = 0; i < classes; i++)
        sum += scores[i] = expf(scores[i] - largest);
    for (int64_t i = 0; i < classes; i++)
        scores[i] /= sum;
}

/* Line number index of a file, or the number itself -> label. */
static void find_label(FILE *labels, int64_t index, char label[LONGEST_LABEL])
{
    snprintf(label, LONGEST_LABEL, "%d", (int)index);
    if (labels == NULL)
        return;
    char line[LONGEST_LABEL];
    rewind(labels);
    for (int64_t i = 0; fgets(line, sizeof line, labels) != NULL; i++)
        if (i == index) {
            line[strcspn(line, "\r\n")] = '\0';
            snprintf(label, LONGEST_LABEL, "%s", line);
            return;
        }
}

/* The largest scores first; they are overwritten. */
static void print_best(float *scores, int64_t classes, FILE *labels)
{
    for (int shown = 0; shown < SHOWN && shown < classes; shown++) {
        int64_t best = 0;
        for (int64_t i = 1; i < classes; i++)
            best = scores[i] > scores[best] ? i : best;
        char label[LONGEST_LABEL];
        find_label(labels, best, label);
        printf("%s %.6f\n", label, (double)scores[best]);
        scores[best] = -1.0f;
    }
}

static int classify(const snn_plan *plan, const image *image, FILE *labels)
{
    if (check_image(plan, image) != 0)
        return 1;
    const int64_t classes = snn_plan_outputs(plan);
    float *scores = malloc((size_t)classes * sizeof *scores);
    if (scores == NULL)
        return fail("out of memory for the scores");
    const int failed = snn_plan_run(plan, image->pixels, 1, scores) != SNN_OK;
    if (!failed) {
        softmax(scores, classes);
        print_best(scores, classes, labels);
    }
    free(scores);
    return failed ? fail(snn_last_error()) : 0;
}

/* The model file compiled for this processor: NULL where that fails. */
static snn_plan *load_plan(const char *path)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    if (snn_model_load(path, &model) == SNN_OK)
        snn_plan_create(model, NULL, &plan);
    snn_model_free(model); /* the plan holds all that it needs */
    return plan;
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 4)
        return fail("usage: classify MODEL IMAGE [LABELS]");
    image image;
    const char *wrong = pnm_read(arguments[2], &image);
    if (wrong != NULL)
        return fail(wrong);
    FILE *labels = count == 4 ? fopen(arguments[3], "r") : NULL;
    int code = 1;
    if (count == 4 && labels == NULL) {
        fail("the labels cannot be opened");
    } else {
        snn_plan *plan = load_plan(arguments[1]);
        code = plan != NULL ? classify(plan, &image, labels) : fail(snn_last_error());
        snn_plan_free(plan);
    }
    if (labels != NULL)
        fclose(labels);
    free(image.pixels);
    return code;
}
