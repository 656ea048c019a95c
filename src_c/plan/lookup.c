/* Rows of a table that values name. */
#include "plan/step.h"

#include <math.h>
#include <string.h>

/* The row that a value names, counted from the end where it is below 0; -1 where it is none. */
static int64_t row_of(float value, int64_t rows)
{
    if (!(value >= -(float)rows && value < (float)rows) || value != truncf(value))
        return -1;
    const int64_t row = (int64_t)value;
    return row < 0 ? row + rows : row;
}

void snn_lookup_run(const snn_step *step, const snn_frame *frame, float *y, int member, int members)
{
    const float *x = snn_frame_operand(frame, &step->operands[0]);
    const float *table = step->operands[1].constant;
    const int64_t count = step->inputs, features = step->outputs / count;
    const int64_t rows = step->operands[1].features / features;
    for (int64_t i = count * member / members; i < count * (member + 1) / members; i++) {
        const int64_t row = row_of(x[i], rows);
        float *to = y + i * features;
        if (row >= 0)
            memcpy(to, table + row * features, (size_t)features * sizeof *to);
        for (int64_t f = 0; row < 0 && f < features; f++)
            to[f] = NAN;
    }
}
