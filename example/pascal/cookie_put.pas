{ SPDX-License-Identifier: MIT

  Puts cookies into a jar that several processes share, and stays until Enter: the jar lives with its users.

      cookie_put JAR NAME=VALUE...

  A jar is a share with the length of a text in its first four bytes, and then the text, a cookie a line. It
  is atomic: a program that dies while it writes, or raises because there is no room, leaves it as it was. }
program cookie_put;

{$H+}

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream;

{ The jar's cookies. Call it with the lock held. }
procedure Load(Jar: TShareMemStream; Cookies: TStringList);
var
  Text: TMemoryStream;
  Count: Integer;
begin
  Text := TMemoryStream.Create;
  try
    Jar.Position := 0;
    Jar.ReadBuffer(Count, SizeOf(Count));
    if Count > 0 then
      Text.CopyFrom(Jar, Count);
    Text.Position := 0;
    Cookies.LoadFromStream(Text);
  finally
    Text.Free;
  end;
end;

{ Raises EWriteError if they do not fit. }
procedure Save(Jar: TShareMemStream; Cookies: TStringList);
var
  Count: Integer;
begin
  Jar.Position := SizeOf(Count);
  Cookies.SaveToStream(Jar);
  Count := Integer(Jar.Position) - SizeOf(Count);
  Jar.Position := 0;
  Jar.WriteBuffer(Count, SizeOf(Count));
end;

procedure Put(Jar: TShareMemStream);
var
  Cookies: TStringList;
  I, Equals: Integer;
begin
  Cookies := TStringList.Create;
  try
    Load(Jar, Cookies);
    for I := 2 to ParamCount do
    begin
      Equals := Pos('=', ParamStr(I));
      Cookies.Values[Copy(ParamStr(I), 1, Equals - 1)] := Copy(ParamStr(I), Equals + 1, MaxInt);
    end;
    Save(Jar, Cookies);
    Writeln(Cookies.Count, ' cookies in the jar');
  finally
    Cookies.Free;
  end;
end;

var
  Jar: TShareMemStream;
begin
  Jar := TShareMemStream.CreateWith(ParamStr(1), [smAtomic], 65536);
  try
    if (Jar.Memory = nil) or not Jar.GetLock(5000) then
    begin
      Writeln(ParamStr(1), ': ', Jar.ErrorText(Jar.ErrorCode));
      Halt(1);
    end;
    try
      Put(Jar);
    except
      if not Jar.Rollback then
        Jar.ReleaseLock;
      raise;
    end;
    Jar.ReleaseLock;
    Flush(Output);
    Readln;
  finally
    Jar.Free;
  end;
end.
