# The model of the core.

cdef class Model:
    """A model inside the core: nodes in execution order.

    Weights and biases that are added are not copied: they are kept, and must not change while this is there.
    """

    def __cinit__(self, *args):
        self.handle = NULL
        self.borrowed = []

    def __init__(self, int64_t inputs):
        snn_model_free(self.handle)
        self.handle = NULL
        self.borrowed = []
        check(snn_model_create(inputs, &self.handle))
        check(snn_model_borrow(self.handle))

    def __dealloc__(self):
        snn_model_free(self.handle)

    @staticmethod
    def load(bytes path not None):
        """Reads a model file; path as os.fsencode gives it."""
        cdef Model model = Model.__new__(Model)
        cdef const char *file_path = c_string(path, "path")
        cdef snn_status status
        with nogil:
            status = snn_model_load(file_path, &model.handle)
        check(status)
        return model

    @staticmethod
    def load_memory(const unsigned char[::1] content not None):
        """Reads a model from the bytes of a model file."""
        cdef Model model = Model.__new__(Model)
        cdef const void *start = &content[0] if content.shape[0] else <const void *>&nothing
        cdef size_t size = content.shape[0]
        cdef snn_status status
        with nogil:
            status = snn_model_load_memory(start, size, &model.handle)
        check(status)
        return model

    def save(self, bytes path not None):
        """Writes a model file, atomically."""
        cdef const char *file_path = c_string(path, "path")
        cdef snn_status status
        with nogil:
            status = snn_model_save(self.handle, file_path)
        check(status)

    def save_memory(self):
        """The bytes of a model file, as an ndarray (uint8): pickles hand those on without a copy."""
        cdef size_t needed = 0, written = 0
        check(snn_model_save_memory(self.handle, NULL, 0, &needed))
        content = np.empty(needed, np.uint8)
        cdef unsigned char[::1] view = content
        check(snn_model_save_memory(self.handle, &view[0], needed, &written))
        return content

    def add_dense(self, const float[:, ::1] weight not None, const float[::1] bias=None):
        """Appends y = W x + b; weight (out, in), bias (out,) or None."""
        if bias is not None:
            expect("bias", bias.shape[0], weight.shape[0])
        check(snn_model_add_dense(self.handle, weight.shape[0], weight.shape[1], first_2d(weight),
                                  first(bias)))
        self.borrowed += [weight, bias]

    def add_csr(self, shape, const int64_t[::1] indptr not None, const int32_t[::1] indices not None,
                const float[::1] data not None, const float[::1] bias=None):
        """Appends y = W x + b with W of the given shape (out, in) in CSR; bias (out,) or None."""
        cdef int64_t rows = shape[0], cols = shape[1]
        csr_check(rows, cols, indptr, indices)
        expect("data", data.shape[0], indices.shape[0])
        if bias is not None:
            expect("bias", bias.shape[0], rows)
        check(snn_model_add_csr(self.handle, rows, cols, &indptr[0], first_index(indices), first(data),
                                first(bias)))
        self.borrowed += [indptr, indices, data, bias]

    def add_op(self, str op not None, const float[::1] attributes not None):
        """Appends an op without weights by its name in OPS, with its attributes in their order."""
        name = op.encode()
        check(snn_model_add_op(self.handle, c_string(name, "op"), first(attributes), attributes.shape[0]))

    # ---- graphs ----

    @staticmethod
    def graph():
        """A graph without inputs, constants, nodes and outputs."""
        cdef Model model = Model.__new__(Model)
        check(snn_model_create_graph(&model.handle))
        check(snn_model_borrow(model.handle))
        return model

    @property
    def is_graph(self):
        return bool(snn_model_is_graph(self.handle))

    def add_input(self, str name not None, dims):
        """The number of a new input; dims behind the batch, -1 where one is dynamic."""
        cdef int64_t[::1] wanted = whole_numbers(dims)
        cdef bytes text = name.encode()
        cdef int64_t value
        check(snn_model_add_input(self.handle, c_string(text, "name"), first_whole(wanted), wanted.shape[0],
                                  &value))
        return value

    def add_constant(self, array):
        """The number of a new constant: a float32 array without the batch."""
        contiguous = np.ascontiguousarray(array, np.float32)
        cdef int64_t[::1] dims = whole_numbers(np.shape(array))
        cdef const float[::1] data = contiguous.reshape(-1)
        cdef int64_t value
        check(snn_model_add_constant(self.handle, first_whole(dims), dims.shape[0], first(data), &value))
        return value

    def add_node(self, str op not None, operands, dict attributes not None, weight=None,
                 const float[::1] bias=None, str name=None):
        """The number of the value that a new node gives.

        operands: numbers of values. attributes: by name, numbers or sequences of whole numbers. weight:
        (out, in), or (shape, indptr, indices, data). name: of the value, None for none.
        """
        cdef snn_node_spec spec
        cdef snn_op_info info
        cdef bytes op_text = op.encode(), name_text = b"" if name is None else name.encode()
        cdef int64_t[::1] inputs = whole_numbers(operands), integers
        cdef float[::1] numbers
        cdef const float[:, ::1] dense
        cdef const int64_t[::1] indptr
        cdef const int32_t[::1] indices
        cdef const float[::1] data
        cdef int64_t value
        check(snn_op_query(c_string(op_text, "op"), &info))
        memset(&spec, 0, sizeof(spec))
        numbers, integers = attribute_arrays(&info, attributes)
        spec.op, spec.name = op_text, NULL if name is None else c_string(name_text, "name")
        spec.operands, spec.operand_count = first_whole(inputs), inputs.shape[0]
        spec.attributes, spec.attribute_count = first(numbers), numbers.shape[0]
        spec.integers, spec.integer_count = first_whole(integers), integers.shape[0]
        if isinstance(weight, tuple):
            (spec.rows, spec.cols), indptr, indices, data = weight
            csr_check(spec.rows, spec.cols, indptr, indices)
            expect("data", data.shape[0], indices.shape[0])
            spec.indptr, spec.indices, spec.data = &indptr[0], first_index(indices), first(data)
        elif weight is not None:
            dense = weight
            spec.rows, spec.cols, spec.weight = dense.shape[0], dense.shape[1], first_2d(dense)
        if bias is not None:
            expect("bias", bias.shape[0], spec.rows)
            spec.bias = first(bias)
        check(snn_model_add_node(self.handle, &spec, &value))
        self.borrowed += [weight, bias]
        return value

    def add_output(self, str name not None, int64_t value):
        """Names a value as an output."""
        cdef bytes text = name.encode()
        check(snn_model_add_output(self.handle, c_string(text, "name"), value))

    @property
    def inputs_info(self):
        """(name, number, dims) of every input; the batch first in dims, -1 where one is dynamic."""
        cdef snn_value_info info
        inputs = []
        for index in range(snn_model_input_count(self.handle)):
            check(snn_model_input(self.handle, index, &info))
            inputs.append(read_value(&info))
        return inputs

    @property
    def outputs_info(self):
        """The same of every output, by its own name."""
        cdef snn_value_info info
        outputs = []
        for index in range(snn_model_output_count(self.handle)):
            check(snn_model_output(self.handle, index, &info))
            outputs.append(read_value(&info))
        return outputs

    @property
    def value_count(self):
        return snn_model_value_count(self.handle)

    def value_info(self, int64_t value):
        """(name, number, dims) of a value; the name None where it has none."""
        cdef snn_value_info info
        check(snn_model_value(self.handle, value, &info))
        return read_value(&info)

    def constant(self, int64_t value):
        """The array of a constant, without the batch; None for any other value."""
        cdef snn_value_info info
        check(snn_model_value(self.handle, value, &info))
        shape = tuple(info.dims[i] for i in range(1, <int>info.rank))
        return copy_array(info.constant, shape, np.float32)

    @property
    def inputs(self):
        return snn_model_inputs(self.handle)

    @property
    def outputs(self):
        return snn_model_outputs(self.handle)

    def __len__(self):
        return snn_model_node_count(self.handle)

    def node(self, int64_t index):
        """Node index as a dict: op, inputs, outputs, shape, sparse, nnz, attributes, copies of its arrays.

        operands: the numbers of its values, value: of the one it gives, integers: its whole numbers by
        name. shape (out, in) of weight, bias (out,), data (nnz,), indices (nnz,), indptr (out + 1,); None
        where not held.
        """
        cdef snn_node_info info
        cdef snn_node_edges edges
        check(snn_model_node(self.handle, index, &info))
        check(snn_model_edges(self.handle, index, &edges))
        return {
            "op": snn_node_type_name(info.type).decode(),
            "inputs": info.inputs,
            "outputs": info.outputs,
            "shape": (edges.rows, edges.cols),
            "sparse": bool(info.sparse),
            "nnz": info.nnz,
            "weight": copy_array(info.weight, (edges.rows, edges.cols), np.float32),
            "indptr": copy_array(info.indptr, (edges.rows + 1,), np.int64),
            "indices": copy_array(info.indices, (info.nnz,), np.int32),
            "data": copy_array(info.data, (info.nnz,), np.float32),
            "bias": copy_array(info.bias, (edges.rows,), np.float32),
            "attributes": (info.low, info.high),
            "operands": [edges.operands[i] for i in range(<int64_t>edges.operand_count)],
            "value": edges.value,
            "integers": read_integers(info.type, &edges),
        }
