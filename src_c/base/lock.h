/* Locks of the whole library, for what many threads may change at once. They are held in the order of the
 * list. A fork waits for all of them, so that none is held in the child and what they guard is whole there.
 */
#ifndef SNN_LOCK_H
#define SNN_LOCK_H

typedef enum snn_lock_name {
    SNN_LOCK_MAKING, /* of plans of a shape, and what they share: held for as long as that takes */
    SNN_LOCK_SHAPES, /* of the lists of them: held for moments */
    SNN_LOCK_COUNT
} snn_lock_name;

void snn_lock(snn_lock_name name);
void snn_unlock(snn_lock_name name);

#endif
