{ SPDX-License-Identifier: MIT

  One party of a test with two: peer NAME ROLE [NUMBER]. peer.c speaks the same way. It uses nothing but what
  the old class has (with OURS defined: and OwnerDied), so it is compiled against that class, too.

      stay        opens, says so; at the end of its input says what was counted
      count N     adds 1 to the counter, N times, each time under the lock
      hold        takes the lock, says so; at the end of its input gives it back
      die         takes the lock, writes half of a pair, says so, waits to be killed
      try MS      tries to take the lock, and says what came of it; if it has it, repairs the pair
      put N       writes N after the counter
      get         says what is there
      window N    opens N bytes, and says how many it has
      release     releases the lock, which it does not hold

  A NAME that ends in * stands for one of 1000 characters, one that ends in ? has some in Chinese. }
program peer;

{$H+}

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream;

const
  ShareSize = 4096;

type
  TShared = record
    Counter, Number: Int64;
    Pair: array [0 .. 1] of Int64;
  end;

var
  S: TShareMemStream;
  Shared: ^TShared;

procedure Say(const Words: string);
begin
  Write(Words, #10); // on each system the same
  Flush(Output);
end;

procedure AwaitEnd;
begin
  while not Eof do
    Readln;
end;

procedure Lock;
begin
  if S.GetLock(60000) then
    Exit;
  Say('no lock');
  Halt(1);
end;

procedure Count(Rounds: Integer);
var
  Before: Int64;
begin
  while Rounds > 0 do
  begin
    Lock;
    Before := Shared^.Counter;
    Shared^.Number := Rounds; // a little time between reading and writing
    Shared^.Counter := Before + 1;
    S.ReleaseLock;
    Dec(Rounds);
  end;
end;

procedure TryLock(Milliseconds: Integer);
begin
  if not S.GetLock(Milliseconds) then
  begin
    Say('timed out');
    Exit;
  end;
  {$IFDEF OURS}
  if S.OwnerDied then
    Say('died, ' + IntToStr(Shared^.Pair[0] - Shared^.Pair[1]))
  else
  {$ENDIF}
    Say('got it');
  Shared^.Pair[0] := Shared^.Pair[1];
  {$IFDEF OURS}
  S.Repaired;
  {$ENDIF}
  S.ReleaseLock;
end;

procedure Play(const Role: string; Number: Int64);
begin
  if Role = 'stay' then
  begin
    Say('open');
    AwaitEnd;
    Say(IntToStr(Shared^.Counter));
  end
  else if Role = 'count' then
    Count(Number)
  else if Role = 'hold' then
  begin
    Lock;
    Say('held');
    AwaitEnd;
    S.ReleaseLock;
  end
  else if Role = 'die' then
  begin
    Lock;
    Inc(Shared^.Pair[0]);
    Say('held');
    AwaitEnd;
    while True do
      Sleep(1000);
  end
  else if Role = 'try' then
    TryLock(Number)
  else if Role = 'release' then
    S.ReleaseLock
  else if Role = 'put' then
    Shared^.Number := Number
  else if Role = 'get' then
    Say(IntToStr(Shared^.Number))
  else
    Halt(2);
end;

{ Some characters do not come through the command line of every system. }
function ShareName: string;
begin
  Result := ParamStr(1);
  case Result[Length(Result)] of
    '*': Result := Result + StringOfChar('x', 1000 - Length(Result));
    {$IFDEF UNICODE}
    '?': Result := Copy(Result, 1, Length(Result) - 1) + #$4E2D#$6587;
    {$ELSE}
    '?': Result := Copy(Result, 1, Length(Result) - 1) + #$E4#$B8#$AD#$E6#$96#$87; // the same in UTF-8
    {$ENDIF}
  end;
end;

procedure Window(Wanted: Int64);
begin
  S := TShareMemStream.Create(ShareName, FILE_MAP_ALL_ACCESS, Wanted);
  if S.Memory = nil then
    Say('none')
  else
    Say(IntToStr(S.Size));
  S.Free;
end;

begin
  if ParamStr(2) = 'window' then
  begin
    Window(StrToInt64(ParamStr(3)));
    Exit;
  end;
  S := TShareMemStream.Create(ShareName, FILE_MAP_ALL_ACCESS, ShareSize);
  Shared := S.Memory;
  if Shared = nil then
  begin
    Say('no memory');
    Halt(1);
  end;
  Play(ParamStr(2), StrToInt64Def(ParamStr(3), 0));
  S.Free;
end.
