/* SPDX-License-Identifier: MIT */
/*
 * A plugin with the static library inside, loaded and unloaded: no handler of fork or of SIGBUS, no thread
 * and no mapping of it may run code that is gone.
 */
#include "child.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

static void *plugin(void)
{
    char path[512];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/test/unit/libunit_plugin.so", build ? build : "build");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fprintf(stderr, "%s\n", dlerror());
    return handle;
}

static int call(void *handle, const char *function, const char *name)
{
    int (*fn)(const char *) = NULL;
    *(void **)&fn = dlsym(handle, function);
    return fn ? fn(name) : -99;
}

static sigjmp_buf back;

static void own_handler(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* The host's handler of SIGBUS has what is the host's. */
static int bus_error_is_the_hosts(void)
{
    int fd = memfd_create("host", MFD_CLOEXEC);
    EXPECT(fd >= 0 && ftruncate(fd, 4096) == 0);
    char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(m != MAP_FAILED && ftruncate(fd, 0) == 0);
    if (sigsetjmp(back, 1) == 0) {
        a32_store_relaxed((a32 *)(void *)m, 1); /* relaxed: any access will do */
        return 1;
    }
    return 0;
}

static int host_of_a_plugin_that_goes(void *unused)
{
    (void)unused;
    signal(SIGBUS, own_handler);
    for (int i = 0; i < 3; i++) {
        void *handle = plugin();
        EXPECT(handle && call(handle, "plug_use", NAME) == 0);
        EXPECT(dlclose(handle) == 0);
    }
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(bus_error_is_the_hosts());
        EXPECT(unit_wait(pid) == 0);
    }
    return bus_error_is_the_hosts();
}

static void a_plugin_that_goes(void **state)
{
    (void)state;
    assert_int_equal(unit_child(host_of_a_plugin_that_goes, NULL, 0), 0);
}

/* With a handle open and its lock held, while somebody waits for it. */
static int host_of_a_plugin_that_forgets(void *unused)
{
    (void)unused;
    void *handle = plugin();
    EXPECT(handle && call(handle, "plug_keep", NAME) == 0);
    EXPECT(dlclose(handle) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    EXPECT(unit_wait(pid) == 0);
    return 0;
}

static void a_plugin_that_forgets(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    assert_int_equal(unit_child(host_of_a_plugin_that_forgets, NULL, 0), 0);
    assert_int_equal(shms_stream_lock(s, 1000), SHMS_OWNER_DIED);
    shms_stream_close(s);
}

/* The host's handlers of fork are registered before the library's, so they run inside of those. */
static void *loaded;

static void call_it(void)
{
    if (loaded && call(loaded, "plug_lock", NULL) != 0)
        _exit(9);
}

static int host_with_fork_handlers(void *unused)
{
    (void)unused;
    EXPECT(pthread_atfork(call_it, call_it, call_it) == 0);
    void *handle = plugin();
    EXPECT(handle && call(handle, "plug_keep", NAME) == 0 && call(handle, "plug_unlock", NULL) == 0);
    loaded = handle;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            call_it();
            call(loaded, "plug_close", NULL);
            _exit(0);
        }
        EXPECT(unit_wait(pid) == 0);
    }
    loaded = NULL;
    call(handle, "plug_close", NULL);
    return 0;
}

static void fork_handlers_before_the_librarys(void **state)
{
    (void)state;
    assert_int_equal(unit_child(host_with_fork_handlers, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plugin_that_goes), TEST(a_plugin_that_forgets), TEST(fork_handlers_before_the_librarys),
    };
    return cmocka_run_group_tests_name("plugin", tests, NULL, NULL);
}
