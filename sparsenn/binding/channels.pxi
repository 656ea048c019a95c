# What training computes value by value on tiles: sums over channels and what follows, activations, sums.

cdef snn_channels channels_of(shape, int64_t samples, int64_t batch, int threads) except *:
    """shape: (outer, channels, inner) of the features."""
    cdef snn_channels made
    made.outer, made.channels, made.inner = shape
    made.samples, made.batch, made.threads = samples, batch, threads
    return made


cdef int expect_samples(int64_t samples, float[:, :, ::1] tiles) except -1:
    """Raises unless the tiles are of so many samples; None is none."""
    if tiles is not None:
        expect("samples of tiles", tiles.shape[2], samples)
    return 0


cdef int expect_channels(str name, const float[::1] part, int64_t channels) except -1:
    if part is not None:
        expect(name, part.shape[0], channels)
    return 0


def channels_sum(shape, int64_t batch, float[:, :, ::1] a not None, float[:, :, ::1] b not None,
                 int threads=0):
    """Sums of a, and of a b, over each channel: (channels,) float64 each.

    shape (outer, channels, inner) of the features; batch: samples that count.
    """
    cdef snn_channels channels = channels_of(shape, a.shape[2], batch, threads)
    cdef snn_tiles one = tiles_of(a), other = tiles_of(b)
    cdef double[::1] sums = np.empty(max(channels.channels, 1))
    cdef double[::1] products = np.empty(max(channels.channels, 1))
    cdef snn_status status
    expect_samples(a.shape[2], b)
    with nogil:
        status = snn_channels_sum(&channels, one, other, &sums[0], &products[0])
    check(status)
    return np.asarray(sums), np.asarray(products)


def channels_combine(shape, int64_t batch, const float[::1] p not None, float[:, :, ::1] a not None,
                     const float[::1] q, float[:, :, ::1] b, const float[::1] r not None,
                     Activation activation, float[:, :, ::1] z, float[:, :, ::1] y not None, int threads=0,
                     bytes isa=None):
    """y = activation(p a + q b + r), with p, q and r (channels,); q and b, activation and z may be None."""
    cdef snn_channels channels = channels_of(shape, a.shape[2], batch, threads)
    cdef snn_activation options = with_z(activation, z)
    cdef snn_tiles one = tiles_of(a), other = tiles_of(b), result = tiles_of(y)
    cdef const float *factors = first(p)
    cdef const float *others = first(q)
    cdef const float *offsets = first(r)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_samples(a.shape[2], b)
    expect_samples(a.shape[2], z)
    expect_samples(a.shape[2], y)
    expect_channels("p", p, channels.channels)
    expect_channels("q", q, channels.channels)
    expect_channels("r", r, channels.channels)
    with nogil:
        status = snn_channels_combine(isa_name, &channels, factors, one, others, other, offsets, &options,
                                      result)
    check(status)


def tiles_activate(int64_t features, Activation activation not None, float[:, :, ::1] z not None,
                   float[:, :, ::1] y not None, int threads=0, bytes isa=None):
    """y = activation(z)."""
    cdef snn_tiles source = tiles_of(z), result = tiles_of(y)
    cdef const char *isa_name = name_or_null(isa)
    cdef int64_t samples = y.shape[2]
    cdef snn_status status
    expect_samples(samples, z)
    with nogil:
        status = snn_tiles_activate(isa_name, features, samples, threads, &activation.value, source, result)
    check(status)


def tiles_slope(int64_t features, Activation activation not None, float[:, :, ::1] z,
                float[:, :, ::1] y not None, float[:, :, ::1] dy not None, int threads=0, bytes isa=None):
    """dy times the slope of the activation at its argument z, or None, and its output y."""
    cdef snn_activation options = with_z(activation, z)
    cdef snn_tiles made = tiles_of(y), slope = tiles_of(dy)
    cdef const char *isa_name = name_or_null(isa)
    cdef int64_t samples = dy.shape[2]
    cdef snn_status status
    expect_samples(samples, z)
    expect_samples(samples, y)
    with nogil:
        status = snn_tiles_slope(isa_name, features, samples, threads, &options, made, slope)
    check(status)


def tiles_add(int64_t features, float[:, :, ::1] a not None, float[:, :, ::1] b not None,
              float[:, :, ::1] y not None, int threads=0, bytes isa=None):
    """y = a + b; y may be a or b."""
    cdef snn_tiles one = tiles_of(a), other = tiles_of(b), result = tiles_of(y)
    cdef const char *isa_name = name_or_null(isa)
    cdef int64_t samples = y.shape[2]
    cdef snn_status status
    expect_samples(samples, a)
    expect_samples(samples, b)
    with nogil:
        status = snn_tiles_add(isa_name, features, samples, threads, one, other, result)
    check(status)
