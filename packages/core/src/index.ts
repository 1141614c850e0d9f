/** agentbus: a message bus that is the filesystem. */
export type { Bus, OpenBusOptions } from "./bus.js";
export { openBus } from "./open-bus.js";
export { BusError, ERROR_CODES, fromErrno, isBusError, type BusErrorOptions, type ErrorCode } from "./errors.js";
export type {
  ChannelCapabilities,
  ChannelMessage,
  ChannelRefusal,
  ChannelRefusalReason,
  ChannelStatistics,
  ReceivingEnd,
  SendingEnd,
  SendOptions,
  Sent,
} from "./channel/channel.js";
export { spoolSender } from "./channel/spool-sender.js";
export { PassingMessage } from "./channel/channel-message.js";
export { Deadlines, type Due } from "./deadlines.js";
export { failureText, thrownText } from "./channel/failure-text.js";
export { isAsyncIterable, isThenable } from "./channel/iterable.js";
export { Refusals } from "./channel/refusals.js";
export type {
  ChannelHost,
  ClosableChannel,
  EnvelopeReader,
  EnvelopeRoom,
  EnvelopeWriter,
  WrittenEnvelope,
} from "./channel/host.js";
export type { ChannelCounters, ChannelDescription } from "./channel/ledger.js";
export type { PendingClient, PendingPipe, PendingPipes, PendingServer } from "./channel/pending-channels.js";
export type {
  CallOptions,
  CompleteConnectOptions,
  CompleteServeOptions,
  ConnectOptions,
  Pushed,
  ServeHandler,
  ServeOptions,
  SocketAllowance,
  SocketClient,
  SocketMessage,
  SocketPackage,
  SocketPeer,
  SocketServer,
  SocketStatistics,
} from "./channel/socket.js";
export type {
  Pipe,
  PipeFallback,
  PipeHandler,
  PipeOptions,
  PipePackage,
  Pipes,
  PipesOptions,
  PipeStatistics,
} from "./channel/pipe.js";
export type { Envelope, EnvelopeOptions } from "./envelope.js";
export type { Sender, Verdict } from "./deliver/judge.js";
export type { PeekedMessage } from "./deliver/peek.js";
export type { DeadReason, GivenUpReason, Refusal, RefusalReason } from "./deliver/refusal.js";
export type { SyncLevel } from "./publish/fan-out.js";
export type { FullPolicy } from "./publish/parcel.js";
export type { PublishOptions, PublishResult } from "./publish/publish-options.js";
export type { AckedOptions, Receipt } from "./publish/receipt.js";
export type { Answer, RequestOptions } from "./request/request.js";
export type { Responder } from "./request/respond.js";
export { responderFailure } from "./request/responder-failure.js";
export type { SpoolLimits } from "./spool.js";
export type { Backoff } from "./subscribe/settlement.js";
export type { Handler } from "./subscribe/handler-loop.js";
export type { Message, NackOptions } from "./subscribe/message.js";
export type { SubscribeOptions } from "./subscribe/open-subscription.js";
export type { PeekOptions } from "./subscribe/peek-inbox.js";
export type { PendingSubscription } from "./subscribe/pending-subscription.js";
export type { SubscriptionStatistics } from "./subscribe/statistics.js";
export type { DrainOptions, Subscription } from "./subscribe/subscription.js";
export { CHANNEL_KINDS, type Bar, type Barred, type ChannelKind } from "./barred.js";
export { createSpool, type CreatedSpool, type CreateSpoolOptions } from "./create-spool.js";
export { deadLetters } from "./dead-letters.js";
export type { DeadLetterOffice, LetterSelection, OpenedLetter, RetriedLetters } from "./dead-letter-office.js";
export type { DeadLetter } from "./settle/read-letters.js";
export { diagnose } from "./doctor.js";
export type { DiagnoseOptions } from "./doctor/diagnose.js";
export type { Finding, Severity } from "./doctor/finding.js";
export { addMemberCommand } from "./membership.js";
export { processExists } from "./process-exists.js";
export { isShutDropBox, modeIn, octal, PATHS, PRIVATE_MODE, ROOT_MODE, type PathRule } from "./permissions.js";
export { shellQuote } from "./shell-command.js";
export { spoolPath } from "./spool-path.js";
export {
  inspect,
  type ChannelStatus,
  type ConsumerStatus,
  type SpoolStatus,
  type SubscriptionStatus,
} from "./status.js";
export type { AnyTopics, DataOf, MatchingTopics } from "./topic-types.js";
export type { WatchMode } from "./watch/watcher.js";
export { environmentOf, type Cause } from "./context.js";
export { VERSION } from "./version.js";
