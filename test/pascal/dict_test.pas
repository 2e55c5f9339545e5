{ SPDX-License-Identifier: MIT

  TShareMemDict.

      dict_test NAME            all tests; NAME makes its dicts its own
      dict_test NAME ROLE       a second process }
program dict_test;

{$H+}

uses
  {$IFDEF UNIX} cthreads, {$ENDIF}
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream, ShareMemoryDict, checks;

const
  Room = 128 * 1024;

type
  TCounter = class(TThread)
  public
    Dict: TShareMemDict;
    procedure Execute; override;
  end;

var
  Inherited_: TShareMemDict; // for a child of fork
  InheritedLock: TShareMemKeyLock;

function Dict: TShareMemDict;
begin
  Result := TShareMemDict.Create(Name, Room);
end;

procedure TCounter.Execute;
var
  I: Integer;
begin
  for I := 1 to 1000 do
    Dict.Add('n');
end;

procedure TestRecords;
var
  A, B: TShareMemDict;
  Value, Got: TBytes;
  Text: string;
  R: TShareMemRecord;
  V: Int64;
begin
  A := Dict;
  B := TShareMemDict.OpenExisting(Name);
  A['colour'] := 'blue';
  Check(B['colour'] = 'blue', 'the value is ' + B['colour']);
  A['colour'] := 'red';
  Check(B.Get('colour', Text) and (Text = 'red') and (B.Count = 1), 'another one in its place');
  V := A.Put('bytes', Bytes([0, 255, 0]));
  Check((V = 3) and (A.Version = 3), 'versions');
  Check(B.Get('bytes', Got) and Same(Got, Bytes([0, 255, 0])), 'bytes');
  Check(B.Find('bytes', R) and (R.Version = V) and (R.ExpiresNs = 0) and Same(R.Value, Got), 'Find');
  SetLength(Value, 5000);
  FillChar(Value[0], Length(Value), 9);
  A.Put('long', Value);
  Check(B.Get('long', Got) and Same(Got, Value), 'a long value');
  SetLength(Value, 512);
  A.Put('long', Value);
  Check(B.Get('long', Got) and Same(Got, Value), 'one that just fits');
  A.Put('empty', '');
  Check(B.Contains('empty') and B.Get('empty', Text) and (Text = ''), 'an empty value');
  Check(B.Get('empty', Got) and (Got = nil), 'an empty value in bytes');
  Check(A.Delete('empty') and not B.Contains('empty') and not A.Delete('empty'), 'Delete');
  Text := 'x';
  Check(not B.Get('none', Text) and (Text = '') and not B.Get('none', Got) and not B.Find('none', R), 'Get');
  try
    Text := B['none'];
    NotRaised('a value that is absent');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_FOUND, 'a value that is absent');
  end;
  A['цвет'] := 'синий';
  Check(B['цвет'] = 'синий', 'other scripts');
  A.Free;
  B.Free;
end;

procedure TestConditions;
var
  D: TShareMemDict;
  V: Int64;
  R: TShareMemRecord;
begin
  D := Dict;
  Check(D.PutIf('k', 'one', ShareMemAbsent), 'absent');
  Check(not D.PutIf('k', 'two', ShareMemAbsent) and (D['k'] = 'one'), 'not absent');
  V := D.Version;
  Check(D.PutIf('k', Bytes([2]), V) and not D.PutIf('k', 'three', V), 'a version');
  Check(not D.Delete('k', V) and D.Contains('k') and D.Delete('k', V + 1), 'Delete');
  D.Put('t', 'short', 3600000);
  Check(D.Find('t', R) and (R.ExpiresNs > 0), 'an expiry');
  D.Put('t', 'brief', 1);
  while D.Contains('t') do
    Sleep(1);
  try
    D.Put('t', 'x', -1);
    NotRaised('a negative life');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'a negative life');
  end;
  try
    D.PutIf('t', 'x', -2);
    NotRaised('version -2');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'version -2');
  end;
  D.Free;
end;

procedure TestCounters;
var
  D: TShareMemDict;
  T: array [1 .. 3] of TCounter;
  I: Integer;
begin
  D := Dict;
  Check((D.Add('n') = 1) and (D.Add('n', -3) = -2) and (D.Add('n', 2) = 0), 'sums');
  Check(D.Add('s', 1, 41) = 42, 'Start');
  for I := 1 to 3 do
  begin
    T[I] := TCounter.Create(True);
    T[I].Dict := D;
    T[I].Start;
  end;
  for I := 1 to 3 do
  begin
    T[I].WaitFor;
    T[I].Free;
  end;
  Check(D.Add('n', 0) = 3000, 'threads that share an object');
  D['text'] := 'no number';
  try
    D.Add('text');
    NotRaised('adding to a text');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'adding to a text');
  end;
  try
    D.Put('top', Bytes([255, 255, 255, 255, 255, 255, 255, 127]));
    D.Add('top');
    NotRaised('a sum that is too large');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_RANGE, 'a sum that is too large');
  end;
  D.Free;
end;

procedure TestWalk;
var
  D: TShareMemDict;
  R: TShareMemRecord;
  Seen: array [0 .. 99] of Integer;
  I: Integer;
begin
  D := Dict;
  for R in D do
    Check(False, 'an empty dict has ' + R.Key);
  for I := 0 to 99 do
    D.Put('key ' + IntToStr(I), StringOfChar('v', 10 * I));
  FillChar(Seen, SizeOf(Seen), 0);
  for R in D do
  begin
    I := StrToInt(Copy(R.Key, 5, 2));
    Inc(Seen[I]);
    Check((R.Text = StringOfChar('v', 10 * I)) and (Length(R.Value) = 10 * I), 'the value of ' + R.Key);
    Check(R.Version = I + 1, 'the version of ' + R.Key);
  end;
  for I := 0 to 99 do
    Check(Seen[I] = 1, IntToStr(I) + ' came ' + IntToStr(Seen[I]) + ' times');
  I := 0;
  try
    for R in D do
    begin
      Inc(I);
      D.Close;
    end;
    NotRaised('a walk in what is closed');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'a walk in what is closed');
  end;
  Check(I = 1, 'the walk goes on');
  D.Free;
end;

procedure TestChanges;
var
  D: TShareMemDict;
  O: TShareMemDictOptions;
  C: TShareMemChanges;
  Since: Int64;
  I: Integer;
begin
  O := ShareMemDictDefaults;
  O.Ring := 16;
  D := TShareMemDict.CreateWith(Name, O, Room);
  Since := 0;
  Check(Length(D.Changes(Since)) = 0, 'a new dict has changes');
  D['a'] := '1';
  D['b'] := '2';
  D.Delete('b');
  C := D.Changes(Since);
  Check((Since = 3) and (Length(C) = 2), IntToStr(Length(C)) + ' changes');
  Check((C[0].Key = 'a') and (C[0].Gone = sgThere) and (C[0].Version = 1), 'the first');
  Check((C[1].Key = 'b') and (C[1].Gone = sgDeleted) and (C[1].Version = 3), 'the second');
  Check(Length(D.Changes(Since)) = 0, 'twice');
  for I := 1 to 50 do
    D.Put('n' + IntToStr(I), '');
  try
    D.Changes(Since);
    NotRaised('too many changes');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_MISSED, 'too many changes');
  end;
  Check(Since = D.Version, 'Since after that');
  Since := -1;
  try
    D.Changes(Since);
    NotRaised('Since = -1');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Since = -1');
  end;
  Check(Since = -1, 'Since moved by a failure');
  D.Free;
end;

procedure TestWaiting;
var
  D: TShareMemDict;
  Seen, OfKey: Int64;
begin
  D := Dict;
  Seen := 0;
  OfKey := 0;
  Check(not D.WaitForChange(Seen, 0) and not D.WaitForChange(Seen, Short), 'a new dict has changed');
  D['other'] := 'x';
  Check(D.WaitForChange(Seen) and (Seen = 1), 'a change');
  Check(not D.WaitForKey('k', OfKey, 0), 'of another key');
  Other('put');
  Check(D.WaitForKey('k', OfKey) and (OfKey = 2), 'of this key');
  Check(D.WaitForChange(Seen) and (Seen = 2), 'by another process');
  try
    D.WaitForKey('', OfKey, 0);
    NotRaised('a key of no bytes');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'a key of no bytes');
  end;
  D.Free;
end;

procedure TestLocks;
var
  A, B: TShareMemDict;
  L, M: TShareMemKeyLock;
begin
  A := Dict;
  B := Dict;
  L := A.Lock('job');
  Check((L <> nil) and not L.OwnerDied, 'Lock');
  Check((B.Lock('job', 0) = nil) and (B.Lock('job', Short) = nil), 'another object gets it');
  try
    A.Lock('job', 0);
    NotRaised('locking twice');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_DEADLOCK, 'locking twice');
  end;
  M := B.Lock('another', 0);
  Check(M <> nil, 'another key');
  M.Free;
  Check(not A.Contains('job'), 'a lock is a record');
  L.Free;
  L := B.Lock('job', Long);
  Check((L <> nil) and not L.OwnerDied, 'after Free');
  L.Release;
  try
    L.Release;
    NotRaised('Release twice');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_OWNER, 'Release twice');
  end;
  M := B.Lock('job', Long);
  L.Free;
  Check((M <> nil) and (A.Lock('job', 0) = nil), 'Free after Release gives a later lock back');
  M.Free;
  M := A.Lock('job', Long);
  A.Free; // before its lock
  M.Free;
  L := B.Lock('job', Long);
  Check((L <> nil) and not L.OwnerDied, 'after the dict''s Free');
  L.Free;
  B.Free;
end;

procedure TestOwnerDied;
var
  D: TShareMemDict;
  L: TShareMemKeyLock;
begin
  D := Dict;
  Other('lock');
  L := D.Lock('job', Long);
  Check((L <> nil) and L.OwnerDied, 'OwnerDied');
  L.Free;
  L := D.Lock('job', Long);
  Check((L <> nil) and not L.OwnerDied, 'OwnerDied is told once');
  L.Free;
  D.Free;
end;

procedure TestOptions;
var
  A, B: TShareMemDict;
  O: TShareMemDictOptions;
  I: Integer;
begin
  O := ShareMemDictDefaults;
  O.KeyMax := 20;
  O.ValueMax := 1000;
  O.CellSize := 128;
  O.MaxSize := 2 * Room;
  O.Secret := True;
  A := TShareMemDict.CreateWith(Name, O, Room);
  Check((A.Info.KeyMax = 20) and (A.Info.ValueMax = 1000) and (A.Info.CellSize = 128), 'Info');
  Check((A.Info.MaxSize >= 2 * Room) and (A.Info.Ring > 0) and (A.Info.Policy = 1), 'Info of sizes');
  B := TShareMemDict.OpenExisting(Name, True);
  A['k'] := 'v';
  Check(B['k'] = 'v', 'ReadOnly');
  try
    B['k'] := 'w';
    NotRaised('Put of a reader');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_READ_ONLY, 'Put of a reader');
  end;
  A.Free;
  B.Free;
  O := ShareMemDictDefaults;
  O.Evict := True;
  A := TShareMemDict.CreateWith(Name, O, Room);
  for I := 1 to 2000 do
    A.Put(IntToStr(I), StringOfChar('x', 200));
  Check((A.Info.Evicted > 0) and A.Contains('2000'), 'Evict');
  A.Free;
  A := Dict;
  I := 0;
  try
    for I := 1 to 2000 do
      A.Put(IntToStr(I), StringOfChar('x', 200));
    NotRaised('a full dict');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_FULL, 'a full dict');
  end;
  Check((I > 100) and A.Contains('1'), 'nothing is lost');
  A.Free;
end;

{ What was replaced is nowhere in the shared bytes. }
procedure TestSecret;
const
  Old: array [0 .. 7] of Byte = (200, 13, 77, 201, 14, 78, 202, 15);
var
  D: TShareMemDict;
  O: TShareMemDictOptions;
  S: TShareMemStream;
  I: Integer;
begin
  O := ShareMemDictDefaults;
  O.Secret := True;
  D := TShareMemDict.CreateWith(Name, O, Room);
  D.Put('k', Bytes(Old));
  D.Put('k', 'new');
  S := TShareMemStream.OpenExisting(Name, FILE_MAP_READ);
  Check(S.Memory <> nil, 'the bytes: ' + S.ErrorText(S.ErrorCode));
  for I := 0 to S.Size - SizeOf(Old) do
    Check(not CompareMem(@PByte(S.Memory)[I], @Old, SizeOf(Old)), 'the old value is still there');
  S.Free;
  D.Free;
end;

procedure TestFiles;
var
  A: TShareMemDict;
  FileName: string;
begin
  FileName := string(GetTempFileName);
  A := Dict;
  A['k'] := 'v';
  Check(A.SaveToFile(FileName) = 1, 'SaveToFile');
  A['k'] := 'w';
  Check((A.LoadFromFile(FileName) = 1) and (A['k'] = 'v'), 'LoadFromFile');
  SysUtils.DeleteFile(FileName);
  try
    A.LoadFromFile(FileName);
    NotRaised('no file');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_FOUND, 'no file');
  end;
  A.Free;
end;

procedure Refused(const AName: string; ASize: Int64; const O: TShareMemDictOptions; Code: Integer;
  const What: string);
begin
  try
    TShareMemDict.CreateWith(AName, O, ASize).Free;
    NotRaised(What);
  except
    on E: Exception do
      CheckCode(E, Code, What);
  end;
end;

procedure TestRefusals;
var
  O: TShareMemDictOptions;
  D: TShareMemDict;
  Stream: TShareMemStream;
begin
  O := ShareMemDictDefaults;
  Refused('', Room, O, SHMS_E_INVALID, 'no name');
  Refused(Name + #0 + 'x', Room, O, SHMS_E_INVALID, 'a name with #0');
  Refused(Name, -1, O, SHMS_E_INVALID, 'size -1');
  Refused(Name, 0, O, SHMS_E_INVALID, 'size 0');
  Refused(Name, 100, O, SHMS_E_INVALID, 'size 100');
  O.MaxSize := -1;
  Refused(Name, Room, O, SHMS_E_INVALID, 'MaxSize -1');
  O.MaxSize := Low(Int64);
  Refused(Name, Room, O, SHMS_E_INVALID, 'the lowest MaxSize');
  O := ShareMemDictDefaults;
  O.CellSize := 65;
  Refused(Name, Room, O, SHMS_E_INVALID, 'CellSize 65');
  O := ShareMemDictDefaults;
  O.Share := [smAtomic];
  Refused(Name, Room, O, SHMS_E_INVALID, 'smAtomic');
  D := Dict;
  O.Share := [smCreateOnly];
  Refused(Name, Room, O, SHMS_E_EXISTS, 'smCreateOnly');
  D.Free;
  try
    TShareMemDict.OpenExisting(Name).Free;
    NotRaised('OpenExisting');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_FOUND, 'OpenExisting');
  end;
  Stream := TShareMemStream.Create(Name, FILE_MAP_ALL_ACCESS, Room);
  Refused(Name, Room, ShareMemDictDefaults, SHMS_E_KIND, 'a stream');
  Stream.Free;
end;

{ Method I with a key; False: there is none. }
function Call(D: TShareMemDict; I: Integer; const Key: string): Boolean;
var
  Text: string;
  R: TShareMemRecord;
  Value: TBytes;
  N: Int64;
begin
  Result := True;
  N := 0;
  case I of
    0: D.Get(Key, Text);
    1: D.Get(Key, Value);
    2: D.Find(Key, R);
    3: D.Contains(Key);
    4: D.Put(Key, 'x');
    5: D.Put(Key, Bytes([1]));
    6: D.PutIf(Key, 'x', ShareMemAbsent);
    7: D.Delete(Key);
    8: D.Add(Key);
    9: D.WaitForKey(Key, N, 0);
    10: D.Lock(Key, 0).Free;
    11: Text := D[Key];
    12: D.Changes(N);
    13: D.WaitForChange(N, 0);
    14: N := D.Version;
    15: N := D.Count;
    16: D.Info;
    17: D.PollFd;
    18: D.SaveToFile('/nowhere');
    19: D.LoadFromFile('/nowhere');
    20: D.GetEnumerator.MoveNext; // left behind by the exception, as the test is
  else
    Result := False;
  end;
end;

{ Each of the first Most methods raises Code. }
procedure AllRaise(D: TShareMemDict; Most: Integer; const Key: string; Code: Integer; const What: string);
var
  I: Integer;
begin
  for I := 0 to Most - 1 do
    try
      Call(D, I, Key);
      NotRaised('method ' + IntToStr(I) + What);
    except
      on E: Exception do
        CheckCode(E, Code, 'method ' + IntToStr(I) + What);
    end;
end;

procedure TestBadKeys;
var
  D: TShareMemDict;
begin
  D := Dict;
  AllRaise(D, 12, '', SHMS_E_INVALID, ' with no key');
  AllRaise(D, 12, StringOfChar('k', 257), SHMS_E_RANGE, ' with a long key');
  AllRaise(D, 12, StringOfChar('k', 100000), SHMS_E_RANGE, ' with a longer key');
  D.Put('a'#0'b', 'x');
  Check(D.Contains('a'#0'b') and not D.Contains('a'), 'a key with #0');
  try
    D.Put('k', StringOfChar('v', Room));
    NotRaised('a long value');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_RANGE, 'a long value');
  end;
  D.Free;
end;

procedure TestClosed;
var
  D: TShareMemDict;
  L: TShareMemKeyLock;
begin
  D := Dict;
  L := D.Lock('k');
  D.Close;
  D.Close;
  Check((D.Handle = nil) and not Call(D, 21, 'k'), 'Handle');
  AllRaise(D, 21, 'k', SHMS_E_INVALID, ' of what is closed');
  try
    L.Release;
    NotRaised('Release');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_OWNER, 'Release');
  end;
  L.Free;
  D.Free;
end;

{$IFDEF UNIX}
procedure TestKeep;
var
  D: TShareMemDict;
  O: TShareMemDictOptions;
begin
  O := ShareMemDictDefaults;
  O.Share := [smKeep];
  D := TShareMemDict.CreateWith(Name, O, Room);
  D['k'] := 'kept';
  Check(D.PollFd >= 0, 'PollFd');
  D.Free;
  D := TShareMemDict.OpenExisting(Name);
  Check(D['k'] = 'kept', 'what was kept');
  D.Free;
  Check(TShareMemDict.Unlink(Name), 'Unlink');
  Check(not TShareMemDict.Unlink(Name), 'Unlink twice');
end;

function Child: Boolean;
begin
  Inherited_['child'] := 'was here';
  Result := Inherited_['parent'] = 'too';
  Check(Inherited_.Lock('job', 0) = nil, 'the child has its parent''s lock');
  InheritedLock.Free;
  Inherited_.Free;
end;

procedure TestFork;
var
  D: TShareMemDict;
begin
  D := Dict;
  Inherited_ := Dict;
  Inherited_['parent'] := 'too';
  InheritedLock := Inherited_.Lock('job');
  InChild(@Child, 'Put');
  Check(D['child'] = 'was here', 'what the child put');
  Check(D.Lock('job', 0) = nil, 'the child gives its parent''s lock back');
  InheritedLock.Release;
  Inherited_.Free;
  D.Free;
end;
{$ENDIF}

procedure Role(const What: string);
var
  D: TShareMemDict;
begin
  D := TShareMemDict.OpenExisting(Base);
  if What = 'put' then
    D['k'] := 'v'
  else if D.Lock('job', Long) = nil then
    Halt(1);
  Halt(0); // without closing: dead
end;

begin
  Base := ParamStr(1);
  if ParamCount > 1 then
    Role(ParamStr(2));
  Run('Records', @TestRecords);
  Run('Conditions', @TestConditions);
  Run('Counters', @TestCounters);
  Run('Walk', @TestWalk);
  Run('Changes', @TestChanges);
  Run('Waiting', @TestWaiting);
  Run('Locks', @TestLocks);
  Run('OwnerDied', @TestOwnerDied);
  Run('Options', @TestOptions);
  Run('Secret', @TestSecret);
  Run('Files', @TestFiles);
  Run('Refusals', @TestRefusals);
  Run('BadKeys', @TestBadKeys);
  Run('Closed', @TestClosed);
  {$IFDEF UNIX}
  Run('Keep', @TestKeep);
  Run('Fork', @TestFork);
  {$ENDIF}
  Finish;
end.
