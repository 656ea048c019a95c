# Arrays: what shape they must have, and where their memory begins.

cdef int expect(str name, int64_t got, int64_t wanted) except -1:
    if got != wanted:
        raise errors.ArgumentError(f"{name} must have shape ({wanted},), got ({got},)")
    return 0


cdef int expect_2d(str name, const float[:, ::1] array, int64_t rows, int64_t cols) except -1:
    if array.shape[0] != rows or array.shape[1] != cols:
        raise errors.ArgumentError(
            f"{name} must have shape ({rows}, {cols}), got ({array.shape[0]}, {array.shape[1]})")
    return 0


cdef int expect_matrix(str name, const float[:, ::1] array, int64_t features, int64_t batch,
                       bint samples_first) except -1:
    return expect_2d(name, array, batch if samples_first else features,
                     features if samples_first else batch)


cdef object new_matrix(int64_t features, int64_t batch, bint samples_first):
    return np.empty((batch, features) if samples_first else (features, batch), np.float32)


cdef const float *first(const float[::1] array) noexcept:
    """The first element of a vector; NULL for None."""
    if array is None:
        return NULL
    return &array[0] if array.shape[0] else <const float *>&nothing


cdef const float *first_2d(const float[:, ::1] array) noexcept:
    return &array[0, 0] if array.shape[0] and array.shape[1] else <const float *>&nothing


cdef float *target(float[::1] array) noexcept:
    if array is None:
        return NULL
    return &array[0] if array.shape[0] else <float *>&nothing


cdef float *target_2d(float[:, ::1] array) noexcept:
    return &array[0, 0] if array.shape[0] and array.shape[1] else <float *>&nothing


cdef const int32_t *first_index(const int32_t[::1] indices) noexcept:
    return &indices[0] if indices.shape[0] else <const int32_t *>&nothing


cdef object copy_array(const void *source, object shape, object dtype):
    """A new array of that shape and dtype with the bytes of source; None where source is NULL."""
    if source is NULL:
        return None
    array = np.empty(shape, dtype)
    cdef unsigned char[::1] bytes_view
    if array.nbytes:
        bytes_view = array.reshape(-1).view(np.uint8)
        memcpy(&bytes_view[0], source, bytes_view.shape[0])
    return array


cdef const char *name_or_null(bytes name) noexcept:
    """The text of a name that stays alive meanwhile; NULL for None."""
    return NULL if name is None else <const char *>name
