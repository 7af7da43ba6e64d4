/** A planted bug that fits its file no more would be found only when it is planted, hours later. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { DATA_PATH_MUTANTS } from '../../scripts/mutants/data-path-mutants';
import { RAFT_MUTANTS } from '../../scripts/mutants/raft-mutants';
import { STORAGE_MUTANTS } from '../../scripts/mutants/storage-mutants';

const ROOT = join(__dirname, '..', '..');

describe('planted bugs', () => {
  const mutants = [...RAFT_MUTANTS, ...STORAGE_MUTANTS, ...DATA_PATH_MUTANTS];

  it.each(mutants.map(({ name, file, find }) => ({ name, file, find })))(
    '$name: fits one place in $file',
    ({ file, find }) => {
      expect(readFileSync(join(ROOT, file), 'utf8').split(find)).toHaveLength(2);
    },
  );
});
