/* Times of one thing, measured several times: they are only ever too long, never too short, so the least
 * counts; that it is right is known when several samples agree with it. */
#ifndef SNN_SAMPLES_H
#define SNN_SAMPLES_H

#include <float.h>

#define SNN_AGREE 3

typedef struct snn_samples {
    double least_us[SNN_AGREE]; /* ascending */
} snn_samples;

static inline void snn_samples_init(snn_samples *samples)
{
    for (int i = 0; i < SNN_AGREE; i++)
        samples->least_us[i] = DBL_MAX;
}

static inline void snn_samples_add(snn_samples *samples, double took)
{
    for (int i = 0; i < SNN_AGREE; i++)
        if (took < samples->least_us[i]) {
            const double longer = samples->least_us[i];
            samples->least_us[i] = took;
            took = longer;
        }
}

/* Whether the least ones lie within that factor. */
static inline int snn_samples_agree(const snn_samples *samples, double factor)
{
    return samples->least_us[SNN_AGREE - 1] <= factor * samples->least_us[0];
}

#endif
