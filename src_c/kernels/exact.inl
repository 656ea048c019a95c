/* y = W x + b of the weights that are not 0 alone: snn_isa.exact. The other kernels also multiply what they read
 * beside them (padding, the zeros of a dense layer) by 0, which is NaN where x is NaN or infinite; these take each
 * weight by itself. x (columns, nb) and y (rows, nb) are in the tile layout, whatever the packing's; additions run in
 * the order of all kernels, so finite sums have the same bits. Slow, and run where an output is NaN alone. */

/* The sums of a row: width is nb in vectors. */
static inline void SNN_NAME(exact_begin)(float *y, float bias, int width) {
    for (int v = 0; v < width; v++) vf_store(y + v * VF_LANES, vf_set1(bias));
}

static inline void SNN_NAME(exact_add)(float weight, const float *x, float *y, int width) {
    if (weight == 0.0f) return;
    for (int v = 0; v < width; v++)
        vf_store(y + v * VF_LANES, vf_fma(vf_set1(weight), vf_load(x + v * VF_LANES), vf_load(y + v * VF_LANES)));
}

static void SNN_NAME(exact_column)(const snn_csr_column *share, int windows, const float *x, float *y,
                                   const float *bias, int width) {
    const int64_t nb = width * VF_LANES;
    for (int64_t p = 0; p < share->panel_count; p++) {
        for (int l = 0; l < VF_LANES; l++) {
            const int64_t row = SNN_NAME(lane_row)(&share->lanes, p, l);
            if (row >= 0) SNN_NAME(exact_begin)(y + row * nb, bias[row], width);
        }
        for (int64_t c = share->chunks[p]; c < share->chunks[p + 1]; c++) {
            const uint8_t *index = share->records + (size_t)c * SNN_RECORD_BYTES(VF_LANES);
            const float *weight = (const float *)(const void *)(index + 4 * VF_LANES);
            for (int i = 0; i < SNN_CHUNK_STEPS * VF_LANES; i++) {
                const int step = i / VF_LANES, lane = i % VF_LANES;
                const int64_t column = share->windows[c * windows + step * windows / SNN_CHUNK_STEPS] +
                                       index[4 * lane + step];
                if (weight[i] != 0.0f)  // or the lane may have no row
                    SNN_NAME(exact_add)(weight[i], x + column * nb, y + SNN_NAME(lane_row)(&share->lanes, p, lane) * nb,
                                        width);
            }
        }
    }
}

static void SNN_NAME(exact_sell)(const snn_sell *share, const float *x, float *y, const float *bias, int width) {
    const int64_t nb = width * VF_LANES;
    for (int64_t p = 0; p < share->panel_count; p++)
        for (int l = 0; l < VF_LANES; l++) {
            const int64_t row = SNN_NAME(lane_row)(&share->lanes, p, l);
            if (row < 0) continue;
            SNN_NAME(exact_begin)(y + row * nb, bias[row], width);
            for (int64_t i = share->steps[p] * VF_LANES + l; i < share->steps[p + 1] * VF_LANES; i += VF_LANES)
                SNN_NAME(exact_add)(share->weights[i], x + share->indices[i] * nb, y + row * nb, width);
        }
}

static void SNN_NAME(exact_dense)(const snn_dense *share, const float *x, float *y, const float *bias, int width) {
    const int64_t nb = width * VF_LANES;
    for (int64_t r = 0; r < share->row_count; r++) {
        const int64_t row = share->first_row + r;
        const float *weights =
            share->weights + r / SNN_DENSE_ROWS * share->columns * SNN_DENSE_ROWS + r % SNN_DENSE_ROWS;
        SNN_NAME(exact_begin)(y + row * nb, bias[row], width);
        for (int64_t k = 0; k < share->columns; k++)
            SNN_NAME(exact_add)(weights[k * SNN_DENSE_ROWS], x + k * nb, y + row * nb, width);
    }
}

static void SNN_NAME(exact_tile)(const snn_kernel *kernel, const snn_csr_tile *share, const float *x, float *y,
                                 const float *bias, int width) {
    const int64_t nb = width * VF_LANES;
    const int height = kernel->shape, step_bytes = kernel->format == SNN_FORMAT_PANEL ? 1 : height * kernel->index_bytes;
    for (int64_t b = 0; b < share->block_count; b++) {
        const snn_csr_block *block = &share->blocks[b];
        const float *xb = x + block->first_column * nb, *weights = block->weights;
        const uint8_t *indices = block->indices;
        const int32_t *rows = block->rows;
        for (int64_t g = 0; g < block->group_count; g++) {
            const int steps = (int)block->groups[g].steps, entries = steps * height;
            for (uint32_t panel = 0; panel < block->groups[g].panels; panel++, rows += height) {
                for (int r = 0; r < height && b == 0; r++)  // every row stands in the first block
                    SNN_NAME(exact_begin)(y + rows[r] * nb, bias[rows[r]], width);
                for (int e = 0; e < entries; e++)
                    SNN_NAME(exact_add)(weights[e], xb + snn_tile_column(kernel, indices, e) * nb,
                                        y + rows[e % height] * nb, width);
                indices += steps * step_bytes;
                weights += entries;
            }
        }
    }
}

static void SNN_NAME(exact)(const snn_kernel *kernel, const void *packed, const float *x, float *y,
                            const float *bias, int samples) {
    const int width = samples / VF_LANES;
    if (kernel->format == SNN_FORMAT_DENSE) SNN_NAME(exact_dense)(packed, x, y, bias, width);
    else if (kernel->format == SNN_FORMAT_SELL) SNN_NAME(exact_sell)(packed, x, y, bias, width);
    else if (kernel->layout == SNN_LAYOUT_COLUMN)
        SNN_NAME(exact_column)(packed, kernel->shape, x, y, bias, width);
    else SNN_NAME(exact_tile)(kernel, packed, x, y, bias, width);
}

static void SNN_NAME(scaled_add)(float weight, const float *x, float *y, int64_t count) {
    if (weight == 0.0f) return;
    const vf w = vf_set1(weight);
    for (; count >= VF_LANES; count -= VF_LANES, x += VF_LANES, y += VF_LANES)
        vf_store(y, vf_fma(w, vf_load(x), vf_load(y)));
    if (count) vf_store_part(y, vf_fma(w, vf_load_part(x, (int)count), vf_load_part(y, (int)count)), (int)count);
}
