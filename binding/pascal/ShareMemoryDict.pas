{ SPDX-License-Identifier: MIT

  TShareMemDict: records by key that processes share. Readers take no lock, and each change happens completely
  or not at all. It goes with the unit ShareMemoryStream, which has the codes, and needs the same library.

      D := TShareMemDict.Create('config');
      try
        D['colour'] := 'blue';
        if D.Get('colour', Text) then
          Writeln(Text);
        Visits := D.Add('visits');
        for R in D do                                        // a walk
          Writeln(R.Key, ' = ', R.Text);
        L := D.Lock('job', 1000);                            // nil: another object has the key
        try
          if (L <> nil) and L.OwnerDied then
            ...
        finally
          L.Free;                                            // gives it back
        end;
      finally
        D.Free;
      end;

  Keys are strings, which travel as UTF-8; values are bytes (TBytes), or strings. A time-out, a record that is
  not there, and a condition that does not hold are False; what fails otherwise raises EShareMem, whose Code
  says why. After Close each method raises it, with SHMS_E_INVALID. Threads may share an object, but for
  Close. In a child of fork it is a member of its own, which holds none of its parent's locks. The header
  shmstream/dict.h has the rest of the rules. }
unit ShareMemoryDict;

{$H+}

interface

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, SyncObjs, ShareMemoryStream;

const
  ShareMemDictSize = 1024 * 1024;
  ShareMemAbsent = -1; // as IfVersion: only if there is no record

type
  { How a dict is made, and opened. Take ShareMemDictDefaults, then change what differs. 0 is the default, or
    what the existing dict has. }
  TShareMemDictOptions = record
    Share: TShareMemOptions; // neither smAtomic nor smSparse
    ReadOnly: Boolean;
    Secret: Boolean; // wipe what goes, and keep it out of core dumps
    Evict: Boolean; // when it is full, records that were not used for long go
    MaxSize: Int64; // bytes that it may grow to
    CellSize, Ring, KeyMax, ValueMax: Cardinal; // see dict.h
  end;

  { A record, of a walk or of Find. }
  TShareMemRecord = record
    Key: string;
    Value: TBytes;
    Version: Int64; // the number of the change that made it
    ExpiresNs: Int64; // nanoseconds since 1970; 0: never
    Text: string; // Value as a string
  end;

  TShareMemGone = (sgThere, sgDeleted, sgExpired, sgEvicted);

  TShareMemChange = record
    Key: string;
    Version: Int64;
    Gone: TShareMemGone; // sgThere: it was set
  end;
  TShareMemChanges = array of TShareMemChange;

  { shms_dict_stats of the header. }
  TShareMemDictInfo = packed record
    StructSize, Policy: Cardinal;
    Size, MaxSize, Records, Cells, CellsFree, Slots: UInt64;
    Version: Int64;
    Evicted, Expired, Locks: UInt64;
    CellSize, Ring, KeyMax, ValueMax: Cardinal;
  end;

  TShareMemDict = class;

  { The lock of a key, from TShareMemDict.Lock. Free gives it back, and so does closing the dict. }
  TShareMemKeyLock = class
  private
    FDict: TShareMemDict; // nil: given back
    FKey: RawByteString;
    FOwnerDied: Boolean;
  public
    destructor Destroy; override;
    { Give it back, and raise EShareMem if that fails. }
    procedure Release;
    { Whether the holder before died with it. }
    property OwnerDied: Boolean read FOwnerDied;
  end;

  TShareMemDictEnumerator = class
  private
    FDict: TShareMemDict;
    FCursor: UInt64;
    FValue: TBytes;
    FCurrent: TShareMemRecord;
  public
    constructor Create(ADict: TShareMemDict);
    function MoveNext: Boolean;
    property Current: TShareMemRecord read FCurrent;
  end;

  TShareMemDict = class
  private
    FDict: Pointer;
    FTurn: TCriticalSection; // of FLocks
    FLocks: TList; // those that this object has given and not got back
    procedure Open(const ShareName: string; ASize: Int64; Creation: Cardinal;
      const Options: TShareMemDictOptions);
    function Store(const Key: string; const Value; Count: NativeInt; IfVersion, TtlMs: Int64): Int64;
    function GetText(const Key: string): string;
    procedure SetText(const Key, Value: string);
    function GetCount: Int64;
    function GetVersion: Int64;
    procedure Remember(Lock: TShareMemKeyLock);
    procedure Forget(Lock: TShareMemKeyLock);
  public
    { Create or open, with TShareMemStream.DefaultOptions. Raises EShareMem. }
    constructor Create(const ShareName: string; ASize: Int64 = ShareMemDictSize);
    constructor CreateWith(const ShareName: string; const Options: TShareMemDictOptions;
      ASize: Int64 = ShareMemDictSize);
    { Only open. }
    constructor OpenExisting(const ShareName: string; ReadOnly: Boolean = False);
    destructor Destroy; override;
    { Locks of keys are given back. }
    procedure Close;
    { Remove the name of a dict with smKeep. False: there is none. }
    class function Unlink(const ShareName: string): Boolean;

    { False: there is no record. }
    function Get(const Key: string; out Value: TBytes): Boolean; overload;
    function Get(const Key: string; out Text: string): Boolean; overload;
    function Find(const Key: string; out Found: TShareMemRecord): Boolean;
    function Contains(const Key: string): Boolean;
    { Make a record, or put another one in its place; TtlMs: how long it lives, in milliseconds; 0: for ever.
      The record's version. }
    function Put(const Key: string; const Value: TBytes; TtlMs: Int64 = 0): Int64; overload;
    function Put(const Key, Text: string; TtlMs: Int64 = 0): Int64; overload;
    { The same if the record has that version, or is absent (ShareMemAbsent). False: it is not so. }
    function PutIf(const Key: string; const Value: TBytes; IfVersion: Int64; TtlMs: Int64 = 0): Boolean;
      overload;
    function PutIf(const Key, Text: string; IfVersion: Int64; TtlMs: Int64 = 0): Boolean; overload;
    { False: there is no record, or it has another version than IfVersion, if that is not 0. }
    function Delete(const Key: string; IfVersion: Int64 = 0): Boolean;
    { Add to a counter, a value of 8 bytes: the sum. An absent one counts from Start. }
    function Add(const Key: string; Delta: Int64 = 1; Start: Int64 = 0; TtlMs: Int64 = 0): Int64;
    { A value as a string. Reading one that is absent raises EShareMem, SHMS_E_NOT_FOUND. }
    property Values[const Key: string]: string read GetText write SetText; default;

    { A record that nobody touches during the walk comes exactly once. }
    function GetEnumerator: TShareMemDictEnumerator;
    { The changes since Since, of each key the last one, and Since moved on. SHMS_E_MISSED: there were too
      many to tell; Since is the version now: walk, to catch up. }
    function Changes(var Since: Int64): TShareMemChanges;
    { Wait until the dict, or a record, has another version than Seen, and set Seen to it. 0: absent. }
    function WaitForChange(var Seen: Int64; ATimeOut: DWORD = INFINITE): Boolean;
    function WaitForKey(const Key: string; var Seen: Int64; ATimeOut: DWORD = INFINITE): Boolean;
    { The number of the last change. }
    property Version: Int64 read GetVersion;

    { Lock a key, whether it has a record or not. nil: another object has it. This one: SHMS_E_DEADLOCK. }
    function Lock(const Key: string; ATimeOut: DWORD = INFINITE): TShareMemKeyLock;

    { All records, as they are at one moment, in a file; and set from one. How many. }
    function SaveToFile(const FileName: string): Int64;
    function LoadFromFile(const FileName: string): Int64;
    property Count: Int64 read GetCount;
    function Info: TShareMemDictInfo;
    { As in TShareMemChannel. }
    function PollFd: Integer;
    { The shms_dict of the library; nil after Close. }
    property Handle: Pointer read FDict;
  end;

function ShareMemDictDefaults: TShareMemDictOptions;

implementation

const
  Shmstream = ShareMemLibrary;
  SHMS_EVICT_LRU = 2;
  SHMS_RECORD_GONE = 1;
  SHMS_RECORD_EXPIRED = 2;
  SHMS_RECORD_EVICTED = 4;
  KeyMost = 1024; // SHMS_DICT_KEY_MOST
  FirstRoom = 512; // bytes for a value, until one is longer

type
  { Structures of dict.h: their fields lie so by themselves, on 32 and on 64 bits. }
  TOptions = packed record
    StructSize, Access, Creation, Owners, OwnerUid, Mode: Cardinal;
    MaxSize: UInt64;
    OpenTimeoutMs: Integer;
    CellSize, Ring, Policy, KeyMax, ValueMax: Cardinal;
    Keep, NoBell, NoGuard, Secret: Byte;
    Reserved: array [0 .. 3] of Byte;
    NowNs, NowContext: Pointer;
  end;

  PRecord = ^TRecord;

  TRecord = packed record
    StructSize, Flags: Cardinal;
    Version, ExpiresNs: Int64;
    Size: UInt64;
  end;

  THow = packed record
    StructSize, Flags: Cardinal;
    IfVersion, ExpiresNs, TtlMs: Int64;
  end;

  TChangeProc = function(Key: Pointer; KeySize: NativeUInt; R: PRecord; Context: Pointer): Integer; cdecl;

function shms_dict_open(Name: PAnsiChar; Size: UInt64; Options: Pointer; var Dict: Pointer): Integer;
  cdecl; external Shmstream;
procedure shms_dict_close(Dict: Pointer); cdecl; external Shmstream;
function shms_dict_unlink(Name: PAnsiChar): Integer; cdecl; external Shmstream;
function shms_dict_get(Dict, Key: Pointer; KeySize: NativeUInt; Buf: Pointer; Size: NativeUInt;
  R: Pointer): Int64; cdecl; external Shmstream;
function shms_dict_set(Dict, Key: Pointer; KeySize: NativeUInt; Value: Pointer; ValueSize: NativeUInt;
  How: Pointer): Int64; cdecl; external Shmstream;
function shms_dict_del(Dict, Key: Pointer; KeySize: NativeUInt; How: Pointer): Int64;
  cdecl; external Shmstream;
function shms_dict_add(Dict, Key: Pointer; KeySize: NativeUInt; Delta, Start: Int64; How: Pointer;
  out Sum: Int64): Int64; cdecl; external Shmstream;
function shms_dict_next(Dict: Pointer; var Cursor: UInt64; Key: Pointer; var KeySize: NativeUInt;
  Value: Pointer; var ValueSize: NativeUInt; R: Pointer): Integer; cdecl; external Shmstream;
function shms_dict_changes(Dict: Pointer; var Since: Int64; Callback: TChangeProc; Context: Pointer): Int64;
  cdecl; external Shmstream;
function shms_dict_wait(Dict, Key: Pointer; KeySize: NativeUInt; var Seen: Int64;
  TimeoutMs: Integer): Integer; cdecl; external Shmstream;
function shms_dict_poll_fd(Dict: Pointer): Integer; cdecl; external Shmstream;
function shms_dict_version(Dict: Pointer): Int64; cdecl; external Shmstream;
function shms_dict_lock(Dict, Key: Pointer; KeySize: NativeUInt; TimeoutMs: Integer): Integer;
  cdecl; external Shmstream;
function shms_dict_unlock(Dict, Key: Pointer; KeySize: NativeUInt): Integer; cdecl; external Shmstream;
function shms_dict_save(Dict: Pointer; Path: PAnsiChar): Int64; cdecl; external Shmstream;
function shms_dict_load(Dict: Pointer; Path: PAnsiChar): Int64; cdecl; external Shmstream;
function shms_dict_info(Dict, Stats: Pointer): Integer; cdecl; external Shmstream;

{ Opening }

function ShareMemDictDefaults: TShareMemDictOptions;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.Share := TShareMemStream.DefaultOptions - [smAtomic, smSparse];
end;

procedure TShareMemDict.Open(const ShareName: string; ASize: Int64; Creation: Cardinal;
  const Options: TShareMemDictOptions);
var
  Name: RawByteString;
  Region: TShareMemRegion;
  O: TOptions;
begin
  FTurn := TCriticalSection.Create;
  FLocks := TList.Create;
  if (ASize < 0) or (Options.Share * [smAtomic, smSparse] <> []) then
    raise EShareMem.CreateCode(SHMS_E_INVALID, ShareName);
  Name := ShareMemName(ShareName);
  ShareMemSetOptions(Region, SHMS_ACCESS_READ_WRITE, Creation, Options.Share);
  FillChar(O, SizeOf(O), 0);
  O.StructSize := SizeOf(O);
  O.Creation := Creation;
  O.Owners := Region.Owners;
  O.Mode := Region.Mode;
  O.Keep := Region.Keep;
  if Options.ReadOnly then
    O.Access := SHMS_ACCESS_READ;
  if Options.Evict then
    O.Policy := SHMS_EVICT_LRU;
  O.MaxSize := UInt64(Options.MaxSize);
  O.CellSize := Options.CellSize;
  O.Ring := Options.Ring;
  O.KeyMax := Options.KeyMax;
  O.ValueMax := Options.ValueMax;
  O.Secret := Ord(Options.Secret);
  ShareMemCheck(shms_dict_open(PAnsiChar(Name), UInt64(ASize), @O, FDict), ShareName);
end;

constructor TShareMemDict.Create(const ShareName: string; ASize: Int64);
begin
  CreateWith(ShareName, ShareMemDictDefaults, ASize);
end;

constructor TShareMemDict.CreateWith(const ShareName: string; const Options: TShareMemDictOptions;
  ASize: Int64);
begin
  inherited Create;
  if ASize = 0 then // only opens, in C: here OpenExisting does that
    ASize := -1;
  if smCreateOnly in Options.Share then
    Open(ShareName, ASize, SHMS_CREATE_ONLY, Options)
  else
    Open(ShareName, ASize, SHMS_CREATE_OR_OPEN, Options);
end;

constructor TShareMemDict.OpenExisting(const ShareName: string; ReadOnly: Boolean);
var
  Options: TShareMemDictOptions;
begin
  inherited Create;
  Options := ShareMemDictDefaults;
  Options.ReadOnly := ReadOnly;
  Open(ShareName, 0, SHMS_OPEN_ONLY, Options);
end;

destructor TShareMemDict.Destroy;
begin
  if FLocks <> nil then
    Close;
  FLocks.Free;
  FTurn.Free;
  inherited Destroy;
end;

procedure TShareMemDict.Close;
var
  I: Integer;
begin
  FTurn.Acquire;
  try
    for I := 0 to FLocks.Count - 1 do
      TShareMemKeyLock(FLocks[I]).FDict := nil;
    FLocks.Clear;
  finally
    FTurn.Release;
  end;
  shms_dict_close(FDict);
  FDict := nil;
end;

class function TShareMemDict.Unlink(const ShareName: string): Boolean;
var
  Code: Integer;
begin
  Code := shms_dict_unlink(PAnsiChar(ShareMemName(ShareName)));
  Result := Code <> SHMS_E_NOT_FOUND;
  if Result then
    ShareMemCheck(Code, ShareName);
end;

{ Records }

{ The value of Key, and in R what else is known of it; False: there is none. }
function Fetch(Dict: Pointer; const Key: RawByteString; out Value: TBytes; var R: TRecord): Boolean;
var
  N: Int64;
begin
  SetLength(Value, FirstRoom);
  repeat
    R.StructSize := SizeOf(R);
    N := shms_dict_get(Dict, Pointer(Key), NativeUInt(Length(Key)), Pointer(Value), NativeUInt(Length(Value)),
      @R);
    if N <= Length(Value) then
      Break;
    SetLength(Value, N); // it may have grown further when it is asked for again
  until False;
  Result := N <> SHMS_E_NOT_FOUND;
  if Result then
    SetLength(Value, ShareMemCheck(N, 'Get'))
  else
    Value := nil;
end;

procedure Describe(out Found: TShareMemRecord; const Key: string; const Value: TBytes; const R: TRecord);
begin
  Found.Key := Key;
  Found.Value := Value;
  Found.Text := ShareMemText(Pointer(Value)^, Length(Value));
  Found.Version := R.Version;
  Found.ExpiresNs := R.ExpiresNs;
end;

function TShareMemDict.Get(const Key: string; out Value: TBytes): Boolean;
var
  R: TRecord;
begin
  Result := Fetch(FDict, ShareMemUTF8(Key), Value, R);
end;

function TShareMemDict.Get(const Key: string; out Text: string): Boolean;
var
  Value: TBytes;
begin
  Result := Get(Key, Value);
  Text := ShareMemText(Pointer(Value)^, Length(Value));
end;

function TShareMemDict.Find(const Key: string; out Found: TShareMemRecord): Boolean;
var
  Value: TBytes;
  R: TRecord;
begin
  FillChar(R, SizeOf(R), 0);
  Result := Fetch(FDict, ShareMemUTF8(Key), Value, R);
  Describe(Found, Key, Value, R);
end;

function TShareMemDict.Contains(const Key: string): Boolean;
var
  Raw: RawByteString;
  N: Int64;
begin
  Raw := ShareMemUTF8(Key);
  N := shms_dict_get(FDict, Pointer(Raw), NativeUInt(Length(Raw)), nil, 0, nil);
  Result := N <> SHMS_E_NOT_FOUND;
  if Result then
    ShareMemCheck(N, 'Contains');
end;

procedure SetHow(out How: THow; IfVersion, TtlMs: Int64);
begin
  FillChar(How, SizeOf(How), 0);
  How.StructSize := SizeOf(How);
  How.IfVersion := IfVersion;
  How.TtlMs := TtlMs;
end;

function TShareMemDict.Store(const Key: string; const Value; Count: NativeInt;
  IfVersion, TtlMs: Int64): Int64;
var
  Raw: RawByteString;
  How: THow;
begin
  Raw := ShareMemUTF8(Key);
  SetHow(How, IfVersion, TtlMs);
  Result := shms_dict_set(FDict, Pointer(Raw), NativeUInt(Length(Raw)), @Value, NativeUInt(Count), @How);
end;

function Held(Code: Int64): Boolean;
begin
  Result := (Code <> SHMS_E_EXISTS) and (Code <> SHMS_E_CHANGED);
  if Result then
    ShareMemCheck(Code, 'Put');
end;

function TShareMemDict.Put(const Key: string; const Value: TBytes; TtlMs: Int64): Int64;
begin
  Result := ShareMemCheck(Store(Key, Pointer(Value)^, Length(Value), 0, TtlMs), 'Put');
end;

function TShareMemDict.Put(const Key, Text: string; TtlMs: Int64): Int64;
var
  Raw: RawByteString;
begin
  Raw := ShareMemUTF8(Text);
  Result := ShareMemCheck(Store(Key, Pointer(Raw)^, Length(Raw), 0, TtlMs), 'Put');
end;

function TShareMemDict.PutIf(const Key: string; const Value: TBytes; IfVersion, TtlMs: Int64): Boolean;
begin
  Result := Held(Store(Key, Pointer(Value)^, Length(Value), IfVersion, TtlMs));
end;

function TShareMemDict.PutIf(const Key, Text: string; IfVersion, TtlMs: Int64): Boolean;
var
  Raw: RawByteString;
begin
  Raw := ShareMemUTF8(Text);
  Result := Held(Store(Key, Pointer(Raw)^, Length(Raw), IfVersion, TtlMs));
end;

function TShareMemDict.Delete(const Key: string; IfVersion: Int64): Boolean;
var
  Raw: RawByteString;
  How: THow;
  Code: Int64;
begin
  Raw := ShareMemUTF8(Key);
  SetHow(How, IfVersion, 0);
  Code := shms_dict_del(FDict, Pointer(Raw), NativeUInt(Length(Raw)), @How);
  Result := (Code <> SHMS_E_NOT_FOUND) and (Code <> SHMS_E_CHANGED);
  if Result then
    ShareMemCheck(Code, 'Delete');
end;

function TShareMemDict.Add(const Key: string; Delta, Start, TtlMs: Int64): Int64;
var
  Raw: RawByteString;
  How: THow;
begin
  Raw := ShareMemUTF8(Key);
  SetHow(How, 0, TtlMs);
  ShareMemCheck(shms_dict_add(FDict, Pointer(Raw), NativeUInt(Length(Raw)), Delta, Start, @How, Result),
    'Add');
end;

function TShareMemDict.GetText(const Key: string): string;
begin
  if not Get(Key, Result) then
    raise EShareMem.CreateCode(SHMS_E_NOT_FOUND, Key);
end;

procedure TShareMemDict.SetText(const Key, Value: string);
begin
  Put(Key, Value);
end;

{ Walks }

function TShareMemDict.GetEnumerator: TShareMemDictEnumerator;
begin
  Result := TShareMemDictEnumerator.Create(Self);
end;

constructor TShareMemDictEnumerator.Create(ADict: TShareMemDict);
begin
  inherited Create;
  FDict := ADict;
  SetLength(FValue, FirstRoom);
end;

function TShareMemDictEnumerator.MoveNext: Boolean;
var
  Key: array [0 .. KeyMost - 1] of Byte;
  KeySize, ValueSize: NativeUInt;
  Cursor: UInt64;
  R: TRecord;
  Fits: Boolean;
begin
  repeat
    Cursor := FCursor;
    KeySize := SizeOf(Key);
    ValueSize := NativeUInt(Length(FValue));
    R.StructSize := SizeOf(R);
    Result := ShareMemCheck(shms_dict_next(FDict.FDict, Cursor, @Key, KeySize, Pointer(FValue), ValueSize,
      @R), 'MoveNext') > 0;
    Fits := not Result or (ValueSize <= NativeUInt(Length(FValue)));
    if not Fits then
      SetLength(FValue, ValueSize); // and the same record once more
  until Fits;
  FCursor := Cursor;
  if Result then
    Describe(FCurrent, ShareMemText(Key, NativeInt(KeySize)), Copy(FValue, 0, NativeInt(ValueSize)), R);
end;

{ Changes }

type
  PChanges = ^TShareMemChanges;

{ An exception must not go through the library. }
function TakeChange(Key: Pointer; KeySize: NativeUInt; R: PRecord; Context: Pointer): Integer; cdecl;
var
  All: PChanges;
  N: NativeInt;
begin
  try
    All := Context;
    N := Length(All^);
    SetLength(All^, N + 1);
    All^[N].Key := ShareMemText(Key^, NativeInt(KeySize));
    All^[N].Version := R^.Version;
    if R^.Flags and SHMS_RECORD_EXPIRED <> 0 then
      All^[N].Gone := sgExpired
    else if R^.Flags and SHMS_RECORD_EVICTED <> 0 then
      All^[N].Gone := sgEvicted
    else if R^.Flags and SHMS_RECORD_GONE <> 0 then
      All^[N].Gone := sgDeleted
    else
      All^[N].Gone := sgThere;
    Result := 0;
  except
    Result := SHMS_E_NOMEM;
  end;
end;

function TShareMemDict.Changes(var Since: Int64): TShareMemChanges;
var
  Told: Int64;
  Code: Int64;
begin
  Result := nil;
  Told := Since;
  Code := shms_dict_changes(FDict, Told, {$IFDEF FPC} @ {$ENDIF} TakeChange, @Result);
  if (Code >= 0) or (Code = SHMS_E_MISSED) then
    Since := Told;
  ShareMemCheck(Code, 'Changes');
end;

function TShareMemDict.WaitForChange(var Seen: Int64; ATimeOut: DWORD): Boolean;
var
  Code: Integer;
begin
  Code := shms_dict_wait(FDict, nil, 0, Seen, ShareMemTimeOut(ATimeOut));
  Result := Code <> SHMS_E_TIMEOUT;
  if Result then
    ShareMemCheck(Code, 'WaitForChange');
end;

function TShareMemDict.WaitForKey(const Key: string; var Seen: Int64; ATimeOut: DWORD): Boolean;
var
  Raw: RawByteString;
  Code: Integer;
begin
  Raw := ShareMemUTF8(Key);
  Code := SHMS_E_INVALID;
  if Raw <> '' then // which would mean any key
    Code := shms_dict_wait(FDict, Pointer(Raw), NativeUInt(Length(Raw)), Seen, ShareMemTimeOut(ATimeOut));
  Result := Code <> SHMS_E_TIMEOUT;
  if Result then
    ShareMemCheck(Code, 'WaitForKey');
end;

function TShareMemDict.GetVersion: Int64;
begin
  Result := ShareMemCheck(shms_dict_version(FDict), 'Version');
end;

{ Locks of keys }

function TShareMemDict.Lock(const Key: string; ATimeOut: DWORD): TShareMemKeyLock;
var
  Raw: RawByteString;
  Code: Integer;
begin
  Raw := ShareMemUTF8(Key);
  Code := shms_dict_lock(FDict, Pointer(Raw), NativeUInt(Length(Raw)), ShareMemTimeOut(ATimeOut));
  if Code = SHMS_E_TIMEOUT then
    Exit(nil);
  ShareMemCheck(Code, 'Lock');
  Result := nil;
  try
    Result := TShareMemKeyLock.Create;
    Result.FKey := Raw;
    Result.FOwnerDied := Code = SHMS_OWNER_DIED;
    Remember(Result);
  except
    Result.Free;
    shms_dict_unlock(FDict, Pointer(Raw), NativeUInt(Length(Raw)));
    raise;
  end;
  Result.FDict := Self;
end;

procedure TShareMemDict.Remember(Lock: TShareMemKeyLock);
begin
  FTurn.Acquire;
  try
    FLocks.Add(Lock);
  finally
    FTurn.Release;
  end;
end;

procedure TShareMemDict.Forget(Lock: TShareMemKeyLock);
begin
  FTurn.Acquire;
  try
    FLocks.Remove(Lock);
  finally
    FTurn.Release;
  end;
end;

procedure TShareMemKeyLock.Release;
begin
  if FDict = nil then
    raise EShareMem.CreateCode(SHMS_E_NOT_OWNER, 'Release');
  ShareMemCheck(shms_dict_unlock(FDict.FDict, Pointer(FKey), NativeUInt(Length(FKey))), 'Release');
  FDict.Forget(Self);
  FDict := nil;
end;

destructor TShareMemKeyLock.Destroy;
begin
  if FDict <> nil then
  begin
    shms_dict_unlock(FDict.FDict, Pointer(FKey), NativeUInt(Length(FKey)));
    FDict.Forget(Self);
  end;
  inherited Destroy;
end;

{ The rest }

function TShareMemDict.SaveToFile(const FileName: string): Int64;
begin
  Result := ShareMemCheck(shms_dict_save(FDict, PAnsiChar(ShareMemName(FileName))), FileName);
end;

function TShareMemDict.LoadFromFile(const FileName: string): Int64;
begin
  Result := ShareMemCheck(shms_dict_load(FDict, PAnsiChar(ShareMemName(FileName))), FileName);
end;

function TShareMemDict.GetCount: Int64;
begin
  Result := Int64(Info.Records);
end;

function TShareMemDict.Info: TShareMemDictInfo;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.StructSize := SizeOf(Result);
  ShareMemCheck(shms_dict_info(FDict, @Result), 'Info');
end;

function TShareMemDict.PollFd: Integer;
begin
  Result := Integer(ShareMemCheck(shms_dict_poll_fd(FDict), 'PollFd'));
end;

end.
