{ SPDX-License-Identifier: MIT

  TShareMemChannel: messages between processes, through a ring of shared memory. It goes with the unit
  ShareMemoryStream, which has the codes, and needs the same library.

      Jobs := TShareMemChannel.Create('jobs', srReceive);    // one process
      try
        while Jobs.Receive(Text) do                          // until all senders have closed
          Work(Text);
      finally
        Jobs.Free;
      end;

      Jobs := TShareMemChannel.Create('jobs', srSend);       // another one
      Jobs.Send('wash');
      Jobs.Free;

  A queue gives each message to one receiver, a broadcast gives it to each. Messages are bytes (TBytes), or
  strings, which travel as UTF-8.

  A time-out is False, as from GetLock; what fails otherwise raises EShareMem, whose Code says why. After
  Close each method raises it, with SHMS_E_INVALID. An object is used by one thread at a time. In a child of
  fork its next call joins as a member of its own. The header shmstream/channel.h has the rest of the rules. }
unit ShareMemoryChannel;

{$H+}

interface

uses
  {$IFDEF MSWINDOWS} Windows, {$ENDIF}
  SysUtils, ShareMemoryStream;

const
  ShareMemChannelSize = 4 * 1024 * 1024;

type
  { What an object does. A looking one only asks Info, and calls Notify; its channel must exist. }
  TShareMemRole = (srLook, srSend, srReceive);

  { What a full broadcast does about its slowest receiver: senders wait; the oldest message goes; or the
    receiver does, after a sender's time-out. A receiver that missed something gets EShareMem, SHMS_E_MISSED,
    and its next Receive goes on behind the gap. }
  TShareMemSlow = (slBlock, slDrop, slExpel);

  { How a channel is made, and opened. Take ShareMemQueue or ShareMemBroadcast, then change what differs. }
  TShareMemChannelOptions = record
    Broadcast: Boolean;
    Slow: TShareMemSlow; // of a broadcast
    History: Int64; // how many of the last messages a new receiver of a broadcast gets
    OneSender, OneReceiver: Boolean; // promises that make it faster: one such object at most
    Share: TShareMemOptions; // all but smAtomic
  end;

  { What is known of the message that was received last, or missed. }
  TShareMemMessageInfo = packed record
    StructSize: Cardinal;
    Tries: Cardinal; // how often it was delivered before, and not released
    Number: UInt64; // from 1; 0: unknown
    Missed: UInt64; // how many were overwritten just before it
    Size: UInt64;
  end;

  { shms_channel_stats of the header. }
  TShareMemChannelInfo = packed record
    StructSize, Kind, Slow, Senders, Receivers, Reserved: Cardinal;
    Capacity, Used, Sent, Received, Dropped, Aborted, Redelivered, SendersDied, Waits: UInt64;
  end;

  { Put a message into Room; Count is how much room there is, and becomes the message's size. }
  TShareMemFill = procedure(Room: Pointer; var Count: NativeInt) of object;
  { Look at a message. Its bytes are gone after the call. }
  TShareMemTake = procedure(Message: Pointer; Count: NativeInt) of object;

  TShareMemChannel = class
  private
    FChannel: Pointer;
    FEnded: Boolean;
    procedure Open(const ShareName: string; Role: TShareMemRole; ASize: Int64; Creation: Cardinal;
      const Options: TShareMemChannelOptions);
    function InTime(Code: Int64; const Doing: string): Boolean;
    function Got(Code: Int64): Boolean;
  public
    { Create or open: a queue with TShareMemStream.DefaultOptions, but for smAtomic. Raises EShareMem. }
    constructor Create(const ShareName: string; Role: TShareMemRole; ASize: Int64 = ShareMemChannelSize);
    constructor CreateWith(const ShareName: string; Role: TShareMemRole;
      const Options: TShareMemChannelOptions; ASize: Int64 = ShareMemChannelSize);
    { Only open, of whatever kind it is. }
    constructor OpenExisting(const ShareName: string; Role: TShareMemRole; History: Int64 = 0);
    destructor Destroy; override;
    { What was reserved is given up, what was peeked is put back. The last sender's is the end. }
    procedure Close;
    { Remove the name of a channel with smKeep. False: there is none. }
    class function Unlink(const ShareName: string): Boolean;

    { One message. False: no room in time. }
    function Send(const Message: TBytes; ATimeOut: DWORD = INFINITE): Boolean; overload;
    function Send(const Text: string; ATimeOut: DWORD = INFINITE): Boolean; overload;
    function SendBuffer(const Buffer; Count: Int64; ATimeOut: DWORD = INFINITE): Boolean;
    { Several, with none of another sender's between them: all or none. }
    function SendAll(const Messages: array of TBytes; ATimeOut: DWORD = INFINITE): Boolean;
    { One message. False: none in time, or Notify; or, where Ended, the end. A message is lost in no case: if
      the process dies in the call, a queue's is delivered to another receiver. }
    function Receive(out Message: TBytes; ATimeOut: DWORD = INFINITE): Boolean; overload;
    function Receive(out Text: string; ATimeOut: DWORD = INFINITE): Boolean; overload;
    { Whether the last Receive, Take or Peek was told that all senders have closed and nothing is left. If one
      of them has died instead, it raised EShareMem, SHMS_E_DIED. }
    property Ended: Boolean read FEnded;

    { Without a copy. If Work raises, the message is not sent, or put back, and the exception goes on. }
    function Fill(Count: Int64; Work: TShareMemFill; ATimeOut: DWORD = INFINITE): Boolean;
    function Take(Work: TShareMemTake; ATimeOut: DWORD = INFINITE): Boolean;
    { The same in steps: Reserve, then Commit or GiveUp; Peek, then Release or GiveUp. }
    function Reserve(Count: Int64; out Room: Pointer; ATimeOut: DWORD = INFINITE): Boolean;
    procedure Commit(Count: Int64);
    function Peek(out Message: Pointer; out Count: NativeInt; ATimeOut: DWORD = INFINITE): Boolean;
    procedure Release;
    procedure GiveUp;

    { End every wait of this channel once. }
    procedure Notify;
    function Last: TShareMemMessageInfo;
    function Info: TShareMemChannelInfo;
    { A descriptor that becomes readable with news, for poll. SHMS_E_UNSUPPORTED on Windows. }
    function PollFd: Integer;
    { The shms_channel of the library; nil after Close. }
    property Handle: Pointer read FChannel;
  end;

function ShareMemQueue: TShareMemChannelOptions;
function ShareMemBroadcast(Slow: TShareMemSlow = slBlock; History: Int64 = 0): TShareMemChannelOptions;

implementation

const
  Shmstream = ShareMemLibrary;

type
  { shms_channel_options and shms_slice of channel.h: their fields lie so by themselves. }
  TOptions = packed record
    StructSize, Kind, Slow, History: Cardinal;
    OneSender, OneReceiver: Byte;
    Reserved: array [0 .. 5] of Byte;
    Region: Pointer;
  end;

  TSlice = packed record
    Data: Pointer;
    Size: NativeUInt;
  end;

function shms_channel_open(Name: PAnsiChar; Size: UInt64; Role: Integer; Options: Pointer;
  var Channel: Pointer): Integer; cdecl; external Shmstream;
procedure shms_channel_close(Channel: Pointer); cdecl; external Shmstream;
function shms_channel_send(Channel, Buf: Pointer; N: NativeUInt; TimeoutMs: Integer): Integer;
  cdecl; external Shmstream;
function shms_channel_send_all(Channel, Messages: Pointer; Count: NativeUInt; TimeoutMs: Integer): Integer;
  cdecl; external Shmstream;
function shms_channel_reserve(Channel: Pointer; N: NativeUInt; out Room: Pointer;
  TimeoutMs: Integer): Integer; cdecl; external Shmstream;
function shms_channel_commit(Channel: Pointer; N: NativeUInt): Integer; cdecl; external Shmstream;
function shms_channel_peek(Channel: Pointer; out Message: Pointer; TimeoutMs: Integer): Int64;
  cdecl; external Shmstream;
function shms_channel_release(Channel: Pointer): Integer; cdecl; external Shmstream;
function shms_channel_abort(Channel: Pointer): Integer; cdecl; external Shmstream;
function shms_channel_message(Channel, Message: Pointer): Integer; cdecl; external Shmstream;
function shms_channel_notify(Channel: Pointer): Integer; cdecl; external Shmstream;
function shms_channel_poll_fd(Channel: Pointer): Integer; cdecl; external Shmstream;
function shms_channel_info(Channel, Stats: Pointer): Integer; cdecl; external Shmstream;
function shms_stream_unlink(Name: PAnsiChar): Integer; cdecl; external Shmstream;

{ Opening }

function ShareMemQueue: TShareMemChannelOptions;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.Share := TShareMemStream.DefaultOptions - [smAtomic];
end;

function ShareMemBroadcast(Slow: TShareMemSlow; History: Int64): TShareMemChannelOptions;
begin
  Result := ShareMemQueue;
  Result.Broadcast := True;
  Result.Slow := Slow;
  Result.History := History;
end;

procedure TShareMemChannel.Open(const ShareName: string; Role: TShareMemRole; ASize: Int64;
  Creation: Cardinal; const Options: TShareMemChannelOptions);
var
  Name: RawByteString;
  Region: TShareMemRegion;
  O: TOptions;
begin
  if (ASize < 0) or (Options.History < 0) or (Options.History > High(Cardinal)) then
    raise EShareMem.CreateCode(SHMS_E_INVALID, ShareName);
  Name := ShareMemName(ShareName);
  ShareMemSetOptions(Region, SHMS_ACCESS_READ_WRITE, Creation, Options.Share);
  FillChar(O, SizeOf(O), 0);
  O.StructSize := SizeOf(O);
  O.Kind := Ord(Options.Broadcast);
  O.Slow := Ord(Options.Slow);
  O.History := Cardinal(Options.History);
  O.OneSender := Ord(Options.OneSender);
  O.OneReceiver := Ord(Options.OneReceiver);
  O.Region := @Region;
  ShareMemCheck(shms_channel_open(PAnsiChar(Name), UInt64(ASize), Ord(Role), @O, FChannel), ShareName);
end;

constructor TShareMemChannel.Create(const ShareName: string; Role: TShareMemRole; ASize: Int64);
begin
  CreateWith(ShareName, Role, ShareMemQueue, ASize);
end;

constructor TShareMemChannel.CreateWith(const ShareName: string; Role: TShareMemRole;
  const Options: TShareMemChannelOptions; ASize: Int64);
begin
  inherited Create;
  if ASize = 0 then // only opens, in C: here OpenExisting does that
    ASize := -1;
  if Role = srLook then
    ASize := 0;
  if smCreateOnly in Options.Share then
    Open(ShareName, Role, ASize, SHMS_CREATE_ONLY, Options)
  else
    Open(ShareName, Role, ASize, SHMS_CREATE_OR_OPEN, Options);
end;

constructor TShareMemChannel.OpenExisting(const ShareName: string; Role: TShareMemRole; History: Int64);
var
  Options: TShareMemChannelOptions;
begin
  inherited Create;
  Options := ShareMemQueue;
  Options.History := History;
  Open(ShareName, Role, 0, SHMS_OPEN_ONLY, Options);
end;

destructor TShareMemChannel.Destroy;
begin
  Close;
  inherited Destroy;
end;

procedure TShareMemChannel.Close;
begin
  shms_channel_close(FChannel);
  FChannel := nil;
end;

class function TShareMemChannel.Unlink(const ShareName: string): Boolean;
var
  Code: Integer;
begin
  Code := shms_stream_unlink(PAnsiChar(ShareMemName(ShareName)));
  Result := Code <> SHMS_E_NOT_FOUND;
  if Result then
    ShareMemCheck(Code, ShareName);
end;

{ Sending }

{ Whether it was in time; else only failures raise. }
function TShareMemChannel.InTime(Code: Int64; const Doing: string): Boolean;
begin
  Result := Code <> SHMS_E_TIMEOUT;
  if Result then
    ShareMemCheck(Code, Doing);
end;

function TShareMemChannel.SendBuffer(const Buffer; Count: Int64; ATimeOut: DWORD): Boolean;
begin
  if (Count < 0) or (NativeInt(Count) <> Count) then
    raise EShareMem.CreateCode(SHMS_E_INVALID, 'Send');
  Result := InTime(shms_channel_send(FChannel, @Buffer, NativeUInt(Count), ShareMemTimeOut(ATimeOut)),
    'Send');
end;

function TShareMemChannel.Send(const Message: TBytes; ATimeOut: DWORD): Boolean;
begin
  Result := SendBuffer(Pointer(Message)^, Length(Message), ATimeOut);
end;

function TShareMemChannel.Send(const Text: string; ATimeOut: DWORD): Boolean;
var
  Raw: RawByteString;
begin
  Raw := ShareMemUTF8(Text);
  Result := SendBuffer(Pointer(Raw)^, Length(Raw), ATimeOut);
end;

function TShareMemChannel.SendAll(const Messages: array of TBytes; ATimeOut: DWORD): Boolean;
var
  Slices: array of TSlice;
  I: Integer;
begin
  SetLength(Slices, Length(Messages));
  for I := 0 to High(Messages) do
  begin
    Slices[I].Data := Pointer(Messages[I]);
    Slices[I].Size := NativeUInt(Length(Messages[I]));
  end;
  Result := InTime(shms_channel_send_all(FChannel, Pointer(Slices), NativeUInt(Length(Slices)),
    ShareMemTimeOut(ATimeOut)), 'SendAll');
end;

function TShareMemChannel.Reserve(Count: Int64; out Room: Pointer; ATimeOut: DWORD): Boolean;
begin
  Room := nil;
  if (Count < 0) or (NativeInt(Count) <> Count) then
    raise EShareMem.CreateCode(SHMS_E_INVALID, 'Reserve');
  Result := InTime(shms_channel_reserve(FChannel, NativeUInt(Count), Room, ShareMemTimeOut(ATimeOut)),
    'Reserve');
end;

procedure TShareMemChannel.Commit(Count: Int64);
begin
  if (Count < 0) or (NativeInt(Count) <> Count) then
    raise EShareMem.CreateCode(SHMS_E_RANGE, 'Commit');
  ShareMemCheck(shms_channel_commit(FChannel, NativeUInt(Count)), 'Commit');
end;

function TShareMemChannel.Fill(Count: Int64; Work: TShareMemFill; ATimeOut: DWORD): Boolean;
var
  Room: Pointer;
  N: NativeInt;
begin
  Result := Reserve(Count, Room, ATimeOut);
  if not Result then
    Exit;
  try
    N := NativeInt(Count);
    Work(Room, N);
    Commit(N);
  except
    shms_channel_abort(FChannel);
    raise;
  end;
end;

{ Receiving }

{ Whether there is a message. The end is no failure, unless a sender's death is. }
function TShareMemChannel.Got(Code: Int64): Boolean;
begin
  FEnded := Code = SHMS_E_CLOSED;
  Result := not FEnded and InTime(Code, 'Receive');
end;

function TShareMemChannel.Peek(out Message: Pointer; out Count: NativeInt; ATimeOut: DWORD): Boolean;
var
  N: Int64;
begin
  Message := nil;
  Count := 0;
  N := shms_channel_peek(FChannel, Message, ShareMemTimeOut(ATimeOut));
  Result := Got(N);
  if Result then
    Count := NativeInt(N);
end;

procedure TShareMemChannel.Release;
begin
  ShareMemCheck(shms_channel_release(FChannel), 'Release');
end;

procedure TShareMemChannel.GiveUp;
begin
  ShareMemCheck(shms_channel_abort(FChannel), 'GiveUp');
end;

function TShareMemChannel.Take(Work: TShareMemTake; ATimeOut: DWORD): Boolean;
var
  Message: Pointer;
  Count: NativeInt;
begin
  Result := Peek(Message, Count, ATimeOut);
  if not Result then
    Exit;
  try
    Work(Message, Count);
  except
    shms_channel_abort(FChannel);
    raise;
  end;
  Release;
end;

function TShareMemChannel.Receive(out Message: TBytes; ATimeOut: DWORD): Boolean;
var
  Bytes: Pointer;
  Count: NativeInt;
begin
  Message := nil;
  Result := Peek(Bytes, Count, ATimeOut);
  if not Result then
    Exit;
  try
    SetLength(Message, Count);
    Move(Bytes^, Pointer(Message)^, Count);
  except
    shms_channel_abort(FChannel); // no memory for it
    raise;
  end;
  Release;
end;

function TShareMemChannel.Receive(out Text: string; ATimeOut: DWORD): Boolean;
var
  Bytes: Pointer;
  Count: NativeInt;
begin
  Text := '';
  Result := Peek(Bytes, Count, ATimeOut);
  if not Result then
    Exit;
  try
    Text := ShareMemText(Bytes^, Count);
  except
    shms_channel_abort(FChannel);
    raise;
  end;
  Release;
end;

{ The rest }

procedure TShareMemChannel.Notify;
begin
  ShareMemCheck(shms_channel_notify(FChannel), 'Notify');
end;

function TShareMemChannel.Last: TShareMemMessageInfo;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.StructSize := SizeOf(Result);
  ShareMemCheck(shms_channel_message(FChannel, @Result), 'Last');
end;

function TShareMemChannel.Info: TShareMemChannelInfo;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.StructSize := SizeOf(Result);
  ShareMemCheck(shms_channel_info(FChannel, @Result), 'Info');
end;

function TShareMemChannel.PollFd: Integer;
begin
  Result := Integer(ShareMemCheck(shms_channel_poll_fd(FChannel), 'PollFd'));
end;

end.
