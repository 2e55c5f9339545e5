{ SPDX-License-Identifier: MIT

  What the old class did not have, and what it did wrong; what both have is in behaviour.pas.

      unit_test NAME            all tests; NAME makes its shares its own
      unit_test NAME ROLE       a second process }
program unit_test;

{$H+}

uses
  {$IFDEF UNIX} cthreads, BaseUnix, {$ENDIF}
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, SyncObjs, ShareMemoryStream;

const
  Page = 4096;
  Short = 20; // milliseconds: for what does not come
  Long = 60000; // for what will come
  Turns = {$IFDEF UNIX} 200000 {$ELSE} 2000 {$ENDIF}; // so many that threads which count meet

var
  Base: string;
  Test: string;
  Failures: Integer;

procedure Check(Good: Boolean; const What: string);
begin
  if Good then
    Exit;
  Writeln('FAIL: ', Test, ': ', What);
  Inc(Failures);
end;

procedure CheckCode(S: TShareMemStream; Code: Integer; const What: string);
begin
  Check(S.ErrorCode = Code, What + ': ' + string(S.ErrorText(S.ErrorCode)));
end;

function Name: string;
begin
  Result := Base + '-' + Test;
end;

function Share(ASize: Int64 = Page; Access: DWORD = FILE_MAP_ALL_ACCESS): TShareMemStream;
begin
  Result := TShareMemStream.Create(Name, Access, ASize);
end;

procedure Other(const Role: string);
begin
  Check(ExecuteProcess(ParamStr(0), [Name, Role]) = 0, 'the process that is to ' + Role);
end;

{ No method of a refused object does more than say why it was refused. }
procedure CheckRefused(S: TShareMemStream; Code: Integer; const What: string);
var
  B: Int64;
  M: TMemoryStream;
begin
  CheckCode(S, Code, What);
  Check((S.Memory = nil) and (S.Size = 0), What + ': there is memory');
  Check(S.AlreadyExists = ((Code = SHMS_E_EXISTS) or (Code = SHMS_E_SIZE)), What + ': AlreadyExists');
  B := 0;
  Check((S.Read(B, 8) = 0) and (S.ErrorCode = Code), What + ': Read');
  Check((S.Write(B, 8) = 0) and (S.ErrorCode = Code), What + ': Write');
  Check((S.ReadAt(0, B, 8) = Code) and (S.ErrorCode = Code), What + ': ReadAt');
  Check((S.WriteAt(0, B, 8) = Code) and (S.ErrorCode = Code), What + ': WriteAt');
  Check((S.Snapshot(0, B, 8) = Code) and (S.ErrorCode = Code), What + ': Snapshot');
  Check((S.Seek(3, soBeginning) = 3) and (S.Position = 3), What + ': Seek');
  M := TMemoryStream.Create;
  S.SaveToStream(M);
  Check(M.Size = 0, What + ': SaveToStream');
  M.Free;
  try
    S.ReadBuffer(B, 8);
    Check(False, What + ': ReadBuffer');
  except
    on EReadError do
      ;
  end;
  try
    S.WriteBuffer(B, 8);
    Check(False, What + ': WriteBuffer');
  except
    on EWriteError do
      ;
  end;
  if Code <> SHMS_E_SIZE then
  begin
    Check(not S.GetLock(0) and (S.ErrorCode = Code), What + ': GetLock');
    S.ReleaseLock;
    CheckCode(S, Code, What + ': ReleaseLock');
    Check(not S.Repaired and (S.ErrorCode = Code), What + ': Repaired');
    Check(not S.Rollback and (S.ErrorCode = Code), What + ': Rollback');
    Check(not S.WaitLocked(0) and (S.ErrorCode = Code), What + ': WaitLocked');
    Check(not S.Notify and (S.ErrorCode = Code), What + ': Notify');
    Check(not S.Section(nil) and (S.ErrorCode = Code), What + ': Section');
    Check(S.Version = Code, What + ': Version');
    Check(not S.WaitForChange(B, 0) and (S.ErrorCode = Code), What + ': WaitForChange');
  end;
  S.Free;
end;

procedure TestRefusals;
const
  Endless = {$IFDEF CPU64} SHMS_E_INVALID {$ELSE} SHMS_E_NOMEM {$ENDIF};
var
  A: TShareMemStream;
begin
  CheckRefused(TShareMemStream.Create(''), SHMS_E_INVALID, 'the empty name');
  CheckRefused(TShareMemStream.Create('Global\'), SHMS_E_INVALID, 'the empty global name');
  CheckRefused(TShareMemStream.Create(Name + '\x'), SHMS_E_INVALID, 'a backslash');
  CheckRefused(TShareMemStream.Create(Name + #0 + 'x'), SHMS_E_INVALID, 'a zero character');
  CheckRefused(TShareMemStream.Create(StringOfChar('x', 100000)), SHMS_E_INVALID, 'an endless name');
  CheckRefused(Share(0), SHMS_E_INVALID, 'size 0');
  CheckRefused(Share(-1), SHMS_E_INVALID, 'a negative size');
  CheckRefused(Share(High(Int64)), Endless, 'an endless size');
  CheckRefused(Share(Page, 0), SHMS_E_INVALID, 'no access');
  CheckRefused(Share(Page, FILE_MAP_EXECUTE), SHMS_E_INVALID, 'neither reading nor writing');
  CheckRefused(TShareMemStream.OpenExisting(Name), SHMS_E_NOT_FOUND, 'a share that is not there');
  A := Share;
  Check((A.Memory <> nil) and not A.AlreadyExists, 'a refusal has made a share');
  CheckRefused(TShareMemStream.CreateWith(Name, [smCreateOnly]), SHMS_E_EXISTS, 'a share that is there');
  CheckRefused(Share(2 * Page), SHMS_E_SIZE, 'a share that is smaller');
  CheckRefused(TShareMemStream.OpenExisting(Name, FILE_MAP_READ, 2 * Page), SHMS_E_SIZE, 'a smaller one');
  A.Free;
end;

procedure TestTooMuch;
var
  Open: array [1 .. 257] of TShareMemStream;
  A: TShareMemStream;
  I: Integer;
begin
  A := Share(Int64(1) shl 46);
  Check((A.Memory = nil) and (A.ErrorCode < 0), 'more than any machine has');
  CheckRefused(A, A.ErrorCode, 'more than any machine has');
  for I := 1 to 257 do
    Open[I] := Share;
  Check(Open[256].Memory <> nil, '256 objects');
  CheckRefused(Open[257], SHMS_E_FULL, 'one more');
  Open[9].Free;
  Open[9] := Share;
  CheckCode(Open[9], 0, 'when one has closed');
  for I := 1 to 256 do
    Open[I].Free;
end;

{$IFDEF UNIX}
function FileOf(const Kind: string): RawByteString;
begin
  Result := '/dev/shm/shms.' + UTF8Encode(Name) + UTF8Encode(Kind);
end;

procedure TestOccupiedNames;
var
  A: TShareMemStream;
  F: TFileStream;
begin
  F := TFileStream.Create(FileOf('.ctl'), fmCreate);
  F.WriteAnsiString('not ours');
  F.Free;
  fpChmod(FileOf('.ctl'), &600);
  CheckRefused(TShareMemStream.Create('Global\' + Name), SHMS_E_FORMAT, 'a foreign control file');
  fpUnlink(FileOf('.ctl'));
  if fpGetUid <> 0 then
    Exit; // only root can give files away
  A := TShareMemStream.Create('Global\' + Name);
  fpChown(FileOf('.ctl'), 54321, 54321);
  fpChown(FileOf('.data'), 54321, 54321);
  CheckRefused(TShareMemStream.Create('Global\' + Name), SHMS_E_DENIED, 'another user''s');
  fpChown(FileOf('.ctl'), 0, 0);
  fpChown(FileOf('.data'), 0, 0);
  A.Free;
end;
{$ENDIF}

procedure TestOpenExisting;
var
  A, B: TShareMemStream;
  X: Int64;
begin
  A := Share(5000);
  B := TShareMemStream.OpenExisting(Name);
  Check((B.Size = 5000) and B.AlreadyExists, 'its size');
  B.Free;
  B := TShareMemStream.OpenExisting(Name, FILE_MAP_READ, 100);
  Check(B.Size = 100, 'a window');
  B.Free;
  B := TShareMemStream.OpenExisting(Name, FILE_MAP_ALL_ACCESS, 100);
  X := -1;
  Check(B.WriteAt(96, X, 8) = SHMS_E_RANGE, 'a write through its edge');
  Check((A.ReadAt(100, X, 8) = 8) and (X = 0), 'behind its edge');
  Check((B.ReadAt(96, X, 8) = 4) and (B.Snapshot(96, X, 8) = 4), 'a read through its edge');
  B.Free;
  A.Free;
  CheckRefused(TShareMemStream.OpenExisting(Name), SHMS_E_NOT_FOUND, 'after the last close');
end;

procedure TestReadOnly;
var
  A, B: TShareMemStream;
  X: Integer;
begin
  B := Share(Page, FILE_MAP_READ); // it comes first, and shuts nobody out
  A := Share;
  X := 5;
  Check(A.Write(X, 4) = 4, 'a writer after a reader');
  Check((B.Write(X, 4) = 0) and (B.Position = 0), 'Write');
  CheckCode(B, SHMS_E_READ_ONLY, 'Write');
  Check(B.WriteAt(0, X, 4) = SHMS_E_READ_ONLY, 'WriteAt');
  try
    B.WriteBuffer(X, 4);
    Check(False, 'WriteBuffer');
  except
    on EWriteError do
      ;
  end;
  X := 0;
  Check((B.Read(X, 4) = 4) and (X = 5), 'Read');
  A.Free;
  B.Free;
end;

procedure TestCodesOfTheLock;
var
  A, B: TShareMemStream;
begin
  A := Share;
  B := Share;
  Check(A.GetLock and not A.OwnerDied, 'the first lock');
  CheckCode(A, 0, 'GetLock');
  Check(not A.GetLock, 'locks twice');
  CheckCode(A, SHMS_E_DEADLOCK, 'locks twice');
  Check(not B.GetLock(Short), 'two hold the lock');
  CheckCode(B, SHMS_E_TIMEOUT, 'two hold the lock');
  B.ReleaseLock;
  CheckCode(B, SHMS_E_NOT_OWNER, 'releases what another holds');
  Check(not B.GetLock(0), 'a stranger released the lock');
  A.ReleaseLock;
  CheckCode(A, 0, 'ReleaseLock');
  A.ReleaseLock;
  CheckCode(A, SHMS_E_NOT_OWNER, 'releases twice');
  Check(B.GetLock(DWORD(MaxInt) + 5), 'the longest time-out');
  B.Free;
  Check(A.GetLock(0) and A.OwnerDied, 'the holder was freed');
  CheckCode(A, SHMS_OWNER_DIED, 'the holder was freed');
  A.Free;
end;

procedure TestOwnerDied;
var
  A: TShareMemStream;
  X: Integer;
begin
  A := Share;
  Other('die');
  Check(A.Snapshot(0, X, 4) = SHMS_E_CORRUPT, 'a snapshot of half a section');
  Check(A.GetLock(Long) and A.OwnerDied, 'the holder died');
  A.ReleaseLock;
  Check(A.GetLock(Long) and A.OwnerDied, 'nobody has repaired yet');
  Check(A.Repaired, 'Repaired');
  A.ReleaseLock;
  Check(A.GetLock(Long) and not A.OwnerDied, 'told although repaired');
  A.ReleaseLock;
  Check(not A.Repaired and (A.ErrorCode = SHMS_E_NOT_OWNER), 'Repaired without the lock');
  Check((A.ReadAt(0, X, 4) = 4) and (X = 44), 'what the dead wrote');
  A.Free;
end;

procedure TestAtomic;
var
  A: TShareMemStream;
  X: Integer;
begin
  A := TShareMemStream.CreateWith(Name, [smAtomic], Page);
  CheckCode(A, 0, 'smAtomic');
  X := 11;
  Check(A.GetLock and (A.Write(X, 4) = 4), 'a section that ends');
  A.ReleaseLock;
  Other('die');
  Check(A.GetLock(Long) and not A.OwnerDied, 'the holder died, and left nothing half done');
  Check((A.ReadAt(0, X, 4) = 4) and (X = 11), 'what it wrote is undone');
  A.ReleaseLock;
  A.Free;
end;

procedure TestAtomicIsDecidedAtFirst;
var
  A, B: TShareMemStream;
begin
  A := Share;
  CheckRefused(TShareMemStream.CreateWith(Name, [smAtomic], Page), SHMS_E_UNSUPPORTED, 'atomic too late');
  A.Free;
  A := TShareMemStream.CreateWith(Name, [smAtomic], Page);
  B := Share;
  CheckCode(B, 0, 'an atomic share, not asked for');
  A.Free;
  B.Free;
end;

{ Sections given up }

procedure TestRollback;
var
  A, B: TShareMemStream;
  X: Integer;
  Before: Int64;
begin
  A := TShareMemStream.CreateWith(Name, [smAtomic], Page);
  B := Share;
  Check(not A.Rollback and (A.ErrorCode = SHMS_E_NOT_OWNER), 'without the lock');
  Before := B.Version;
  X := 7;
  Check(A.GetLock and (A.WriteAt(0, X, 4) = 4), 'a section');
  Check(not B.Rollback and (B.ErrorCode = SHMS_E_NOT_OWNER), 'another''s section');
  Check(A.Rollback and (A.ErrorCode = 0), 'Rollback');
  Check(not A.Rollback and (A.ErrorCode = SHMS_E_NOT_OWNER), 'twice');
  Check(B.GetLock(0) and not B.OwnerDied, 'the lock is free, without news');
  Check((B.ReadAt(0, X, 4) = 4) and (X = 0), 'what was written is undone');
  Check(B.Version = Before, 'no change');
  A.Free;
  B.Free;
end;

procedure TestRollbackOfPlainShares;
var
  A, B: TShareMemStream;
  X: Integer;
begin
  A := Share;
  B := Share;
  Check(A.GetLock and A.Rollback, 'nothing was written');
  X := 7;
  Check(A.GetLock and (A.WriteAt(0, X, 4) = 4), 'a section');
  Check(not A.Rollback and (A.ErrorCode = SHMS_E_UNSUPPORTED), 'something was written');
  Check(not B.GetLock(0), 'the section goes on');
  A.ReleaseLock;
  CheckCode(A, 0, 'ReleaseLock');
  Check(B.GetLock(0) and not B.OwnerDied, 'and ends');
  A.Free;
  B.Free;
end;

type
  TWriter = class
    Stream: TShareMemStream;
    Value: Integer;
    procedure Write;
    procedure WriteAndRaise;
  end;

procedure TWriter.Write;
begin
  Check(not Stream.GetLock(0) and (Stream.ErrorCode = SHMS_E_DEADLOCK), 'the lock is held');
  Stream.WriteAt(0, Value, 4);
end;

procedure TWriter.WriteAndRaise;
begin
  Write;
  raise EAbort.Create('in a section');
end;

{ What a section that wrote Value and raised leaves. }
function LeftByException(W: TWriter): Integer;
begin
  try
    W.Stream.Section({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.WriteAndRaise);
    Check(False, 'no exception came out');
  except
    on E: EAbort do
      Check(E.Message = 'in a section', 'another exception');
  end;
  Check(W.Stream.GetLock(0) and not W.Stream.OwnerDied, 'the section has ended, without news');
  W.Stream.ReadAt(0, Result, 4);
  W.Stream.ReleaseLock;
end;

procedure TestSectionsLeftByExceptions;
var
  W: TWriter;
  B: TShareMemStream;
begin
  W := TWriter.Create;
  W.Stream := TShareMemStream.CreateWith(Name, [smAtomic], Page);
  W.Value := 1;
  Check(W.Stream.Section({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Write), 'Section');
  W.Value := 2;
  Check(LeftByException(W) = 1, 'an atomic share is rolled back');
  B := Share;
  B.GetLock;
  Check(not W.Stream.Section({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.WriteAndRaise, Short), 'a lock that is taken');
  CheckCode(W.Stream, SHMS_E_TIMEOUT, 'a lock that is taken');
  B.Free;
  W.Stream.Free;
  W.Stream := Share;
  Check(LeftByException(W) = 2, 'a plain share keeps what was written');
  W.Stream.Free;
  W.Free;
end;

{ Waiting in a section }

type
  TAnswerer = class(TThread)
    Stream: TShareMemStream;
    procedure Execute; override;
  end;

procedure TAnswerer.Execute;
var
  X: Integer;
begin
  Stream.GetLock;
  Stream.ReadAt(0, X, 4);
  while (X <> 1) and Stream.WaitLocked(Long) do
    Stream.ReadAt(0, X, 4);
  X := X + 1;
  Stream.WriteAt(0, X, 4);
  Stream.ReleaseLock;
end;

procedure TestWaitLocked;
var
  A: TShareMemStream;
  T: TAnswerer;
  X: Integer;
begin
  A := Share;
  Check(not A.WaitLocked(0) and (A.ErrorCode = SHMS_E_NOT_OWNER), 'without the lock');
  T := TAnswerer.Create(True);
  T.Stream := Share;
  T.Start;
  A.GetLock;
  PInteger(A.Memory)^ := 1;
  Check(A.Notify, 'Notify');
  X := 0;
  while (X <> 2) and A.WaitLocked(Long) do
    A.ReadAt(0, X, 4);
  Check(X = 2, 'the answer');
  Check(not A.WaitLocked(Short) and (A.ErrorCode = SHMS_E_TIMEOUT), 'nothing more');
  Check(not T.Stream.GetLock(0), 'the lock is held all the same');
  A.ReleaseLock;
  CheckCode(A, 0, 'ReleaseLock');
  T.WaitFor;
  T.Stream.Free;
  T.Free;
  A.Free;
end;

type
  TCounter = class(TThread)
    Stream: TShareMemStream;
    Taken: Integer;
    procedure Execute; override;
  end;

procedure TCounter.Execute;
var
  X, Turn: Integer;
begin
  for Turn := 1 to Turns do
    if Stream.GetLock then
    begin
      Inc(Taken);
      Stream.ReadAt(0, X, 4);
      Inc(X);
      Stream.WriteAt(0, X, 4);
      Stream.ReleaseLock;
    end;
end;

procedure TestForEver;
var
  T: array [1 .. 3] of TCounter;
  I, X: Integer;
begin
  for I := 1 to 3 do
  begin
    T[I] := TCounter.Create(True);
    T[I].Stream := Share;
  end;
  for I := 1 to 3 do
    T[I].Start;
  for I := 1 to 3 do
  begin
    T[I].WaitFor;
    Check(T[I].Taken = Turns, 'a lock that was not waited for');
  end;
  Check((T[1].Stream.ReadAt(0, X, 4) = 4) and (X = 3 * Turns), 'the count');
  for I := 1 to 3 do
  begin
    T[I].Stream.Free;
    T[I].Free;
  end;
end;

type
  TChanger = class(TThread)
    Stream: TShareMemStream;
    procedure Execute; override;
  end;

procedure TChanger.Execute;
var
  X: Integer;
begin
  X := 0;
  while not Terminated do
    if Stream.GetLock(Long) then
    begin
      Inc(X);
      Stream.WriteAt(0, X, 4);
      Stream.WriteAt(Page - 4, X, 4);
      Stream.ReleaseLock;
    end;
end;

procedure TestChanges;
var
  A, B: TShareMemStream;
  T: TChanger;
  Seen, Before: Int64;
  Words: array [0 .. Page div 4 - 1] of Integer;
  I: Integer;
begin
  A := Share;
  B := Share(Page, FILE_MAP_READ);
  Seen := B.Version;
  Check(Seen = 0, 'something has happened already');
  Check(not B.WaitForChange(Seen, Short), 'a change that was none');
  CheckCode(B, SHMS_E_TIMEOUT, 'a change that was none');
  T := TChanger.Create(True);
  T.Stream := A;
  T.Start;
  for I := 1 to 200 do
  begin
    Before := Seen;
    Check(B.WaitForChange(Seen, Long) and (Seen > Before), 'WaitForChange');
    Check(B.Snapshot(0, Words, Page) = Page, 'Snapshot');
    Check(Words[0] = Words[Page div 4 - 1], 'a torn snapshot');
  end;
  T.Terminate;
  T.WaitFor;
  T.Free;
  Check(B.Version >= Seen, 'Version');
  A.Free;
  B.Free;
end;

{ Takes bytes of a stream as they come, and counts them. }
type
  TSink = class(TStream)
    Taken: Int64;
    function Write(const Buffer; Count: Longint): Longint; override;
  end;

function TSink.Write(const Buffer; Count: Longint): Longint;
begin
  Taken := Taken + Count;
  Result := Count;
end;

procedure TestLargeShares;
var
  A: TShareMemStream;
  Sink: TSink;
  Size: Int64;
  X: Integer;
begin
  Size := (Int64(1) shl 32) + 4096;
  A := TShareMemStream.CreateWith(Name, [smSparse], Size);
  {$IFDEF CPU64}
  Check(A.Size = Size, 'its size');
  Check(A.WriteAt(Size - 4, Size, 4) = 4, 'the last bytes written');
  Check((A.ReadAt(Size - 4, X, 4) = 4) and (X = 4096), 'the last bytes read');
  Check(A.WriteAt(Size - 3, X, 4) = SHMS_E_RANGE, 'bytes behind the end');
  Check((A.ReadAt(Size - 3, X, 4) = 3) and (A.ReadAt(Size, X, 4) = 0), 'what is there at the end');
  A.Position := Int64(1) shl 32;
  X := 77;
  Check((A.Write(X, 4) = 4) and (PInteger(@PByte(A.Memory)[Int64(1) shl 32])^ = 77), 'past 4 GiB');
  Check(A.Position = (Int64(1) shl 32) + 4, 'the position past 4 GiB');
  Sink := TSink.Create;
  A.SaveToStream(Sink);
  Check(Sink.Taken = Size, 'saved');
  Sink.Free;
  {$ELSE}
  CheckCode(A, SHMS_E_NOMEM, 'more than 32 bits');
  {$ENDIF}
  A.Free;
end;

procedure TestBadRanges;
var
  A: TShareMemStream;
  X: Int64;
  Cut: string;
begin
  A := Share;
  Cut := GetTempDir + Base;
  X := 1;
  Check((A.ReadAt(-1, X, 8) = SHMS_E_RANGE) and (A.WriteAt(-1, X, 8) = SHMS_E_RANGE), 'before the start');
  Check((A.ReadAt(0, X, -8) = SHMS_E_INVALID) and (A.WriteAt(0, X, -8) = SHMS_E_INVALID), 'a negative count');
  Check((A.ReadAt(High(Int64), X, 8) = 0) and (A.WriteAt(High(Int64), X, 8) = SHMS_E_RANGE), 'far away');
  Check(A.WriteAt(Page - 8, X, High(Int64)) = SHMS_E_RANGE, 'an endless count');
  Check(A.ReadAt(Low(Int64), X, 8) = SHMS_E_RANGE, 'far before the start');
  Check(A.Snapshot(-1, X, 8) = SHMS_E_RANGE, 'a snapshot before the start');
  Check((A.WriteAt(Page, X, 0) = 0) and (A.WriteAt(0, X, 0) = 0), 'nothing');
  A.Position := -5;
  Check((A.Read(X, 8) = 0) and (A.Write(X, 8) = 0) and (A.Position = -5), 'a position before the start');
  A.Position := 5;
  Check((A.Read(X, -8) = 0) and (A.Write(X, -8) = 0) and (A.Position = 5), 'a negative count of a stream');
  Check((A.Seek(Longint(7), soFromBeginning) = 7) and (A.Seek(Int64(1), soCurrent) = 8), 'both Seeks');
  try
    A.SaveToFile(Cut + #0 + 'x');
    Check(False, 'a name with #0');
  except
    on EFCreateError do
      ;
  end;
  Check(not FileExists(Cut), 'a name that is cut short');
  A.Free;
end;

type
  TTaker = class(TThread)
    Stream: TShareMemStream;
    Sum: Int64;
    procedure Execute; override;
  end;

procedure TTaker.Execute;
var
  X: Integer;
begin
  while Stream.Read(X, 4) = 4 do
    Sum := Sum + X;
end;

procedure TestThreadsShareAPosition;
const
  Numbers = 200000;
var
  A: TShareMemStream;
  T: array [1 .. 4] of TTaker;
  I: Integer;
  Sum: Int64;
begin
  A := Share(4 * Numbers);
  for I := 1 to Numbers do
    A.Write(I, 4);
  A.Position := 0;
  for I := 1 to 4 do
  begin
    T[I] := TTaker.Create(True);
    T[I].Stream := A;
  end;
  for I := 1 to 4 do
    T[I].Start;
  Sum := 0;
  for I := 1 to 4 do
  begin
    T[I].WaitFor;
    Sum := Sum + T[I].Sum;
    T[I].Free;
  end;
  Check(Sum = Int64(Numbers) * (Numbers + 1) div 2, 'a number was read twice, or not');
  A.Free;
end;

procedure shms_stream_unlink(Name: PAnsiChar); cdecl; external
  {$IFDEF MSWINDOWS} 'shmstream.dll' {$ELSE} 'shmstream' {$ENDIF};

procedure TestOptions;
var
  A: TShareMemStream;
  X: Integer;
begin
  A := TShareMemStream.CreateWith(Name, [smKeep], Page);
  X := 88;
  A.Write(X, 4);
  A.Free;
  {$IFDEF UNIX}
  A := TShareMemStream.OpenExisting(Name);
  Check((A.Read(X, 4) = 4) and (X = 88), 'a share that is kept');
  A.Free;
  {$ENDIF}
  shms_stream_unlink(PAnsiChar(UTF8Encode(Name)));
  TShareMemStream.DefaultOptions := [smKeep];
  Share.Free;
  TShareMemStream.DefaultOptions := [];
  {$IFDEF UNIX}
  A := TShareMemStream.OpenExisting(Name);
  CheckCode(A, 0, 'kept by default');
  A.Free;
  {$ENDIF}
  shms_stream_unlink(PAnsiChar(UTF8Encode(Name)));
end;

{$IFDEF UNIX}
procedure CheckMode(const What: string; Mode: Integer);
var
  Info: Stat;
begin
  Check(fpStat(FileOf('.data'), Info) = 0, What + ': no file');
  Check(Info.st_mode and &777 = Mode, What + ': its mode is ' + IntToStr(Info.st_mode and &777));
end;

procedure TestWhoMay;
var
  A: TShareMemStream;
begin
  A := TShareMemStream.Create('Global\' + Name);
  CheckMode('by default', &600);
  A.Free;
  A := TShareMemStream.CreateWith('Global\' + Name, [smEveryone]);
  CheckMode('everyone', &666);
  A.Free;
end;
{$ENDIF}

type
  TOldDescendant = class(TShareMemStream)
    function OldWay: Boolean;
  end;

function TOldDescendant.OldWay: Boolean;
begin
  Result := (Event.WaitFor(INFINITE) = wrSignaled) and (Event.WaitFor(0) <> wrSignaled);
  Event.SetEvent;
end;

procedure TestEvent;
var
  A, B: TOldDescendant;
begin
  A := TOldDescendant.Create(Name, FILE_MAP_ALL_ACCESS, Page);
  Check(A.OldWay and A.GetLock(0), 'the lock by its old name');
  B := TOldDescendant.Create(Name, FILE_MAP_ALL_ACCESS, Page);
  Check(B.Event.WaitFor(Short) = wrTimeout, 'a lock that is taken');
  B.Free;
  A.Free;
end;

{ On Windows both are objects of one name; here it is enough that the second says so. }
procedure TestNameOfTheEvent;
var
  A, B: TShareMemStream;
begin
  A := Share;
  B := TShareMemStream.Create(Name + '_TShareMemStream_Event', FILE_MAP_ALL_ACCESS, Page);
  {$IFDEF MSWINDOWS}
  Check((B.Memory = nil) and (B.ErrorCode < 0), 'the event of another share is a share');
  {$ELSE}
  Check(B.Memory <> nil, 'a name like an event''s');
  {$ENDIF}
  Check(A.GetLock(0), 'the lock of the first');
  B.Free;
  A.Free;
end;

procedure TestNamesOfAllScripts;
var
  A, B: TShareMemStream;
begin
  A := TShareMemStream.Create(Name + '多个进程', FILE_MAP_ALL_ACCESS, Page);
  Check((A.Memory <> nil) and not A.AlreadyExists, 'Chinese');
  B := TShareMemStream.Create(Name + '多个线程', FILE_MAP_ALL_ACCESS, Page);
  Check((B.Memory <> nil) and not B.AlreadyExists, 'other Chinese');
  A.Free;
  B.Free;
end;

procedure Role(const What: string);
var
  S: TShareMemStream;
  X: Integer;
begin
  S := TShareMemStream.Create(Base, FILE_MAP_ALL_ACCESS, Page);
  if (What <> 'die') or not S.GetLock(Long) then
    Halt(1);
  X := 44;
  S.Write(X, 4);
  Halt(0);
end;

procedure Run(const What: string; Procedure_: TProcedure);
begin
  Test := What;
  Procedure_();
end;

begin
  Base := ParamStr(1);
  if ParamCount > 1 then
    Role(ParamStr(2));
  Run('Refusals', @TestRefusals);
  Run('TooMuch', @TestTooMuch);
  {$IFDEF UNIX}
  Run('OccupiedNames', @TestOccupiedNames);
  {$ENDIF}
  Run('OpenExisting', @TestOpenExisting);
  Run('ReadOnly', @TestReadOnly);
  Run('CodesOfTheLock', @TestCodesOfTheLock);
  Run('OwnerDied', @TestOwnerDied);
  Run('Atomic', @TestAtomic);
  Run('AtomicIsDecidedAtFirst', @TestAtomicIsDecidedAtFirst);
  Run('Rollback', @TestRollback);
  Run('RollbackOfPlainShares', @TestRollbackOfPlainShares);
  Run('SectionsLeftByExceptions', @TestSectionsLeftByExceptions);
  Run('WaitLocked', @TestWaitLocked);
  Run('ForEver', @TestForEver);
  Run('Changes', @TestChanges);
  Run('LargeShares', @TestLargeShares);
  Run('BadRanges', @TestBadRanges);
  Run('ThreadsShareAPosition', @TestThreadsShareAPosition);
  Run('Options', @TestOptions);
  {$IFDEF UNIX}
  Run('WhoMay', @TestWhoMay);
  {$ENDIF}
  Run('Event', @TestEvent);
  Run('NameOfTheEvent', @TestNameOfTheEvent);
  Run('NamesOfAllScripts', @TestNamesOfAllScripts);
  Writeln(Failures, ' failures');
  Halt(Ord(Failures > 0));
end.
