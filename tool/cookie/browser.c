/* SPDX-License-Identifier: MIT */
/* shms-cookie browser: tell browsers of the host, and people of the extension. */
#include "cookie.h"
#include "extension_id.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHROMIUM, FIREFOX, BROWSERS };
static const char *const names[] = {"chromium", "firefox"};

/* NULL: no memory. */
static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
    va_list list;
    char *ret;
    va_start(list, format);
    int n = vasprintf(&ret, format, list);
    va_end(list);
    return n < 0 ? NULL : ret;
}

/* A browser does not run a host of which the manifest has a relative path. */
static char *profile_folder(const char *profile)
{
    char *here = *profile == '/' ? NULL : getcwd(NULL, 0);
    char *ret = *profile == '/' ? text("%s/NativeMessagingHosts", profile)
                : here          ? text("%s/%s/NativeMessagingHosts", here, profile)
                                : NULL;
    free(here);
    return ret;
}

/* Where a browser looks for the manifests of hosts. NULL: no home, or no memory. */
static char *manifest_folder(const arguments *args, int browser)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    if (args->profile)
        return profile_folder(args->profile);
    if (args->system)
        return text(browser == CHROMIUM ? "/etc/chromium/native-messaging-hosts"
                                        : "/usr/lib/mozilla/native-messaging-hosts");
    if (browser == CHROMIUM && config && *config == '/')
        return text("%s/chromium/NativeMessagingHosts", config);
    if (!home || *home != '/')
        return NULL;
    return text(browser == CHROMIUM ? "%s/.config/chromium/NativeMessagingHosts"
                                    : "%s/.mozilla/native-messaging-hosts",
                home);
}

/* This program, and what lies beside it: the same where it was built and where it is installed. */
static char *beside_program(const char *path)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return NULL;
    program[n] = '\0';
    if (!path)
        return text("%s", program);
    *strrchr(program, '/') = '\0';
    char *unclean = text("%s/%s", program, path), *ret = unclean ? realpath(unclean, NULL) : NULL;
    free(unclean);
    return ret;
}

/* ---- files */

/* For others to read, whatever the umask: what lies in there is run. */
static bool make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *at = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

/* As a whole, since a browser may look at any time. Nothing is written through a name that is there: it may
 * be somebody's link. */
static bool write_file(const char *path, const char *bytes, mode_t mode)
{
    char *fresh = text("%s.XXXXXX", path);
    int fd = fresh ? mkostemp(fresh, O_CLOEXEC) : -1;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        if (fd >= 0)
            close(fd);
        free(fresh);
        return false;
    }
    bool written = fputs(bytes, file) >= 0 && fchmod(fileno(file), mode) == 0;
    written = fclose(file) == 0 && written && rename(fresh, path) == 0;
    int error = errno;
    if (!written)
        unlink(fresh);
    free(fresh);
    errno = error;
    return written;
}

/* A word of a shell's line, whatever is in it. */
static char *quoted(const char *word)
{
    char *ret = malloc(strlen(word) * 4 + 3), *at = ret;
    if (!ret)
        return NULL;
    *at++ = '\'';
    for (; *word; word++) {
        if (*word == '\'')
            at = stpcpy(at, "'\\'");
        *at++ = *word;
    }
    stpcpy(at, "'");
    return ret;
}

/* A browser gives a host no words of its own, so the jar's name is in a script. */
static char *script_text(const arguments *args)
{
    static const char script[] = "#!/bin/sh\n"
                                 "# The browser runs this for its extension; made by shms-cookie.\n"
                                 "exec %s host --jar %s -- \"$@\"\n";
    char *program = beside_program(NULL), *name = program ? quoted(program) : NULL;
    char *jar = quoted(args->jar), *ret = name && jar ? text(script, name, jar) : NULL;
    free(program);
    free(name);
    free(jar);
    return ret;
}

static char *manifest_text(int browser, const char *script)
{
    bool chromium = browser == CHROMIUM;
    json_t *manifest = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "name", HOST_NAME, "description",
                                 "Shares the cookies of this browser with other programs", "path", script,
                                 "type", "stdio", chromium ? "allowed_origins" : "allowed_extensions",
                                 chromium ? CHROMIUM_ORIGIN : FIREFOX_ID);
    char *ret = manifest ? json_dumps(manifest, JSON_INDENT(2)) : NULL;
    json_decref(manifest);
    return ret;
}

/* ---- one browser */

struct files {
    char *folder, *script, *manifest;
};

static bool name_files(const arguments *args, int browser, struct files *ret)
{
    *ret = (struct files){.folder = manifest_folder(args, browser)};
    if (!ret->folder)
        return false;
    ret->script = text("%s/" HOST_NAME ".sh", ret->folder);
    ret->manifest = text("%s/" HOST_NAME ".json", ret->folder);
    return ret->script && ret->manifest;
}

static void free_files(struct files *f)
{
    free(f->folder);
    free(f->script);
    free(f->manifest);
}

static bool write_files(const arguments *args, int browser, struct files *f)
{
    char *script = script_text(args), *manifest = manifest_text(browser, f->script);
    errno = script ? EILSEQ : errno; /* a manifest is in UTF-8 */
    bool written = script && manifest && make_folders(f->folder) && write_file(f->script, script, 0755) &&
                   write_file(f->manifest, manifest, 0644);
    int error = errno;
    free(script);
    free(manifest);
    errno = error;
    return written;
}

static bool remove_file(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT;
}

static int change(const arguments *args, int browser, bool install)
{
    struct files f;
    int status = EXIT_SUCCESS;
    if (!name_files(args, browser, &f))
        status = cookie_error(args, "HOME names no folder: set it, or give --system or --user-data-dir");
    else if (install ? !write_files(args, browser, &f) : !remove_file(f.manifest) || !remove_file(f.script))
        status = cookie_error(args, "%s: %s", f.folder, strerror(errno));
    else
        printf("%s %s\n", install ? "written:" : "removed:", f.manifest);
    free_files(&f);
    return status;
}

/* ---- all */

static int tell(const arguments *args, const bool wanted[BROWSERS])
{
    char *folder = beside_program("../share/shmstream/extension");
    if (!folder)
        return cookie_error(args, "the extension is not in ../share/shmstream/extension, as seen from this "
                                  "program; install both again");
    if (wanted[CHROMIUM])
        puts("Chromium: open chrome://extensions, switch developer mode on, and load this folder unpacked;\n"
             "or start it with --load-extension=FOLDER:");
    if (wanted[FIREFOX])
        puts("Firefox: open about:debugging#/runtime/this-firefox, and load manifest.json of this folder as\n"
             "a temporary add-on; it stays until Firefox ends:");
    puts(folder);
    free(folder);
    return EXIT_SUCCESS;
}

static int usage(const arguments *args, const char *wrong)
{
    cookie_error(args, "%s; see shms-cookie browser --help", wrong);
    return EXIT_USAGE;
}

/* The browser would say only that the host has ended. */
static bool is_name(const char *name)
{
    shms_jar_options o = {.struct_size = sizeof o, .create = SHMS_OPEN_ONLY};
    shms_jar *j = NULL;
    int rc = shms_jar_open(name, &o, &j);
    if (rc == 0)
        shms_jar_close(j);
    return rc != SHMS_E_INVALID;
}

int run_browser(shms_jar *none, const arguments *args)
{
    (void)none;
    bool install = strcmp(args->operand[0], "install") == 0, any = false, wanted[BROWSERS];
    if (!install && strcmp(args->operand[0], "uninstall") != 0)
        return usage(args, "give it install or uninstall");
    for (int i = 0; i < BROWSERS; i++) {
        wanted[i] = strcmp(args->operand[1], "all") == 0 || strcmp(args->operand[1], names[i]) == 0;
        any = any || wanted[i];
    }
    if (!any)
        return usage(args, "the browser is chromium, firefox or all");
    if (args->profile && (args->system || args->user || wanted[FIREFOX]))
        return usage(args, "--user-data-dir is for chromium, without --user and --system");
    if (args->system && args->user)
        return usage(args, "give --user or --system");
    if (install && !is_name(args->jar))
        return usage(args, "--jar is no name of a jar");
    if (args->system)
        umask(022); /* browsers of all users look into the folders */
    int status = EXIT_SUCCESS;
    for (int i = 0; i < BROWSERS; i++)
        status |= wanted[i] ? change(args, i, install) : EXIT_SUCCESS;
    return status == EXIT_SUCCESS && install ? tell(args, wanted) : status;
}
