/* SPDX-License-Identifier: MIT */
#include "check.h"

static HANDLE ready, go;

HANDLE start(const char *role, const char *region)
{
    wchar_t self[MAX_PATH], line[8192];
    STARTUPINFOW how = {.cb = sizeof how};
    PROCESS_INFORMATION child;
    fflush(stdout);
    GetModuleFileNameW(NULL, self, MAX_PATH);
    _snwprintf(line, 8192, L"\"%ls\" %hs \"%ls\"", self, role, wide(region, ""));
    if (!CHECK(CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &child)))
        exit(EXIT_FAILURE);
    CloseHandle(child.hThread);
    return child.hProcess;
}

int finish(HANDLE process)
{
    DWORD status = 1000;
    CHECK(WaitForSingleObject(process, PATIENCE_MS) == WAIT_OBJECT_0);
    GetExitCodeProcess(process, &status);
    CloseHandle(process);
    return (int)status;
}

void kill_it(HANDLE process)
{
    TerminateProcess(process, 9);
    finish(process);
}

void meet_make(const char *region)
{
    ready = CreateEventW(NULL, FALSE, FALSE, wide(region, "-ready"));
    go = CreateEventW(NULL, TRUE, FALSE, wide(region, "-go"));
}

void meet_close(void)
{
    CloseHandle(ready);
    CloseHandle(go);
}

void say_ready(const char *region)
{
    meet_make(region);
    SetEvent(ready);
    CHECK(WaitForSingleObject(go, PATIENCE_MS) == WAIT_OBJECT_0);
    meet_close();
}

void await_ready(void)
{
    CHECK(WaitForSingleObject(ready, PATIENCE_MS) == WAIT_OBJECT_0);
}

void say_go(void)
{
    SetEvent(go);
}

int play_role(const char *name)
{
    static char region[8192];
    int n = 0;
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &n);
    if (words && n > 2)
        WideCharToMultiByte(CP_UTF8, 0, words[2], -1, region, sizeof region, NULL, NULL);
    for (const struct role *r = roles; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r->play(region);
    printf("no such role: %s\n", name);
    return EXIT_FAILURE;
}
