import assert from 'node:assert/strict';

import type { ServiceDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';

import type { Frames } from '../../src/index';
import { loadDefinition } from '../../src/load';
import { decodeFrames, encodeFrames } from '../../src/wire/frames-codec';
import { decodeMessageBatch, encodeMessageBatch } from '../../src/wire/message-batch-codec';
import type { OutgoingMessage } from '../../src/wire/message-batch-codec';

/** The library's codec, which the ones by hand must agree with. */
function libraryCodec(file: string, service: string, method: string) {
  const definition = loadDefinition(file)[service] as ServiceDefinition;
  const { requestSerialize, requestDeserialize } = definition[method]!;
  return { encode: requestSerialize, decode: requestDeserialize };
}

const frames = libraryCodec(
  'azimuth/metadata/v1/metadata.proto',
  'azimuth.metadata.v1.Metadata',
  'Session',
);
const batches = libraryCodec('azimuth/raft/v1/raft.proto', 'azimuth.raft.v1.Raft', 'Messages');

const count = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
);
const bytes = fc
  .oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(2_000)))
  .map((value) => Buffer.from(value));
const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }));

const someFrames: fc.Arbitrary<Frames> = fc.record({
  frames: fc.array(fc.record({ id: count, body: bytes }), { maxLength: 20 }),
});

const someMessage = fc.record(
  {
    group: text,
    type: fc.constantFrom<OutgoingMessage['type'][]>(
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
    ),
    from: text,
    to: text,
    term: count,
    prevLogIndex: count,
    prevLogTerm: count,
    entries: fc.array(fc.record({ term: count, index: count, data: bytes }), { maxLength: 5 }),
    leaderCommit: count,
    success: fc.boolean(),
    matchIndex: count,
    conflictIndex: count,
    conflictTerm: count,
    lastLogIndex: count,
    lastLogTerm: count,
    voteGranted: fc.boolean(),
    leadershipTransfer: fc.boolean(),
    readContext: count,
    readIndex: count,
    logDamaged: fc.boolean(),
    rejoinNonce: count,
  },
  { requiredKeys: ['group', 'type'] },
) as fc.Arbitrary<OutgoingMessage>;
const someBatch = fc.record({ messages: fc.array(someMessage, { maxLength: 5 }) });

describe('Frames by hand', () => {
  it('reads what the library writes, and the other way round', () => {
    fc.assert(
      fc.property(someFrames, (value) => {
        assert.deepStrictEqual(decodeFrames(frames.encode(value)), plain(value));
        assert.deepStrictEqual(plain(frames.decode(encodeFrames(value))), plain(value));
      }),
    );
  });

  it('throws StoreError, or answers, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
        const result = outcome(() => decodeFrames(Buffer.from(input)));
        if ('error' in result) expect(result.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }),
      { numRuns: 2_000 },
    );
  });

  it('never reads past a length that lies', () => {
    const whole = encodeFrames({ frames: [{ id: 300, body: Buffer.alloc(200, 7) }] });
    for (let length = 1; length < whole.length; length += 1) {
      expect(() => decodeFrames(whole.subarray(0, length))).toThrow('INVALID_ARGUMENT');
    }
    expect(() => decodeFrames(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]))).toThrow();
    expect(() => decodeFrames(Buffer.alloc(12, 0xff))).toThrow('INVALID_ARGUMENT');
  });

  it('passes fields of a later version', () => {
    const known = encodeFrames({ frames: [{ id: 5, body: Buffer.from('x') }] });
    const later = Buffer.concat([
      Buffer.from([0x50, 0x96, 0x01]),
      Buffer.from([0x5a, 0x02, 1, 2]),
      Buffer.from([0x61, 1, 2, 3, 4, 5, 6, 7, 8]),
      Buffer.from([0x6d, 1, 2, 3, 4]),
      known,
    ]);
    expect(decodeFrames(later)).toEqual({ frames: [{ id: 5, body: Buffer.from('x') }] });
  });
});

describe('MessageBatch by hand', () => {
  it('reads what the library writes, and the other way round', () => {
    fc.assert(
      fc.property(someBatch, (value) => {
        const theirs = plain(batches.decode(batches.encode(value)));
        assert.deepStrictEqual(decodeMessageBatch(batches.encode(value)), theirs);
        assert.deepStrictEqual(plain(batches.decode(encodeMessageBatch(value))), theirs);
      }),
    );
  });

  it('throws StoreError, or answers, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
        const result = outcome(() => decodeMessageBatch(Buffer.from(input)));
        if ('error' in result) expect(result.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The library's objects have prototypes of their own. */
function plain(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, content]) => [name, plainContent(content)]),
  );
}

function plainContent(content: unknown): unknown {
  if (Array.isArray(content)) return content.map(plainContent);
  if (typeof content !== 'object' || content === null || Buffer.isBuffer(content)) return content;
  return plain(content);
}

function outcome(action: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}
