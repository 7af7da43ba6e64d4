/** Half-open, in bytes of the object. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export type RangeDecision =
  /** No Range, several ranges, another unit or a malformed one: the whole object, 200. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'partial'; readonly range: ByteRange }
  /** Well-formed, but not one byte of it exists: 416. */
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeDecision = { kind: 'whole' };
const UNSATISFIABLE: RangeDecision = { kind: 'unsatisfiable' };

/**
 * Reads a Range header against an object of `sizeBytes` (RFC 9110, section 14). Like AWS, one range
 * only; a malformed header is ignored, as the RFC asks.
 */
export function decideRange(header: string | undefined, sizeBytes: number): RangeDecision {
  const match = /^bytes=([0-9]*)-([0-9]*)$/i.exec(header ?? '');
  if (match === null) return WHOLE;
  const [, first = '', last = ''] = match;

  if (first === '') {
    if (last === '') return WHOLE;
    if (Number(last) === 0) return UNSATISFIABLE;
    // Satisfiable, but a 206 could not name it: the end of nothing is the empty whole.
    if (sizeBytes === 0) return WHOLE;
    const suffixBytes = Math.min(Number(last), sizeBytes);
    return { kind: 'partial', range: { from: sizeBytes - suffixBytes, to: sizeBytes } };
  }

  const from = Number(first);
  if (last !== '' && Number(last) < from) return WHOLE;
  if (from >= sizeBytes) return UNSATISFIABLE;
  const to = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return { kind: 'partial', range: { from, to } };
}

/** `bytes first-last/size` for a range that is not empty. */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.from}-${range.to - 1}/${sizeBytes}`;
}
