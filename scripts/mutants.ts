/**
 * Tests the tests of the metadata service: plants one known fault of Raft implementations after the
 * other in a copy of the sources, and tells whether the simulation and the unit tests notice.
 *
 * Usage: npm run mutants -- [--only TEXT] [--seeds COUNT] [--skip-unit]
 *
 * Ends with 1 when a fault survives both.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Mutant {
  readonly name: string;
  /** Below `packages/metadata-raft/src`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'a vote is not persisted (pitfall 5)',
    file: 'log/wal.ts',
    find: '...group.hardState(),\n        snapshotIndex',
    replace: '...group.hardState(),\n        votedFor: null,\n        snapshotIndex',
  },
  {
    name: 'a vote leaves before it is durable (pitfall 5)',
    file: 'core/election.ts',
    find: "state.ready.messagesAfterSync.push({\n    type: isPreVote ? 'PreVoteResponse' : 'RequestVoteResponse',\n    from: state.id,\n    to: request.from",
    replace:
      "state.ready.messages.push({\n    type: isPreVote ? 'PreVoteResponse' : 'RequestVoteResponse',\n    from: state.id,\n    to: request.from",
  },
  {
    name: 'two votes in one term (paper, section 5.2)',
    file: 'core/election.ts',
    find: 'state.votedFor === request.from ||',
    replace: 'true ||',
  },
  {
    name: 'the state file is not synced (pitfall 5)',
    file: 'log/state-storage.ts',
    find: 'await this.#file.sync();',
    replace: '',
  },
  {
    name: 'the log is not synced (pitfall 6)',
    file: 'log/wal.ts',
    find: 'await segment.file.write(segment.endOffset, target);\n    await segment.file.sync();',
    replace: 'await segment.file.write(segment.endOffset, target);',
  },
  {
    name: 'an acknowledgement leaves before the sync (pitfall 6)',
    file: 'core/replication.ts',
    find: "state.ready.messagesAfterSync.push({\n    type: 'AppendEntriesResponse'",
    replace: "state.ready.messages.push({\n    type: 'AppendEntriesResponse'",
  },
  {
    name: 'a conflicting tail is not truncated (paper, figure 2)',
    file: 'core/log-view.ts',
    find: 'this.#truncateFrom(first);\n    this.append(entries.slice(conflict));',
    replace: 'if (first > this.lastIndex) this.append(entries.slice(conflict));',
  },
  {
    name: 'a finished write covers replaced entries (pitfall 12)',
    file: 'core/log-view.ts',
    find: 'const to = Math.min(index, this.#writingTo);',
    replace: 'const to = Math.min(index, this.lastIndex);',
  },
  {
    name: 'ReadIndex without a quorum',
    file: 'core/read-index.ts',
    find: 'isQuorum(state.configuration, (id) => read.confirmedBy.has(id))',
    replace: 'read.confirmedBy.size > 0',
  },
  {
    name: 'ReadIndex before the first commit of the term (pitfall 2)',
    file: 'core/read-index.ts',
    find: 'index: Math.max(state.log.commitIndex, state.termStartIndex)',
    replace: 'index: state.log.commitIndex',
  },
  {
    name: 'a response to an earlier round confirms a read (pitfall 4)',
    file: 'core/read-index.ts',
    find: 'if (read.context <= response.readContext)',
    replace: 'if (read.context > 0)',
  },
  {
    name: 'an entry of an older term is committed by counting (pitfall 1)',
    file: 'core/replication.ts',
    find: 'if (log.term(index) !== state.currentTerm) return;',
    replace: '',
  },
  {
    name: 'a follower commits beyond what the leader sent',
    file: 'core/replication.ts',
    find: 'log.commitTo(Math.min(request.leaderCommit, lastNewIndex));',
    replace: 'log.commitTo(Math.min(request.leaderCommit, log.lastIndex));',
  },
  {
    name: 'a heartbeat commits beyond the match',
    file: 'core/replication.ts',
    find: 'leaderCommit: Math.min(progress.matchIndex, state.log.commitIndex),',
    replace: 'leaderCommit: state.log.commitIndex,',
  },
  {
    name: 'a pre-vote ignores the log (thesis, section 9.6)',
    file: 'core/election.ts',
    find: 'state.log.isUpToDate(request.lastLogTerm, request.lastLogIndex);',
    replace: '(isPreVote || state.log.isUpToDate(request.lastLogTerm, request.lastLogIndex));',
  },
  {
    name: 'a vote ignores the log (paper, section 5.4.1)',
    file: 'core/election.ts',
    find: 'canVote && !isDamaged(state) && state.log.isUpToDate(request.lastLogTerm, request.lastLogIndex);',
    replace: 'canVote && !isDamaged(state);',
  },
  {
    name: 'a damaged log votes (pitfall 9)',
    file: 'core/election.ts',
    find: 'canVote && !isDamaged(state) &&',
    replace: 'canVote &&',
  },
  {
    name: 'a node that lost its disk votes (pitfall 17)',
    file: 'log/wal.ts',
    find: 'const repairIndex = this.#isRejoining ? 1 : 0;',
    replace: 'const repairIndex = 0;',
  },
  {
    name: 'damage is taken for the end of the log (pitfall 9)',
    file: 'log/wal-recovery.ts',
    find: 'const isDamaged = this.#fault?.isProven === true || ackedBatch > batch || segmentCount === 0;',
    replace: 'const isDamaged = segmentCount === 0;',
  },
  {
    name: 'the conflict hint is one too high',
    file: 'core/progress.ts',
    find: 'Math.min(rejectedIndex, lastPossibleMatch + 1)',
    replace: 'Math.min(rejectedIndex + 1, lastPossibleMatch + 2)',
  },
  {
    name: 'a refusal of what was acknowledged is answered at once',
    file: 'core/progress.ts',
    find: 'if (rejectedIndex <= this.matchIndex) return false;',
    replace: '',
  },
  {
    name: 'a snapshot older than what is applied is accepted (pitfall 24)',
    file: 'core/snapshot.ts',
    find: 'if (index <= log.commitIndex) {',
    replace: 'if (index <= log.snapshotIndex) {',
  },
  {
    name: 'entries are applied before they are durable here',
    file: 'core/raft-node.ts',
    find: 'const end = Math.min(log.commitIndex, log.stableIndex) + 1;',
    replace: 'const end = log.commitIndex + 1;',
  },
  {
    name: 'unsynced state is believed after a power cut',
    file: 'driver/metadata-driver.ts',
    find: '(!isTrusted || isDamaged || isAhead)',
    replace: '(isDamaged || isAhead)',
  },
  {
    name: 'a proposal is answered by another entry at its index',
    file: 'driver/pending-proposals.ts',
    find: 'if (waiting.term === entry.term) waiting.resolve(result);',
    replace: 'if (waiting.term > 0) waiting.resolve(result);',
  },
  {
    name: 'a command that is sent again is executed again (pitfall 26)',
    file: 'state-machine/group-state-machine.ts',
    find: 'if (recalled !== null) return recalled;',
    replace: '',
  },
  {
    name: 'apply reads the clock of the replica (pitfall 27)',
    file: 'state-machine/group-state-machine.ts',
    find: 'this.#nowMs = Math.max(this.#nowMs, entryMs);',
    replace: 'this.#nowMs = Math.max(this.#nowMs, entryMs, Date.now());',
  },
];

const ROOT = process.cwd();
const COPIED = [
  'packages/metadata-raft/src',
  'packages/metadata-raft/test',
  'test/simulation',
  'scripts/simulate.ts',
  'jest.config.js',
  'jest.preset.js',
  'package.json',
];
const SOURCES = 'packages/metadata-raft/src';
const UNIT_TESTS = ['core', 'log', 'driver', 'state-machine'].map(
  (folder) => `packages/metadata-raft/test/${folder}`,
);
const TIMEOUT_MS = 300_000;

interface Outcome {
  readonly isCaught: boolean;
  readonly how: string;
}

function run(directory: string, args: readonly string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 256 * 1024 * 1024,
  });
  return { code: status, text: `${stdout}${stderr}` };
}

function simulate(directory: string, seeds: string): Outcome {
  const startMs = performance.now();
  const { code, text } = run(directory, [
    ...['--conditions=source', '--import', 'tsx', 'scripts/simulate.ts'],
    ...['--seed', '1', '--seeds', seeds],
  ]);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  if (code === 0) return { isCaught: false, how: `survives ${seeds} seeds (${seconds} s)` };
  const [, seed = 'none: no end', what = ''] = /^seed=(\d+) .*\n(.*)/m.exec(text) ?? [];
  return { isCaught: true, how: `seed ${seed} (${seconds} s): ${what.slice(0, 100)}` };
}

function runUnitTests(directory: string): Outcome {
  const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
  const { code, text } = run(directory, [jest, '--selectProjects', 'unit', '--', ...UNIT_TESTS]);
  if (code === 0) return { isCaught: false, how: 'survives the unit tests' };
  const failed = [...text.matchAll(/^ +✕ (.*)/gm)].map(([, name]) => name);
  const first = failed[0] ?? /● (.*)/.exec(text)?.[1] ?? 'a time-out';
  return { isCaught: true, how: `unit: ${first}` };
}

function plant(directory: string, { name, file, find, replace }: Mutant): void {
  const path = join(directory, SOURCES, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) throw new Error(`"${name}" does not fit ${file} any more`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      seeds: { type: 'string', default: '200' },
      'skip-unit': { type: 'boolean', default: false },
    },
  });
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-mutants-'));
  let survivors = 0;
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true });
    mkdirSync(join(directory, 'packages'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    for (const mutant of MUTANTS.filter(({ name }) => name.includes(values.only))) {
      cpSync(join(ROOT, SOURCES), join(directory, SOURCES), { recursive: true });
      plant(directory, mutant);
      const outcomes = [simulate(directory, values.seeds)];
      if (!values['skip-unit']) outcomes.push(runUnitTests(directory));
      const isCaught = outcomes.some((outcome) => outcome.isCaught);
      if (!isCaught) survivors += 1;
      process.stdout.write(`${isCaught ? 'caught  ' : 'SURVIVED'} ${mutant.name}\n`);
      for (const { how } of outcomes) process.stdout.write(`           ${how}\n`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  process.stdout.write(`${String(survivors)} survived\n`);
  if (survivors > 0) process.exitCode = 1;
}

main();
