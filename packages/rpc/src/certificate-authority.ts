import { webcrypto } from 'node:crypto';

import type { Clock } from '@azimuth/common';
import type * as X509 from '@peculiar/x509';

import { identityUri } from './identity';
import type { PeerIdentity, TlsMaterial } from './identity';

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_LIFE_DAYS = 3_650;
const CERTIFICATE_LIFE_DAYS = 825;
/** Nodes whose clocks are a little behind must accept a certificate made just now. */
const CLOCK_SKEW_MS = 3_600_000;
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };

/** What a certificate authority is on disk. The key never leaves the machine that issues. */
export interface AuthorityMaterial {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface CertificateRequest {
  readonly identity: PeerIdentity;
  /** IP addresses of the node. */
  readonly addresses: readonly string[];
}

/** The library is loaded on use: no running role needs it. */
async function loadX509(): Promise<typeof X509> {
  // Its container (tsyringe) wants this polyfill before it is loaded.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const x509 = await loadX509();
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Makes a private CA (EC P-256, path length 0) for one cluster. */
export async function createAuthority(clusterId: string, clock: Clock): Promise<AuthorityMaterial> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=Azimuth cluster ${clusterId}`,
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    notBefore: new Date(clock.wallMs() - CLOCK_SKEW_MS),
    notAfter: new Date(clock.wallMs() + AUTHORITY_LIFE_DAYS * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: certificate.toString('pem'), keyPem: await privateKeyPem(keys.privateKey) };
}

/** Issues a node's certificate, good for both sides of a connection. */
export async function issueCertificate(
  authority: AuthorityMaterial,
  request: CertificateRequest,
  clock: Clock,
): Promise<TlsMaterial> {
  const { serverAuth, clientAuth } = (await loadX509()).ExtendedKeyUsage;
  return issue(
    authority,
    {
      commonName: request.identity.nodeId,
      usages: [serverAuth, clientAuth],
      names: [
        { type: 'url', value: identityUri(request.identity) },
        ...request.addresses.map((address) => ({ type: 'ip' as const, value: address })),
      ],
    },
    clock,
  );
}

/**
 * Issues a certificate for a public HTTPS endpoint. It names no node, so that it opens nothing
 * inside the cluster.
 */
export async function issueServerCertificate(
  authority: AuthorityMaterial,
  names: { readonly dnsNames: readonly string[]; readonly addresses: readonly string[] },
  clock: Clock,
): Promise<TlsMaterial> {
  const { serverAuth } = (await loadX509()).ExtendedKeyUsage;
  return issue(
    authority,
    {
      commonName: names.dnsNames[0] ?? 'Azimuth',
      usages: [serverAuth],
      names: [
        ...names.dnsNames.map((name) => ({ type: 'dns' as const, value: name })),
        ...names.addresses.map((address) => ({ type: 'ip' as const, value: address })),
      ],
    },
    clock,
  );
}

interface CertificateSubject {
  readonly commonName: string;
  readonly usages: readonly X509.ExtendedKeyUsage[];
  readonly names: readonly { readonly type: 'url' | 'ip' | 'dns'; readonly value: string }[];
}

async function issue(
  authority: AuthorityMaterial,
  { commonName, usages, names }: CertificateSubject,
  clock: Clock,
): Promise<TlsMaterial> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certPem);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.keyPem),
    KEY_ALGORITHM,
    false,
    ['sign'],
  );
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: signingKey,
    signingAlgorithm: SIGNING_ALGORITHM,
    notBefore: new Date(clock.wallMs() - CLOCK_SKEW_MS),
    notAfter: new Date(clock.wallMs() + CERTIFICATE_LIFE_DAYS * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([...usages]),
      new x509.SubjectAlternativeNameExtension([...names]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return {
    caPem: Buffer.from(authority.certPem),
    certPem: Buffer.from(certificate.toString('pem')),
    keyPem: Buffer.from(await privateKeyPem(keys.privateKey)),
  };
}
