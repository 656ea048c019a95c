/* Sequences that come by and by; a part of sparsenn.h, whose rules hold here too. */
#ifndef SPARSENN_STREAM_H
#define SPARSENN_STREAM_H

#include "sparsenn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Some sequences side by side, and the states in which the recurrent layers of a plan are left. What is fed
 * part by part gives the bits that one run of all steps gives. Any number of streams share a plan, which must
 * outlive them; one thread at a time uses a stream. */
typedef struct snn_stream snn_stream;

/* batch sequences, at their beginning. SNN_ERROR_UNSUPPORTED, with the reason, where the plan's steps cannot
 * come by and by: it must be of a model whose inputs and outputs are (batch, steps, ...) with any number of
 * steps, that dim alone being dynamic, whose recurrent layers go forward from constant first states without
 * lengths, and of which nothing else mixes steps. */
SNN_API snn_status snn_stream_create(const snn_plan *plan, int64_t batch, snn_stream **stream);
SNN_API void snn_stream_free(snn_stream *stream);
/* The next steps, as snn_plan_run_shaped with the stream's batch. After an error the states are as they were.
 */
SNN_API snn_status snn_stream_feed(snn_stream *stream, const float *const *x, const int64_t *const *dims,
                                   float *const *y);
/* Back to the beginning. */
SNN_API snn_status snn_stream_reset(snn_stream *stream);
/* A stream of its own that goes on from here. */
SNN_API snn_status snn_stream_copy(const snn_stream *stream, snn_stream **copy);
/* Floats of the states of a sequence; 0 for NULL. */
SNN_API int64_t snn_stream_state_size(const snn_stream *stream);
/* All states, (batch, state size), to be kept; and put back, in a stream of a plan of the same model. */
SNN_API snn_status snn_stream_get_state(const snn_stream *stream, float *state);
SNN_API snn_status snn_stream_set_state(snn_stream *stream, const float *state);

#ifdef __cplusplus
}
#endif
#endif
