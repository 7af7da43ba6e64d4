/** Every package can be imported alone, and its index names what it exports. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const PACKAGES = readdirSync(join(ROOT, 'packages'));

describe('imports', () => {
  it.each(PACKAGES)('%s loads alone, in a fresh process', (name) => {
    const entry = join(ROOT, 'packages', name, 'dist/index.js');
    expect(existsSync(entry)).toBe(true);
    const load = (): Buffer =>
      execFileSync(process.execPath, ['-e', `require(${JSON.stringify(entry)})`], {
        stdio: 'pipe',
      });
    expect(load).not.toThrow();
  });

  it.each(PACKAGES)('%s offers one entry point', (name) => {
    const manifest = JSON.parse(
      readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'),
    ) as { exports: Record<string, unknown> };
    expect(Object.keys(manifest.exports)).toEqual(['.']);
  });
});
