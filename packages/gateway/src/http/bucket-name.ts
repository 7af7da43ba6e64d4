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
  if (!hasNameCharacters(name)) return false;
  // Between dots are the labels of a host name: none is empty, none begins or ends with a hyphen.
  if (/\.\.|\.-|-\./.test(name)) return false;
  if (isPunctuation(name.charCodeAt(0)) || isPunctuation(name.charCodeAt(name.length - 1)))
    return false;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return false;
  return (
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix))
  );
}

const DOT = 0x2e;
const HYPHEN = 0x2d;

function hasNameCharacters(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    const isLetter = code >= 0x61 && code <= 0x7a;
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isLetter && !isDigit && !isPunctuation(code)) return false;
  }
  return true;
}

/** Allowed inside a name, but not at its ends. */
function isPunctuation(code: number): boolean {
  return code === DOT || code === HYPHEN;
}
