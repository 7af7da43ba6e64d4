import { seededRandom } from '@azimuth/common';
import fc from 'fast-check';

import { accountDirectory } from '../../src/auth/accounts';
import { parseAclDocument } from '../../src/s3/acl/acl-document';
import { parseAclHeaders } from '../../src/s3/acl/acl-headers';
import { parseCorsConfiguration } from '../../src/s3/cors/cors-configuration';
import { parsePublicAccessBlock } from '../../src/s3/public-access-block';
import { S3Error } from '../../src/s3/s3-error';
import { encodeText } from '../../src/s3/website/redirect';
import { parseWebsiteConfiguration } from '../../src/s3/website/website-configuration';
import { Harness, OWNER } from './harness';

/** Names that mean something to some of the parsers, in places where they may not. */
const NAMES = [
  'AccessControlPolicy',
  'Owner',
  'ID',
  'AccessControlList',
  'Grant',
  'Grantee',
  'Permission',
  'URI',
  'CORSConfiguration',
  'CORSRule',
  'AllowedOrigin',
  'AllowedMethod',
  'ExposeHeader',
  'MaxAgeSeconds',
  'WebsiteConfiguration',
  'IndexDocument',
  'Suffix',
  'RoutingRules',
  'RoutingRule',
  'Condition',
  'Redirect',
  'HostName',
  'PublicAccessBlockConfiguration',
  'BlockPublicAcls',
];

const { document } = fc.letrec<{ document: string; content: string }>((tie) => ({
  content: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom('', '*', 'GET', 'true', 'http://a.test', '&#13;&#10;', '1', 'READ'),
    fc.string(),
    fc.array(tie('document'), { maxLength: 4 }).map((parts) => parts.join('')),
  ),
  document: fc
    .tuple(fc.constantFrom(...NAMES), tie('content'))
    .map(([name, content]) => `<${name}>${content}</${name}>`),
}));

const input = fc.oneof(
  document,
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...NAMES).map((name) => `<${name}><${name}/></${name}>`),
);

async function accountsOfOne(): Promise<ReturnType<typeof accountDirectory>> {
  const { metadata } = await Harness.create(1);
  return accountDirectory(metadata.view, OWNER);
}

describe('documents that nobody should send', () => {
  it('advisory 45: are refused as bad requests, whatever they are', async () => {
    const accounts = await accountsOfOne();
    const parsers = [
      (bytes: Buffer) => parseAclDocument(bytes, OWNER.canonicalId, accounts),
      parseCorsConfiguration,
      parseWebsiteConfiguration,
      parsePublicAccessBlock,
    ];
    fc.assert(
      fc.property(input, (text) => {
        for (const parse of parsers) {
          try {
            parse(Buffer.from(text));
          } catch (error) {
            expect(error).toBeInstanceOf(S3Error);
            expect((error as S3Error).status).toBeLessThan(500);
          }
        }
      }),
      { numRuns: 1000, seed: seededRandom(20_261_122).below(2 ** 31) },
    );
  });

  it('grant headers are read in linear time, or refused', async () => {
    const accounts = await accountsOfOne();
    const part = fc.constantFrom('id=', 'uri=', 'emailAddress=', '"', ',', ' ', '=', 'x', '\t');
    const header = fc.oneof(
      fc.array(part, { maxLength: 200 }).map((parts) => parts.join('')),
      fc.string({ maxLength: 8000 }),
    );
    fc.assert(
      fc.property(header, (text) => {
        try {
          parseAclHeaders(new Map([['x-amz-grant-read', text]]), 'bucket', accounts);
        } catch (error) {
          expect(error).toBeInstanceOf(S3Error);
          expect((error as S3Error).status).toBe(400);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('advisory 44: what goes into Location never ends a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(encodeText(text)).toMatch(/^[\x21-\x7e]*$/);
      }),
      { numRuns: 1000 },
    );
  });
});
