/* Running steps in bands. */
#include "plan/band.h"

#include "base/minmax.h"
#include "plan/lower.h"

/* Rows [first, end) of a plane. */
typedef struct span {
    int64_t first, end;
} span;

/* What every band of a part shares. */
typedef struct work {
    const snn_plan *plan;
    const snn_step *steps; /* the first of them */
    const snn_band *band;
    const snn_frame *frame;
    float *y;
    span held[SNN_BAND_STEPS];  /* what the buffer of each step has */
    span fresh[SNN_BAND_STEPS]; /* what each step makes next */
} work;

static int is_empty(span rows) { return rows.first >= rows.end; }

static float *buffer_of(const work *k, int64_t step)
{
    return k->frame->scratch + k->plan->buffers_at + k->band->steps[step].begins_at;
}

/* Rows of x that rows of the result read. */
static span rows_read(const snn_window *w, span rows)
{
    const int64_t first = rows.first * w->stride_h - w->pad_top;
    const int64_t end = (rows.end - 1) * w->stride_h - w->pad_top + (w->kernel_h - 1) * w->dilation_h + 1;
    return (span){snn_min(snn_max(first, 0), w->height), snn_max(snn_min(end, w->height), 0)};
}

/* Rows of a buffer that are read again -> its front. */
static void move_up(const work *k, int64_t step, int64_t first)
{
    const snn_band_step *part = &k->band->steps[step];
    const span held = k->held[step];
    const int64_t width = part->window.out_width, plane = part->rows * width;
    const int64_t channels = k->steps[step + 1].window->channels;
    float *to = buffer_of(k, step);
    if (first == held.first || first >= held.end)
        return;
    for (int64_t c = 0; c < channels; c++) {
        float *row = to + c * plane;
        const float *from = row + (first - held.first) * width;
        for (int64_t i = 0; i < (held.end - first) * width; i++)
            row[i] = from[i];
    }
}

/* What each step has to make so that the last makes those rows. */
static void plan_rows(work *k, span rows)
{
    k->fresh[k->band->count - 1] = rows;
    for (int64_t i = k->band->count - 1; i > 0; i--) {
        const span needed =
            is_empty(k->fresh[i]) ? k->fresh[i] : rows_read(&k->band->steps[i].window, k->fresh[i]);
        span *held = &k->held[i - 1];
        k->fresh[i - 1] = (span){0, 0};
        if (is_empty(k->fresh[i]) || is_empty(needed))
            continue;
        move_up(k, i - 1, needed.first);
        k->fresh[i - 1] = (span){snn_max(needed.first, held->end), needed.end};
        *held = needed;
    }
}

/* The rows that a step makes, as a convolution of a smaller image. */
static snn_convolution part_of(const work *k, int64_t i, snn_window *w)
{
    const snn_step *step = &k->steps[i];
    const int64_t last = k->band->count - 1;
    const span rows = k->fresh[i];
    snn_convolution c = snn_frame_convolution(k->plan, step, k->frame, k->y);
    *w = k->band->steps[i].window;
    c.window = w;
    c.taken = NULL;
    c.addend_plane = w->y_plane;
    if (c.addend)
        c.addend += rows.first * w->out_width;
    const span x = rows_read(w, rows); // in a buffer they come first
    if (i == 0) {
        c.x += x.first * w->width;
    } else {
        c.x = buffer_of(k, i - 1);
        w->x_plane = k->band->steps[i - 1].rows * w->width;
    }
    if (i == last) {
        c.y += rows.first * w->out_width;
    } else {
        c.y = buffer_of(k, i) + (rows.first - k->held[i].first) * w->out_width;
        c.spare = 1;
        w->y_plane = k->band->steps[i].rows * w->out_width;
    }
    w->pad_top += x.first - rows.first * w->stride_h;
    w->height = snn_max(x.end - x.first, 0);
    w->out_height = rows.end - rows.first;
    if (step->type == SNN_STEP_CONVOLUTION)
        snn_window_flatten(w);
    return c;
}

void snn_band_run(const snn_plan *plan, int64_t index, const snn_frame *frame, float *y, int member,
                  int members, snn_band_runner runner, void *context)
{
    const snn_step *first = &plan->steps[index];
    work k = {.plan = plan, .steps = first, .band = first->band, .frame = frame, .y = y};
    const int64_t height = k.band->steps[k.band->count - 1].window.out_height;
    const int64_t end = height * (member + 1) / members;
    for (int64_t row = height * member / members; row < end; row += k.band->height) {
        plan_rows(&k, (span){row, snn_min(row + k.band->height, end)});
        for (int64_t i = 0; i < k.band->count; i++) {
            snn_window window;
            if (is_empty(k.fresh[i]))
                continue;
            const snn_convolution c = part_of(&k, i, &window);
            runner(context, &c, index + i);
        }
    }
}
