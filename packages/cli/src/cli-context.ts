import type { Clock, Random } from '@azimuth/common';

/** What the commands need of the process they run in. */
export interface CliContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** This program, as Node runs it. */
  readonly main: string;
  readonly print: (line: string) => void;
}
