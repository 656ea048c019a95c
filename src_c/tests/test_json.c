/* The JSON reader: what is JSON is read, what is not is refused at the right byte. */
#include "check.h"
#include "file/json.h"

#include <string.h>

static snn_json reader(const char *text) { return (snn_json){.text = text, .length = strlen(text)}; }

static void accept(const char *text)
{
    snn_json json = reader(text);
    if (!CHECK(snn_json_skip(&json) && snn_json_end(&json)))
        printf("  %s: %s\n", text, json.error);
}

static void refuse(const char *text, size_t position)
{
    snn_json json = reader(text);
    CHECK(!(snn_json_skip(&json) && snn_json_end(&json)));
    if (!CHECK(json.error != NULL && json.position == position))
        printf("  %s: at %zu, wanted %zu\n", text, json.position, position);
}

static void test_syntax(void)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1.5e-3",
                                       "1E+2",
                                       "true",
                                       " false ",
                                       "null",
                                       "\"\"",
                                       "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
                                       "\"\\ud83d\\ude00\"",
                                       "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"",
                                       "[]",
                                       "{}",
                                       "[ 1 , [ ] , { } ]",
                                       "{\"a\":1,\"b\":[{}]}",
                                       "\t\r\n[\n]",
                                       "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        accept(good[i]);
    static const struct {
        const char *text;
        size_t position;
    } bad[] = {{"", 0},
               {" ", 1},
               {"tru", 0},
               {"nul", 0},
               {"True", 0},
               {"01", 1},
               {"-", 1},
               {"+1", 0},
               {".5", 0},
               {"1.", 2},
               {"1e", 2},
               {"1e+", 3},
               {"NaN", 0},
               {"Infinity", 0},
               {"1 2", 2},
               {"[", 1},
               {"[1", 2},
               {"[1,", 3},
               {"[1,]", 3},
               {"[,1]", 1},
               {"[1 2]", 3},
               {"]", 0},
               {"{", 1},
               {"{]", 1},
               {"[}", 1},
               {"{1:2}", 1},
               {"{\"a\"}", 4},
               {"{\"a\":}", 5},
               {"{\"a\":1,}", 7},
               {"{'a':1}", 1},
               {"{\"a\":1 \"b\":2}", 7},
               {"\"a", 2},
               {"\"\\", 1},
               {"\"\\x\"", 1},
               {"\"\\u12\"", 1},
               {"\"\\u12g4\"", 1},
               {"\"\\u0000\"", 1},
               {"\"\\ud83d\"", 1},
               {"\"\\ude00\"", 1},
               {"\"\\ud83d\\u0041\"", 1},
               {"\"a\nb\"", 2},
               {"\"\x7F\x80\"", 2},
               {"\"\xC0\x80\"", 1},
               {"\"\xC3\"", 1},
               {"\"\xE0\x80\x80\"", 1},
               {"\"\xED\xA0\x80\"", 1},
               {"\"\xF0\x80\x80\x80\"", 1},
               {"\"\xF4\x90\x80\x80\"", 1},
               {"\"\xF5\x80\x80\x80\"", 1},
               {"\"\xFF\"", 1},
               {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", 17},
               {"/**/1", 0},
               {"[1]]", 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(bad[i].text, bad[i].position);
}

static void test_numbers(void)
{
    int64_t whole = -1;
    snn_json json = reader("999999999999999999");
    CHECK(snn_json_read_whole(&json, &whole) && whole == INT64_C(999999999999999999));
    static const char *const refused[] = {
        "1000000000000000000",       "9223372036854775808", "-1", "1.0", "1e3", "\"1\"", "true",
        "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        json = reader(refused[i]);
        CHECK(!snn_json_read_whole(&json, &whole));
    }
    static const struct {
        const char *text;
        float value;
    } floats[] = {{"6", 6},
                  {"-0.5", -0.5f},
                  {"1e-46", 0},
                  {"0.1", 0.1f},
                  {"1234567890123456789012345678", 1.23456789e27f},
                  {"0.00000000000000000000000000000000000001", 1e-38f},
                  {"1e-400", 0},
                  {"3.4028235e38", 3.4028235e38f}};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        float value = -1;
        json = reader(floats[i].text);
        if (!CHECK(snn_json_read_float(&json, &value) && value == floats[i].value))
            printf("  %s gave %g\n", floats[i].text, (double)value);
    }
    float value;
    json = reader("1e39");
    CHECK(!snn_json_read_float(&json, &value));
    json = reader("1e99999999999999999999");
    CHECK(!snn_json_read_float(&json, &value));
}

static void test_strings(void)
{
    snn_json json = reader("\"a\\u0062\\u00e9\\ud83d\\ude00\\n\"");
    snn_json_string string, other;
    char decoded[64];
    CHECK(snn_json_read_string(&json, &string));
    const size_t length = snn_json_decode(string, decoded);
    CHECK(length == 9 && memcmp(decoded, "ab\xC3\xA9\xF0\x9F\x98\x80\n", 9) == 0);
    json = reader("\"\\u0061b\xC3\xA9\\uD83D\\uDE00\\u000a\"");
    CHECK(snn_json_read_string(&json, &other));
    CHECK(snn_json_same_key(string, other));
    CHECK(!snn_json_equals(string, "ab"));
    CHECK(strcmp(snn_json_show((snn_json_string){"a\x01\xFF", 3}).text, "a??") == 0);
}

int main(void)
{
    test_syntax();
    test_numbers();
    test_strings();
    return check_report("test_json");
}
