# What training computes of tokens on tiles: attention, normalisation along features, rows of tables.

cdef snn_strides strides_of(given) except *:
    cdef snn_strides made
    made.head, made.feature, made.token = given
    return made


cdef int expect_all_samples(int64_t samples, tuple parts) except -1:
    for part in parts:
        expect_samples(samples, part)
    return 0


cdef class Attending:
    """Attention of one node, on tiles: see snn_attending."""

    def __init__(self, dict sizes not None, dict strides not None, float scale, bint causal, bint zeros,
                 int threads=0, bytes isa=None):
        """sizes: heads, own_heads, depth, width, queries, keys; strides: (head, feature, token) of q, k, v and y,
        and of mask (head, query, key), whose rows are sizes["mask_rows"]."""
        cdef int64_t floats = 0
        memset(&self.value, 0, sizeof(self.value))
        self.value.heads, self.value.own_heads = sizes["heads"], sizes["own_heads"]
        self.value.depth, self.value.width = sizes["depth"], sizes["width"]
        self.value.queries, self.value.keys = sizes["queries"], sizes["keys"]
        self.value.mask_rows = sizes.get("mask_rows", 0)
        self.value.q_at, self.value.k_at = strides_of(strides["q"]), strides_of(strides["k"])
        self.value.v_at, self.value.y_at = strides_of(strides["v"]), strides_of(strides["y"])
        if "mask" in strides:
            self.value.mask_at = strides_of(strides["mask"])
        self.value.scale, self.value.causal, self.value.zeros = scale, causal, zeros
        self.value.threads = threads
        self.isa = isa
        check(snn_attending_scratch(name_or_null(isa), &self.value, &floats))
        self.scratch = np.empty(max(floats, 1), np.float32)
        cdef float[::1] room = self.scratch
        self.value.scratch = &room[0]

    def forward(self, int64_t batch, float[:, :, ::1] q not None, float[:, :, ::1] k not None,
                float[:, :, ::1] v not None, float[:, :, ::1] mask, const float[::1] fixed_mask,
                float[:, :, ::1] y not None, float[:, :, ::1] kept not None):
        """Fills y and kept; a mask is of samples or fixed, or there is none. All stay until backward."""
        cdef const char *isa_name = name_or_null(self.isa)
        cdef snn_status status
        self.held = (q, k, v, mask, fixed_mask, y, kept)
        expect_all_samples(snn_tile_samples_for(isa_name), (q, k, v, mask, y, kept))
        if fixed_mask is not None:
            expect("fixed_mask", fixed_mask.shape[0], self.value.mask_rows)
        self.value.batch = batch
        self.value.q, self.value.k, self.value.v = tiles_of(q), tiles_of(k), tiles_of(v)
        self.value.mask, self.value.fixed_mask = tiles_of(mask), first(fixed_mask)
        self.value.y, self.value.kept = tiles_of(y), tiles_of(kept)
        with nogil:
            status = snn_attention_forward_tiles(isa_name, &self.value)
        check(status)

    def backward(self, float[:, :, ::1] dy not None, float[:, :, ::1] dq, float[:, :, ::1] dk,
                 float[:, :, ::1] dv):
        """Of dy: dq, dk and dv, which may be None; after forward."""
        cdef const char *isa_name = name_or_null(self.isa)
        cdef snn_tiles given = tiles_of(dy), of_q = tiles_of(dq), of_k = tiles_of(dk), of_v = tiles_of(dv)
        cdef snn_status status
        expect_all_samples(snn_tile_samples_for(isa_name), (dy, dq, dk, dv))
        with nogil:
            status = snn_attention_backward_tiles(isa_name, &self.value, given, of_q, of_k, of_v)
        check(status)


def norm_forward(shape, int64_t batch, float epsilon, const float[::1] scale not None, const float[::1] shift,
                 float[:, :, ::1] x not None, float[:, :, ::1] y not None, int threads=0, bytes isa=None):
    """y of x, features (outer, channels, inner), normalised along the channels; shift None: by the root of the mean
    of squares."""
    cdef snn_channels channels = channels_of(shape, x.shape[2], batch, threads)
    cdef snn_tiles source = tiles_of(x), result = tiles_of(y)
    cdef const float *factors = first(scale)
    cdef const float *offsets = first(shift)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_samples(x.shape[2], y)
    expect_channels("scale", scale, channels.channels)
    expect_channels("shift", shift, channels.channels)
    with nogil:
        status = snn_norm_forward_tiles(isa_name, &channels, epsilon, factors, offsets, source, result)
    check(status)


def norm_backward(shape, int64_t batch, float epsilon, const float[::1] scale not None, const float[::1] shift,
                  float[:, :, ::1] x not None, float[:, :, ::1] dy not None, float[:, :, ::1] dx,
                  float[::1] dscale not None, float[::1] dshift, int threads=0, bytes isa=None):
    """dx of dy, which may be None, and the gradients of scale and shift (channels,)."""
    cdef snn_channels channels = channels_of(shape, x.shape[2], batch, threads)
    cdef snn_tiles source = tiles_of(x), slope = tiles_of(dy), back = tiles_of(dx)
    cdef const float *factors = first(scale)
    cdef const float *offsets = first(shift)
    cdef float *of_scale = target(dscale)
    cdef float *of_shift = target(dshift)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_samples(x.shape[2], dy)
    expect_samples(x.shape[2], dx)
    expect_channels("scale", scale, channels.channels)
    expect_channels("shift", shift, channels.channels)
    expect_channels("dscale", dscale, channels.channels)
    expect_channels("dshift", dshift, channels.channels)
    with nogil:
        status = snn_norm_backward_tiles(isa_name, &channels, epsilon, factors, offsets, source, slope, back,
                                         of_scale, of_shift)
    check(status)


cdef snn_embedding embedding_of(int64_t rows, int64_t features, int64_t places, int64_t batch, int threads) noexcept:
    cdef snn_embedding made
    made.rows, made.features, made.places, made.batch, made.threads = rows, features, places, batch, threads
    return made


def embedding_forward(int64_t places, int64_t batch, const float[:, ::1] table not None,
                      float[:, :, ::1] ids not None, float[:, :, ::1] y not None, int threads=0, bytes isa=None):
    """y (places, features) of each sample: rows of the table. ArgumentError where an id is none."""
    cdef snn_embedding shape = embedding_of(table.shape[0], table.shape[1], places, batch, threads)
    cdef snn_tiles source = tiles_of(ids), result = tiles_of(y)
    cdef const float *rows = first_2d(table)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_samples(snn_tile_samples_for(isa_name), ids)
    expect_samples(snn_tile_samples_for(isa_name), y)
    with nogil:
        status = snn_embedding_forward_tiles(isa_name, &shape, rows, source, result)
    check(status)


def embedding_backward(int64_t places, int64_t batch, float[:, :, ::1] ids not None,
                       float[:, :, ::1] dy not None, float[:, ::1] dtable not None, int threads=0,
                       bytes isa=None):
    """dtable (rows, features): what the places of each row hand back."""
    cdef snn_embedding shape = embedding_of(dtable.shape[0], dtable.shape[1], places, batch, threads)
    cdef snn_tiles source = tiles_of(ids), slope = tiles_of(dy)
    cdef float *rows = target_2d(dtable)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_samples(snn_tile_samples_for(isa_name), ids)
    expect_samples(snn_tile_samples_for(isa_name), dy)
    with nogil:
        status = snn_embedding_backward_tiles(isa_name, &shape, source, slope, rows)
    check(status)
