/** A command that should notice the fault. */
export interface Suite {
  readonly name: string;
  readonly args: readonly string[];
}

/** A fault to plant: one place in the sources, and who should notice first. */
export interface Mutant {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs once. */
  readonly find: string;
  readonly replace: string;
  /** Quickest first; the fault is caught by the first that fails. */
  readonly by: readonly Suite[];
}

const TSX = ['--conditions=source', '--import', 'tsx'];

/** Unit tests, by a path below `packages`. */
export function unit(path: string): Suite {
  const args = ['node_modules/jest/bin/jest.js', '--selectProjects', 'unit'];
  return { name: path, args: [...args, '--testPathPatterns', `packages/${path}`] };
}

/** Every crash schedule with one fault of a story. */
export function crashes(story: string): Suite {
  return { name: `explore ${story}`, args: [...TSX, 'scripts/explore.ts', '--story', story] };
}

/** Every state of the core of Raft within small bounds. */
export const EXPLORATION: Suite = {
  name: 'explore raft',
  args: [...TSX, 'scripts/explore.ts', '--raft', 'quick'],
};

export const SIMULATION: Suite = {
  name: 'simulate',
  args: [...TSX, 'scripts/simulate.ts', '--seed', '1', '--seeds', '200'],
};
