import type { Entry__Output as WireEntry } from '../gen/azimuth/raft/v1/Entry';
import type { Message__Output as WireMessage } from '../gen/azimuth/raft/v1/Message';
import type { MessageBatch__Output as MessageBatch } from '../gen/azimuth/raft/v1/MessageBatch';

import { ProtobufReader } from './protobuf-reader';
import { ProtobufWriter, WIRE_BYTES, WIRE_VARINT } from './protobuf-writer';

/** `azimuth.raft.v1.MessageBatch` by hand, for the same reason as `Frames`. */
const BATCH_MESSAGES = 1;
const MESSAGE_GROUP = 1;
const MESSAGE_TYPE = 2;
const MESSAGE_FROM = 3;
const MESSAGE_TO = 4;
const MESSAGE_ENTRIES = 8;
const ENTRY_TERM = 1;
const ENTRY_INDEX = 2;
const ENTRY_DATA = 3;
const MESSAGE_OVERHEAD_BYTES = 128;
const ENTRY_OVERHEAD_BYTES = 32;

type WireType = WireMessage['type'];
/** A message as it is sent: absent fields are zero. */
export type OutgoingMessage = Partial<WireMessage> & Pick<WireMessage, 'group' | 'type'>;

type NamesOf<Value> = {
  [Name in keyof WireMessage]: WireMessage[Name] extends Value ? Name : never;
}[keyof WireMessage];

/** Numbers of `enum MessageType`. */
const TYPE_NAMES: readonly WireType[] = [
  'MESSAGE_TYPE_UNSPECIFIED',
  'APPEND_ENTRIES',
  'APPEND_ENTRIES_RESPONSE',
  'PRE_VOTE',
  'PRE_VOTE_RESPONSE',
  'REQUEST_VOTE',
  'REQUEST_VOTE_RESPONSE',
  'HEARTBEAT',
  'HEARTBEAT_RESPONSE',
  'TIMEOUT_NOW',
  'READ_INDEX',
  'READ_INDEX_RESPONSE',
];

/** Fields in descending order, as they are written. */
const COUNT_FIELDS: readonly (readonly [field: number, name: NamesOf<number>])[] = [
  [21, 'rejoinNonce'],
  [19, 'readIndex'],
  [18, 'readContext'],
  [15, 'lastLogTerm'],
  [14, 'lastLogIndex'],
  [13, 'conflictTerm'],
  [12, 'conflictIndex'],
  [11, 'matchIndex'],
  [9, 'leaderCommit'],
  [7, 'prevLogTerm'],
  [6, 'prevLogIndex'],
  [5, 'term'],
];
const FLAG_FIELDS: readonly (readonly [field: number, name: NamesOf<boolean>])[] = [
  [20, 'logDamaged'],
  [17, 'leadershipTransfer'],
  [16, 'voteGranted'],
  [10, 'success'],
];

const COUNT_NAME_OF_TAG = new Map(COUNT_FIELDS.map(([field, name]) => [field * 8, name]));
const FLAG_NAME_OF_TAG = new Map(FLAG_FIELDS.map(([field, name]) => [field * 8, name]));

export function encodeMessageBatch(batch: {
  readonly messages: readonly OutgoingMessage[];
}): Buffer {
  const { messages } = batch;
  let sizeBytes = 0;
  for (const { entries = [] } of messages) {
    sizeBytes += MESSAGE_OVERHEAD_BYTES;
    for (const { data } of entries) sizeBytes += data.length + ENTRY_OVERHEAD_BYTES;
  }
  const writer = new ProtobufWriter(sizeBytes);
  for (let position = messages.length - 1; position >= 0; position -= 1) {
    const before = writer.sizeBytes;
    writeMessage(writer, messages[position] as OutgoingMessage);
    writer.lengthOf(BATCH_MESSAGES, writer.sizeBytes - before);
  }
  return writer.finish();
}

/** Fields may stand in any order, so those of the tables go last. */
function writeMessage(writer: ProtobufWriter, message: OutgoingMessage): void {
  for (const [field, name] of FLAG_FIELDS) writer.count(field, message[name] === true ? 1 : 0);
  for (const [field, name] of COUNT_FIELDS) writer.count(field, message[name] ?? 0);
  const entries = message.entries ?? [];
  for (let position = entries.length - 1; position >= 0; position -= 1) {
    const { term, index, data } = entries[position] as WireEntry;
    const before = writer.sizeBytes;
    writer.bytes(ENTRY_DATA, data);
    writer.count(ENTRY_INDEX, index);
    writer.count(ENTRY_TERM, term);
    writer.lengthOf(MESSAGE_ENTRIES, writer.sizeBytes - before);
  }
  writer.text(MESSAGE_TO, message.to ?? '');
  writer.text(MESSAGE_FROM, message.from ?? '');
  writer.count(MESSAGE_TYPE, TYPE_NAMES.indexOf(message.type));
  writer.text(MESSAGE_GROUP, message.group);
}

/** @throws StoreError INVALID_ARGUMENT */
export function decodeMessageBatch(source: Buffer): MessageBatch {
  const messages: WireMessage[] = [];
  const reader = new ProtobufReader(source);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === BATCH_MESSAGES * 8 + WIRE_BYTES) messages.push(decodeMessage(reader.message()));
    else reader.skip(tag);
  }
  return { messages };
}

function decodeMessage(reader: ProtobufReader): WireMessage {
  const message = emptyMessage();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case MESSAGE_GROUP * 8 + WIRE_BYTES:
        message.group = reader.text();
        break;
      case MESSAGE_TYPE * 8 + WIRE_VARINT:
        message.type = TYPE_NAMES[reader.count()] ?? 'MESSAGE_TYPE_UNSPECIFIED';
        break;
      case MESSAGE_FROM * 8 + WIRE_BYTES:
        message.from = reader.text();
        break;
      case MESSAGE_TO * 8 + WIRE_BYTES:
        message.to = reader.text();
        break;
      case MESSAGE_ENTRIES * 8 + WIRE_BYTES:
        message.entries.push(decodeEntry(reader.message()));
        break;
      default:
        decodeTabled(reader, tag, message);
    }
  }
  return message;
}

function decodeTabled(reader: ProtobufReader, tag: number, message: WireMessage): void {
  const countName = COUNT_NAME_OF_TAG.get(tag);
  const flagName = countName === undefined ? FLAG_NAME_OF_TAG.get(tag) : undefined;
  if (countName !== undefined) message[countName] = reader.count();
  else if (flagName !== undefined) message[flagName] = reader.count() !== 0;
  else reader.skip(tag);
}

function decodeEntry(reader: ProtobufReader): WireEntry {
  const entry: WireEntry = { term: 0, index: 0, data: Buffer.alloc(0) };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ENTRY_TERM * 8 + WIRE_VARINT) entry.term = reader.count();
    else if (tag === ENTRY_INDEX * 8 + WIRE_VARINT) entry.index = reader.count();
    else if (tag === ENTRY_DATA * 8 + WIRE_BYTES) entry.data = reader.bytes();
    else reader.skip(tag);
  }
  return entry;
}

function emptyMessage(): WireMessage {
  return {
    group: '',
    type: 'MESSAGE_TYPE_UNSPECIFIED',
    from: '',
    to: '',
    term: 0,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    success: false,
    matchIndex: 0,
    conflictIndex: 0,
    conflictTerm: 0,
    lastLogIndex: 0,
    lastLogTerm: 0,
    voteGranted: false,
    leadershipTransfer: false,
    readContext: 0,
    readIndex: 0,
    logDamaged: false,
    rejoinNonce: 0,
  };
}
