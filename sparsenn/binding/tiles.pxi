# Tiles of samples that layers share while training, and the activations between them.

cdef snn_tiles tiles_of(float[:, :, ::1] array) noexcept:
    """The core's view of an array of tiles; NULL values for None and for no tiles."""
    cdef snn_tiles tiles
    memset(&tiles, 0, sizeof(tiles))
    if array is not None and array.shape[0] and array.shape[1] and array.shape[2]:
        tiles.values = &array[0, 0, 0]
        tiles.count = array.shape[0]
        tiles.stride = array.shape[1]
    return tiles


cdef snn_activation with_z(Activation activation, float[:, :, ::1] z) except *:
    cdef snn_activation options
    memset(&options, 0, sizeof(options))
    if activation is not None:
        options = activation.value
    options.z = tiles_of(z)
    return options


cdef class Activation:
    """An activation as the core fuses it: an op of OPS on one value at a time; linear is none."""

    def __init__(self, str op not None, float low=0, float high=0):
        """low and high: the op's attributes, in their order."""
        memset(&self.value, 0, sizeof(self.value))
        self.value.type = <snn_node_type><int>OPS[op]
        self.value.low, self.value.high = low, high


def tile_samples(bytes isa=None):
    """Samples of a tile for a kernel set, None for the default one."""
    return snn_tile_samples_for(name_or_null(isa))


def tiles_load(const float[:, ::1] x not None, float[:, :, ::1] out not None, int threads=0, bytes isa=None):
    """x (batch, features) -> out (tiles, at least features, tile_samples()); zeros behind the last sample."""
    cdef int64_t batch = x.shape[0], features = x.shape[1]
    cdef const float *source = first_2d(x)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_tiles tiles = tiles_of(out)
    cdef snn_status status
    expect("out samples", out.shape[2], snn_tile_samples_for(isa_name))
    with nogil:
        status = snn_tiles_load_for(isa_name, source, batch, features, threads, tiles)
    check(status)
