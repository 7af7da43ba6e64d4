const BUCKET_NAME_LENGTH_MIN = 3;
const BUCKET_NAME_LENGTH_MAX = 63;
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];

/**
 * The rules for general purpose buckets.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 */
export function isBucketName(name: string): boolean {
  if (name.length < BUCKET_NAME_LENGTH_MIN || name.length > BUCKET_NAME_LENGTH_MAX) return false;
  let isAddress = true;
  let dots = 0;
  if (name.startsWith('-')) return false;
  let previous = '.';
  for (const character of name) {
    const isDigit = character >= '0' && character <= '9';
    if (character === '.') {
      if (previous === '.') return false;
      dots += 1;
    } else if (!isDigit) {
      isAddress = false;
      const isLetter = character >= 'a' && character <= 'z';
      if (!isLetter && character !== '-') return false;
    }
    previous = character;
  }
  if (previous === '.' || previous === '-') return false;
  if (isAddress && dots === 3) return false;
  return (
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix))
  );
}
