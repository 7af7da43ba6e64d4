/**
 * Compiles packages/erasure/kernel/kernel.ts to WASM and writes it as base64 into
 * packages/erasure/src/gen/kernel-wasm.ts. With `--check` it writes nothing and fails when the
 * checked-in file is not what the source compiles to.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PACKAGE = 'packages/erasure';
const TARGET = `${PACKAGE}/src/gen/kernel-wasm.ts`;
const LINE_CHARACTERS = 96;

function compile(root: string): Buffer {
  const scratch = mkdtempSync(path.join(tmpdir(), 'azimuth-kernel-'));
  try {
    const wasmPath = path.join(scratch, 'kernel.wasm');
    const packageJson = require.resolve('assemblyscript/package.json');
    const compiler = path.join(path.dirname(packageJson), 'bin/asc.js');
    const options = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub'];
    execFileSync(
      process.execPath,
      [compiler, `${PACKAGE}/kernel/kernel.ts`, ...options, '--importMemory', '-o', wasmPath],
      { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    return readFileSync(wasmPath);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function render(wasm: Buffer): string {
  const base64 = wasm.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_CHARACTERS) {
    lines.push(`  '${base64.slice(at, at + LINE_CHARACTERS)}'`);
  }
  return [
    '// Generated from kernel/kernel.ts by `npm run build:kernel`. Do not edit.',
    'export const KERNEL_WASM_BASE64 =',
    `${lines.join(' +\n')};`,
    '',
  ].join('\n');
}

const root = process.cwd();
const generated = render(compile(root));
if (!process.argv.includes('--check')) {
  writeFileSync(path.join(root, TARGET), generated);
} else if (readFileSync(path.join(root, TARGET), 'utf8') !== generated) {
  console.error(`${TARGET} is stale: run \`npm run build:kernel\``);
  process.exitCode = 1;
}
