/* SPDX-License-Identifier: MIT */
/* A program that has nothing of the jar but the installed package. */
#include <shmstream/jar.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    shms_jar_options options = {.struct_size = sizeof options, .no_keep = 1};
    shms_jar_request request = {.struct_size = sizeof request, .url = "https://example.com/"};
    shms_jar *jar;
    char line[64];
    int rc = shms_jar_open("package-jar", &options, &jar);
    if (rc < 0)
        return printf("%s\n", shms_strerror(rc));
    rc = shms_jar_set(jar, &request, "a=1", 3);
    if (rc != 0)
        return printf("%s\n", shms_jar_reason(rc));
    shms_jar_get(jar, &request, line, sizeof line);
    shms_jar_close(jar);
    return strcmp(line, "a=1") == 0 ? 0 : 1;
}
