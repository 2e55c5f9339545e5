{ SPDX-License-Identifier: MIT

  The double of the old TShareMemStream, for tests with two parties: it does on Windows what that class was
  seen to do, its defects with it. Nobody else should use it. ../behaviour.old is the transcript of both. }
unit ShareMemoryStream;

{$H+}

interface

uses
  Windows, SysUtils, Classes;

const
  SECTION_MAP_EXECUTE = $8;

type
  TShareMemStream = class(TCustomMemoryStream)
  private
    FSection, FFreeLock: THandle;
    FAlreadyExists: Boolean;
    procedure OpenSection(const AName: UnicodeString; Access, Low, High: DWORD);
  public
    constructor Create(const ShareName: string; ACCESS: DWORD = FILE_MAP_ALL_ACCESS; ASize: Int64 = $1000000);
    destructor Destroy; override;
    function Write(const Buffer; Count: Integer): Longint; override;
    function GetLock(ATimeOut: DWORD = INFINITE): Boolean;
    procedure ReleaseLock();
    property AlreadyExists: Boolean read FAlreadyExists;
  end;

implementation

constructor TShareMemStream.Create(const ShareName: string; ACCESS: DWORD; ASize: Int64);
begin
  inherited Create;
  FFreeLock := CreateEventW(nil, False, True,
    PWideChar(UnicodeString(ShareName) + '_TShareMemStream_Event'));
  OpenSection(UnicodeString(ShareName), ACCESS and not SECTION_MAP_EXECUTE, Lo(ASize), Hi(ASize));
end;

{ A mapping has the low half of the size only: shares of 4 GiB and more are cut. }
procedure TShareMemStream.OpenSection(const AName: UnicodeString; Access, Low, High: DWORD);
var
  Everybody: TSecurityDescriptor;
  Attributes: TSecurityAttributes;
  Protection: DWORD;
begin
  InitializeSecurityDescriptor(@Everybody, SECURITY_DESCRIPTOR_REVISION);
  SetSecurityDescriptorDacl(@Everybody, True, nil, False);
  FillChar(Attributes, SizeOf(Attributes), 0);
  Attributes.nLength := SizeOf(Attributes);
  Attributes.lpSecurityDescriptor := @Everybody;
  Protection := PAGE_READONLY;
  if Access and FILE_MAP_WRITE <> 0 then
    Protection := PAGE_READWRITE;
  FSection := CreateFileMappingW(INVALID_HANDLE_VALUE, @Attributes, Protection, High, Low,
    PWideChar(AName));
  FAlreadyExists := (FSection <> 0) and (GetLastError = ERROR_ALREADY_EXISTS);
  if FSection <> 0 then
    SetPointer(MapViewOfFile(FSection, Access, 0, 0, Low), Low);
end;

{ The lock stays as it is. }
destructor TShareMemStream.Destroy;
begin
  if Memory <> nil then
    UnmapViewOfFile(Memory);
  SetPointer(nil, 0);
  if FSection <> 0 then
    CloseHandle(FSection);
  if FFreeLock <> 0 then
    CloseHandle(FFreeLock);
  inherited Destroy;
end;

function TShareMemStream.GetLock(ATimeOut: DWORD): Boolean;
begin
  Result := WaitForSingleObject(FFreeLock, ATimeOut) = WAIT_OBJECT_0;
end;

procedure TShareMemStream.ReleaseLock();
begin
  SetEvent(FFreeLock);
end;

{ It looks at the end only: not at the start, nor whether there is memory that can be written. }
function TShareMemStream.Write(const Buffer; Count: Integer): Longint;
var
  Start: Int64;
begin
  Start := Position;
  if Start + Count > Size then
    Exit(0);
  Move(Buffer, (PByte(Memory) + Start)^, Count);
  Position := Start + Count;
  Result := Count;
end;

end.
