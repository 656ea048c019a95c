# What other Cython code may cimport. Compile with include_dirs=[sparsenn.get_include()].
from sparsenn._core cimport (
    Model, Plan, Sparse, check, snn_model, snn_plan, snn_plan_run, snn_sparse, snn_sparse_backward_input,
    snn_sparse_backward_weight, snn_sparse_forward, snn_status,
)
