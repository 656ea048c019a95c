#include "words_avx512.h"
#include "moves_avx512.h"
#include "train_avx512.h"
#include "../kernels/all.inl"
