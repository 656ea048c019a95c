/* Attention of a sample, a head and a panel of queries at a time: scores of a block of keys, their powers,
 * what they weigh of v, then the next block. So no more of the scores is ever there than one block. Queries
 * are the vector axis throughout. Source: Dao et al. 2022, arXiv:2205.14135 */
#include "plan/product.h"

#include "base/minmax.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { KEYS = 256 }; /* of a block */

/* A head and a panel of queries. */
typedef struct task {
    const snn_isa *isa;
    const snn_attention *a;
    const float *q, *k, *v, *mask; /* of the head; mask NULL: none */
    int64_t width, first, count;   /* of a panel, and the queries in it */
    /* scratch: (depth, width), (keys, width), (the more of keys and width of v, width), (width of v, width),
     * (width) each */
    float *panel, *scores, *turned, *sums, *top, *total, *factor;
} task;

/* The queries of the panel, scaled. */
static void load_queries(const task *t)
{
    if (t->count < t->width)
        memset(t->panel, 0, (size_t)(t->a->depth * t->width) * sizeof(float));
    t->isa->copy(t->q + t->first, t->a->queries, t->panel, t->width, t->a->depth, t->count);
    t->isa->pair(SNN_OP_MUL, (snn_side){t->panel, t->width, 0}, (snn_side){&t->a->scale, 0, 1}, t->panel,
                 t->a->depth, t->width);
}

/* The mask of keys [from, from + keys), added to the scores. */
static void add_mask(const task *t, int64_t from, int64_t keys)
{
    const snn_attention *a = t->a;
    const float *mask = t->mask + t->first * a->mask_query + from * a->mask_key;
    snn_side side = {mask, a->mask_key, 1};
    if (a->mask_query) {
        const int64_t rows = a->mask_key ? keys : 1;
        t->isa->transpose(mask, a->mask_query, t->turned, t->width, t->count, rows, t->width);
        side = (snn_side){t->turned, a->mask_key ? t->width : 0, 0};
    }
    t->isa->pair(SNN_OP_ADD, (snn_side){t->scores, t->width, 0}, side, t->scores, keys, t->width);
}

/* Keys behind a query, of [from, from + keys), do not count. */
static void hide_later(const task *t, int64_t from, int64_t keys)
{
    for (int64_t k = snn_max(from, t->first); k < from + keys; k++)
        for (int64_t i = 0; i < snn_min(k - t->first, t->width); i++)
            t->scores[(k - from) * t->width + i] = -INFINITY;
}

/* What so many keys weigh of v, added to the sums or their beginning. */
static void weigh(const task *t, int64_t from, int64_t keys)
{
    t->isa->product(&(snn_panel_product){.rows = t->a->width,
                                         .depth = keys,
                                         .columns = t->width,
                                         .a = t->v + from,
                                         .a_row = t->a->keys,
                                         .a_step = 1,
                                         .b = t->scores,
                                         .y = t->sums,
                                         .y_row = t->width,
                                         .adds = from > 0});
}

/* The same of keys that not all of the queries see: where a sum is NaN it is made again of those that do. */
static void weigh_seen(const task *t, int64_t from, int64_t keys)
{
    const size_t bytes = (size_t)(t->a->width * t->width) * sizeof(float);
    memcpy(t->turned, t->sums, from > 0 ? bytes : 0);
    weigh(t, from, keys);
    if (!t->isa->has_nan(t->sums, t->a->width * t->width))
        return;
    if (from > 0)
        memcpy(t->sums, t->turned, bytes);
    else
        memset(t->sums, 0, bytes);
    for (int64_t w = 0; w < t->a->width; w++)
        for (int64_t k = from; k < from + keys; k++) {
            const int64_t hidden = snn_max(0, k - t->first);
            t->isa->scaled_add(t->v[w * t->a->keys + k], t->scores + (k - from) * t->width + hidden,
                               t->sums + w * t->width + hidden, t->width - hidden);
        }
}

static void run_block(const task *t, int64_t from, int64_t keys)
{
    const snn_isa *isa = t->isa;
    const snn_attention *a = t->a;
    isa->product(&(snn_panel_product){.rows = keys,
                                      .depth = a->depth,
                                      .columns = t->width,
                                      .a = t->k + from,
                                      .a_row = 1,
                                      .a_step = a->keys,
                                      .b = t->panel,
                                      .y = t->scores,
                                      .y_row = t->width});
    if (t->mask)
        add_mask(t, from, keys);
    if (a->causal)
        hide_later(t, from, keys);
    isa->soften(t->scores, keys, t->top, t->total, t->factor);
    if (from > 0)
        isa->pair(SNN_OP_MUL, (snn_side){t->sums, t->width, 0}, (snn_side){t->factor, 0, 0}, t->sums,
                  a->width, t->width);
    (a->causal && from + keys > t->first + 1 ? weigh_seen : weigh)(t, from, keys);
}

/* -> y (width, queries) of the head. */
static void run_task(const task *t, float *y)
{
    const snn_attention *a = t->a;
    const int64_t end = a->causal ? snn_min(a->keys, t->first + t->count) : a->keys;
    load_queries(t);
    for (int64_t i = 0; i < t->width; i++) {
        t->top[i] = -FLT_MAX; // where all are -inf the sum is 0, and the result NaN
        t->total[i] = 0.0f;
    }
    for (int64_t from = 0; from < end; from += KEYS)
        run_block(t, from, snn_min(KEYS, end - from));
    for (int64_t i = 0; a->zeros && i < t->width; i++)
        t->total[i] = t->total[i] == 0.0f ? 1.0f : t->total[i]; // no key: the sums are 0
    t->isa->pair(SNN_OP_DIV, (snn_side){t->sums, t->width, 0}, (snn_side){t->total, 0, 0}, t->sums, a->width,
                 t->width);
    t->isa->copy(t->sums, t->width, y + t->first, a->queries, a->width, t->count);
}

int64_t snn_attention_scratch(const snn_isa *isa, const snn_step *step)
{
    const snn_attention *a = step->attention;
    return 2 * isa->lanes * (a->depth + a->width + KEYS + snn_max(KEYS, a->width) + 3);
}

void snn_attention_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                       int member, int members)
{
    const snn_attention *a = step->attention;
    const float *operands[4] = {NULL};
    for (int64_t i = 0; i < step->operand_count; i++)
        operands[i] = snn_frame_operand(frame, &step->operands[i]);
    task t = {.isa = plan->isa, .a = a, .width = 2 * plan->isa->lanes};
    t.panel = frame->scratch;
    t.scores = t.panel + a->depth * t.width;
    t.turned = t.scores + KEYS * t.width;
    t.sums = t.turned + snn_max(KEYS, a->width) * t.width;
    t.top = t.sums + a->width * t.width;
    t.total = t.top + t.width;
    t.factor = t.total + t.width;
    const int64_t panels = (a->queries + t.width - 1) / t.width, tasks = a->heads * panels;
    for (int64_t i = tasks * member / members; i < tasks * (member + 1) / members; i++) {
        const int64_t head = i / panels, own = head * a->own_heads / a->heads;
        t.q = operands[0] + head * a->depth * a->queries;
        t.k = operands[1] + own * a->depth * a->keys;
        t.v = operands[2] + own * a->width * a->keys;
        t.mask = a->has_mask ? operands[3] + head * a->mask_head : NULL;
        t.first = i % panels * t.width;
        t.count = snn_min(t.width, a->queries - t.first);
        run_task(&t, y + head * a->width * a->queries);
    }
}
