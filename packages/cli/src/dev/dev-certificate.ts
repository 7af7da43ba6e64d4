import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Clock } from '@azimuth/common';
import { issueServerCertificate } from '@azimuth/rpc';

import type { DevGatewaySettings } from './dev-layout';
import { LOOPBACK } from './dev-layout';

const RENEWED_BEFORE_MS = 30 * 24 * 3_600_000;
/** Node's clients take no wildcard below a single label, browsers and curl do. */
const DNS_NAMES = ['localhost', '*.localhost'];

/**
 * The certificate of a region's HTTPS endpoint, made at the first start by the authority of the
 * region: clients trust `DIR/<region>/authority/ca.pem`.
 */
export async function ensureServerCertificate(
  directory: string,
  clock: Clock,
): Promise<NonNullable<DevGatewaySettings['certificate']>> {
  const files = {
    certificateFile: join(directory, 'https', 'certificate.pem'),
    keyFile: join(directory, 'https', 'key.pem'),
  };
  if (existsSync(files.keyFile) && isCurrent(files.certificateFile, clock)) return files;
  mkdirSync(join(directory, 'https'), { recursive: true, mode: 0o700 });
  const authority = {
    certPem: readFileSync(join(directory, 'authority', 'ca.pem'), 'utf8'),
    keyPem: readFileSync(join(directory, 'authority', 'ca-key.pem'), 'utf8'),
  };
  const names = { dnsNames: DNS_NAMES, addresses: [LOOPBACK, '::1'] };
  const { certPem, keyPem } = await issueServerCertificate(authority, names, clock);
  writeFileSync(files.keyFile, keyPem, { mode: 0o600 });
  // Last: its presence says that both are there.
  writeFileSync(files.certificateFile, certPem);
  return files;
}

function isCurrent(certificateFile: string, clock: Clock): boolean {
  if (!existsSync(certificateFile)) return false;
  const { validTo } = new X509Certificate(readFileSync(certificateFile));
  return Date.parse(validTo) - clock.wallMs() > RENEWED_BEFORE_MS;
}
