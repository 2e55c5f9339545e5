{ SPDX-License-Identifier: MIT

  Lists the cookies of a jar that cookie_put fills, and with each change lists them again, COUNT times in all.
  It neither makes the jar, nor writes into it, nor delays who does.

      cookie_list JAR [COUNT] }
program cookie_list;

{$H+}

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream;

{ One moment of the jar, without the lock. False: it cannot be had now. }
function Look(Jar: TShareMemStream; Cookies: TStringList): Boolean;
var
  Moment: TMemoryStream;
  Count: Integer;
begin
  Moment := TMemoryStream.Create;
  try
    Moment.Size := Jar.Size;
    Result := Jar.Snapshot(0, Moment.Memory^, Moment.Size) = Moment.Size;
    if not Result then
      Exit;
    Moment.ReadBuffer(Count, SizeOf(Count));
    if (Count < 0) or (Count > Moment.Size - SizeOf(Count)) then
      Count := 0; // whoever may write the jar may have written anything
    Moment.Size := SizeOf(Count) + Count;
    Cookies.LoadFromStream(Moment);
  finally
    Moment.Free;
  end;
end;

var
  Jar: TShareMemStream;
  Cookies: TStringList;
  Seen: Int64;
  I, Times: Integer;
begin
  Times := StrToIntDef(ParamStr(2), 1);
  Cookies := TStringList.Create;
  Jar := TShareMemStream.OpenExisting(ParamStr(1), FILE_MAP_READ);
  try
    if Jar.Memory = nil then
    begin
      Writeln(ParamStr(1), ': ', Jar.ErrorText(Jar.ErrorCode));
      Halt(1);
    end;
    Seen := Jar.Version;
    while Times > 0 do
    begin
      if Look(Jar, Cookies) then
        for I := 0 to Cookies.Count - 1 do
          Writeln(Cookies[I]);
      Writeln('--');
      Flush(Output);
      Dec(Times);
      if Times > 0 then
        Jar.WaitForChange(Seen);
    end;
  finally
    Jar.Free;
    Cookies.Free;
  end;
end.
