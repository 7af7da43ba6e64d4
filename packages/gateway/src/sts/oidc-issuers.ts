import { readFileSync, statSync } from 'node:fs';

import { StoreError } from '@azimuth/common';
import { z } from 'zod';

import { parseJsonWebKeys } from './json-web-keys';
import type { TokenIssuer } from './web-identity-token';

const ISSUERS_MAX = 16;
const KEY_FILE_BYTES_MAX = 256 * 1024;

/**
 * Identity providers whose tokens AssumeRoleWithWebIdentity accepts. Their keys are given, never
 * fetched: what a token says must not make a gateway ask anybody.
 */
export const tokenIssuersSchema = z
  .array(
    z
      .strictObject({
        issuer: z.string().regex(/^https:\/\/[A-Za-z0-9._~:/-]+$/),
        /** Audiences that tokens may be made for. */
        clientIds: z.array(z.string().min(1).max(255)).min(1).max(100),
        /** A JSON Web Key Set here, or in a file that is read again on reload. */
        jwks: z.unknown().optional(),
        jwksFile: z.string().min(1).optional(),
      })
      .refine(
        ({ jwks, jwksFile }) => (jwks === undefined) !== (jwksFile === undefined),
        'either jwks or jwksFile',
      ),
  )
  .max(ISSUERS_MAX)
  .refine(
    (issuers) => new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length,
    'an issuer is given twice',
  );

export type TokenIssuerSettings = z.infer<typeof tokenIssuersSchema>;

/** @throws StoreError INVALID_ARGUMENT naming the issuer whose keys cannot be used. */
export function loadTokenIssuers(settings: TokenIssuerSettings): readonly TokenIssuer[] {
  return settings.map(({ issuer, clientIds, jwks, jwksFile }) => {
    try {
      const document = jwksFile === undefined ? jwks : readKeyFile(jwksFile);
      return { issuer, clientIds, keys: parseJsonWebKeys(document) };
    } catch (error) {
      const detail = error instanceof StoreError ? error.detail : { jwksFile: 'cannot be read' };
      throw new StoreError('INVALID_ARGUMENT', { ...detail, issuer }, error);
    }
  });
}

function readKeyFile(path: string): unknown {
  if (statSync(path).size > KEY_FILE_BYTES_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { jwksFile: 'too large' });
  }
  return JSON.parse(readFileSync(path, 'utf8')) as unknown;
}
