/**
 * Generates the TypeScript types of `proto/` into `packages/proto/src/gen` with
 * `proto-loader-gen-types`. The result is checked in; `test/repo/generated.test.ts` compares it.
 *
 * Usage: npm run proto:gen [-- --out DIR]
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = resolve(__dirname, '..');
const { values } = parseArgs({ options: { out: { type: 'string' } } });
const out = resolve(root, values.out ?? 'packages/proto/src/gen');
const protos = ['metadata', 'raft', 'storage'].map((name) => `azimuth/${name}/v1/${name}.proto`);

rmSync(out, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [
    join(root, 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js'),
    '--longs=Number',
    '--enums=String',
    '--defaults',
    '--keepCase=false',
    '--grpcLib=@grpc/grpc-js',
    '--includeDirs=proto',
    `--outDir=${out}`,
    ...protos,
  ],
  { stdio: 'inherit', cwd: root },
);
