#include "plan/shapes.h"

#include "base/lock.h"
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "plan/layer.h"

#include <string.h>

enum { KEPT = 8 /* where the options do not say */ };

struct snn_shapes {
    snn_stock *stocks; /* (nodes) */
    int64_t nodes;
    snn_plan_options options;
    int64_t *batch_sizes; /* of the options, owned */
    char *cache_path;
    int reserved; /* workspaces */
    int count;
    snn_special *list;
    uint64_t clock;
};

static snn_status out_of_memory(void)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory for a plan of dynamic dims");
}

snn_stock *snn_shapes_stocks(const snn_shapes *shapes) { return shapes->stocks; }

/* ---- made and freed ---- */

static snn_status copy_weights(const snn_node *from, snn_node *node, snn_stock *stock)
{
    snn_csr csr;
    snn_status status = SNN_ERROR_MEMORY;
    snn_node made;
    if (snn_layer_view(from, &csr))
        status =
            snn_node_make_csr(csr.rows, csr.cols, csr.indptr, csr.indices, csr.data, from->bias, 0, &made);
    snn_layer_clear(from, &csr);
    if (status)
        return out_of_memory();
    snn_node_set_arrays(node, made);
    stock->dense = !from->sparse;
    stock->csr = (snn_csr){node->rows, node->cols, node->indptr, node->indices, node->data};
    return SNN_OK;
}

/* The options without what is the caller's. 0 when memory is out. */
static int copy_options(const snn_plan *plan, const snn_plan_options *options, snn_shapes *shapes)
{
    const size_t count = options->batch_sizes ? options->batch_size_count : 0;
    const size_t bytes = options->cache_path ? strlen(options->cache_path) + 1 : 0;
    shapes->options = *options;
    shapes->options.threads = plan->threads;
    shapes->options.kept_shapes = options->kept_shapes ? options->kept_shapes : KEPT;
    shapes->batch_sizes = snn_alloc(count, sizeof *shapes->batch_sizes);
    shapes->cache_path = snn_alloc(bytes, 1);
    if (!shapes->batch_sizes || !shapes->cache_path)
        return 0;
    if (count)
        memcpy(shapes->batch_sizes, options->batch_sizes, count * sizeof *shapes->batch_sizes);
    if (bytes)
        memcpy(shapes->cache_path, options->cache_path, bytes);
    shapes->options.batch_sizes = options->batch_sizes ? shapes->batch_sizes : NULL;
    shapes->options.cache_path = options->cache_path ? shapes->cache_path : NULL;
    return 1;
}

snn_status snn_shapes_create(const snn_model *model, const snn_plan_options *options, snn_plan *plan)
{
    snn_shapes *shapes = plan->shapes = snn_alloc(1, sizeof *shapes);
    if (!shapes)
        return out_of_memory();
    shapes->stocks = snn_alloc((size_t)model->count, sizeof *shapes->stocks);
    shapes->nodes = shapes->stocks ? model->count : 0;
    snn_status status = copy_options(plan, options, shapes) && shapes->stocks ? SNN_OK : out_of_memory();
    if (!status)
        status = snn_model_copy(model, NULL, 0, &plan->shape);
    for (int64_t i = 0; i < model->count && !status; i++)
        if (snn_op_of(model->nodes[i].type)->kind == SNN_KIND_MATRIX)
            status = copy_weights(&model->nodes[i], &plan->shape->nodes[i], &shapes->stocks[i]);
    return status;
}

static void free_special(snn_special *special)
{
    if (!special)
        return;
    snn_plan_free(special->plan);
    snn_free(special->dims);
    snn_free(special);
}

void snn_shapes_free(snn_shapes *shapes)
{
    if (!shapes)
        return;
    for (snn_special *special = shapes->list, *next; special; special = next) {
        next = special->next;
        free_special(special);
    }
    snn_stocks_clear(shapes->stocks, shapes->nodes);
    snn_free(shapes->stocks);
    snn_free(shapes->batch_sizes);
    snn_free(shapes->cache_path);
    snn_free(shapes);
}

/* ---- the list, with SNN_LOCK_SHAPES ---- */

static int is_of(const snn_special *special, const snn_model *shape, const int64_t *const *dims)
{
    for (int64_t i = 0; i < shape->input_count; i++) {
        const size_t count = (size_t)shape->values[shape->input_values[i]].rank - 1;
        if (count && memcmp(special->dims[i], dims[i], count * sizeof **dims))
            return 0;
    }
    return 1;
}

static snn_special *find_last(snn_shapes *shapes)
{
    snn_special *last = shapes->list;
    for (snn_special *special = last; special; special = special->next)
        last = special->used > last->used ? special : last;
    return last;
}

/* For dims, or the last one; with a user more. NULL for none. */
static snn_special *find(const snn_plan *plan, const int64_t *const *dims)
{
    snn_special *found = dims ? plan->shapes->list : find_last(plan->shapes);
    while (dims && found && !is_of(found, plan->shape, dims))
        found = found->next;
    if (found) {
        found->users++;
        found->used = dims ? ++plan->shapes->clock : found->used;
    }
    return found;
}

/* Takes out the one that nobody is in and that was used longest ago; NULL for none. */
static snn_special *take_oldest(snn_shapes *shapes)
{
    snn_special **oldest = NULL;
    for (snn_special **at = &shapes->list; *at; at = &(*at)->next)
        if (!(*at)->users && (!oldest || (*at)->used < (*oldest)->used))
            oldest = at;
    if (!oldest)
        return NULL;
    snn_special *taken = *oldest;
    *oldest = taken->next;
    shapes->count--;
    return taken;
}

/* ---- specialisations, with SNN_LOCK_MAKING ---- */

/* Arrays of their own, in one piece. NULL when memory is out. */
static int64_t **copy_dims(const snn_model *shape, const int64_t *const *dims)
{
    size_t count = 0;
    for (int64_t i = 0; i < shape->input_count; i++)
        count += (size_t)shape->values[shape->input_values[i]].rank - 1;
    const size_t pointers = (size_t)shape->input_count;
    int64_t **copy = snn_alloc(1, pointers * sizeof *copy + count * sizeof **copy);
    int64_t *to = copy ? (int64_t *)(copy + pointers) : NULL;
    for (int64_t i = 0; copy && i < shape->input_count; i++) {
        copy[i] = to;
        for (int k = 1; k < shape->values[shape->input_values[i]].rank; k++)
            *to++ = dims[i][k - 1];
    }
    return copy;
}

static snn_status make(const snn_plan *plan, const int64_t *const *dims, snn_special **out)
{
    const snn_shapes *shapes = plan->shapes;
    snn_special *made = snn_alloc(1, sizeof *made);
    snn_model *bound = NULL;
    if (made)
        made->dims = copy_dims(plan->shape, dims);
    const int ready =
        made && made->dims && snn_stocks_unpack(shapes->stocks, plan->shape, plan->isa, plan->threads);
    snn_status status = ready ? snn_model_bind(plan->shape, dims, &bound) : out_of_memory();
    if (!status)
        status = snn_plan_make(bound, plan->isa, &shapes->options, plan, &made->plan);
    snn_model_free(bound);
    if (!status && shapes->reserved)
        status = snn_workspace_reserve(made->plan, shapes->reserved);
    if (status)
        free_special(made);
    else
        *out = made;
    snn_stocks_drop(shapes->stocks, plan->shape);
    return status;
}

/* Makes room for one more; those that are too many go. */
static void make_room(snn_shapes *shapes)
{
    for (snn_special *gone = NULL;; free_special(gone)) {
        snn_lock(SNN_LOCK_SHAPES);
        gone = shapes->count >= shapes->options.kept_shapes ? take_oldest(shapes) : NULL;
        snn_unlock(SNN_LOCK_SHAPES);
        if (!gone)
            return;
    }
}

/* Makes what no other caller has made meanwhile. */
static snn_status enter_new(const snn_plan *plan, const int64_t *const *dims, snn_special **out)
{
    snn_shapes *shapes = plan->shapes;
    snn_status status = SNN_OK;
    snn_lock(SNN_LOCK_MAKING);
    *out = snn_shapes_enter_ready(plan, dims);
    if (!*out && !(status = make(plan, dims, out))) {
        make_room(shapes);
        snn_lock(SNN_LOCK_SHAPES);
        (*out)->users = 1;
        (*out)->used = ++shapes->clock;
        (*out)->next = shapes->list;
        shapes->list = *out;
        shapes->count++;
        snn_unlock(SNN_LOCK_SHAPES);
    }
    snn_unlock(SNN_LOCK_MAKING);
    return status;
}

snn_status snn_shapes_enter(const snn_plan *plan, const int64_t *const *dims, snn_special **special)
{
    const snn_status status = snn_model_check_dims(plan->shape, dims);
    if (status)
        return status;
    *special = snn_shapes_enter_ready(plan, dims);
    return *special ? SNN_OK : enter_new(plan, dims, special);
}

snn_special *snn_shapes_enter_ready(const snn_plan *plan, const int64_t *const *dims)
{
    snn_lock(SNN_LOCK_SHAPES);
    snn_special *found = find(plan, dims);
    snn_unlock(SNN_LOCK_SHAPES);
    return found;
}

void snn_shapes_leave(snn_special *special)
{
    snn_lock(SNN_LOCK_SHAPES);
    special->users--;
    snn_unlock(SNN_LOCK_SHAPES);
}

/* ---- all of them ---- */

void snn_shapes_each(const snn_plan *plan, void (*visit)(void *context, const snn_special *special),
                     void *context)
{
    const snn_special *next = NULL;
    uint64_t before = UINT64_MAX;
    snn_lock(SNN_LOCK_SHAPES);
    do {
        next = NULL;
        for (const snn_special *special = plan->shapes->list; special; special = special->next)
            if (special->used < before && (!next || special->used > next->used))
                next = special;
        if (next) {
            visit(context, next);
            before = next->used;
        }
    } while (next);
    snn_unlock(SNN_LOCK_SHAPES);
}

snn_status snn_shapes_reserve(const snn_plan *plan, int callers)
{
    snn_shapes *shapes = plan->shapes;
    snn_status status = SNN_OK;
    snn_lock(SNN_LOCK_MAKING); // so the list stays as it is
    shapes->reserved = callers > shapes->reserved ? callers : shapes->reserved;
    for (const snn_special *special = shapes->list; special && !status; special = special->next)
        status = snn_workspace_reserve(special->plan, callers);
    snn_unlock(SNN_LOCK_MAKING);
    return status;
}
