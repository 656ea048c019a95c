#include "words_avx2.h"
#include "moves_avx2.h"
#include "train_avx2.h"
#include "../kernels/all.inl"
