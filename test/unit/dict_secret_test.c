/* SPDX-License-Identifier: MIT */
/* A dict with `secret` that is saved and loaded leaves no value in memory that is given back. */
#include "dict.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/stat.h>

#define SECRET_SIZE 32
#define PART 4096
#define MAPPING_MOST (64ul << 20) /* larger ones are no heaps, but reserved by sanitizers */

/* How often the bytes stand between two addresses. What is read goes to the stack, which is left out. */
static int count_in(int memory, uint64_t from, uint64_t to, const unsigned char *secret)
{
    unsigned char bytes[PART + SECRET_SIZE - 1];
    int n = 0;
    for (; from < to; from += PART) {
        ssize_t got = pread(memory, bytes, (size_t)min_u64(sizeof bytes, to - from), (off_t)from);
        const unsigned char *at = bytes, *end = bytes + (got > 0 ? got : 0);
        for (; (at = memmem(at, (size_t)(end - at), secret, SECRET_SIZE)); at++)
            n++;
    }
    explicit_bzero(bytes, sizeof bytes);
    return n;
}

/* In all memory of this process but its stack, where the test has the secret, and the dict. */
static int copies_of(const unsigned char *secret)
{
    char line[512];
    int n = 0, memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_true(memory >= 0 && maps);
    while (fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char rights[5];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, rights) != 3 || rights[1] != 'w' ||
            to - from > MAPPING_MOST || strstr(line, "[stack]") || strstr(line, "/dev/shm/"))
            continue;
        n += count_in(memory, from, to, secret);
    }
    fclose(maps);
    close(memory);
    return n;
}

static void saved_and_loaded(void **state)
{
    unsigned char secret[SECRET_SIZE];
    char path[128];
    (void)state;
    assert_int_equal(getrandom(secret, sizeof secret, 0), SECRET_SIZE);
    snprintf(path, sizeof path, "/tmp/%s", NAME);
    shms_dict *d = dict_open(NAME, 1 << 16, DICT_OPTIONS(.secret = 1));
    assert_true(shms_dict_set(d, "k", 1, secret, sizeof secret, NULL) > 0);
    int here = copies_of(secret); /* under ASan its own place may be none on the stack */
    assert_int_equal(shms_dict_save(d, path), 1);
    assert_int_equal(copies_of(secret), here);
    assert_int_equal(shms_dict_load(d, path), 1);
    assert_int_equal(copies_of(secret), here);
    unsigned char *copy = malloc(sizeof secret); /* it would be found */
    memcpy(copy, secret, sizeof secret);
    assert_int_equal(copies_of(secret), here + 1);
    assert_memory_equal(copy, secret, sizeof secret);
    free(copy);
    assert_int_equal(remove(path), 0);
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(saved_and_loaded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
