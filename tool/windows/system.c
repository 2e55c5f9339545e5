/* SPDX-License-Identifier: MIT */
#include "../system.h"

#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text */

static char *narrow(const wchar_t *text)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *utf8 = malloc((size_t)n);
    if (utf8)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, n, NULL, NULL);
    return utf8;
}

static wchar_t *widen(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = malloc((size_t)n * sizeof *wide);
    if (wide)
        MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    return wide;
}

/* main() gets its arguments in the code page of the system, which has not all characters. */
void system_start(int *argc, char ***argv)
{
    int n = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
    char **utf8 = calloc((size_t)n + 1, sizeof *utf8);
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    SetConsoleOutputCP(CP_UTF8);
    if (!wide || !utf8)
        return;
    for (int i = 0; i < n; i++)
        utf8[i] = narrow(wide[i]);
    LocalFree(wide);
    *argc = n;
    *argv = utf8;
}

const char *system_unsupported(void)
{
    return "here a region lasts while somebody has it open: `shms lock NAME --size SIZE -- COMMAND`";
}

const char *system_error(int oserror)
{
    static char text[256];
    wchar_t wide[128] = L"";
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)oserror,
                             0, wide, 128, NULL);
    while (n > 0 && wcschr(L"\r\n. ", wide[n - 1]))
        wide[--n] = 0;
    if (n == 0 || !WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, NULL, NULL))
        snprintf(text, sizeof text, "error %d of the system", oserror);
    return text;
}

/* ---- time, users, files */

int64_t system_clock_ns(void)
{
    LARGE_INTEGER hz, now;
    QueryPerformanceFrequency(&hz);
    QueryPerformanceCounter(&now);
    return now.QuadPart / hz.QuadPart * 1000000000 + now.QuadPart % hz.QuadPart * 1000000000 / hz.QuadPart;
}

int64_t system_wall_ns(void)
{
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    return ((int64_t)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) - 116444736000000000) * 100;
}

uint32_t system_pid(void)
{
    return GetCurrentProcessId();
}

/* The last part of the user's SID. */
uint32_t system_user(void)
{
    BYTE user[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof user;
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return UINT32_MAX;
    BOOL done = GetTokenInformation(token, TokenUser, user, size, &size);
    CloseHandle(token);
    PSID sid = ((TOKEN_USER *)(void *)user)->User.Sid;
    return done ? *GetSidSubAuthority(sid, (DWORD)(*GetSidSubAuthorityCount(sid) - 1)) : UINT32_MAX;
}

int64_t system_file_size(const char *path)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide = widen(path);
    BOOL done = wide && GetFileAttributesExW(wide, GetFileExInfoStandard, &data);
    free(wide);
    return done ? (int64_t)((uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow) : -1;
}

bool system_is_device(const char *path)
{
    (void)path; /* one is written into holding the lock, as a file is */
    return false;
}

bool system_room(uint64_t *ret_free, uint64_t *ret_all)
{
    (void)ret_free, (void)ret_all;
    return false;
}

/* ---- Ctrl-C. A process that only waits holds nothing and can end at any moment. */

static volatile LONG holding, stopped;

static BOOL WINAPI note_stop(DWORD kind)
{
    if (!holding || kind > CTRL_BREAK_EVENT)
        return FALSE;
    stopped = 1;
    return TRUE;
}

void hold_stops(void)
{
    SetConsoleCtrlHandler(note_stop, TRUE);
    holding = 1;
}

void release_stops(void)
{
    holding = 0;
    SetConsoleCtrlHandler(note_stop, FALSE);
    if (stopped)
        exit(EXIT_SIGNALLED + 2); /* as after an interrupt elsewhere */
}

void system_begin_waiting(void)
{
}

bool system_sleep(int fd, int64_t ms)
{
    (void)fd;
    Sleep((DWORD)ms);
    return true;
}

void system_stop(void)
{
}

/* ---- commands */

/* A word and a blank, quoted as programs take command lines apart: a backslash counts before a quote only. */
static char *append_word(char *at, const char *word)
{
    size_t slashes = 0, length = strlen(word);
    if (length > 0 && strcspn(word, " \t\n\"") == length) {
        memcpy(at, word, length);
        at[length] = ' ';
        return at + length + 1;
    }
    *at++ = '"';
    for (; *word; word++) {
        if (*word == '"') {
            memset(at, '\\', slashes + 1);
            at += slashes + 1;
        }
        slashes = *word == '\\' ? slashes + 1 : 0;
        *at++ = *word;
    }
    memset(at, '\\', slashes);
    at += slashes;
    *at++ = '"';
    *at++ = ' ';
    return at;
}

static wchar_t *command_line(char **words)
{
    size_t room = 1;
    for (char **w = words; *w; w++)
        room += 2 * strlen(*w) + 3;
    char *line = malloc(room);
    if (!line)
        return NULL;
    char *at = line;
    for (char **w = words; *w; w++)
        at = append_word(at, *w);
    at[-1] = 0; /* the last blank */
    wchar_t *wide = widen(line);
    free(line);
    return wide;
}

static int wait_for(const PROCESS_INFORMATION *child)
{
    DWORD status = EXIT_OURS;
    WaitForSingleObject(child->hProcess, INFINITE);
    GetExitCodeProcess(child->hProcess, &status);
    CloseHandle(child->hProcess);
    CloseHandle(child->hThread);
    return (int)status;
}

static HANDLE inheritable(FILE *file)
{
    HANDLE handle = (HANDLE)_get_osfhandle(_fileno(file));
    SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    return handle;
}

static void set_streams(STARTUPINFOW *start, FILE *in, FILE *out)
{
    start->dwFlags = STARTF_USESTDHANDLES;
    start->hStdInput = inheritable(in);
    start->hStdOutput = inheritable(out);
    start->hStdError = GetStdHandle(STD_ERROR_HANDLE);
}

/* It inherits standard input and output; no handle of a region can be inherited. */
int system_run(const cli_args *args, char **words, FILE *in, FILE *out)
{
    STARTUPINFOW start = {.cb = sizeof start};
    if (in && out)
        set_streams(&start, in, out);
    PROCESS_INFORMATION child;
    wchar_t *line = command_line(words);
    DWORD error = ERROR_NOT_ENOUGH_MEMORY;
    if (line && CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child))
        error = 0;
    else if (line)
        error = GetLastError();
    free(line);
    if (error == 0)
        return wait_for(&child);
    cli_error(args, NULL, "%s: %s", words[0], system_error((int)error));
    return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
}

FILE *system_scratch(void)
{
    return tmpfile();
}

int system_shell(const cli_args *args, char *line)
{
    char shell[] = "cmd", option[] = "/c";
    char *words[] = {shell, option, line, NULL};
    return system_run(args, words, NULL, NULL);
}

bool system_stopped(void)
{
    return false;
}

bool system_detach(const cli_args *args, int *ret_status)
{
    cli_error(args, NULL, "--hold: not on this system");
    *ret_status = EXIT_OURS;
    return false;
}

bool system_detached(void)
{
    return false;
}

bool system_watch_process(int pid)
{
    (void)pid;
    return true;
}

void system_wait_for_process(int pid)
{
    (void)pid;
}

void system_set_variable(const char *name, const char *value)
{
    SetEnvironmentVariableA(name, value);
}

/* ---- a second process would be another program here */

bool system_partner_start(void (*fn)(void *context), void *context)
{
    (void)fn, (void)context;
    return false;
}

bool system_partner_orphaned(void)
{
    return true;
}

void system_partner_stop(void)
{
}
