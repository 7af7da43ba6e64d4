/**
 * What keys that hold the delimiter behind the prefix of a list are rolled up to (K-2); null for a
 * key that stands for itself. All in UTF-8; an empty delimiter is none (K-7).
 */
export function commonPrefixOf(key: Buffer, prefix: Buffer, delimiter: Buffer): Buffer | null {
  if (delimiter.length === 0) return null;
  const position = key.indexOf(delimiter, prefix.length);
  return position < 0 ? null : key.subarray(0, position + delimiter.length);
}

export function startsWith(key: Buffer, prefix: Buffer): boolean {
  return (
    key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
  );
}
