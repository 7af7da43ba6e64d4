import { NODE_CONFIG_SHAPE, portSchema } from '@azimuth/common';
import { z } from 'zod';

import { parseIpRange } from './auth/policy/ip-range';
import { tokenIssuersSchema } from './sts/oidc-issuers';

/** `a.test,b.test` in the environment, a list in a file. */
const domainsSchema = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').filter((name) => name !== '') : value),
  z.array(z.string().regex(/^[a-z0-9][a-z0-9.-]*$/)),
);

/** `10.0.0.0/8,192.0.2.1` in the environment, a list in a file. */
const addressRangesSchema = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').filter((text) => text !== '') : value),
  z.array(z.string().refine((text) => parseIpRange(text) !== null, 'an address or a CIDR range')),
);

/** `true` in the environment too. */
const booleanSchema = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
);

/** Null, which no schema takes, for what is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Settings of a gateway. */
export const gatewayConfigSchema = z.object({
  ...NODE_CONFIG_SHAPE,
  /** S3 requests. 0 picks a free port. */
  httpPort: portSchema.default(0),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('us-east-1'),
  accessKey: z.string(),
  secretKey: z.string(),
  /** S3 requests over TLS, with the certificate below; none when absent. 0 picks a free port. */
  httpsPort: portSchema.optional(),
  /** PEM files, read again on reload: the certificate and those of its issuers, and its key. */
  httpsCertificate: z.string().min(1).optional(),
  httpsKey: z.string().min(1).optional(),
  /** Buckets as websites, for anonymous readers; none when absent. 0 picks a free port. */
  websitePort: portSchema.optional(),
  /** Signature Version 2 is accepted: for clients that know nothing else. */
  allowSignatureV2: booleanSchema.default(false),
  /** File that declares accounts and users; see docs/operations/identities.md. */
  identitiesFile: z.string().min(1).optional(),
  /** Identity providers for AssumeRoleWithWebIdentity. */
  oidc: z
    .preprocess(
      (value) => (typeof value === 'string' ? parseJson(value) : value),
      tokenIssuersSchema,
    )
    .default([]),
  /** Domains whose subdomains are buckets; `localhost` always is one. */
  domains: domainsSchema.default([]),
  /** Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; nobody's otherwise. */
  trustedProxies: addressRangesSchema.default([]),
  /** Memory for bodies on their way, half for writes and half for reads. */
  bodyMemoryBytes: z.coerce
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .max(2 * 1024 * 1024 * 1024)
    .default(256 * 1024 * 1024),
  requestsInFlightMax: z.coerce.number().int().min(1).default(1024),
  connectionsMax: z.coerce.number().int().min(1).default(4096),
  /** Of them from one address; no limit of its own unless set, as a proxy is one address too. */
  connectionsPerAddressMax: z.coerce.number().int().min(1).optional(),
  headersTimeoutMs: z.coerce.number().int().min(100).default(20_000),
  keepAliveTimeoutMs: z.coerce.number().int().min(0).default(75_000),
  /** Answers say where in the Raft logs they hold: for checks of histories, not for production. */
  tellsLogPositions: booleanSchema.default(false),
  drainMs: z.coerce.number().int().min(0).default(5_000),
});

export type GatewayConfig = Readonly<z.infer<typeof gatewayConfigSchema>>;
