// embed.c in C++17: handles freed by their owners, a status turned into an exception.
//
//     embed_cpp MODEL [INPUT]
#include <sparsenn.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

struct Free {
    void operator()(snn_model *model) const { snn_model_free(model); }
    void operator()(snn_plan *plan) const { snn_plan_free(plan); }
};
using Model = std::unique_ptr<snn_model, Free>;
using Plan = std::unique_ptr<snn_plan, Free>;

void check(snn_status status)
{
    if (status != SNN_OK)
        throw std::runtime_error(std::string(snn_status_name(status)) + ": " + snn_last_error());
}

Model load(const char *path)
{
    snn_model *model = nullptr;
    check(snn_model_load(path, &model));
    return Model(model);
}

Plan compile(const Model &model)
{
    snn_plan_options options = {};
    options.tune = SNN_TUNE_OFF;
    snn_plan *plan = nullptr;
    check(snn_plan_create(model.get(), &options, &plan));
    return Plan(plan);
}

// x (batch, inputs) -> (batch, outputs)
std::vector<float> run(const Plan &plan, const std::vector<float> &x)
{
    const auto batch = static_cast<std::int64_t>(x.size()) / snn_plan_inputs(plan.get());
    std::vector<float> y(static_cast<std::size_t>(batch * snn_plan_outputs(plan.get())));
    check(snn_plan_run(plan.get(), x.data(), batch, y.data()));
    return y;
}

std::vector<float> read_samples(const char *path, std::size_t inputs)
{
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file || bytes.empty() || bytes.size() % (inputs * sizeof(float)) != 0)
        throw std::runtime_error("the input must hold whole samples of float32");
    std::vector<float> samples(bytes.size() / sizeof(float));
    bytes.copy(reinterpret_cast<char *>(samples.data()), bytes.size());
    return samples;
}

} // namespace

int main(int count, char **arguments)
try {
    if (count != 2 && count != 3)
        throw std::runtime_error("usage: embed_cpp MODEL [INPUT]");
    const Plan plan = compile(load(arguments[1]));
    const auto inputs = static_cast<std::size_t>(snn_plan_inputs(plan.get()));
    const auto outputs = static_cast<std::size_t>(snn_plan_outputs(plan.get()));
    const auto y = run(plan, count == 3 ? read_samples(arguments[2], inputs) : std::vector<float>(inputs));
    for (std::size_t i = 0; i < y.size(); i++)
        std::printf("%.9g%c", static_cast<double>(y[i]), (i + 1) % outputs == 0 ? '\n' : ' ');
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "embed_cpp: %s\n", error.what());
    return 1;
}
