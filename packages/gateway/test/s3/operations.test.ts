import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import * as sdk from '@aws-sdk/client-s3';

import { ROUTES } from '../../src/http/router';
import { isRefused, OPERATIONS } from '../../src/s3/operations';
import { S3_ERRORS, S3Error, toS3Error } from '../../src/s3/s3-error';
import { AssertionError, STORE_ERROR_CODES, StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';

/** Operations that only newer models know, or older ones knew: not in every SDK. */
const API_NAMES = Object.keys(sdk)
  .filter((name) => name.endsWith('Command') && !name.startsWith('$'))
  .map((name) => name.slice(0, -'Command'.length));

describe('the operation table', () => {
  it('knows every operation of the AWS SDK', () => {
    expect(API_NAMES.length).toBeGreaterThan(95);
    expect(API_NAMES.filter((name) => !OPERATIONS.has(name))).toEqual([]);
  });

  it('is what the router leads to', () => {
    const unknown = ROUTES.map((route) => route.operation).filter((name) => !OPERATIONS.has(name));
    expect(unknown).toEqual([]);
    const reached = new Set(ROUTES.map((route) => route.operation));
    const supported = [...OPERATIONS.values()].filter((operation) => !isRefused(operation));
    expect(supported.filter(({ name }) => !reached.has(name))).toEqual([]);
  });

  it('has one file for each supported operation, named exactly after it', () => {
    const directories = ['bucket', 'object', 'multipart'];
    const files = directories.flatMap((directory) =>
      readdirSync(join(__dirname, '../../src/s3', directory)),
    );
    for (const operation of OPERATIONS.values()) {
      if (isRefused(operation)) continue;
      const kebab = operation.name.replace(/(?<!^)(?=[A-Z])/g, '-').toLowerCase();
      expect(files).toContain(`${kebab}.ts`);
    }
  });
});

describe('S3 errors', () => {
  it('carry code, status and the message of the table', () => {
    for (const [code, [status, message]] of Object.entries(S3_ERRORS)) {
      const error = new S3Error(code as keyof typeof S3_ERRORS);
      expect(error).toMatchObject({ code, status, message });
    }
  });

  it('503 says when to come back', () => {
    expect(new S3Error('SlowDown').headers).toEqual({ 'retry-after': '1' });
  });

  it('what may pass by itself is 503, never 500', () => {
    const codes = Object.entries(STORE_ERROR_CODES);
    for (const [code, isRetryable] of codes) {
      const error = toS3Error(new StoreError(code as StoreErrorCode));
      const shown = code === 'ZONE_OUT' ? 'ServiceUnavailable' : 'SlowDown';
      if (isRetryable) expect(error).toMatchObject({ code: shown, status: 503 });
    }
  });

  it('S-4: what is all in a zone that is out is 503 ServiceUnavailable, and names nothing', () => {
    const error = toS3Error(new StoreError('ZONE_OUT', { zone: 'b', blobId: '1' }));
    expect(error).toMatchObject({
      code: 'ServiceUnavailable',
      status: 503,
      message: 'Service is unable to handle request.',
      detail: {},
      headers: { 'retry-after': '1' },
    });
  });

  it('a bug is 500 and tells nothing', () => {
    const error = toS3Error(new AssertionError('the secret is 42'));
    expect(error).toMatchObject({ code: 'InternalError', status: 500, detail: {} });
    expect(error.message).not.toContain('42');
  });
});
