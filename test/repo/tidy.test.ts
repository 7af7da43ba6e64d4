/**
 * Style as a test. Every rule names what to write instead; what cannot be checked is not called a
 * rule (docs/style.md).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const LINE_LENGTH_MAX = 100;
const FILE_BYTES_MAX = 1024 * 1024;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile());

const typescript = files.filter((path) => path.endsWith('.ts') && !path.includes('/gen/'));
const sources = typescript.filter((path) => /^packages\/(?!testkit)[^/]+\/src\//.test(path));
const markdown = files.filter((path) => path.endsWith('.md'));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** All `path:line` of lines that match; an empty list passes. */
function linesThat(paths: readonly string[], matches: (line: string) => boolean): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (matches(line) ? [`${path}:${index + 1}`] : [])),
  );
}

describe('tidy', () => {
  it('keeps lines within 100 columns (long strings, links and import lines excepted)', () => {
    // Prettier breaks no import or export of one name.
    const isExcepted = (line: string): boolean =>
      /https?:\/\/|['"`/].{60,}|^(import|export) .* from '/.test(line);
    const isLong = (line: string): boolean => line.length > LINE_LENGTH_MAX && !isExcepted(line);
    expect(linesThat(typescript, isLong)).toEqual([]);
  });

  it.each([
    [/\bFIXME\b/, 'fix it before merging'],
    [/\bTODO(?!\(#\d+\))/, 'TODO(#123): names an issue'],
    [/@ts-(ignore|nocheck)/, 'correct the type'],
    [/\benum\s+\w+\s*\{/, 'a union of string literals'],
    [/^export default\b/, 'a named export'],
    [/^export \* from/, 'name what is exported'],
    [/\bconsole\.(log|error|warn)\b/, 'the injected logger (the CLI writes to process.stdout)'],
    [/\bjest\.mock\(/, 'inject a fake'],
  ])('%s is not written: %s', (pattern) => {
    const paths = typescript.filter((path) => !path.startsWith('test/repo/'));
    const inScripts = String(pattern).includes('console');
    expect(linesThat(inScripts ? sources : paths, (line) => pattern.test(line))).toEqual([]);
  });

  it('names files in kebab-case and by a noun', () => {
    const banned = new Set(['utils.ts', 'helpers.ts', 'types.ts', 'misc.ts', 'manager.ts']);
    const isBad = (path: string): boolean =>
      banned.has(basename(path)) || !/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(basename(path));
    expect(typescript.filter(isBad)).toEqual([]);
  });

  it('skips and focuses no test', () => {
    const tests = typescript.filter((path) => path.endsWith('.test.ts'));
    const pattern = /\b(describe|it|test)\.(skip|only)\(|\bx(it|describe)\(/;
    expect(linesThat(tests, (line) => pattern.test(line))).toEqual([]);
  });

  it('sleeps in no unit test', () => {
    const tests = typescript.filter((path) => /^packages\/.*\.test\.ts$/.test(path));
    const pattern = /setTimeout\([^,]*resolve/;
    expect(linesThat(tests, (line) => pattern.test(line))).toEqual([]);
  });

  it('keeps each document under one title', () => {
    const titles = (path: string): number =>
      read(path)
        .replace(/```[\s\S]*?```/g, '')
        .split('\n')
        .filter((line) => line.startsWith('# ')).length;
    expect(markdown.filter((path) => titles(path) !== 1)).toEqual([]);
  });

  it('tracks no large file', () => {
    const isLarge = (path: string): boolean => statSync(join(ROOT, path)).size > FILE_BYTES_MAX;
    expect(files.filter(isLarge)).toEqual([]);
  });

  it('keeps the README short', () => {
    expect(read('README.md').split('\n').length).toBeLessThan(150);
  });
});
