#include "words_scalar.h"
#include "moves_scalar.h"
#include "train_scalar.h"
#include "../kernels/all.inl"
