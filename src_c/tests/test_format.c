/* The model file: what is saved comes back to the bit, and nothing but a whole file is read. */
#define _XOPEN_SOURCE 700
#include "file/json.h"
#include "sample_model.h"
#include "scratch.h"
#include "file/text.h"

#include <float.h>

/* Whether a model survives saving and loading, from the path and from memory. */
static void check_round_trip(const snn_model *model, const char *path)
{
    snn_model *loaded = NULL, *from_memory = NULL;
    CHECK_OK(snn_model_save(model, path));
    CHECK_OK(snn_model_load(path, &loaded));
    CHECK(same_model(model, loaded));
    size_t count;
    unsigned char *bytes = read_file(path, &count);
    CHECK_OK(snn_model_load_memory(bytes, count, &from_memory));
    CHECK(same_model(model, from_memory));
    free(bytes);
    snn_model_free(loaded);
    snn_model_free(from_memory);
}

/* A one-row layer of so many columns, its last column stored: both widths of indices, at the border. */
static void test_widths(const char *path)
{
    static const int64_t widths[] = {1, 65535, 65536, 65537, INT32_MAX};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        snn_model *model = NULL;
        const int32_t last = (int32_t)(widths[i] - 1);
        CHECK_OK(snn_model_create(widths[i], &model));
        CHECK_OK(snn_model_add_csr(model, 1, widths[i], (int64_t[]){0, 1}, &last, (float[]){2.5f}, NULL));
        check_round_trip(model, path);
        snn_model_free(model);
    }
}

/* A layer whose indices take several of the reader's chunks. */
static void test_long_indices(const char *path)
{
    enum { COLS = 5000 };
    static int32_t indices[COLS];
    static float data[COLS];
    for (int i = 0; i < COLS; i++) {
        indices[i] = i;
        data[i] = (float)i;
    }
    for (int64_t nnz = 2047; nnz < COLS; nnz += 1 + nnz / 2) {
        snn_model *model = NULL;
        CHECK_OK(snn_model_create(COLS, &model));
        CHECK_OK(snn_model_add_csr(model, 1, COLS, (int64_t[]){0, nnz}, indices, data, NULL));
        check_round_trip(model, path);
        snn_model_free(model);
    }
}

static void test_node_limit(const char *path)
{
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(3, &model));
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_ARGUMENT);
    for (int i = 0; i < 16384; i++)
        CHECK_OK(snn_model_add_activation(model, SNN_NODE_RELU, 0, 0));
    check_round_trip(model, path);
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_RELU, 0, 0));
    CHECK_STATUS(snn_model_save(model, path), SNN_ERROR_UNSUPPORTED);
    snn_model_free(model);
}

static void test_same_bytes(const snn_model *model, const char *path)
{
    size_t first_count, second_count;
    CHECK_OK(snn_model_save(model, path));
    unsigned char *first = read_file(path, &first_count);
    CHECK_OK(snn_model_save(model, path));
    unsigned char *second = read_file(path, &second_count);
    CHECK(first_count == second_count && memcmp(first, second, first_count) == 0);
    CHECK(first[0] % 8 == 0);
    free(first);
    free(second);
}

/* A file gets the oldest version that has all of its nodes. */
static void test_version(const char *path)
{
    static const snn_node_type types[] = {SNN_NODE_RELU, SNN_NODE_ELU};
    static const char *const wanted[] = {"\"format_version\":\"1.0\"", "\"format_version\":\"1.1\""};
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(3, &model));
    for (int i = 0; i < 2; i++) {
        size_t count;
        CHECK_OK(snn_model_add_activation(model, types[i], 1, 0));
        CHECK_OK(snn_model_save(model, path));
        unsigned char *bytes = read_file(path, &count);
        bytes[count] = 0;
        CHECK(strstr((const char *)bytes + 8, wanted[i]) != NULL);
        free(bytes);
    }
    snn_model_free(model);
}

/* Every prefix is refused, and so is every file with something behind it. */
static void test_cut(const snn_model *model, const char *path)
{
    size_t count;
    CHECK_OK(snn_model_save(model, path));
    unsigned char *bytes = read_file(path, &count);
    snn_model *untouched = (snn_model *)bytes;
    for (size_t length = 0; length < count; length++) {
        /* Copied, so that a sanitizer sees a read behind the end. */
        unsigned char *prefix = malloc(length + (length == 0));
        memcpy(prefix, bytes, length);
        CHECK_STATUS(snn_model_load_memory(prefix, length, &untouched), SNN_ERROR_FORMAT);
        CHECK(snn_last_error()[0] != '\0');
        free(prefix);
    }
    bytes[count] = 0;
    CHECK_STATUS(snn_model_load_memory(bytes, count + 1, &untouched), SNN_ERROR_FORMAT);
    CHECK(strstr(snn_last_error(), "1 bytes follow the last tensor") != NULL);
    CHECK(untouched == (snn_model *)bytes);
    free(bytes);
}

static void test_arguments(const snn_model *model, const scratch *place)
{
    snn_model *loaded = NULL;
    char missing[400];
    snprintf(missing, sizeof missing, "%s/nothing-here", place->folder);
    CHECK_STATUS(snn_model_load(missing, &loaded), SNN_ERROR_IO);
    CHECK(strstr(snn_last_error(), "nothing-here") != NULL);
    CHECK_STATUS(snn_model_load(place->folder, &loaded), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_load("/dev/null", &loaded), SNN_ERROR_IO);
    CHECK_STATUS(snn_model_load(NULL, &loaded), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_load(missing, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_load_memory(NULL, 0, &loaded), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_load_memory("", 0, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_save(NULL, missing), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_model_save(model, NULL), SNN_ERROR_ARGUMENT);
    CHECK(loaded == NULL);
}

/* Replaces the only place of one text in a saved graph by another of the same length, and loads it. */
static void check_altered(const char *path, const char *from, const char *to, const char *said)
{
    size_t count;
    snn_model *model = sample_graph(), *loaded = NULL;
    CHECK_OK(snn_model_save(model, path));
    snn_model_free(model);
    unsigned char *bytes = read_file(path, &count);
    bytes[count] = 0;
    char *place = strstr((char *)bytes + 8, from);
    if (CHECK(place != NULL && strlen(from) == strlen(to)))
        memcpy(place, to, strlen(to));
    CHECK_STATUS(snn_model_load_memory(bytes, count, &loaded), SNN_ERROR_FORMAT);
    if (!CHECK(strstr(snn_last_error(), said) != NULL))
        printf("  said %s\n", snn_last_error());
    free(bytes);
}

static void test_graphs(const char *path)
{
    static const char *const cases[][3] = {
        {"\\\"operands\\\":[0]", "\\\"operands\\\":[9]", "operand 0 must be one of the 3 values before"},
        {"\\\"operands\\\":[0]", "\\\"operands\\\":[2]", "an operand at least must be no constant"},
        {"\\\"dims\\\":[1,2,4]", "\\\"dims\\\":[1,2,5]", "dims must hold the features"},
        {"\\\"dims\\\":[3,1,2]", "\\\"dims\\\":[2,1,3]", "shape must be the dims of its constant"},
        {"\\\"axes\\\":[3,1,2]", "\\\"axes\\\":[3,1,1]", "each axis once"},
        {"\\\"step\\\":2", "\\\"step\\\":0", "a step of at least 1"},
        {"\\\"step\\\":2", "\\\"stap\\\":2", "unknown key"},
        {"\"2.0\"", "\"1.2\"", "node 0: unknown type"},
        {"\\\"type\\\":\\\"tanh\\\"", "\\\"type\\\":\\\"tonh\\\"", "unknown type"},
        {"{\\\"value\\\":3", "{\\\"value\\\":2", "and no constant"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_altered(path, cases[i][0], cases[i][1], cases[i][2]);
}

/* Floats of all magnitudes come back from the text that is written for them. */
static void test_float_text(void)
{
    uint32_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        float value, back = 0;
        bits = bits * 1664525U + 1013904223U;
        memcpy(&value, &bits, sizeof value);
        if (!(value - value == 0))
            continue;
        snn_text text = {0};
        snn_text_add_float(&text, value);
        snn_json json = {.text = text.bytes, .length = text.length};
        CHECK(snn_json_read_float(&json, &back) && snn_json_end(&json));
        CHECK(memcmp(&value, &back, sizeof value) == 0);
        snn_text_clear(&text);
    }
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0.1f, "0.1"}, {-6, "-6"}, {FLT_MAX, "3.4028235e+38"}, {1e-45f, "1e-45"}, {16777216, "16777216"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snn_text text = {0};
        snn_text_add_float(&text, cases[i].value);
        if (!CHECK(strcmp(text.bytes, cases[i].text) == 0))
            printf("  got %s, wanted %s\n", text.bytes, cases[i].text);
        snn_text_clear(&text);
    }
}

int main(void)
{
    const scratch place = scratch_create();
    snn_model *model = sample_model();
    check_round_trip(model, place.path);
    test_same_bytes(model, place.path);
    test_version(place.path);
    test_cut(model, place.path);
    test_widths(place.path);
    test_long_indices(place.path);
    test_node_limit(place.path);
    test_arguments(model, &place);
    test_float_text();
    snn_model *graph = sample_graph();
    check_round_trip(graph, place.path);
    test_same_bytes(graph, place.path);
    test_cut(graph, place.path);
    test_graphs(place.path);
    snn_model_free(graph);
    snn_model_free(model);
    scratch_remove(&place);
    return check_report("test_format");
}
