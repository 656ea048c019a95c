/* Feeds altered model files to the reader: no crash, no leak, no memory beyond the bound, no partial
 * result, and a message for every refusal.
 *
 *     fuzz_format [SEED [COUNT]]      COUNT mutations of small models, in this process
 *     fuzz_format FILE...             those files as they are
 *
 * With libFuzzer: clang -DSNN_LIBFUZZER -fsanitize=fuzzer,address,undefined and the core's files. */
#define _XOPEN_SOURCE 700
#include "counting_memory.h"
#include "sample_model.h"
#include "scratch.h"
#include "base/status.h"

static long accepted, refused;
static volatile float sink;

/* A graph that was read can be made a plan of, and run, where its dims are fixed and small. */
static void check_plan(const snn_model *model)
{
    static float values[1 << 16];
    enum { MOST = 16 };
    const float *x[MOST];
    float *y[MOST];
    snn_value_info info;
    for (int64_t i = 0; i < snn_model_value_count(model); i++) {
        int64_t features = 1;
        CHECK_OK(snn_model_value(model, i, &info));
        for (size_t k = 1; k < info.rank; k++)
            features = info.dims[k] < 0 || info.dims[k] > 1024 ? 1 << 20 : features * info.dims[k];
        if (features > 1 << 12)
            return;
    }
    if (snn_model_input_count(model) > MOST || snn_model_output_count(model) > MOST)
        return;
    for (int i = 0; i < MOST; i++) {
        x[i] = values;
        y[i] = values + (1 << 15);
    }
    const snn_plan_options options = {.threads = 2, .tune = SNN_TUNE_OFF};
    snn_plan *plan = NULL;
    if (CHECK_OK(snn_plan_create(model, &options, &plan))) {
        CHECK_OK(snn_plan_run_many(plan, x, 5, y));
        snn_model *again = NULL;
        CHECK_OK(snn_plan_model(plan, &again));
        snn_model_free(again);
    }
    snn_plan_free(plan);
}

/* Whether what was read is a valid model: sizes that agree, CSR that passes its own check. */
static void check_model(const snn_model *model)
{
    const int is_graph = snn_model_is_graph(model);
    int64_t width = snn_model_inputs(model);
    CHECK(snn_model_node_count(model) > 0);
    for (int64_t i = 0; i < snn_model_node_count(model); i++) {
        snn_node_info node;
        CHECK_OK(snn_model_node(model, i, &node));
        CHECK(is_graph || node.inputs == width);
        width = node.outputs;
        if (node.sparse)
            CHECK_OK(snn_csr_check(node.outputs, node.inputs, node.indptr, node.indices));
        /* Touches both ends of every array, for the sanitizer. */
        float sum = 0;
        if (node.weight != NULL)
            sum += node.weight[0] + node.weight[node.nnz - 1];
        if (node.sparse && node.nnz > 0)
            sum += node.data[0] + node.data[node.nnz - 1];
        if (node.bias != NULL)
            sum += node.bias[0] + node.bias[node.outputs - 1];
        sink = sum;
    }
    CHECK(is_graph || width == snn_model_outputs(model));
    if (is_graph)
        check_plan(model);
}

static void try_bytes(const unsigned char *bytes, size_t count)
{
    static char mark;
    snn_model *const untouched = (snn_model *)(void *)&mark;
    snn_model *model = untouched;
    const size_t held = memory_held;
    memory_reset(0);
    snn_fail(SNN_OK, "%s", "");
    const snn_status status = snn_model_load_memory(bytes, count, &model);
    CHECK(memory_peak - held <= 2 * count + ((size_t)16 << 20));
    if (status == SNN_OK) {
        accepted++;
        check_model(model);
        snn_model_free(model);
    } else {
        refused++;
        CHECK(status == SNN_ERROR_FORMAT || status == SNN_ERROR_VERSION || status == SNN_ERROR_CSR);
        CHECK(snn_last_error()[0] != '\0');
        CHECK(model == untouched);
    }
    CHECK(memory_held == held);
}

#if defined(SNN_LIBFUZZER)

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t count)
{
    if (count > 0)
        try_bytes(bytes, count);
    if (check_failures > 0)
        abort();
    return 0;
}

#else

enum { ROOM = 1024 }; /* bytes that a mutation may add */

typedef struct sample {
    unsigned char *bytes; /* (capacity) */
    size_t count, capacity;
} sample;

/* xorshift64*: the same mutations from the same seed everywhere. */
static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 11) % limit;
}

static uint64_t header_length(const sample *from)
{
    uint64_t length = 0;
    memcpy(&length, from->bytes, from->count < sizeof length ? from->count : sizeof length);
    return length;
}

/* Replaces removed bytes at place by the added ones, as far as there is room; a change inside the header
 * mostly corrects the header's length, so that what comes behind is reached. */
static void splice(sample *at, size_t place, size_t removed, const void *added, size_t added_count)
{
    const uint64_t length = header_length(at);
    if (at->count - removed + added_count > at->capacity)
        return;
    memmove(at->bytes + place + added_count, at->bytes + place + removed, at->count - place - removed);
    memcpy(at->bytes + place, added, added_count);
    at->count += added_count - removed;
    if (place >= 8 && place < 8 + length && at->count >= 8 && random_below(8) != 0) {
        const uint64_t corrected = length + added_count - removed;
        memcpy(at->bytes, &corrected, sizeof corrected);
    }
}

/* Changes one place. */
static void mutate(sample *at)
{
    static const char *const words[] = {"\"",
                                        "\\\"",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "0",
                                        "9",
                                        "-",
                                        "1e9",
                                        "99999999999999999",
                                        "4294967296",
                                        "null",
                                        "true",
                                        "\"__metadata__\":{}",
                                        "\"0.weight\":",
                                        ".bias",
                                        "U16",
                                        "I32",
                                        "F64",
                                        "csr",
                                        "\\u0000",
                                        "\xFF",
                                        " "};
    const uint64_t header = 8 + header_length(at);
    const uint64_t span = header < at->count && random_below(4) != 0 ? header : at->count;
    if (at->count == 0)
        return;
    const size_t place = (size_t)random_below(span);
    const size_t left = at->count - place;
    unsigned char chunk[64];
    size_t some = (size_t)random_below(sizeof chunk) + 1;
    some = some > left ? left : some;
    switch (random_below(9)) {
    case 0: at->bytes[place] ^= (unsigned char)(1U << random_below(8)); break;
    case 1: at->bytes[place] = (unsigned char)random_below(256); break;
    case 2: splice(at, place, some, "", 0); break;
    case 3: splice(at, place, 1, "", 0); break;
    case 4: at->count = place; break;
    case 5:
        memcpy(chunk, at->bytes + place, some);
        splice(at, (size_t)random_below(at->count), 0, chunk, some);
        break;
    case 6:
    case 7: {
        const char *word = words[random_below(sizeof words / sizeof words[0])];
        splice(at, place, random_below(2) ? 0 : 1, word, strlen(word));
        break;
    }
    default:
        /* Another digit for a digit: the change that syntax does not catch. */
        for (size_t i = place; i < at->count; i++)
            if (at->bytes[i] >= '0' && at->bytes[i] <= '9') {
                at->bytes[i] = (unsigned char)('0' + random_below(10));
                break;
            }
    }
}

static void fuzz(const unsigned char *original, size_t count, long mutations)
{
    sample at = {.capacity = count + ROOM};
    at.bytes = malloc(at.capacity);
    for (long i = 0; i < mutations && check_failures < 10; i++) {
        memcpy(at.bytes, original, count);
        at.count = count;
        for (uint64_t n = random_below(4) + 1; n > 0; n--)
            mutate(&at);
        /* A copy of the exact length, so that a sanitizer sees a read behind the end. */
        unsigned char *copy = malloc(at.count + (at.count == 0));
        memcpy(copy, at.bytes, at.count);
        try_bytes(copy, at.count);
        free(copy);
    }
    free(at.bytes);
}

int main(int count, char **arguments)
{
    char *end = "";
    const unsigned long long seed = count > 1 ? strtoull(arguments[1], &end, 10) : 1;
    if (*end != '\0') {
        for (int i = 1; i < count; i++) {
            size_t size;
            unsigned char *bytes = read_file(arguments[i], &size);
            try_bytes(bytes, size);
            free(bytes);
        }
    } else {
        const scratch place = scratch_create();
        snn_model *const models[] = {sample_model(), sample_graph(), sample_fixed_graph()};
        enum { MODELS = sizeof models / sizeof models[0] };
        random_state = seed * 2 + 1;
        for (int i = 0; i < MODELS; i++) {
            size_t size;
            CHECK_OK(snn_model_save(models[i], place.path));
            unsigned char *bytes = read_file(place.path, &size);
            snn_model_free(models[i]);
            const long before = accepted;
            try_bytes(bytes, size);
            CHECK(accepted == before + 1);
            fuzz(bytes, size, (count > 2 ? atol(arguments[2]) : 20000) / MODELS);
            free(bytes);
        }
        scratch_remove(&place);
    }
    printf("%ld accepted, %ld refused\n", accepted, refused);
    return check_report("fuzz_format");
}

#endif
