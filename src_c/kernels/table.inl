/* The kernels of kernels.def as functions, then as the table of this ISA. */
#define SNN_TILE_KERNEL(op, suffix, ...)                                                                  \
    static int SNN_NAME(op##_##suffix)(const void *packed, const float *x, float *y, int64_t row_stride,  \
                                         const snn_epilogue *e) {                                         \
        (void)row_stride;                                                                                 \
        const snn_planes tile = {.x = x, .y = y};                                                         \
        SNN_NAME(op)(__VA_ARGS__, 1, packed, &tile, e);                                                   \
        return 0;                                                                                         \
    }                                                                                                     \
    static void SNN_NAME(op##_##suffix##_planes)(const void *packed, const snn_planes *planes,            \
                                                 const snn_epilogue *e) {                                 \
        SNN_NAME(op)(__VA_ARGS__, 0, packed, planes, e);                                                  \
    }
#define SNN_COLUMN_KERNEL(op, N, ...)                                                                     \
    static int SNN_NAME(op##_##N)(const void *packed, const float *x, float *y, int64_t row_stride,       \
                                   const snn_epilogue *e) {                                               \
        return SNN_NAME(op)(__VA_ARGS__, packed, x, y, row_stride, e);                                    \
    }
#define SNN_CSR_TILE(R, V, I) SNN_TILE_KERNEL(csr_tile, R##x##V##i##I, R, V, I)
#define SNN_CSR_LOADS(R, V) SNN_TILE_KERNEL(csr_loads, R##x##V, R, V)
#define SNN_PANEL_TILE(R, V) SNN_TILE_KERNEL(panel_tile, R##x##V, R, V)
#define SNN_DENSE_TILE(R, V) SNN_TILE_KERNEL(dense_tile, R##x##V, R, V)
#define SNN_CSR_COLUMN(N, P, W, H) SNN_COLUMN_KERNEL(csr_column, N##w##W##h##H, N, P, W, H)
#define SNN_SELL_COLUMN(N) SNN_COLUMN_KERNEL(sell_column, N, N)
#define SNN_DENSE_COLUMN(N) SNN_COLUMN_KERNEL(dense_column, N, N)
#include "kernels.def"
#undef SNN_CSR_TILE
#undef SNN_CSR_LOADS
#undef SNN_PANEL_TILE
#undef SNN_DENSE_TILE
#undef SNN_CSR_COLUMN
#undef SNN_SELL_COLUMN
#undef SNN_DENSE_COLUMN

#define SNN_CSR_TILE(R, V, I)                                                                          \
    {"csr_tile_" #R "x" #V "i" #I, SNN_FORMAT_CSR, SNN_LAYOUT_TILE, R, V * VF_LANES, I, 0, 0,          \
     SNN_NAME(csr_tile_##R##x##V##i##I), SNN_NAME(csr_tile_##R##x##V##i##I##_planes)},
#define SNN_CSR_LOADS(R, V)                                                                            \
    {"csr_loads_" #R "x" #V, SNN_FORMAT_CSR, SNN_LAYOUT_TILE, R, V * VF_LANES, 2, 0, 1,                \
     SNN_NAME(csr_loads_##R##x##V), SNN_NAME(csr_loads_##R##x##V##_planes)},
#define SNN_PANEL_TILE(R, V)                                                                           \
    {"panel_tile_" #R "x" #V, SNN_FORMAT_PANEL, SNN_LAYOUT_TILE, R, V * VF_LANES, 1, 0, 0,             \
     SNN_NAME(panel_tile_##R##x##V), SNN_NAME(panel_tile_##R##x##V##_planes)},
#define SNN_DENSE_TILE(R, V)                                                                           \
    {"dense_tile_" #R "x" #V, SNN_FORMAT_DENSE, SNN_LAYOUT_TILE, R, V * VF_LANES, 0, 0, 0,             \
     SNN_NAME(dense_tile_##R##x##V), SNN_NAME(dense_tile_##R##x##V##_planes)},
#define SNN_CSR_COLUMN(N, P, W, H)                                                                     \
    {"csr_column_" #N "w" #W "h" #H, SNN_FORMAT_CSR, SNN_LAYOUT_COLUMN, W, N, 1, H ? VF_BLOCK / 2 : VF_BLOCK, 0, \
     SNN_NAME(csr_column_##N##w##W##h##H), NULL},
#define SNN_SELL_COLUMN(N) \
    {"sell_column_" #N, SNN_FORMAT_SELL, SNN_LAYOUT_COLUMN, 0, N, 2, 0, 0, SNN_NAME(sell_column_##N), NULL},
#define SNN_DENSE_COLUMN(N) \
    {"dense_column_" #N, SNN_FORMAT_DENSE, SNN_LAYOUT_COLUMN, SNN_DENSE_ROWS, N, 0, 0, 0, SNN_NAME(dense_column_##N), NULL},
static const snn_kernel SNN_NAME(kernels)[] = {
#include "kernels.def"
};

#define SNN_STRING_(x) #x
#define SNN_STRING(x) SNN_STRING_(x)
const snn_isa SNN_NAME(isa) = {
    .name = SNN_STRING(SNN_ISA),
    .lanes = VF_LANES,
    .column_block = VF_BLOCK,
    .kernels = SNN_NAME(kernels),
    .kernel_count = (int)(sizeof SNN_NAME(kernels) / sizeof SNN_NAME(kernels)[0]),
    .activate = SNN_NAME(activate),
    .pair = SNN_NAME(pair),
    .select = SNN_NAME(select),
    .mix = SNN_NAME(mix),
    .mix_rows = SNN_NAME(mix_rows),
    .reduce = SNN_NAME(reduce),
    .reduce_rows = SNN_NAME(reduce_rows),
    .softmax_tile = SNN_NAME(softmax_tile),
    .softmax_column = SNN_NAME(softmax_column),
    .product = SNN_NAME(product),
    .soften = SNN_NAME(soften),
    .axis_norm = SNN_NAME(axis_norm),
    .axis_norm_rows = SNN_NAME(axis_norm_rows),
    .transpose = SNN_NAME(transpose),
    .copy = SNN_NAME(copy),
#if VF_LANES >= 8
    .copy_bits = SNN_NAME(copy_bits),
#endif
    .pick = SNN_NAME(pick),
    .has_nan = SNN_NAME(has_nan),
    .exact = SNN_NAME(exact),
    .scaled_add = SNN_NAME(scaled_add),
    .stencil = SNN_NAME(stencil),
    .stencil_three = SNN_NAME(stencil_three),
    .lstm = SNN_NAME(lstm),
    .rnn = SNN_NAME(rnn),
    .gru_gates = SNN_NAME(gru_gates),
    .gru_state = SNN_NAME(gru_state),
    .lstm_back = SNN_NAME(lstm_back),
    .rnn_back = SNN_NAME(rnn_back),
    .gru_back = SNN_NAME(gru_back),
    .gru_reset_back = SNN_NAME(gru_reset_back),
    .sampled_rows = SNN_SAMPLED_ROWS,
    .sampled = SNN_NAME(sampled),
    .dense_sum = SNN_NAME(dense_sum),
    .outer = SNN_NAME(outer),
    .lane_product = SNN_NAME(lane_product),
    .attend = SNN_NAME(attend),
    .attend_back = SNN_NAME(attend_back),
    .axis_norm_back = SNN_NAME(axis_norm_back),
    .pool_rows = SNN_NAME(pool_rows),
    .pool_line = SNN_NAME(pool_line),
    .hand_on = SNN_NAME(hand_on),
    .slope = SNN_NAME(slope),
    .update = SNN_NAME(update),
    .peak = SNN_NAME(peak),
};
