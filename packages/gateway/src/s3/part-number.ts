import type { Query } from '../http/request';
import { invalidArgument } from './s3-error';

export const PART_NUMBER_MAX = 10_000;

/** The `partNumber` query parameter; null when absent (M-1). */
export function parsePartNumber(query: Query): number | null {
  const text = query.get('partNumber');
  if (text === undefined) return null;
  const partNumber = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (partNumber < 1 || partNumber > PART_NUMBER_MAX) {
    throw invalidArgument(
      `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
      'partNumber',
      text,
    );
  }
  return partNumber;
}
