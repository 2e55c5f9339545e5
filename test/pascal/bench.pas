{ SPDX-License-Identifier: MIT

  What the unit costs more than the library: bench NAME prints, for lock and unlock that nobody else wants,
  the median of interleaved rounds in C (bench_rounds.c, linked to this program) and in Pascal. }
program bench;

{$H+}

uses
  SysUtils, Classes, ShareMemoryStream;

const
  Rounds = 21;
  Turns = 500000;

type
  TRounds = array [1 .. Rounds] of Double;

{$L bench_rounds.o}
{$LINKLIB c}
function now_ns: Int64; cdecl; external;
procedure lock_in_c(Stream: Pointer; Count: Int64); cdecl; external;

function Median(var Ns: TRounds): Double;
var
  I, J: Integer;
  Other: Double;
begin
  for I := 1 to Rounds do
    for J := I + 1 to Rounds do
      if Ns[J] < Ns[I] then
      begin
        Other := Ns[I];
        Ns[I] := Ns[J];
        Ns[J] := Other;
      end;
  Result := Ns[(Rounds + 1) div 2];
end;

procedure LockInPascal(S: TShareMemStream; Count: Int64);
begin
  while Count > 0 do
  begin
    S.GetLock(INFINITE);
    S.ReleaseLock;
    Dec(Count);
  end;
end;

var
  S: TShareMemStream;
  InC, InPascal: TRounds;
  I: Integer;
  Start: Int64;
begin
  S := TShareMemStream.Create(ParamStr(1), FILE_MAP_ALL_ACCESS, 4096);
  for I := 1 to Rounds do
  begin
    Start := now_ns;
    lock_in_c(S.Handle, Turns);
    InC[I] := (now_ns - Start) / Turns;
    Start := now_ns;
    LockInPascal(S, Turns);
    InPascal[I] := (now_ns - Start) / Turns;
  end;
  S.Free;
  Writeln(Format('lock+unlock in C: %.1f ns; GetLock+ReleaseLock: %.1f ns; more: %.1f ns',
    [Median(InC), Median(InPascal), Median(InPascal) - Median(InC)]));
end.
