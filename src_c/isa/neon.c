#include "words_neon.h"
#include "moves_neon.h"
#include "train_neon.h"
#include "../kernels/all.inl"
