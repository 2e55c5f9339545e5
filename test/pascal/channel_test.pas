{ SPDX-License-Identifier: MIT

  TShareMemChannel.

      channel_test NAME            all tests; NAME makes its channels its own
      channel_test NAME ROLE       a second process }
program channel_test;

{$H+}

uses
  {$IFDEF UNIX} cthreads, {$ENDIF}
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, Classes, ShareMemoryStream, ShareMemoryChannel, checks;

const
  Ring = 4096;

type
  { Work for Fill and Take. }
  TWorker = class
    Fails: Boolean;
    Seen: TBytes;
    procedure Fill(Room: Pointer; var Count: NativeInt);
    procedure Take(Message: Pointer; Count: NativeInt);
  end;

  TWaiter = class(TThread)
  public
    Got, Ended: Boolean;
    Done: Boolean;
    procedure Execute; override;
  end;

var
  Inherited_: TShareMemChannel; // for a child of fork
  Base_: string; // for a thread

function Sender: TShareMemChannel;
begin
  Result := TShareMemChannel.Create(Name, srSend, Ring);
end;

function Receiver: TShareMemChannel;
begin
  Result := TShareMemChannel.Create(Name, srReceive, Ring);
end;

procedure TWorker.Fill(Room: Pointer; var Count: NativeInt);
begin
  PByte(Room)^ := 7;
  Count := 1;
  if Fails then
    raise EMathError.Create('Fill');
end;

procedure TWorker.Take(Message: Pointer; Count: NativeInt);
begin
  SetLength(Seen, Count);
  Move(Message^, Pointer(Seen)^, Count);
  if Fails then
    raise EMathError.Create('Take');
end;

procedure TWaiter.Execute;
var
  C: TShareMemChannel;
  Text: string;
begin
  C := TShareMemChannel.Create(Base_, srReceive, Ring);
  Got := C.Receive(Text, Long);
  Ended := C.Ended;
  C.Free;
  Done := True;
end;

procedure TestMessages;
var
  S, R: TShareMemChannel;
  Message: TBytes;
  Text: string;
begin
  R := Receiver;
  S := Sender;
  Check(S.Send('hello'), 'Send');
  Check(S.Send(Bytes([1, 0, 255])), 'Send bytes');
  Check(S.Send('') and S.Send(nil), 'Send nothing');
  Check(R.Receive(Text) and (Text = 'hello'), 'text is ' + Text);
  Check(R.Receive(Message) and Same(Message, Bytes([1, 0, 255])), 'bytes');
  Check(R.Receive(Text) and (Text = ''), 'no text');
  Check(R.Receive(Message) and (Message = nil), 'no bytes');
  Check(R.Last.Size = 0, 'Last');
  Check((R.Info.Sent = 4) and (R.Info.Received = 4) and (R.Info.Capacity = Ring), 'Info');
  Check((R.Info.Senders = 1) and (R.Info.Receivers = 1), 'Info of members');
  S.Send('last');
  S.Free;
  Check(R.Receive(Text) and (Text = 'last') and not R.Ended, 'the last one');
  Check(not R.Receive(Text) and (Text = '') and R.Ended, 'the end');
  Check(not R.Receive(Message) and R.Ended, 'the end of bytes');
  S := Sender;
  Check(not R.Receive(Text, 0) and not R.Ended, 'a sender that comes later');
  S.Free;
  R.Free;
end;

procedure TestNamesAndTextOfAllScripts;
var
  S, R: TShareMemChannel;
  Text: string;
begin
  R := TShareMemChannel.Create(Name + '多个', srReceive, Ring);
  S := TShareMemChannel.OpenExisting(Name + '多个', srSend);
  S.Send('多个线程');
  Check(R.Receive(Text, Long) and (Text = '多个线程'), 'Chinese');
  S.Free;
  R.Free;
end;

procedure TestTimeOuts;
var
  S, R: TShareMemChannel;
  Message: TBytes;
  Sent: Integer;
begin
  R := Receiver;
  S := Sender;
  Check(not R.Receive(Message, 0) and not R.Ended, 'a try');
  Check(not R.Receive(Message, Short) and not R.Ended, 'a wait');
  SetLength(Message, 100);
  Sent := 0;
  while (Sent < Ring) and S.Send(Message, 0) do
    Inc(Sent);
  Check((Sent > 20) and (Sent < 41), 'a full ring takes ' + IntToStr(Sent));
  Check(not S.Send('x' + StringOfChar('y', 100), Short), 'a full ring has room');
  Check(not S.SendAll([Message, Message], 0), 'for two');
  Check(R.Receive(Message, 0) and R.Receive(Message, 0), 'Receive');
  while R.Receive(Message, 0) do
    Dec(Sent);
  Check(Sent = 2, 'as many come as went');
  Check(S.SendAll([Bytes([1]), nil, Bytes([3])]), 'SendAll');
  Check(R.Receive(Message) and Same(Message, Bytes([1])), 'one');
  Check(R.Receive(Message) and (Message = nil), 'two');
  Check(R.Receive(Message) and Same(Message, Bytes([3])), 'three');
  S.Free;
  R.Free;
end;

procedure TestFill;
var
  S, R: TShareMemChannel;
  W: TWorker;
  Message: TBytes;
begin
  R := Receiver;
  S := Sender;
  W := TWorker.Create;
  W.Fails := True;
  try
    S.Fill(10, {$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Fill);
    NotRaised('Fill');
  except
    on EMathError do
      ;
  end;
  Check(not R.Receive(Message, 0), 'what was given up is sent');
  Check(R.Info.Aborted = 1, 'Aborted');
  W.Fails := False;
  Check(S.Fill(10, {$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Fill), 'Fill after that');
  Check(R.Receive(Message, Long) and Same(Message, Bytes([7])), 'the message');
  W.Free;
  S.Free;
  R.Free;
end;

procedure TestTake;
var
  S, R: TShareMemChannel;
  W: TWorker;
begin
  R := Receiver;
  S := Sender;
  W := TWorker.Create;
  S.Send(Bytes([5]));
  W.Fails := True;
  try
    R.Take({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Take);
    NotRaised('Take');
  except
    on EMathError do
      ;
  end;
  W.Fails := False;
  W.Seen := nil;
  Check(R.Take({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Take, Long) and Same(W.Seen, Bytes([5])), 'it comes again');
  Check(R.Last.Tries = 1, 'Tries');
  Check(not R.Take({$IFDEF FPC_OBJFPC} @ {$ENDIF} W.Take, 0), 'and not a third time');
  W.Free;
  S.Free;
  R.Free;
end;

procedure TestInSteps;
var
  S, R: TShareMemChannel;
  Room, Message: Pointer;
  Count: NativeInt;
begin
  R := Receiver;
  S := Sender;
  Check(S.Reserve(8, Room) and (Room <> nil), 'Reserve');
  try
    S.Send('x');
    NotRaised('Send while something is reserved');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Send while something is reserved');
  end;
  try
    S.Commit(9);
    NotRaised('Commit of too much');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_RANGE, 'Commit of too much');
  end;
  try
    S.Commit(-1);
    NotRaised('Commit of -1');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_RANGE, 'Commit of -1');
  end;
  Int64(Room^) := 42;
  S.Commit(8);
  try
    S.Commit(8);
    NotRaised('Commit twice');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_OWNER, 'Commit twice');
  end;
  Check(R.Peek(Message, Count) and (Count = 8) and (Int64(Message^) = 42), 'Peek');
  R.GiveUp;
  Check(R.Peek(Message, Count, Long) and (Int64(Message^) = 42), 'Peek again');
  R.Release;
  try
    R.Release;
    NotRaised('Release twice');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_OWNER, 'Release twice');
  end;
  Check(not R.Peek(Message, Count, 0) and (Message = nil) and (Count = 0), 'nothing is left');
  S.Reserve(8, Room);
  S.Free; // which gives it up
  Check(not R.Peek(Message, Count, Long) and R.Ended, 'Free gives up');
  R.Free;
end;

procedure TestReceiverDies;
var
  S, R: TShareMemChannel;
  Text: string;
begin
  S := Sender;
  R := Receiver;
  S.Send('job');
  Other('peek');
  Check(R.Receive(Text, Long) and (Text = 'job') and (R.Last.Tries = 1), 'the job of one that died');
  S.Free;
  R.Free;
end;

procedure TestSenderDies;
var
  R: TShareMemChannel;
  Text: string;
begin
  R := Receiver;
  Other('send');
  Check(R.Receive(Text, Long) and (Text = 'sent'), 'what was sent before');
  try
    R.Receive(Text, Long);
    NotRaised('Receive');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_DIED, 'Receive');
  end;
  Check(not R.Ended, 'a death is an end');
  R.Free;
end;

procedure TestBroadcast;
var
  S, A, B: TShareMemChannel;
  Text: string;
begin
  S := TShareMemChannel.CreateWith(Name, srSend, ShareMemBroadcast, Ring);
  A := TShareMemChannel.CreateWith(Name, srReceive, ShareMemBroadcast, Ring);
  S.Send('one');
  S.Send('two');
  B := TShareMemChannel.OpenExisting(Name, srReceive, 1);
  Check(A.Receive(Text, Long) and (Text = 'one'), 'the first to A');
  Check(A.Receive(Text, Long) and (Text = 'two'), 'the second to A');
  Check(B.Receive(Text, Long) and (Text = 'two') and (B.Last.Number = 2), 'the last one to B');
  Check(not B.Receive(Text, 0), 'more for B');
  B.Free;
  B := TShareMemChannel.OpenExisting(Name, srReceive);
  Check(not B.Receive(Text, 0), 'history without asking');
  Check((S.Info.Kind = 1) and (S.Info.Receivers = 2), 'Info');
  try
    TShareMemChannel.Create(Name, srReceive, Ring).Free;
    NotRaised('a queue of that name');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'a queue of that name');
  end;
  S.Free;
  A.Free;
  B.Free;
end;

{ A receiver that reads nothing, of a broadcast that does not wait for it. }
procedure LeftBehind(Slow: TShareMemSlow);
var
  S, R: TShareMemChannel;
  Message: TBytes;
  I: Integer;
begin
  S := TShareMemChannel.CreateWith(Name, srSend, ShareMemBroadcast(Slow), Ring);
  R := TShareMemChannel.CreateWith(Name, srReceive, ShareMemBroadcast(Slow), Ring);
  SetLength(Message, 100);
  for I := 1 to 100 do
    Check(S.Send(Message, 0), 'Send waits');
  try
    R.Receive(Message, Long);
    NotRaised('Receive');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_MISSED, 'Receive');
  end;
  Check(R.Last.Missed > 0, 'Missed');
  Check(Slow = TShareMemSlow(R.Info.Slow), 'Info');
  S.Send('behind the gap');
  Check(R.Receive(Message, Long), 'it goes on');
  S.Free;
  R.Free;
end;

procedure TestDrop;
begin
  LeftBehind(slDrop);
end;

procedure TestExpel;
begin
  LeftBehind(slExpel);
end;

procedure TestBlock;
var
  S, R: TShareMemChannel;
  Message: TBytes;
  Sent: Integer;
begin
  S := TShareMemChannel.CreateWith(Name, srSend, ShareMemBroadcast, Ring);
  R := TShareMemChannel.CreateWith(Name, srReceive, ShareMemBroadcast, Ring);
  SetLength(Message, 100);
  Sent := 0;
  while (Sent < 100) and S.Send(Message, 0) do
    Inc(Sent);
  Check(Sent < 100, 'Send does not wait');
  while R.Receive(Message, 0) do
    Dec(Sent);
  Check(Sent = 0, 'each comes');
  S.Free;
  R.Free;
end;

procedure TestNotify;
var
  R: TShareMemChannel;
  W: TWaiter;
begin
  R := Sender;
  Base_ := Name;
  W := TWaiter.Create(False);
  while not W.Done do
  begin
    R.Notify;
    Sleep(1);
  end;
  W.WaitFor;
  Check(not W.Got and not W.Ended, 'the waiter got something');
  W.Free;
  R.Free;
end;

procedure TestOneEach;
var
  A, B: TShareMemChannel;
  O: TShareMemChannelOptions;
begin
  O := ShareMemQueue;
  O.OneSender := True;
  O.OneReceiver := True;
  A := TShareMemChannel.CreateWith(Name, srSend, O, Ring);
  try
    TShareMemChannel.CreateWith(Name, srSend, O, Ring).Free;
    NotRaised('a second sender');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_FULL, 'a second sender');
  end;
  B := TShareMemChannel.CreateWith(Name, srReceive, O, Ring);
  try
    TShareMemChannel.CreateWith(Name, srReceive, O, Ring).Free;
    NotRaised('a second receiver');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_FULL, 'a second receiver');
  end;
  A.Free;
  B.Free;
end;

procedure Refused(const AName: string; ASize: Int64; const O: TShareMemChannelOptions; Code: Integer;
  const What: string);
begin
  try
    TShareMemChannel.CreateWith(AName, srSend, O, ASize).Free;
    NotRaised(What);
  except
    on E: Exception do
      CheckCode(E, Code, What);
  end;
end;

procedure TestRefusals;
var
  O: TShareMemChannelOptions;
  C: TShareMemChannel;
  Stream: TShareMemStream;
begin
  O := ShareMemQueue;
  Refused('', Ring, O, SHMS_E_INVALID, 'no name');
  Refused(Name + #0 + 'x', Ring, O, SHMS_E_INVALID, 'a name with #0');
  Refused(Name, -1, O, SHMS_E_INVALID, 'size -1');
  Refused(Name, Low(Int64), O, SHMS_E_INVALID, 'the lowest size');
  Refused(Name, 0, O, SHMS_E_INVALID, 'size 0');
  Refused(Name, High(Int64), O, SHMS_E_INVALID, 'the highest size');
  O.Slow := slDrop;
  Refused(Name, Ring, O, SHMS_E_INVALID, 'a queue that drops');
  O := ShareMemBroadcast(slBlock, -1);
  Refused(Name, Ring, O, SHMS_E_INVALID, 'history -1');
  O.History := Int64(1) shl 32;
  Refused(Name, Ring, O, SHMS_E_INVALID, 'a history of 2^32');
  O := ShareMemQueue;
  O.Share := [smAtomic];
  Refused(Name, Ring, O, SHMS_E_INVALID, 'smAtomic');
  C := Sender;
  O.Share := [smCreateOnly];
  Refused(Name, Ring, O, SHMS_E_EXISTS, 'smCreateOnly');
  C.Free;
  try
    TShareMemChannel.OpenExisting(Name, srReceive).Free;
    NotRaised('OpenExisting');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_FOUND, 'OpenExisting');
  end;
  Stream := TShareMemStream.Create(Name, FILE_MAP_ALL_ACCESS, Ring);
  Refused(Name, Ring, ShareMemQueue, SHMS_E_KIND, 'a stream');
  Stream.Free;
  TShareMemStream.DefaultOptions := [smAtomic];
  C := Sender;
  C.Free;
  TShareMemStream.DefaultOptions := [];
end;

procedure TestBadArguments;
var
  S, R: TShareMemChannel;
  P: Pointer;
  N: NativeInt;
  B: Byte;
  Text: string;
begin
  R := Receiver;
  S := Sender;
  B := 0;
  try
    S.SendBuffer(B, -1);
    NotRaised('SendBuffer of -1');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'SendBuffer of -1');
  end;
  try
    S.Reserve(-1, P);
    NotRaised('Reserve of -1');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Reserve of -1');
  end;
  try
    S.Send(StringOfChar('x', Ring));
    NotRaised('a message as long as the ring');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_RANGE, 'a message as long as the ring');
  end;
  try
    R.Send('x');
    NotRaised('Send of a receiver');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Send of a receiver');
  end;
  try
    S.Receive(Text);
    NotRaised('Receive of a sender');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Receive of a sender');
  end;
  Check(R.Peek(P, N, 0) = False, 'something came of all that');
  Check((S.Send('x') and R.Receive(Text, Long)) and (Text = 'x'), 'both go on');
  S.Free;
  R.Free;
end;

{ Method I of a channel; False: there is none. }
function Call(C: TShareMemChannel; I: Integer): Boolean;
var
  P: Pointer;
  N: NativeInt;
  Text: string;
  Message: TBytes;
begin
  Result := True;
  case I of
    0: C.Send('x', 0);
    1: C.SendAll([nil], 0);
    2: C.Reserve(1, P, 0);
    3: C.Commit(1);
    4: C.Receive(Text, 0);
    5: C.Receive(Message, 0);
    6: C.Peek(P, N, 0);
    7: C.Release;
    8: C.GiveUp;
    9: C.Notify;
    10: C.Last;
    11: C.Info;
    12: C.PollFd;
    13: C.Fill(1, nil, 0);
    14: C.Take(nil, 0);
    15: C.Send(Bytes([1]), 0);
  else
    Result := False;
  end;
end;

procedure TestClosed;
var
  C: TShareMemChannel;
  I: Integer;
  More: Boolean;
begin
  C := Sender;
  C.Close;
  C.Close;
  Check(C.Handle = nil, 'Handle');
  I := 0;
  repeat
    More := True;
    try
      More := Call(C, I);
      if More then
        NotRaised('method ' + IntToStr(I));
    except
      on E: Exception do
        CheckCode(E, SHMS_E_INVALID, 'method ' + IntToStr(I));
    end;
    Inc(I);
  until not More;
  Check(I = 17, 'as many methods');
  C.Free;
end;

procedure TestLook;
var
  S, L: TShareMemChannel;
begin
  S := Sender;
  S.Send('x');
  L := TShareMemChannel.Create(Name, srLook);
  Check((L.Info.Sent = 1) and (L.Info.Senders = 1) and (L.Info.Receivers = 0), 'Info');
  try
    L.Send('x', 0);
    NotRaised('Send');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_INVALID, 'Send');
  end;
  L.Free;
  {$IFDEF UNIX}
  Check(S.PollFd >= 0, 'PollFd');
  {$ELSE}
  try
    S.PollFd;
    NotRaised('PollFd');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_UNSUPPORTED, 'PollFd');
  end;
  {$ENDIF}
  S.Free;
end;

{$IFDEF UNIX}
procedure TestKeep;
var
  C: TShareMemChannel;
  O: TShareMemChannelOptions;
  Text: string;
begin
  O := ShareMemQueue;
  O.Share := [smKeep];
  C := TShareMemChannel.CreateWith(Name, srSend, O, Ring);
  C.Send('kept');
  C.Free;
  C := TShareMemChannel.OpenExisting(Name, srReceive);
  Check(C.Receive(Text, Long) and (Text = 'kept'), 'what was kept');
  C.Free;
  Check(TShareMemChannel.Unlink(Name), 'Unlink');
  Check(not TShareMemChannel.Unlink(Name), 'Unlink twice');
end;

function Child: Boolean;
begin
  try
    Inherited_.Commit(1);
    NotRaised('Commit of what the parent reserved');
  except
    on E: Exception do
      CheckCode(E, SHMS_E_NOT_OWNER, 'Commit of what the parent reserved');
  end;
  Result := Inherited_.Send('child', Long);
  Inherited_.Free;
end;

procedure TestFork;
var
  R: TShareMemChannel;
  P: Pointer;
  Text: string;
begin
  R := Receiver;
  Inherited_ := Sender;
  Inherited_.Reserve(1, P);
  InChild(@Child, 'Send');
  PByte(P)^ := Ord('p');
  Inherited_.Commit(1);
  Check(R.Receive(Text, Long) and (Text = 'p'), 'the parent''s');
  Check(R.Receive(Text, Long) and (Text = 'child'), 'the child''s');
  Inherited_.Free;
  R.Free;
end;
{$ENDIF}

procedure Role(const What: string);
var
  C: TShareMemChannel;
  P: Pointer;
  N: NativeInt;
begin
  if What = 'send' then
  begin
    C := TShareMemChannel.OpenExisting(Base, srSend);
    C.Send('sent');
    C.Reserve(100, P);
  end
  else
  begin
    C := TShareMemChannel.OpenExisting(Base, srReceive);
    if not C.Peek(P, N, Long) then
      Halt(1);
  end;
  Halt(0); // without closing: dead
end;

begin
  Base := ParamStr(1);
  if ParamCount > 1 then
    Role(ParamStr(2));
  Run('Messages', @TestMessages);
  Run('NamesAndTextOfAllScripts', @TestNamesAndTextOfAllScripts);
  Run('TimeOuts', @TestTimeOuts);
  Run('Fill', @TestFill);
  Run('Take', @TestTake);
  Run('InSteps', @TestInSteps);
  Run('ReceiverDies', @TestReceiverDies);
  Run('SenderDies', @TestSenderDies);
  Run('Broadcast', @TestBroadcast);
  Run('Drop', @TestDrop);
  Run('Expel', @TestExpel);
  Run('Block', @TestBlock);
  Run('Notify', @TestNotify);
  Run('OneEach', @TestOneEach);
  Run('Refusals', @TestRefusals);
  Run('BadArguments', @TestBadArguments);
  Run('Closed', @TestClosed);
  Run('Look', @TestLook);
  {$IFDEF UNIX}
  Run('Keep', @TestKeep);
  Run('Fork', @TestFork);
  {$ENDIF}
  Finish;
end.
