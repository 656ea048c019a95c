#include "plan/product.h"

#include "base/minmax.h"

#include <string.h>

enum { DEPTH = 512, ROWS = 96 }; /* of a panel of b at a time; of a task */

/* Columns [first, first + count) and steps [from, from + depth) of a matrix -> panel (depth, width). */
static void load_panel(const snn_isa *isa, const snn_product *p, const float *b, int64_t first, int64_t count,
                       int64_t from, int64_t depth, float *panel)
{
    const int64_t width = 2 * isa->lanes;
    b += from * p->b_step + first * p->b_column;
    if (p->b_column != 1) {
        isa->transpose(b, p->b_column, panel, width, count, depth, width);
        return;
    }
    if (count < width)
        memset(panel, 0, (size_t)(depth * width) * sizeof *panel);
    isa->copy(b, p->b_step, panel, width, depth, count);
}

/* Rows [row, row + rows) of columns [first, first + count) of one matrix, y (rows, columns). */
static void run_task(const snn_isa *isa, const snn_product *p, const float *a, const float *b, int64_t row,
                     int64_t rows, int64_t first, int64_t count, float *scratch, float *y)
{
    const int64_t width = 2 * isa->lanes;
    const int whole = count == width || count == isa->lanes;
    float *panel = scratch, *part = scratch + DEPTH * width;
    snn_panel_product call = {.rows = rows,
                              .columns = count,
                              .a_row = p->a_row,
                              .a_step = p->a_step,
                              .b = panel,
                              .y = whole ? y + row * p->columns + first : part,
                              .y_row = whole ? p->columns : width};
    for (int64_t from = 0; from < p->depth; from += DEPTH) {
        call.depth = snn_min(DEPTH, p->depth - from);
        call.a = a + row * p->a_row + from * p->a_step;
        call.adds = from > 0;
        load_panel(isa, p, b, first, count, from, call.depth, panel);
        isa->product(&call);
    }
    if (!whole)
        isa->copy(part, width, y + row * p->columns + first, p->columns, rows, count);
}

/* Where the matrix of an operand begins at a place of the outer axes. */
static int64_t begin_of(const snn_product *p, const int64_t *apart, int64_t place)
{
    int64_t at = 0;
    for (int i = p->axes - 1; i >= 0; i--) {
        at += place % p->dims[i] * apart[i];
        place /= p->dims[i];
    }
    return at;
}

void snn_product_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y, int member,
                     int members)
{
    const snn_isa *isa = plan->isa;
    const snn_product *p = step->product;
    const float *a = snn_frame_operand(frame, &step->operands[0]);
    const float *b = snn_frame_operand(frame, &step->operands[1]);
    const int64_t width = 2 * isa->lanes, panels = (p->columns + width - 1) / width;
    const int64_t chunks = (p->rows + ROWS - 1) / ROWS, tasks = p->outer * panels * chunks;
    for (int64_t t = tasks * member / members; t < tasks * (member + 1) / members; t++) {
        const int64_t outer = t / (panels * chunks), first = t / chunks % panels * width;
        const int64_t row = t % chunks * ROWS;
        run_task(isa, p, a + begin_of(p, p->a_apart, outer), b + begin_of(p, p->b_apart, outer), row,
                 snn_min(ROWS, p->rows - row), first, snn_min(width, p->columns - first), frame->scratch,
                 y + outer * p->rows * p->columns);
    }
}

int64_t snn_product_scratch(const snn_isa *isa) { return (DEPTH + ROWS) * 2 * isa->lanes; }
