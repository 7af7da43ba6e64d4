import type { Random } from '@azimuth/common';

const INPUT_BYTES_MAX = 64 * 1024;
/** Bytes that parsers look for, and ends of ranges. */
const BYTES = Buffer.from(
  '\0\t\r\n "#%&\'+,-./:;<=>?[\\]{}$*\x7f\x80\xc0\xe2\xed\xf0\xff',
  'latin1',
);

/**
 * An input made from the corpus by a few random edits. Equal randomness gives equal inputs, so one
 * seed replays one input.
 */
export function mutate(
  corpus: readonly Buffer[],
  dictionary: readonly string[],
  random: Random,
): Buffer {
  let input = pick(corpus, random);
  const edits = random.below(6);
  for (let edit = 0; edit < edits; edit += 1) input = edited(input, corpus, dictionary, random);
  return input.subarray(0, INPUT_BYTES_MAX);
}

type Edit = (input: Buffer, at: number, random: Random) => Buffer;

const flipBit: Edit = (input, at, random) => {
  const copy = Buffer.from(input);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
};

const setByte: Edit = (input, at, random) => {
  const copy = Buffer.from(input);
  copy[at] = BYTES[random.below(BYTES.length)] ?? 0;
  return copy;
};

const removeRange: Edit = (input, at, random) => {
  const length = 1 + random.below(1 + random.below(32));
  return Buffer.concat([input.subarray(0, at), input.subarray(at + length)]);
};

const repeatRange: Edit = (input, at, random) => {
  const range = input.subarray(at, at + 1 + random.below(24));
  const times = 1 + random.below(1 + random.below(200));
  const repeated = Array.from({ length: times }, () => range);
  return Buffer.concat([input.subarray(0, at), ...repeated, input.subarray(at)]);
};

const insertByte: Edit = (input, at, random) => {
  const byte = BYTES.subarray(random.below(BYTES.length)).subarray(0, 1);
  return Buffer.concat([input.subarray(0, at), byte, input.subarray(at)]);
};

const cut: Edit = (input, at) => input.subarray(0, at);

const EDITS: readonly Edit[] = [flipBit, setByte, removeRange, repeatRange, insertByte, cut];

function edited(
  input: Buffer,
  corpus: readonly Buffer[],
  dictionary: readonly string[],
  random: Random,
): Buffer {
  const at = random.below(input.length + 1);
  const choice = random.below(EDITS.length + 2);
  const edit = EDITS[choice];
  if (edit !== undefined) return edit(input, Math.min(at, Math.max(0, input.length - 1)), random);
  if (choice === EDITS.length && dictionary.length > 0) {
    const word = Buffer.from(pick(dictionary, random));
    return Buffer.concat([input.subarray(0, at), word, input.subarray(at)]);
  }
  const other = pick(corpus, random);
  return Buffer.concat([input.subarray(0, at), other.subarray(random.below(other.length + 1))]);
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)] as T;
}
