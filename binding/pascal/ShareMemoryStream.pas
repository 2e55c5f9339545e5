{ SPDX-License-Identifier: MIT

  TShareMemStream: memory that several processes share, as a stream with a lock. A class of the same name and
  the same public interface has served Windows programs for years. Put this unit in the place of that one,
  recompile, and they go on working: on Windows, together with programs that still have the old one; on Linux.

      ms := TShareMemStream.Create('Global\test', FILE_MAP_ALL_ACCESS, 4096);
      if ms.Memory <> nil then           // nil: refused, and ms.ErrorCode says why
        if ms.GetLock(INFINITE) then     // ms.OwnerDied: the last holder died inside
        begin
          ms.Read(...);
          ms.Write(...);
          ms.ReleaseLock;
        end;
      ms.Free;

  What lies between GetLock and ReleaseLock is a section. Where something in it may raise, let Section hold
  the lock, or write it out:

      if ms.GetLock then
      begin
        try
          ms.Write(...);
        except
          if not ms.Rollback then      // smAtomic: what Write wrote is undone
            ms.ReleaseLock;
          raise;
        end;
        ms.ReleaseLock;
      end;

  It stands on the library shmstream, whose header shmstream.h has the meaning of each code and the rules
  for processes, threads and forks. doc/migrating.md says where the library must lie, and what changes for a
  program. One text for Delphi (XE and later) and Free Pascal (-Mdelphi, -MDelphiUnicode, -Mobjfpc), Windows
  and Linux.

  What the old class did wrong, and what this one does:
   1 A holder that dies, or frees its object, leaves the lock taken. Here the next one gets it, OwnerDied is
     True.
   2 Anybody could release. Here the object that holds the lock can, from any thread; others get ErrorCode.
   3 Locking twice hung. Here the second GetLock of a thread is False at once, ErrorCode SHMS_E_DEADLOCK.
   4 GetLock = False had two meanings. ErrorCode tells them apart.
   5 A refused view kept its Size and crashed. Here Size is 0, Read and Write give 0, WriteBuffer raises.
   6 Sizes were cut to 32 bits. Here they have 64 (in a 32-bit process what is over 2 GiB is SHMS_E_NOMEM).
   7 The creator's size could not be learnt. OpenExisting has it as Size.
   8 An access with neither FILE_MAP_READ nor FILE_MAP_WRITE was left to chance. Here it is SHMS_E_INVALID.
   9 Write on a read-only view crashed. Here it gives 0, ErrorCode SHMS_E_READ_ONLY.
  10 A reader that came first shut writers out. Here it does not; and OpenExisting makes no share.
  11 FILE_MAP_EXECUTE was refused. Here it is left out like SECTION_MAP_EXECUTE.
  12 Writing before the start, or a negative Count. Here that writes nothing, and Position stays.
  13 Memory was open to everybody, the lock was not. Here both are the user's own, unless smEveryone is
     asked for.
  15 Some names gave memory without a lock. Here a share has both, or Memory is nil.
  16 The empty name was private memory with a lock shared by all. Here it is SHMS_E_INVALID.
  17 AlreadyExists still does not mean initialised. But Version = 0 says that no locked section has ended
     yet.
  18 No error code was kept. ErrorCode, ErrorText.
  19 Threads that shared an object raced on Position. Here each Read, Write and Seek is one step.
  21 Nothing outlived the last close, and Count had 32 bits. Option smKeep (Linux); ReadAt and WriteAt.

  What cannot be mended here, and why:
   1, 2, 17 A program with the old class does not say who it is: whether it died while holding, nobody can
      know (use time-outs); it can release what it does not hold (objects of this class still exclude each
      other); and what it writes moves no Version.
  14 On Windows a share named X_TShareMemStream_Event still collides with the event of a share named X: both
     names are what the old programs know. Memory is nil then, and ErrorCode says so. On Linux they do not
     collide.
  20 On Windows a service's session is needed to create Global\ names (SeCreateGlobalPrivilege): the
     system's rule. And there a share goes with its last user (21), so smKeep is SHMS_E_UNSUPPORTED.

  What old programs may notice beside that: names on Linux have at most 240 bytes of UTF-8; where no share
  could be opened at all, GetLock is False; the protected property Event is a TShareMemEvent, with WaitFor
  and SetEvent. }
unit ShareMemoryStream;

{$H+}

interface

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, SyncObjs;

const
  FILE_MAP_COPY = $1;
  FILE_MAP_WRITE = $2;
  FILE_MAP_READ = $4;
  FILE_MAP_EXECUTE = $20;
  FILE_MAP_ALL_ACCESS = $F001F;
  SECTION_MAP_EXECUTE = $8;
  INFINITE = Cardinal($FFFFFFFF);

  { What ErrorCode can be, beside 0. }
  SHMS_OWNER_DIED = 1; // GetLock was successful, but the last holder died or closed inside its section
  SHMS_E_INVALID = -1; // name, size, access or argument
  SHMS_E_NOT_FOUND = -2;
  SHMS_E_EXISTS = -3;
  SHMS_E_DENIED = -4;
  SHMS_E_TIMEOUT = -5;
  SHMS_E_RANGE = -6; // outside the window
  SHMS_E_SIZE = -7; // the existing share is smaller than asked
  SHMS_E_NOSPACE = -8;
  SHMS_E_NOMEM = -9;
  SHMS_E_NOT_OWNER = -10; // ReleaseLock: this object does not hold the lock
  SHMS_E_DEADLOCK = -11; // GetLock: this thread holds the lock through this object
  SHMS_E_READ_ONLY = -12;
  SHMS_E_CORRUPT = -13;
  SHMS_E_FORMAT = -14;
  SHMS_E_LOST = -15;
  SHMS_E_FULL = -16; // 256 objects have the share open
  SHMS_E_OS = -17;
  SHMS_E_UNSUPPORTED = -18;
  SHMS_E_CLOSED = -19;
  SHMS_E_KIND = -20; // the share holds another kind of object than a stream
  SHMS_E_DIED = -21; // this and the next two: of channels and dicts
  SHMS_E_MISSED = -22;
  SHMS_E_CHANGED = -23;

  { For the units beside this one: the library, and values of its options. }
  {$IFDEF MSWINDOWS}
  ShareMemLibrary = 'shmstream.dll';
  {$ELSE}
  {$IFDEF FPC}
  ShareMemLibrary = 'shmstream'; // the linker looks for libshmstream.so
  {$ELSE}
  ShareMemLibrary = 'libshmstream.so.0';
  {$ENDIF}
  {$ENDIF}
  SHMS_ACCESS_READ_WRITE = 0;
  SHMS_ACCESS_READ = 1;
  SHMS_CREATE_OR_OPEN = 0;
  SHMS_CREATE_ONLY = 1;
  SHMS_OPEN_ONLY = 2;
  SHMS_OWNER_ANY = 3;
  ShareMemEveryone = $1B6; // rw-rw-rw-

type
  {$IFNDEF MSWINDOWS}
  DWORD = Cardinal;
  {$ENDIF}

  TShareMemOption = (
    smCreateOnly, // the share must not exist yet
    smAtomic, // what is written in one locked section is there as a whole or not at all, whoever dies. The
              // first to open a share decides: who asks for it later gets SHMS_E_UNSUPPORTED where it is not
    smKeep, // the share outlives its last user; not on Windows
    smSparse, // reserve no memory beforehand: for large shares that are hardly filled
    smEveryone); // every user may open it; and shares of other users are accepted
  TShareMemOptions = set of TShareMemOption;

  { shms_stream_options of shmstream.h: its fields lie so by themselves, on 32 and on 64 bits. }
  TShareMemRegion = packed record
    StructSize, Access, Creation, Owners, OwnerUid, Mode: Cardinal;
    MaxSize: UInt64;
    OpenTimeoutMs: Integer;
    Keep, Sparse, HugePages, LockMemory, Atomic, NoBell, NoGuard, Tasks: Byte;
    Reserved: array [0 .. 3] of Byte;
    Init, InitContext: Pointer;
  end;

  { What channels and dicts raise. This class never does. }
  EShareMem = class(Exception)
  private
    FCode: Integer;
  public
    constructor CreateCode(ACode: Integer; const Doing: string);
    property Code: Integer read FCode; // SHMS_E_...
  end;

  TShareMemEvent = class;

  TShareMemWork = procedure of object;

  { Objects may be used by several threads, but ErrorCode is then of any of them. }
  TShareMemStream = class(TCustomMemoryStream)
  private
    FStream: Pointer;
    FTurn: TCriticalSection; // of the threads that move Position
    FEvent: TShareMemEvent;
    FErrorCode: Integer;
    FRefused: Integer; // why Memory is nil
    FAlreadyExists: Boolean;
    FOwnerDied: Boolean;
    procedure Open(const ShareName: string; Access: DWORD; ASize: Int64; Creation: Cardinal;
      Options: TShareMemOptions);
    function IsOpen: Boolean; inline;
    function Told(Code: Int64): Int64;
    function Window(Offset, Count: Int64): Int64;
    function GetEvent: TShareMemEvent;
    function GetVersion: Int64;
  protected
    property Event: TShareMemEvent read GetEvent;
  public
    { For Create and OpenExisting; empty at first. Set it once at the start of a program. }
    class var DefaultOptions: TShareMemOptions;
    { Create or open. Never raises: Memory = nil tells that it failed, ErrorCode why. }
    constructor Create(const ShareName: string; ACCESS: DWORD = FILE_MAP_ALL_ACCESS;
      ASize: Int64 = 16 * 1024 * 1024);
    constructor CreateWith(const ShareName: string; Options: TShareMemOptions;
      ASize: Int64 = 16 * 1024 * 1024; ACCESS: DWORD = FILE_MAP_ALL_ACCESS);
    { Only open: SHMS_E_NOT_FOUND if there is none. ASize 0: all of it. }
    constructor OpenExisting(const ShareName: string; ACCESS: DWORD = FILE_MAP_ALL_ACCESS; ASize: Int64 = 0);
    destructor Destroy; override;

    { At Position. Read gives what is there up to Count; Write all or 0. WriteBuffer, ReadBuffer raise. }
    function Read(var Buffer; Count: Longint): Longint; override;
    function Write(const Buffer; Count: Longint): Longint; override;
    function Seek(const Offset: Int64; Origin: TSeekOrigin): Int64; override;
    procedure SaveToStream(Stream: TStream); reintroduce;
    procedure SaveToFile(const FileName: string); reintroduce;

    { Milliseconds, INFINITE, or 0 to try. True: this object holds the lock. }
    function GetLock(ATimeOut: DWORD = INFINITE): Boolean;
    procedure ReleaseLock();
    { Whether GetLock was told that a holder died inside. Every locker is, until one has called Repaired. }
    property OwnerDied: Boolean read FOwnerDied;
    function Repaired: Boolean;
    { Give the section up: undo what its writes wrote (smAtomic), release the lock, leave Version as it was.
      Without smAtomic nothing can be undone: False, SHMS_E_UNSUPPORTED if something was written, and the lock
      is still held. What was written through Memory stays in any case. }
    function Rollback: Boolean;
    { Do Work while holding the lock. If it raises, the section is rolled back where the share is smAtomic,
      and else only ends; the exception goes on. False: the lock was not got, as by GetLock. }
    function Section(Work: TShareMemWork; ATimeOut: DWORD = INFINITE): Boolean;
    { In a section: end it, wait until another one has changed something, and take the lock again. False with
      SHMS_E_TIMEOUT: nothing has changed, but the lock is held; with another ErrorCode it is not held. What
      was written through Memory is told to others only if Notify was called before. }
    function WaitLocked(ATimeOut: DWORD = INFINITE): Boolean;
    { Tell those who wait that something has changed; in a section its end does. }
    function Notify: Boolean;

    { Without Position: bytes, or a negative code. Snapshot waits for no lock and never sees half a section. }
    function ReadAt(Offset: Int64; var Buffer; Count: Int64): Int64;
    function WriteAt(Offset: Int64; const Buffer; Count: Int64): Int64;
    function Snapshot(Offset: Int64; var Buffer; Count: Int64): Int64;
    { Moves on with each locked section of an object that may write. }
    property Version: Int64 read GetVersion;
    { Wait until Version is not Seen, and set Seen to it. }
    function WaitForChange(var Seen: Int64; ATimeOut: DWORD = INFINITE): Boolean;

    property AlreadyExists: Boolean read FAlreadyExists;
    { Of the last call: 0, SHMS_OWNER_DIED, or negative. }
    property ErrorCode: Integer read FErrorCode;
    class function ErrorText(Code: Integer): string;
    { The shms_stream of the library, for what this class has no method for. nil if there is none. }
    property Handle: Pointer read FStream;
  end;

  { The lock under the names that it had as an event. }
  TShareMemEvent = class
  private
    FOwner: TShareMemStream;
  public
    function WaitFor(Timeout: DWORD): TWaitResult;
    procedure SetEvent;
  end;

{ For the units beside this one: a time-out as the library has it; a string as UTF-8, and back; a name, which
  has no #0, or EShareMem; options; and Code itself, or EShareMem if it is negative. }
function ShareMemTimeOut(TimeOut: DWORD): Integer;
function ShareMemUTF8(const Text: string): RawByteString;
function ShareMemText(const Bytes; Count: NativeInt): string;
function ShareMemName(const Name: string): RawByteString;
procedure ShareMemSetOptions(var O: TShareMemRegion; Access: Integer; Creation: Cardinal;
  Options: TShareMemOptions);
function ShareMemCheck(Code: Int64; const Doing: string): Int64;

implementation

const
  Shmstream = ShareMemLibrary;
  SaveChunk = 1 shl 30; // a stream's Count has 32 bits

function shms_stream_open(Name: PAnsiChar; Size: UInt64; Options: Pointer; var Stream: Pointer): Integer;
  cdecl; external Shmstream;
procedure shms_stream_close(Stream: Pointer); cdecl; external Shmstream;
function shms_stream_memory(Stream: Pointer): Pointer; cdecl; external Shmstream;
function shms_stream_size(Stream: Pointer): UInt64; cdecl; external Shmstream;
function shms_stream_existed(Stream: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_lock(Stream: Pointer; TimeoutMs: Integer): Integer; cdecl; external Shmstream;
function shms_stream_unlock(Stream: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_repaired(Stream: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_rollback(Stream: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_wait_locked(Stream: Pointer; TimeoutMs: Integer): Integer; cdecl; external Shmstream;
function shms_stream_notify(Stream: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_pread(Stream: Pointer; Buf: Pointer; N: NativeUInt; Offset: Int64): Int64;
  cdecl; external Shmstream;
function shms_stream_pwrite(Stream: Pointer; Buf: Pointer; N: NativeUInt; Offset: Int64): Int64;
  cdecl; external Shmstream;
function shms_stream_snapshot(Stream: Pointer; Buf: Pointer; N: NativeUInt; Offset: Int64): Int64;
  cdecl; external Shmstream;
function shms_stream_version(Stream: Pointer): Int64; cdecl; external Shmstream;
function shms_stream_wait(Stream: Pointer; var Seen: Int64; TimeoutMs: Integer): Integer;
  cdecl; external Shmstream;
function shms_strerror(Code: Integer): PAnsiChar; cdecl; external Shmstream;

function ShareMemTimeOut(TimeOut: DWORD): Integer;
begin
  if TimeOut = INFINITE then
    Result := -1
  else if TimeOut > DWORD(MaxInt) then
    Result := MaxInt
  else
    Result := Integer(TimeOut);
end;

function ShareMemUTF8(const Text: string): RawByteString;
begin
  {$IF SizeOf(Char) = 1}
  if DefaultSystemCodePage = CP_ACP then // on Linux without a string manager: only bytes are sure to survive
    Result := Text
  else
  {$IFEND}
    Result := UTF8Encode(Text);
end;

function ShareMemText(const Bytes; Count: NativeInt): string;
var
  Raw: RawByteString;
begin
  SetString(Raw, PAnsiChar(@Bytes), Count);
  {$IF SizeOf(Char) = 1}
  if DefaultSystemCodePage <> CP_ACP then
  begin
    SetCodePage(Raw, CP_UTF8, False);
    SetCodePage(Raw, DefaultSystemCodePage, True);
  end;
  Result := Raw;
  {$ELSE}
  Result := {$IFDEF FPC} UTF8Decode {$ELSE} UTF8ToString {$ENDIF} (Raw);
  {$IFEND}
end;

function ShareMemName(const Name: string): RawByteString;
begin
  if Pos(#0, Name) > 0 then
    raise EShareMem.CreateCode(SHMS_E_INVALID, Name);
  Result := ShareMemUTF8(Name);
end;

constructor EShareMem.CreateCode(ACode: Integer; const Doing: string);
begin
  inherited Create(Doing + ': ' + TShareMemStream.ErrorText(ACode));
  FCode := ACode;
end;

function ShareMemCheck(Code: Int64; const Doing: string): Int64;
begin
  if Code < 0 then
    raise EShareMem.CreateCode(Integer(Code), Doing);
  Result := Code;
end;

{ Opening }

{ The access as the library knows it, or SHMS_E_INVALID. }
function AccessOf(Access: DWORD): Integer;
begin
  if Access and FILE_MAP_WRITE <> 0 then
    Result := SHMS_ACCESS_READ_WRITE
  else if Access and FILE_MAP_READ <> 0 then
    Result := SHMS_ACCESS_READ
  else
    Result := SHMS_E_INVALID;
end;

procedure ShareMemSetOptions(var O: TShareMemRegion; Access: Integer; Creation: Cardinal;
  Options: TShareMemOptions);
begin
  FillChar(O, SizeOf(O), 0);
  O.StructSize := SizeOf(O);
  O.Access := Cardinal(Access);
  O.Creation := Creation;
  O.Atomic := Ord(smAtomic in Options);
  O.Keep := Ord(smKeep in Options);
  O.Sparse := Ord(smSparse in Options);
  if smEveryone in Options then
  begin
    O.Mode := ShareMemEveryone;
    O.Owners := SHMS_OWNER_ANY;
  end;
end;

procedure TShareMemStream.Open(const ShareName: string; Access: DWORD; ASize: Int64; Creation: Cardinal;
  Options: TShareMemOptions);
var
  Name: RawByteString;
  O: TShareMemRegion;
begin
  FTurn := TCriticalSection.Create;
  Name := ShareMemUTF8(ShareName);
  FRefused := SHMS_E_INVALID;
  if (AccessOf(Access) >= 0) and (Pos(#0, ShareName) = 0) and
    ((ASize > 0) or ((ASize = 0) and (Creation = SHMS_OPEN_ONLY))) then
  begin
    ShareMemSetOptions(O, AccessOf(Access), Creation, Options);
    if NativeInt(ASize) <> ASize then
      FRefused := SHMS_E_NOMEM
    else
      FRefused := shms_stream_open(PAnsiChar(Name), UInt64(ASize), @O, FStream);
    { The window is larger than the share: no memory, but the lock. }
    if FRefused = SHMS_E_SIZE then
    begin
      O.Creation := SHMS_OPEN_ONLY;
      shms_stream_open(PAnsiChar(Name), 0, @O, FStream);
    end;
  end;
  FAlreadyExists := (FRefused = SHMS_E_EXISTS) or (shms_stream_existed(FStream) <> 0);
  FErrorCode := FRefused;
  if FRefused < 0 then
    Exit;
  if ASize = 0 then
    ASize := Int64(shms_stream_size(FStream));
  SetPointer(shms_stream_memory(FStream), NativeInt(ASize));
end;

constructor TShareMemStream.Create(const ShareName: string; ACCESS: DWORD; ASize: Int64);
begin
  inherited Create;
  Open(ShareName, ACCESS, ASize, SHMS_CREATE_OR_OPEN, DefaultOptions);
end;

constructor TShareMemStream.CreateWith(const ShareName: string; Options: TShareMemOptions; ASize: Int64;
  ACCESS: DWORD);
begin
  inherited Create;
  if smCreateOnly in Options then
    Open(ShareName, ACCESS, ASize, SHMS_CREATE_ONLY, Options)
  else
    Open(ShareName, ACCESS, ASize, SHMS_CREATE_OR_OPEN, Options);
end;

constructor TShareMemStream.OpenExisting(const ShareName: string; ACCESS: DWORD; ASize: Int64);
begin
  inherited Create;
  Open(ShareName, ACCESS, ASize, SHMS_OPEN_ONLY, DefaultOptions);
end;

destructor TShareMemStream.Destroy;
begin
  SetPointer(nil, 0);
  shms_stream_close(FStream);
  FEvent.Free;
  FTurn.Free;
  inherited Destroy;
end;

class function TShareMemStream.ErrorText(Code: Integer): string;
begin
  Result := string(shms_strerror(Code));
end;

{ Bytes }

{ What a call gave, and ErrorCode set by it. }
function TShareMemStream.Told(Code: Int64): Int64;
begin
  if Code < 0 then
    FErrorCode := Integer(Code)
  else
    FErrorCode := 0;
  Result := Code;
end;

{ How many of Count bytes lie in the window from Offset on, or why there can be none. }
function TShareMemStream.Window(Offset, Count: Int64): Int64;
begin
  if FRefused < 0 then
    Result := FRefused
  else if Count < 0 then
    Result := SHMS_E_INVALID
  else if Offset < 0 then
    Result := SHMS_E_RANGE
  else if Offset >= Size then
    Result := 0
  else if Count > Size - Offset then
    Result := Size - Offset
  else
    Result := Count;
end;

function TShareMemStream.ReadAt(Offset: Int64; var Buffer; Count: Int64): Int64;
begin
  Result := Window(Offset, Count);
  if Result > 0 then
    Result := shms_stream_pread(FStream, @Buffer, NativeUInt(Result), Offset);
  Told(Result);
end;

function TShareMemStream.WriteAt(Offset: Int64; const Buffer; Count: Int64): Int64;
begin
  Result := Window(Offset, Count);
  if (Result >= 0) and (Result < Count) then
    Result := SHMS_E_RANGE;
  if Result >= 0 then
    Result := shms_stream_pwrite(FStream, @Buffer, NativeUInt(Count), Offset);
  Told(Result);
end;

function TShareMemStream.Snapshot(Offset: Int64; var Buffer; Count: Int64): Int64;
begin
  Result := Window(Offset, Count);
  if Result > 0 then
    Result := shms_stream_snapshot(FStream, @Buffer, NativeUInt(Result), Offset);
  Told(Result);
end;

function TShareMemStream.Read(var Buffer; Count: Longint): Longint;
var
  Done: Int64;
begin
  FTurn.Acquire;
  try
    Done := ReadAt(inherited Seek(Int64(0), soCurrent), Buffer, Count);
    if Done < 0 then
      Done := 0;
    inherited Seek(Done, soCurrent);
  finally
    FTurn.Release;
  end;
  Result := Longint(Done);
end;

function TShareMemStream.Write(const Buffer; Count: Longint): Longint;
var
  Done: Int64;
begin
  FTurn.Acquire;
  try
    Done := WriteAt(inherited Seek(Int64(0), soCurrent), Buffer, Count);
    if Done < 0 then
      Done := 0;
    inherited Seek(Done, soCurrent);
  finally
    FTurn.Release;
  end;
  Result := Longint(Done);
end;

function TShareMemStream.Seek(const Offset: Int64; Origin: TSeekOrigin): Int64;
begin
  FTurn.Acquire;
  try
    Result := inherited Seek(Offset, Origin);
  finally
    FTurn.Release;
  end;
end;

procedure TShareMemStream.SaveToStream(Stream: TStream);
var
  Done, Part: Int64;
begin
  Done := 0;
  while Done < Size do
  begin
    Part := Size - Done;
    if Part > SaveChunk then
      Part := SaveChunk;
    Stream.WriteBuffer(PByte(Memory)[Done], Longint(Part));
    Done := Done + Part;
  end;
end;

procedure TShareMemStream.SaveToFile(const FileName: string);
var
  F: TFileStream;
begin
  if Pos(#0, FileName) > 0 then // the system would see another name
    raise EFCreateError.Create(FileName + ': ' + ErrorText(SHMS_E_INVALID));
  F := TFileStream.Create({$IFDEF FPC}AnsiString{$ENDIF}(FileName), fmCreate);
  try
    SaveToStream(F);
  finally
    F.Free;
  end;
end;

{ The lock }

function TShareMemStream.IsOpen: Boolean;
begin
  Result := FStream <> nil;
  if not Result then
    FErrorCode := FRefused;
end;

function TShareMemStream.GetLock(ATimeOut: DWORD): Boolean;
var
  Code: Integer;
begin
  Result := IsOpen;
  if not Result then
    Exit;
  Code := shms_stream_lock(FStream, ShareMemTimeOut(ATimeOut));
  Result := Code >= 0;
  if Result then
    FOwnerDied := Code = SHMS_OWNER_DIED;
  FErrorCode := Code;
end;

procedure TShareMemStream.ReleaseLock();
begin
  if IsOpen then
    FErrorCode := shms_stream_unlock(FStream);
end;

function TShareMemStream.Repaired: Boolean;
begin
  Result := IsOpen and (Told(shms_stream_repaired(FStream)) = 0);
end;

function TShareMemStream.Rollback: Boolean;
begin
  Result := IsOpen and (Told(shms_stream_rollback(FStream)) = 0);
end;

function TShareMemStream.Section(Work: TShareMemWork; ATimeOut: DWORD): Boolean;
begin
  Result := GetLock(ATimeOut);
  if not Result then
    Exit;
  try
    Work();
  except
    if not Rollback then
      ReleaseLock;
    raise;
  end;
  ReleaseLock;
end;

function TShareMemStream.WaitLocked(ATimeOut: DWORD): Boolean;
var
  Code: Integer;
begin
  Result := IsOpen;
  if not Result then
    Exit;
  Code := shms_stream_wait_locked(FStream, ShareMemTimeOut(ATimeOut));
  Result := Code >= 0;
  if Result or (Code = SHMS_E_TIMEOUT) then
    FOwnerDied := Code = SHMS_OWNER_DIED;
  FErrorCode := Code;
end;

{ Changes }

function TShareMemStream.Notify: Boolean;
begin
  Result := IsOpen and (Told(shms_stream_notify(FStream)) = 0);
end;

function TShareMemStream.GetVersion: Int64;
begin
  if IsOpen then
    Result := Told(shms_stream_version(FStream))
  else
    Result := FRefused;
end;

function TShareMemStream.WaitForChange(var Seen: Int64; ATimeOut: DWORD): Boolean;
begin
  Result := IsOpen and (Told(shms_stream_wait(FStream, Seen, ShareMemTimeOut(ATimeOut))) = 0);
end;

{ TShareMemEvent }

function TShareMemStream.GetEvent: TShareMemEvent;
begin
  FTurn.Acquire;
  try
    if FEvent = nil then
    begin
      FEvent := TShareMemEvent.Create;
      FEvent.FOwner := Self;
    end;
  finally
    FTurn.Release;
  end;
  Result := FEvent;
end;

function TShareMemEvent.WaitFor(Timeout: DWORD): TWaitResult;
begin
  if FOwner.GetLock(Timeout) then
    Result := wrSignaled
  else if FOwner.ErrorCode = SHMS_E_TIMEOUT then
    Result := wrTimeout
  else
    Result := wrError;
end;

procedure TShareMemEvent.SetEvent;
begin
  FOwner.ReleaseLock;
end;

end.
