/* Lowering, in parts: a model's nodes become a plan's steps over slots. */
#ifndef SNN_LOWER_H
#define SNN_LOWER_H

#include "graph/value.h"
#include "plan/plan.h"

/* Until the arena is laid out, the row of a place is the number of its slot. */
typedef struct snn_lowering {
    const snn_model *model;
    snn_plan *plan;
    int64_t slots;
    int64_t *readers;  /* (values) */
    snn_place *places; /* (values) */
    int64_t
        *makers; /* (values) the step that gives the value and into which what follows may be fused, or -1 */
} snn_lowering;

snn_status snn_lower_out_of_memory(int64_t node);

/* lower_step.c: a step of that type with a slot that takes features; its operands are still to be set. NULL
 * when memory is out. node: of the model, or -1. */
snn_step *snn_lower_add_step(snn_lowering *l, snn_step_type type, int64_t node, int64_t operands,
                             int64_t features);
/* A step of a node of the model, with all that belongs to it. NULL when memory is out. */
snn_step *snn_lower_make_step(snn_lowering *l, int64_t node);
/* The op that ends a step. */
void snn_lower_activation(snn_step *step, const snn_node *node);

/* lower_window.c: the window of a node that has one, for its operand. 0 when memory is out. */
int snn_lower_window(snn_step *step, const snn_node *node, const snn_value *operand);
/* A window of one place that moves by one position takes the plane as one row, so that a tile is fetched in
 * one piece; others stay. */
void snn_window_flatten(snn_window *window);

/* lower_port.c: a slot for an input of the model; the place of an output; which outputs steps may write where
 * the caller wants them, once all steps are there. */
void snn_lower_input(snn_lowering *l, int64_t index);
snn_status snn_lower_output(snn_lowering *l, int64_t index);
snn_status snn_lower_direct(snn_lowering *l);

#endif
