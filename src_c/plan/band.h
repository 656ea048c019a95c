/* Steps with windows in bands: some rows of the last result at a time go through all of them, so that what
 * lies between is never whole and stays in the cache of the core that made it (depth first; Alwani et al.
 * 2016, "Fused-layer CNN accelerators"). Each value in between is a buffer of some rows in the scratch of a
 * thread: rows that the next band reads again move to its front, the others are made once. */
#ifndef SNN_BAND_H
#define SNN_BAND_H

#include "plan/convolution.h"
#include "plan/step.h"

enum { SNN_BAND_STEPS = 8 }; /* at most */

/* A step of a band, and the buffer of what it gives unless it is the last. */
typedef struct snn_band_step {
    snn_window window; /* with the dims of planes, also where the step's own is flattened */
    int64_t rows;      /* that the buffer has of each channel */
    int64_t begins_at; /* floats of the scratch before the buffer */
} snn_band_step;

typedef struct snn_band {
    int64_t count;  /* of steps */
    int64_t height; /* rows of the last result at a time */
    int64_t floats; /* of all buffers */
    snn_band_step steps[SNN_BAND_STEPS];
} snn_band;

/* Finds the steps of a lowered plan that run in bands, before the arena is laid out. readers (slots): scratch
 * of zeros. 0 when memory is out. */
int snn_band_find(const snn_model *model, snn_plan *plan, int64_t *readers);
/* Floats of scratch that the buffers of any band take. */
int64_t snn_band_scratch(const snn_plan *plan);

/* What runs one step of a band: index of the step in the plan. */
typedef void (*snn_band_runner)(void *context, const snn_convolution *c, int64_t index);
/* The part of member, of so many members, of the steps from one that begins a band on: the last result -> y.
 */
void snn_band_run(const snn_plan *plan, int64_t index, const snn_frame *frame, float *y, int member,
                  int members, snn_band_runner runner, void *context);

#endif
