{ SPDX-License-Identifier: MIT

  What channel_test.pas and dict_test.pas have in common. }
unit checks;

{$H+}

interface

uses
  {$IFDEF UNIX} BaseUnix, Unix, {$ENDIF}
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, ShareMemoryStream;

const
  Short = 20; // milliseconds: for what does not come
  Long = 60000; // for what will come

type
  TFunctionOfChild = function: Boolean;

var
  Base: string; // of all names
  Test: string;
  Failures: Integer;

procedure Check(Good: Boolean; const What: string);
{ In an except block: the exception is an EShareMem with that code. }
procedure CheckCode(E: Exception; Code: Integer; const What: string);
{ After what should have raised. }
procedure NotRaised(const What: string);
function Name: string;
{ Another process of this program does Role; its Name is this one's. }
procedure Other(const Role: string);
function Bytes(const Values: array of Byte): TBytes;
function Same(const A, B: TBytes): Boolean;
{$IFDEF UNIX}
{ A child of fork calls Work, which is to raise nothing and to give True. }
procedure InChild(Work: TFunctionOfChild; const What: string);
{$ENDIF}
procedure Run(const What: string; Work: TProcedure);
procedure Finish;

implementation

procedure Check(Good: Boolean; const What: string);
begin
  if Good then
    Exit;
  Writeln('FAIL: ', Test, ': ', What);
  Flush(Output);
  Inc(Failures);
end;

procedure CheckCode(E: Exception; Code: Integer; const What: string);
begin
  if E is EShareMem then
    Check(EShareMem(E).Code = Code, What + ' raises ' + E.Message)
  else
    Check(False, What + ' raises ' + string(E.ClassName) + ': ' + E.Message);
end;

procedure NotRaised(const What: string);
begin
  Check(False, What + ' raises nothing');
end;

function Name: string;
begin
  Result := Base + '-' + Test;
end;

procedure Other(const Role: string);
begin
  Check(ExecuteProcess(ParamStr(0), [Name, Role]) = 0, 'the process that is to ' + Role);
end;

function Bytes(const Values: array of Byte): TBytes;
var
  I: Integer;
begin
  Result := nil;
  SetLength(Result, Length(Values));
  for I := 0 to High(Values) do
    Result[I] := Values[I];
end;

function Same(const A, B: TBytes): Boolean;
begin
  Result := (Length(A) = Length(B)) and CompareMem(Pointer(A), Pointer(B), Length(A));
end;

{$IFDEF UNIX}
procedure InChild(Work: TFunctionOfChild; const What: string);
var
  Child: TPid;
  Good: Boolean;
  Before: Integer;
begin
  Before := Failures;
  Child := FpFork;
  if Child = 0 then
  begin
    try
      Good := Work() and (Failures = Before);
    except
      on E: Exception do
      begin
        Check(False, What + ' in a child: ' + E.Message);
        Good := False;
      end;
    end;
    FpExit(Ord(not Good));
  end;
  Check((Child > 0) and (WaitProcess(Child) = 0), What + ' in a child of fork');
end;
{$ENDIF}

procedure Run(const What: string; Work: TProcedure);
begin
  Test := What;
  try
    Work();
  except
    on E: Exception do
      Check(False, 'raises ' + E.Message);
  end;
end;

procedure Finish;
begin
  Writeln(Failures, ' failures');
  Halt(Ord(Failures > 0));
end;

end.
