/* SPDX-License-Identifier: MIT */
/*
 * Windows: security descriptors from permission bits.
 *
 * The owner's bits are always 6 and mean everything. The bits of others mean the group Everyone: 6 is
 * everything too, since programs that know no control block ask for all access when they open; 4 is reading.
 * Windows has no counterpart of a file's group, so its bits let nobody in.
 */
#include "objects.h"

#include <aclapi.h>
#include <sddl.h>

/* The user that this process acts as. To be freed with LocalFree. */
static TOKEN_USER *current_user(void)
{
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return NULL;
    DWORD size = 0;
    GetTokenInformation(token, TokenUser, NULL, 0, &size);
    TOKEN_USER *user = LocalAlloc(LMEM_FIXED, size);
    if (user && !GetTokenInformation(token, TokenUser, user, size, &size)) {
        LocalFree(user);
        user = NULL;
    }
    CloseHandle(token);
    return user;
}

static uint32_t last_part(PSID sid)
{
    return *GetSidSubAuthority(sid, (DWORD)(*GetSidSubAuthorityCount(sid) - 1));
}

uint32_t shms__user(void)
{
    TOKEN_USER *user = current_user();
    uint32_t number = user ? last_part(user->User.Sid) : UINT32_MAX;
    LocalFree(user);
    return number;
}

static const wchar_t *rights_of_others(uint32_t mode)
{
    switch (mode & 06) {
    case 06:
        return L"(A;;GA;;;WD)";
    case 04:
        return L"(A;;GR;;;WD)";
    default:
        return L"";
    }
}

int shms__security(uint32_t mode, struct security *ret)
{
    wchar_t text[256];
    wchar_t *user_text = NULL;
    TOKEN_USER *user = current_user();
    BOOL done = user && ConvertSidToStringSidW(user->User.Sid, &user_text);
    if (done) {
        _snwprintf(text, 256, L"D:P(A;;GA;;;%ls)%ls", user_text, rights_of_others(mode));
        done = ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &ret->descriptor,
                                                                    NULL);
    }
    int rc = done ? 0 : shms__fail_last();
    LocalFree(user_text);
    LocalFree(user);
    ret->attributes = (SECURITY_ATTRIBUTES){.nLength = sizeof ret->attributes,
                                            .lpSecurityDescriptor = ret->descriptor};
    return rc;
}

void shms__security_free(struct security *s)
{
    LocalFree(s->descriptor);
}

static ACCESS_MASK rights_of(PACL list, PSID who)
{
    ACCESS_ALLOWED_ACE *ace;
    ACCESS_MASK rights = 0;
    for (DWORD i = 0; i < list->AceCount; i++)
        if (GetAce(list, i, (void **)&ace) && ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE &&
            EqualSid(&ace->SidStart, who))
            rights |= ace->Mask;
    return rights;
}

/* Of a section's rights. A missing list lets everyone do everything. */
static uint32_t mode_of(PACL list)
{
    BYTE everyone[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof everyone;
    if (!list)
        return 0666;
    if (!CreateWellKnownSid(WinWorldSid, NULL, everyone, &size))
        return 0600;
    ACCESS_MASK rights = rights_of(list, everyone);
    bool reads = rights & (SECTION_MAP_READ | GENERIC_READ | GENERIC_ALL);
    bool writes = rights & (SECTION_MAP_WRITE | GENERIC_WRITE | GENERIC_ALL);
    return 0600 | (reads ? 04 : 0) | (writes ? 02 : 0);
}

void shms__security_of(HANDLE object, uint32_t *ret_mode, uint32_t *ret_user)
{
    PSID owner = NULL;
    PACL list = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    *ret_mode = 0;
    *ret_user = UINT32_MAX;
    if (GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                        &owner, NULL, &list, NULL, &descriptor) != ERROR_SUCCESS)
        return;
    *ret_mode = mode_of(list);
    if (owner)
        *ret_user = last_part(owner);
    LocalFree(descriptor);
}
