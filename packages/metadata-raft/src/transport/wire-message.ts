import { StoreError } from '@azimuth/common';
import type { WireMessage } from '@azimuth/proto';

import type { Entry, Message } from '../core/message';

import type { GroupMessage } from './transport';

type WireType = WireMessage['type'];
/** The wire form as it is sent: absent fields are zero. */
export type OutgoingMessage = Partial<WireMessage> & { group: string; type: WireType };

const WIRE_TYPES = {
  AppendEntries: 'APPEND_ENTRIES',
  AppendEntriesResponse: 'APPEND_ENTRIES_RESPONSE',
  PreVote: 'PRE_VOTE',
  PreVoteResponse: 'PRE_VOTE_RESPONSE',
  RequestVote: 'REQUEST_VOTE',
  RequestVoteResponse: 'REQUEST_VOTE_RESPONSE',
  Heartbeat: 'HEARTBEAT',
  HeartbeatResponse: 'HEARTBEAT_RESPONSE',
  TimeoutNow: 'TIMEOUT_NOW',
} as const satisfies Record<Exclude<Message['type'], 'InstallSnapshot'>, WireType>;

/** Snapshots take their own stream, so they are no messages here. */
export function encodeMessage({ group, message }: GroupMessage): OutgoingMessage {
  if (message.type === 'InstallSnapshot') {
    throw new StoreError('INVALID_ARGUMENT', { type: message.type });
  }
  const { type, ...fields } = message;
  return { group, type: WIRE_TYPES[type], ...fields } as OutgoingMessage;
}

/**
 * What arrived, checked: numbers are safe integers and entries are contiguous, so the core can
 * assert that.
 *
 * @throws StoreError INVALID_ARGUMENT
 */
export function decodeMessage(wire: WireMessage): GroupMessage {
  const numbers = [wire.term, wire.prevLogIndex, wire.prevLogTerm, wire.leaderCommit];
  numbers.push(wire.matchIndex, wire.conflictIndex, wire.conflictTerm, wire.readContext);
  numbers.push(wire.lastLogIndex, wire.lastLogTerm, wire.rejoinNonce);
  for (const value of numbers) requireCount(value);
  return { group: wire.group, message: decodeFields(wire) };
}

function decodeFields(wire: WireMessage): Message {
  const { from, to, term, lastLogIndex, leaderCommit, readContext, rejoinNonce } = wire;
  const envelope = { from, to, term };
  switch (wire.type) {
    case 'APPEND_ENTRIES': {
      const { prevLogIndex, prevLogTerm } = wire;
      const entries = decodeEntries(wire);
      return {
        type: 'AppendEntries',
        prevLogIndex,
        prevLogTerm,
        entries,
        leaderCommit,
        ...envelope,
      };
    }
    case 'APPEND_ENTRIES_RESPONSE': {
      const { success, matchIndex, prevLogIndex, conflictIndex, conflictTerm, logDamaged } = wire;
      return {
        type: 'AppendEntriesResponse',
        success,
        matchIndex,
        prevLogIndex,
        conflictIndex,
        conflictTerm,
        logDamaged,
        rejoinNonce,
        ...envelope,
      };
    }
    case 'PRE_VOTE':
    case 'REQUEST_VOTE': {
      const { lastLogTerm, leadershipTransfer } = wire;
      const type = wire.type === 'PRE_VOTE' ? 'PreVote' : 'RequestVote';
      return { ...envelope, type, lastLogIndex, lastLogTerm, leadershipTransfer };
    }
    case 'PRE_VOTE_RESPONSE':
      return { ...envelope, type: 'PreVoteResponse', voteGranted: wire.voteGranted };
    case 'REQUEST_VOTE_RESPONSE':
      return { ...envelope, type: 'RequestVoteResponse', voteGranted: wire.voteGranted };
    case 'HEARTBEAT':
      return {
        ...envelope,
        type: 'Heartbeat',
        leaderCommit,
        lastLogIndex,
        readContext,
        rejoinNonce,
      };
    case 'HEARTBEAT_RESPONSE':
      return { ...envelope, type: 'HeartbeatResponse', readContext, rejoinNonce };
    case 'TIMEOUT_NOW':
      return { ...envelope, type: 'TimeoutNow' };
    default:
      throw new StoreError('INVALID_ARGUMENT', { type: wire.type });
  }
}

function decodeEntries(wire: WireMessage): readonly Entry[] {
  for (const [position, entry] of wire.entries.entries()) {
    requireCount(entry.term);
    if (entry.index !== wire.prevLogIndex + 1 + position || entry.term > wire.term) {
      throw new StoreError('INVALID_ARGUMENT', { index: entry.index, term: entry.term });
    }
  }
  return wire.entries;
}

function requireCount(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new StoreError('INVALID_ARGUMENT', { value });
}
