/**
 * Every parser that reads what a stranger sends, as a function of bytes. It must return, or refuse
 * with a client's error: a crash, a hang or a 5xx is a finding.
 */
import { parseCopySource } from '../../packages/gateway/src/s3/copy-source';
import { decideRange } from '../../packages/gateway/src/s3/range';
import { parseCompletion } from '../../packages/gateway/src/s3/multipart/completion-document';
import { parsePostPolicy } from '../../packages/gateway/src/s3/object/post-policy';
import { parseTaggingHeader } from '../../packages/gateway/src/s3/object-tags';
import { parseCorsConfiguration } from '../../packages/gateway/src/s3/cors/cors-configuration';
import { parseSignature } from '../../packages/gateway/src/auth/signed-request';
import { ChunkSignatureChain } from '../../packages/gateway/src/auth/sigv4-streaming';
import { parsePolicyDocument } from '../../packages/gateway/src/auth/policy/parse-policy';
import { AwsChunkedSource } from '../../packages/gateway/src/http/aws-chunked';
import { parseBoundary, PostFormReader } from '../../packages/gateway/src/http/post-form';
import { PulledSource } from '../../packages/gateway/src/http/pulled-source';
import { parseRequestHead } from '../../packages/gateway/src/http/request-head';
import { parseXml } from '../../packages/gateway/src/http/xml/xml-element';

export interface FuzzTarget {
  readonly name: string;
  readonly corpus: readonly Buffer[];
  readonly dictionary: readonly string[];
  run(input: Buffer): unknown;
}

const XML_WORDS = [
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<?xml version="1.0"?>',
  '&amp;',
  '&#x10FFFF;',
  '&#0;',
  '&lol;',
  '</',
  '/>',
  ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"',
  '__proto__',
];

const COMPLETION =
  '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>"' +
  'd41d8cd98f00b204e9800998ecf8427e"</ETag><PartNumber>1</PartNumber><ChecksumCRC32>AAAAAA==' +
  '</ChecksumCRC32></Part><Part><PartNumber>2</PartNumber><ETag>a</ETag></Part>' +
  '</CompleteMultipartUpload>';
const CORS =
  '<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example.test</AllowedOrigin>' +
  '<AllowedMethod>GET</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>' +
  '<MaxAgeSeconds>30</MaxAgeSeconds></CORSRule></CORSConfiguration>';
const DELETE =
  '<?xml version="1.0" encoding="UTF-8"?><Delete><Object><Key>a&amp;b</Key><VersionId>null' +
  '</VersionId></Object><Quiet>true</Quiet></Delete>';

const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'one',
      Effect: 'Allow',
      Principal: { AWS: ['arn:aws:iam::123456789012:user/alice', '*'] },
      Action: ['s3:Get*', 's3:PutObject'],
      Resource: 'arn:aws:s3:::bucket/${aws:username}/*',
      Condition: {
        'ForAnyValue:StringLikeIfExists': { 's3:prefix': ['a*', "${aws:userid, 'b'}"] },
        IpAddress: { 'aws:SourceIp': '10.0.0.0/8' },
        DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' },
      },
    },
  ],
});
const POST_POLICY = JSON.stringify({
  expiration: '2030-01-01T00:00:00.000Z',
  conditions: [{ bucket: 'b' }, ['starts-with', '$key', 'user/'], ['content-length-range', 0, 9]],
});
const JSON_WORDS = ['{', '}', '[', ']', '"', '\\u0000', 'null', '1e999', '"__proto__":', '*', '?'];

const BOUNDARY = 'boundary';
const FORM =
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="key"\r\n\r\nuser/\${filename}\r\n` +
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n` +
  `Content-Type: text/plain\r\n\r\nthe content\r\n--${BOUNDARY}--\r\n`;

const HEAD =
  'GET /bucket/a%2Fb//../c?versionId=null&X-Amz-Date=20260101T000000Z&prefix=%F0%9F%98%80\n' +
  'Host: bucket.localhost:9000\nx-amz-date: 20260101T000000Z\nRange: bytes=0-1\n' +
  'Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, ' +
  'SignedHeaders=host;x-amz-date, Signature=00\nx-amz-copy-source: /bucket/key%3F?versionId=abc\n' +
  'x-amz-tagging: a=b&c=%20';
const HEAD_WORDS = ['%', '%00', '%2e%2e/', '%C0%AF', '?', '&', '=', '\n', 'X-Amz-Signature=', '..'];

const CHUNKED = 'b;chunk-signature=00\r\nhello world\r\n0;chunk-signature=00\r\n\r\n';
const UNSIGNED_CHUNKED = 'b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
const CHUNK_WORDS = [
  '\r\n',
  '0\r\n',
  'ffffffffffff',
  ';chunk-signature=',
  'x-amz-trailer-signature:',
];

const XML_CORPUS = [COMPLETION, CORS, DELETE].map((text) => Buffer.from(text));

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  { name: 'xml', corpus: XML_CORPUS, dictionary: XML_WORDS, run: (input) => parseXml(input) },
  {
    name: 'completion',
    corpus: [Buffer.from(COMPLETION)],
    dictionary: XML_WORDS,
    run: (input) => parseCompletion(input),
  },
  {
    name: 'cors',
    corpus: [Buffer.from(CORS)],
    dictionary: XML_WORDS,
    run: (input) => parseCorsConfiguration(input),
  },
  {
    name: 'policy',
    corpus: [Buffer.from(POLICY)],
    dictionary: JSON_WORDS,
    run: (input) => parsePolicyDocument(input.toString(), 'resource'),
  },
  {
    name: 'post-policy',
    corpus: [Buffer.from(POST_POLICY)],
    dictionary: JSON_WORDS,
    run: (input) => parsePostPolicy(input.toString('base64')),
  },
  {
    name: 'post-form',
    corpus: [Buffer.from(FORM)],
    dictionary: [`--${BOUNDARY}`, '--', '\r\n', '; name="', '; filename="', '"'],
    run: readForm,
  },
  { name: 'request-head', corpus: [Buffer.from(HEAD)], dictionary: HEAD_WORDS, run: readHead },
  {
    name: 'aws-chunked',
    corpus: [Buffer.from(UNSIGNED_CHUNKED)],
    dictionary: CHUNK_WORDS,
    run: (input) => readChunked(input, false),
  },
  {
    name: 'aws-chunked-signed',
    corpus: [Buffer.from(CHUNKED)],
    dictionary: CHUNK_WORDS,
    run: (input) => readChunked(input, true),
  },
];

/** The head as Node's parser hands it over, then everything that reads single headers of it. */
function readHead(input: Buffer): void {
  const [requestLine = '', ...lines] = input.toString('latin1').split('\n');
  const [method = '', url = ''] = requestLine.split(' ');
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const head = parseRequestHead({ method, url, rawHeaders }, ['localhost']);
  decideRange(head.headers.get('range'), 100);
  parseTaggingHeader(head.headers);
  if (head.headers.has('x-amz-copy-source')) parseCopySource(head.headers);
  parseSignature(head);
}

async function readForm(input: Buffer): Promise<void> {
  const boundary = parseBoundary(`multipart/form-data; boundary=${BOUNDARY}`);
  const reader = new PostFormReader(new PulledSource(sourceOf(input)), boundary);
  for (let part = await reader.nextPart(); part !== null; part = await reader.nextPart()) {
    if (part.filename === null) await reader.readText();
  }
}

const SIGNING_KEY = Buffer.alloc(32, 1);
const SCOPE = '20260101/us-east-1/s3/aws4_request';

async function readChunked(input: Buffer, isSigned: boolean): Promise<void> {
  const sizeBytes = 11;
  let readBytes = 0;
  const source = new AwsChunkedSource(sourceOf(input), {
    sizeBytes,
    signatures: isSigned
      ? new ChunkSignatureChain(SIGNING_KEY, '20260101T000000Z', SCOPE, '00')
      : null,
    hasTrailer: !isSigned,
    announcedTrailers: isSigned ? [] : ['x-amz-checksum-crc32'],
  });
  await source.readInto((chunk) => {
    readBytes += chunk.length;
    return undefined;
  });
  if (readBytes !== sizeBytes) throw new Error(`accepted ${readBytes} bytes`);
  if (isSigned) throw new Error('accepted a signature that nobody made');
}

/** Pushes the input in pieces whose lengths depend on it: borders fall everywhere. */
function sourceOf(input: Buffer): {
  readInto(sink: (chunk: Uint8Array) => Promise<void> | undefined): Promise<void>;
} {
  return {
    async readInto(sink) {
      for (let at = 0; at < input.length;) {
        const length = 1 + ((input[at] ?? 0) % 97);
        await sink(input.subarray(at, at + length));
        at += length;
      }
    },
  };
}
