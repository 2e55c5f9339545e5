{ SPDX-License-Identifier: MIT

  As count.c. }
program count;

{$H+}

uses
  SysUtils, ShareMemoryStream, ShareMemoryChannel, ShareMemoryDict;

var
  Stream: TShareMemStream;
  Channel: TShareMemChannel;
  Dict: TShareMemDict;
  I, Slot: Integer;
  All, Mine: Int64;

function Get(At: Int64): Int64;
begin
  Result := 0;
  if Stream.ReadAt(At, Result, SizeOf(Result)) <> SizeOf(Result) then
    Halt(1);
end;

procedure Put(At, N: Int64);
begin
  if Stream.WriteAt(At, N, SizeOf(N)) <> SizeOf(N) then
    Halt(1);
end;

begin
  Stream := TShareMemStream.OpenExisting(ParamStr(1) + '-s');
  Channel := TShareMemChannel.OpenExisting(ParamStr(1) + '-c', srSend);
  Dict := TShareMemDict.OpenExisting(ParamStr(1) + '-d');
  Slot := 8 * StrToInt(ParamStr(3));
  Writeln('open');
  Flush(Output);
  Readln;
  for I := 1 to StrToInt(ParamStr(4)) do
  begin
    if not Stream.GetLock then
      Halt(1);
    All := Get(0);
    Mine := Get(Slot);
    Dict.Add(ParamStr(2));
    Dict.Add('all');
    Put(0, All + 1);
    Put(Slot, Mine + 1);
    Stream.ReleaseLock;
    Channel.Send(ParamStr(2));
  end;
  Channel.Free;
  Dict.Free;
  Stream.Free;
end.
