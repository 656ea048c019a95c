# What the model of the core needs for graphs.

cdef int64_t[::1] whole_numbers(numbers):
    """A copy of a sequence of whole numbers."""
    return np.array([index(number) for number in numbers], np.int64)


cdef const int64_t *first_whole(int64_t[::1] numbers) noexcept:
    return &numbers[0] if numbers.shape[0] else &nothing


cdef tuple attribute_arrays(const snn_op_info *info, dict attributes):
    """(numbers, whole numbers) of an op in its order."""
    left = dict(attributes)
    try:
        numbers = [left.pop(info.attributes[i].decode()) for i in range(<int>info.attribute_count)]
        whole = [left.pop(info.integers[i].decode()) for i in range(<int>info.integer_count)]
    except KeyError as error:
        raise errors.ArgumentError(f"{info.name.decode()} must have the attribute {error}") from None
    if left:
        raise errors.ArgumentError(f"{info.name.decode()} has no attribute {next(iter(left))!r}")
    if info.takes_list:
        whole = whole[0]
    return np.array(numbers, np.float32), np.array([index(number) for number in whole], np.int64)


cdef tuple read_value(const snn_value_info *info):
    name = None if info.name is NULL else info.name.decode()
    return name, info.value, tuple(info.dims[i] for i in range(<int>info.rank))


cdef dict read_integers(snn_node_type type, const snn_node_edges *edges):
    """The whole numbers of a node by name: each a number, or the list that its op takes."""
    cdef snn_op_info info
    check(snn_op_query(snn_node_type_name(type), &info))
    values = [edges.integers[i] for i in range(<int>edges.integer_count)]
    names = [info.integers[i].decode() for i in range(<int>info.integer_count)]
    return {names[0]: values} if info.takes_list else dict(zip(names, values))
