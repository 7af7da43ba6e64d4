/** Generated files are checked in; these tests fail when one is stale. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const TSX = join(ROOT, 'node_modules/tsx/dist/cli.mjs');

function contents(directory: string): Record<string, string> {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    paths.map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')]),
  );
}

describe('generated files', () => {
  it('are current: types of proto/ (npm run proto:gen)', () => {
    const directory = mkdtempSync(join(tmpdir(), 'azimuth-proto-'));
    try {
      const script = join(ROOT, 'scripts/gen-proto.ts');
      execFileSync(process.execPath, [TSX, script, '--out', directory], { stdio: 'pipe' });
      expect(contents(directory)).toEqual(contents(join(ROOT, 'packages/proto/src/gen')));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it.each([
    ['the erasure kernel (npm run build:kernel)', 'build-kernel.ts'],
    ['docs/s3-compatibility.md', 'gen-s3-compatibility.ts'],
    ['docs/raft-pitfalls.md, with a test for each', 'gen-raft-pitfalls.ts'],
  ])('are current: %s', (_what, script) => {
    const run = (): Buffer =>
      execFileSync(process.execPath, [TSX, join(ROOT, 'scripts', script), '--check'], {
        stdio: 'pipe',
        cwd: ROOT,
      });
    expect(run).not.toThrow();
  });
});
