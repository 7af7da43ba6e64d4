import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

import { StoreError } from '@azimuth/common';

import type { GatewayConfig } from './gateway-config';
import type { ServerCertificate } from './server';

/** @throws StoreError INVALID_ARGUMENT when the files are not a certificate and its key. */
export function loadServerCertificate({
  httpsCertificate,
  httpsKey,
}: Pick<GatewayConfig, 'httpsCertificate' | 'httpsKey'>): ServerCertificate {
  if (httpsCertificate === undefined || httpsKey === undefined) {
    throw new StoreError('INVALID_ARGUMENT', {
      configuration: 'httpsPort needs httpsCertificate and httpsKey',
    });
  }
  try {
    const certificate = {
      certPem: readFileSync(httpsCertificate),
      keyPem: readFileSync(httpsKey),
    };
    // Now, and not at the first handshake: key and certificate must belong together.
    createSecureContext({ cert: certificate.certPem, key: certificate.keyPem });
    return certificate;
  } catch (error) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      { httpsCertificate, configuration: 'not a certificate and its key' },
      error,
    );
  }
}
