{ SPDX-License-Identifier: MIT

  What a program sees of TShareMemStream, a line each: "[tag] question: answer". It uses nothing but what the
  old class has, so it is compiled against that class, too, and the transcripts are compared (run.sh, and
  test/windows/pascal). [keep] lines must be the same; [mend] lines show a defect of the old class, and must
  differ.

      behaviour NAME            the script; NAME makes its shares its own
      behaviour NAME ROLE       a second process }
program behaviour;

{$H+}

uses
  {$IFDEF UNIX} cthreads, {$ENDIF}
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream;

const
  Page = 4096;
  Short = 20; // milliseconds: for a lock that stays taken
  Long = 60000; // for one that will be given

var
  Base: string;
  Part: Integer;

function Name: string;
begin
  Result := Base + '-' + IntToStr(Part);
end;

procedure Say(const Question, Answer: string);
begin
  Writeln(Question, ': ', Answer);
  Flush(Output);
end;

procedure SayBool(const Question: string; Answer: Boolean);
begin
  if Answer then
    Say(Question, 'yes')
  else
    Say(Question, 'no');
end;

procedure SayInt(const Question: string; Answer: Int64);
begin
  Say(Question, IntToStr(Answer));
end;

function Share(ASize: Int64; Access: DWORD = FILE_MAP_ALL_ACCESS): TShareMemStream;
begin
  Result := TShareMemStream.Create(Name, Access, ASize);
end;

{ What another process, which runs this program in a role, ends with. }
function Other(const Role: string): Integer;
begin
  Result := ExecuteProcess(ParamStr(0), [Name, Role]);
end;

function ByteAt(S: TShareMemStream; At: Integer): Integer;
var
  B: Byte;
begin
  B := 0;
  S.Position := At;
  if S.Read(B, 1) = 1 then
    Result := B
  else
    Result := -1;
end;

function WriteByteAt(S: TShareMemStream; At: Int64; B: Byte): Integer;
begin
  S.Position := At;
  Result := S.Write(B, 1);
end;

procedure Opening;
var
  A, B: TShareMemStream;
begin
  A := Share(Page);
  SayBool('[keep 6] created', A.Memory <> nil);
  SayBool('[keep 6] a new one exists already', A.AlreadyExists);
  SayInt('[keep 1] its bytes are', ByteAt(A, 0) + ByteAt(A, Page - 1));
  SayInt('[keep 7] its size is', A.Size);
  B := Share(100);
  SayBool('[keep 7] a smaller window works', B.Memory <> nil);
  SayBool('[keep 6] the second exists already', B.AlreadyExists);
  SayInt('[keep 7] its size is what was asked', B.Size);
  WriteByteAt(A, 7, 77);
  SayInt('[keep 1] the second sees what the first wrote', ByteAt(B, 7));
  SayInt('[keep 1] it lies in memory where it was put', PByte(B.Memory)[7]);
  SayInt('[keep 8] positions are apart, the first', A.Position);
  SayInt('[keep 8] and the second', B.Position + ByteAt(B, 50) * 0);
  B.Free;
  B := Share(2 * Page);
  SayBool('[keep 7] a larger window works', B.Memory <> nil);
  SayBool('[keep 6] it exists already nevertheless', B.AlreadyExists);
  SayBool('[keep 9] and can be locked', B.GetLock(Short));
  SayBool('[keep 9] which locks the first out', not A.GetLock(Short));
  B.ReleaseLock;
  SayBool('[keep 9] until it is released', A.GetLock(Long));
  A.ReleaseLock;
  B.Free;
  A.Free;
  A := TShareMemStream.Create(Name);
  SayInt('[keep 6] size by default', A.Size);
  SayBool('[keep 5] all is new after the last close', not A.AlreadyExists);
  SayInt('[keep 5] and zero', ByteAt(A, 7));
  A.Free;
  A := Share(0);
  SayBool('[keep 7] size 0 works', A.Memory <> nil);
  A.Free;
  A := Share(Page, FILE_MAP_ALL_ACCESS or SECTION_MAP_EXECUTE);
  SayBool('[keep 7] SECTION_MAP_EXECUTE is left out', A.Memory <> nil);
  A.Free;
end;

procedure Names;

  { Whether a share of that name works, and is another than the one that stays open. }
  procedure Try1(const Question, AName: string);
  var
    S: TShareMemStream;
  begin
    S := TShareMemStream.Create(AName, FILE_MAP_ALL_ACCESS, Page);
    if S.Memory = nil then
      Say(Question, 'fails')
    else if S.AlreadyExists then
      Say(Question, 'the same')
    else if not S.GetLock(Long) then
      Say(Question, 'works, but for the lock')
    else
      Say(Question, 'another');
    if S.Memory <> nil then
      S.ReleaseLock;
    S.Free;
  end;

var
  A: TShareMemStream;
begin
  A := Share(Page);
  Try1('[keep 3] the same name', Name);
  Try1('[keep 3] the name in Local\', 'Local\' + Name);
  Try1('[keep 3] the name in Global\', 'Global\' + Name);
  Try1('[keep 3] the name in capitals', UpperCase(Name));
  Try1('[keep 3] another backslash', Name + '\x');
  Try1('[keep 3] with / and a space and : and *', Name + '/ :*');
  Try1('[keep 3, not on Linux] of 200 characters more', Name + StringOfChar('x', 200));
  Try1('[mend 16] the empty name', '');
  A.Free;
end;

procedure Access;
var
  A, B: TShareMemStream;
begin
  A := Share(Page);
  WriteByteAt(A, 0, 5);
  B := Share(Page, FILE_MAP_READ);
  SayBool('[keep 8] a reader opens', B.Memory <> nil);
  SayInt('[keep 8] and reads', ByteAt(B, 0));
  SayBool('[keep 8] and locks', B.GetLock(Long));
  SayBool('[keep 8] so that the first cannot', not A.GetLock(Short));
  B.ReleaseLock;
  B.Free;
  B := Share(Page, FILE_MAP_WRITE);
  SayInt('[keep 8] a writer writes', WriteByteAt(B, 1, 6));
  SayInt('[keep 8] and reads', ByteAt(B, 0));
  SayInt('[keep 1] and the first sees it', ByteAt(A, 1));
  B.Free;
  B := Share(Page, FILE_MAP_READ or $20);
  SayBool('[mend 11] FILE_MAP_EXECUTE works', B.Memory <> nil);
  B.Free;
  B := Share(Page, FILE_MAP_READ);
  try
    SayInt('[mend 9] a reader writes', WriteByteAt(B, 0, 9));
  except
    on E: Exception do
      Say('[mend 9] a reader writes', E.ClassName);
  end;
  SayInt('[keep 8] the byte is what it was', ByteAt(A, 0));
  B.Free;
  A.Free;
end;

type
  TReleaser = class(TThread)
    Stream: TShareMemStream;
    procedure Execute; override;
  end;

procedure TReleaser.Execute;
begin
  Stream.ReleaseLock;
end;

procedure Locking;
var
  A, B: TShareMemStream;
  T: TReleaser;
begin
  A := Share(Page);
  B := Share(Page);
  SayBool('[keep 9] the lock is free at first', A.GetLock());
  SayBool('[keep 9] and then taken for another object', not B.GetLock(Short));
  SayBool('[keep 9] at once, too', not B.GetLock(0));
  SayBool('[keep 9] and for the same object', not A.GetLock(Short));
  SayBool('[keep 9] and for another process', Other('try') = 1);
  A.ReleaseLock;
  SayBool('[keep 9] released, another process gets it', Other('try') = 0);
  A.ReleaseLock;
  A.ReleaseLock;
  SayBool('[keep 9] released three times, one gets it', A.GetLock(Long));
  SayBool('[keep 9] and only one', not B.GetLock(Short));
  T := TReleaser.Create(True);
  T.Stream := A;
  T.Start;
  T.WaitFor;
  T.Free;
  SayBool('[keep 9] another thread may release', B.GetLock(Long));
  A.ReleaseLock;
  SayBool('[mend 2] an object releases what another holds', A.GetLock(Short));
  A.ReleaseLock;
  B.ReleaseLock;
  A.GetLock(Long);
  A.Free;
  A := Share(Page);
  SayBool('[mend 1] the holder was freed: the next one gets the lock', A.GetLock(Short));
  A.ReleaseLock;
  B.ReleaseLock;
  SayInt('[keep 9] a process ends holding the lock', Other('die'));
  SayInt('[keep 5] what it wrote stays', ByteAt(A, 3));
  SayBool('[mend 1] the next one gets the lock', A.GetLock(Short));
  A.ReleaseLock;
  B.Free;
  A.Free;
  A := Share(Page);
  SayBool('[keep 5] after the last close the lock is free', A.GetLock(Long));
  A.ReleaseLock;
  A.Free;
end;

procedure Streaming;
var
  A: TShareMemStream;
  M: TMemoryStream;
  Bytes: array [0 .. 199] of Byte;
  I: Integer;
begin
  A := Share(100);
  for I := 0 to 199 do
    Bytes[I] := I;
  SayInt('[keep 10] a write that fits', A.Write(Bytes, 100));
  SayInt('[keep 10] moves the position', A.Position);
  A.Position := 95;
  SayInt('[keep 10] one that does not fit', A.Write(Bytes, 6));
  SayInt('[keep 10] leaves the position', A.Position);
  SayInt('[keep 10] and the bytes', ByteAt(A, 95));
  A.Position := 95;
  try
    A.WriteBuffer(Bytes, 6);
    Say('[keep 10] WriteBuffer', 'goes on');
  except
    on E: Exception do
      Say('[keep 10] WriteBuffer', E.ClassName);
  end;
  A.Position := 10;
  SayInt('[keep 10] a write from within', A.Write(PByte(A.Memory)[0], 50));
  SayInt('[keep 10] that overlaps', ByteAt(A, 10) * 1000000 + ByteAt(A, 30) * 1000 + ByteAt(A, 59));
  A.Position := 95;
  SayInt('[keep 11] a read at the end', A.Read(Bytes, 10));
  SayInt('[keep 11] moves there', A.Position);
  SayInt('[keep 11] one more', A.Read(Bytes, 10));
  A.Position := 95;
  try
    A.ReadBuffer(Bytes, 10);
    Say('[keep 11] ReadBuffer', 'goes on');
  except
    on E: Exception do
      Say('[keep 11] ReadBuffer', E.ClassName);
  end;
  SayInt('[keep 11] has moved', A.Position);
  SayInt('[keep 12] past the end', A.Seek(50, soFromEnd));
  SayInt('[keep 11] a read there', A.Read(Bytes, 1));
  SayInt('[keep 10] a write there', A.Write(Bytes, 1));
  SayInt('[keep 12] before the start', A.Seek(Int64(-160), soCurrent));
  SayInt('[keep 11] a read there', A.Read(Bytes, 1));
  SayInt('[keep 12] the position', A.Position);
  A.Size := 7;
  SayInt('[keep 12] the size cannot be set', A.Size);
  A.Position := 33;
  M := TMemoryStream.Create;
  A.SaveToStream(M);
  SayInt('[keep 13] saved', M.Size);
  SayInt('[keep 13] from the start', PByte(M.Memory)[9]);
  SayInt('[keep 13] the position stays', A.Position);
  A.Position := 0;
  SayInt('[keep 13] copied from a stream', A.CopyFrom(M, 0));
  A.Position := 40;
  try
    SayInt('[keep 13] copied where it does not fit', A.CopyFrom(M, 0));
  except
    on E: Exception do
      Say('[keep 13] copied where it does not fit', E.ClassName);
  end;
  M.Free;
  A.Position := 0;
  A.WriteDWord(305419896);
  A.WriteAnsiString('cookie');
  A.Position := 0;
  SayInt('[keep 13] typed writes are inherited', A.ReadDWord);
  Say('[keep 13] typed reads, too', A.ReadAnsiString);
  A.Position := 20;
  A.Write(Bytes, -5);
  SayInt('[mend 12] after a negative count the position is', A.Position);
  A.Free;
end;

procedure Refused;
var
  A, B: TShareMemStream;
  M: TMemoryStream;

  procedure Try1(const Question: string; What: Integer);
  var
    Bytes: array [0 .. 7] of Byte;
  begin
    B.Position := 0;
    try
      case What of
        0: SayInt(Question, B.Read(Bytes, 8));
        1: SayInt(Question, B.Write(Bytes, 8));
        2: B.WriteBuffer(Bytes, 8);
        3: begin
          B.SaveToStream(M);
          SayInt(Question, M.Size);
        end;
      end;
    except
      on E: Exception do
        Say(Question, E.ClassName);
    end;
  end;

begin
  A := Share(Page);
  B := Share(2 * Page);
  M := TMemoryStream.Create;
  FillChar(A.Memory^, Page, 1);
  SayInt('[mend 5] the size of a refused view', B.Size);
  Try1('[mend 5] Read', 0);
  Try1('[mend 5] Write', 1);
  Try1('[mend 5] WriteBuffer', 2);
  Try1('[mend 5] SaveToStream', 3);
  M.Free;
  B.Free;
  A.Free;
end;

procedure Large;
var
  A: TShareMemStream;
  B: Byte;
begin
  A := Share(Int64(1) shl 32);
  SayBool('[keep 6] 4 GiB are there', A.Memory <> nil);
  SayInt('[mend 6] of size', A.Size);
  B := 8;
  A.Position := (Int64(1) shl 32) - 1;
  SayInt('[mend 6] written in the last byte', A.Write(B, 1));
  A.Free;
  A := Share((Int64(1) shl 32) + Page);
  SayInt('[mend 6] 4 GiB and a page are', A.Size);
  A.Free;
end;

{ The last one, since the old class may spoil what lies there. }
procedure BeforeTheStart;
var
  A: TShareMemStream;
begin
  A := Share(100);
  try
    SayInt('[mend 12] a write before the start', WriteByteAt(A, -100, 1));
  except
    on E: Exception do
      Say('[mend 12] a write before the start', E.ClassName);
  end;
  A.Free;
end;

procedure Role(const What: string);
var
  S: TShareMemStream;
begin
  S := TShareMemStream.Create(Base, FILE_MAP_ALL_ACCESS, Page);
  if What = 'try' then
  begin
    if not S.GetLock(Short) then
      Halt(1);
    S.ReleaseLock;
  end;
  if What = 'die' then
  begin
    if not S.GetLock(Long) then
      Halt(1);
    WriteByteAt(S, 3, 33);
    Halt(0);
  end;
  S.Free;
end;

begin
  Base := ParamStr(1);
  {$IFDEF OURS}
  TShareMemStream.DefaultOptions := [smSparse]; // 4 GiB need not be there
  {$ENDIF}
  if ParamCount > 1 then
  begin
    Role(ParamStr(2));
    Exit;
  end;
  Part := 1;
  Opening;
  Inc(Part);
  Names;
  Inc(Part);
  Access;
  Inc(Part);
  Locking;
  Inc(Part);
  Streaming;
  Inc(Part);
  Refused;
  Inc(Part);
  Large;
  Inc(Part);
  BeforeTheStart;
end.
