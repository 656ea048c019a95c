/* Times of one thing, measured several times: nearly all are too long, if they are wrong, so the least
 * counts; that it is right is known when several samples agree with it. A few may be much too short, where
 * the clock of a thread stands still for a moment (seen in virtual machines): those that stand alone do not
 * count. */
#ifndef SNN_SAMPLES_H
#define SNN_SAMPLES_H

#include <float.h>

enum { SNN_AGREE = 3, SNN_SAMPLES_KEPT = 8 };
#define SNN_LONG_US 5000.0 /* chance does not make two samples of this length agree */
#define SNN_TOO_SHORT 0.75 /* of the time that others agree on: no measurement of the same */

/* Reading the clock of a thread costs 0.4 us and more: a sample is at least so long. */
#define SNN_SAMPLE_US 20.0

/* Runs that make a sample, where one takes about so long. */
static inline int snn_samples_runs(double us)
{
    return us >= SNN_SAMPLE_US ? 1 : us < SNN_SAMPLE_US / 32 ? 32 : (int)(SNN_SAMPLE_US / us) + 1;
}

typedef struct snn_samples {
    double least_us[SNN_SAMPLES_KEPT]; /* ascending */
} snn_samples;

static inline void snn_samples_init(snn_samples *samples)
{
    for (int i = 0; i < SNN_SAMPLES_KEPT; i++)
        samples->least_us[i] = DBL_MAX;
}

static inline void snn_samples_add(snn_samples *samples, double took)
{
    for (int i = 0; i < SNN_SAMPLES_KEPT; i++)
        if (took < samples->least_us[i]) {
            const double longer = samples->least_us[i];
            samples->least_us[i] = took;
            took = longer;
        }
}

/* How many samples of that length have to agree. */
static inline int snn_samples_needed(double us) { return us > SNN_LONG_US ? 2 : SNN_AGREE; }

/* Which is the least that others agree with within that factor; -1 for none. */
static inline int snn_samples_agreed(const snn_samples *samples, double factor)
{
    const double *least = samples->least_us;
    for (int i = 0; i < SNN_SAMPLES_KEPT && least[i] < DBL_MAX; i++) {
        const int last = i + snn_samples_needed(least[i]) - 1;
        if (least[i] > 0.0 && last < SNN_SAMPLES_KEPT && least[last] <= factor * least[i])
            return i == 0 || least[i - 1] < SNN_TOO_SHORT * least[i] ? i : -1;
    }
    return -1;
}

/* The time: the one agreed on, else the third of those taken; DBL_MAX before the first. */
static inline double snn_samples_us(const snn_samples *samples, double factor)
{
    const int agreed = snn_samples_agreed(samples, factor);
    int taken = agreed >= 0 ? agreed : SNN_AGREE - 1;
    while (taken > 0 && agreed < 0 && samples->least_us[taken] == DBL_MAX)
        taken--;
    return samples->least_us[taken];
}

#endif
