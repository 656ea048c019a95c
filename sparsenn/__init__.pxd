# What other Cython code may cimport. Compile with include_dirs=[sparsenn.get_include()].
#
# The classes, check, plan_run and plan_run_ordered use the core inside sparsenn; nothing has to be linked.
# examples/cython_package shows how. Whoever calls functions named snn_ links libsparsenn.a from
# sparsenn.get_library_dir(), and makes the objects with the same functions: handles of one copy of the core
# are not for another.
from sparsenn._core cimport (
    SNN_FEATURES_FIRST, SNN_SAMPLES_FIRST, Model, Plan, Sparse, check, plan_run, plan_run_ordered, snn_model,
    snn_order, snn_plan, snn_plan_run, snn_plan_run_ordered, snn_sparse, snn_sparse_backward_input,
    snn_sparse_backward_weight, snn_sparse_forward, snn_status,
)
