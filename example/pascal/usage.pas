{ SPDX-License-Identifier: MIT

  Usage: what programs that use TShareMemStream do, and have always done, filled in. Each run adds a visit. }
program usage;

{$H+}

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  Classes, ShareMemoryStream;

var
  ms: TShareMemStream;
  Visits: Integer;
begin
  ms := TShareMemStream.Create('Global\test', FILE_MAP_ALL_ACCESS, 4096);
  if (ms.Memory <> nil) (* and (ms.AlreadyExists) *) then
  begin
    if ms.GetLock(INFINITE) then
    begin
      ms.read(Visits, SizeOf(Visits));
      Inc(Visits);
      ms.Position := 0;
      ms.write(Visits, SizeOf(Visits));
      ms.ReleaseLock();
      Writeln('visit ', Visits);
    end;
  end;
  Flush(Output);
  Readln; // the share lives as long as somebody has it open
  ms.free;
end.
