/**
 * Writes docs/raft-pitfalls.md from the names of the tests. A pitfall without a test ends with 1;
 * with `--check` so does a test that the page names and that is gone, and nothing is written.
 *
 * Usage: tsx scripts/gen-raft-pitfalls.ts [--check]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const DOCUMENT = 'docs/raft-pitfalls.md';

/** What goes wrong in implementations of Raft, and who found it. */
const PITFALLS: readonly string[] = [
  'An entry of an older term is committed by counting replicas (paper, figure 8; logcabin #44)',
  'A read is served before the new leader has committed in its term (adjoint #54)',
  'Lease reads with a paused or slow clock (tikv #964, sofa-jraft #34, consul #54, etcd #20418)',
  'A read is answered from acknowledgements that are older than the request',
  'Vote or term is not durable before the reply: two votes in one term',
  'An acknowledgement leaves before the log is durable (etcd #14370, #10508)',
  'The directory is not synced after a creation or a rename (etcd #6368)',
  'A torn tail of the log keeps the node from starting (etcd #6378, #6379, #14098)',
  'Damage in the middle is taken for the end: acknowledged entries are dropped (FAST ’18, PAR)',
  'A failed fsync is tried again and “succeeds” (fsyncgate)',
  'Committed entries are truncated by a reordered AppendEntries',
  'Append ABA: a finished write is taken for entries that replaced what it wrote (etcd)',
  'A new leader starts with optimistic match indexes (async-raft #113)',
  'Membership changes in single steps without a committed no-op (Ongaro 2015; atomix #23)',
  'A configuration counts from apply instead of append, or stays after it was rolled back',
  'A removed node disrupts the others; a removed leader counts itself',
  'A wiped node votes again under its old name; a new voter joins with an empty log',
  'A node of a larger term and a shorter log is stuck, or a joint configuration is (etcd #8243)',
  'An old leader keeps a connected quorum from electing (openraft #2080)',
  'A one-way link makes elections without end (Cloudflare 2020; TigerBeetle 2023)',
  'A flapping node starts one election after the other (etcd #9241)',
  'Writes are lost or stuck while leadership is handed over (hashicorp GH-581, GH-570)',
  'A crash in the middle of installing a snapshot leaves half a state (etcd failpoints)',
  'A snapshot older than what is applied is accepted (etcd #18055)',
  'Compaction races a slow follower: a gap in the log (hashicorp raft-wal)',
  'A command that is sent again is executed twice (FoundationDB, commit_unknown_result)',
  'Apply depends on clock, randomness or the order of a map',
  'What is on the way, or not committed yet, grows without bound',
  'A dead connection without a reset hides a dead peer',
  'A jump of the wall clock fires every timer',
];

const TEST = /\b(?:it|describe|test)(?:\.each\([^)]*\)|\.each`[^`]*`)?\(\s*(['"`])(.*?)\1/gs;

interface Found {
  readonly file: string;
  readonly name: string;
}

/** Tests by the number of the pitfall that their name gives. */
function testsByPitfall(): Map<number, Found[]> {
  const args = ['ls-files', '-co', '--exclude-standard', '*.test.ts', '*-suite.ts'];
  const files = execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean);
  const found = new Map<number, Found[]>();
  for (const file of [...new Set(files)].sort()) {
    for (const [, , name = ''] of readFileSync(file, 'utf8').matchAll(TEST)) {
      for (const [, number] of name.matchAll(/pitfall (\d+)/g)) {
        const tests = found.get(Number(number)) ?? [];
        found.set(Number(number), [...tests, { file, name }]);
      }
    }
  }
  return found;
}

function render(tests: ReadonlyMap<number, readonly Found[]>): string {
  const sections = PITFALLS.map((pitfall, at) => {
    const lines = (tests.get(at + 1) ?? []).map(({ file, name }) => `- \`${file}\`: ${name}`);
    return [`## ${String(at + 1)}. ${pitfall}`, '', ...lines].join('\n');
  });
  return [
    '# Thirty pitfalls of Raft',
    '',
    'What went wrong in other implementations, and the tests here that fail when it goes wrong in ours.',
    'Written by `npx tsx scripts/gen-raft-pitfalls.ts` from the names of the tests; a test of the',
    'repository fails when a pitfall has none, or one named here is gone. Beside these, the simulation',
    '(`test/simulation`) looks for all of them at once, and `docs/mutants.md` shows which planted',
    'faults each suite notices.',
    '',
    `${sections.join('\n\n')}\n`,
  ].join('\n');
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const tests = testsByPitfall();
const without = PITFALLS.map((_, at) => at + 1).filter((number) => !tests.has(number));
const text = render(tests);
if (!values.check) writeFileSync(DOCUMENT, text);
// A test that is new may be missing on the page; one that is gone may not be on it.
const isCurrent = new Set(text.split('\n'));
const gone = readFileSync(DOCUMENT, 'utf8')
  .split('\n')
  .filter((line) => !isCurrent.has(line));
if (gone.length > 0) process.stderr.write(`${DOCUMENT} is stale:\n${gone.join('\n')}\n`);
if (without.length > 0) process.stderr.write(`no test names pitfall ${without.join(', ')}\n`);
if (gone.length > 0 || without.length > 0) process.exitCode = 1;
