import { spawn } from 'node:child_process';

import { StoreError } from '@azimuth/common';

/**
 * Runs a command of the system with `input` on its standard input; resolves with what it printed.
 *
 * @throws StoreError UNAVAILABLE when there is no such command, or it refuses: with its reason.
 */
export type RunTool = (command: readonly string[], input?: string) => Promise<string>;

const OUTPUT_CHARACTERS_MAX = 1_000_000;
const REASON_CHARACTERS_MAX = 300;

export const runTool: RunTool = (command, input = '') => {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      const detail = { command: command.join(' '), reason: reason.slice(0, REASON_CHARACTERS_MAX) };
      reject(new StoreError('UNAVAILABLE', detail));
    };
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let [output, complaint] = ['', ''];
    const append = (text: string, more: string): string =>
      (text + more).slice(0, OUTPUT_CHARACTERS_MAX);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output = append(output, text)));
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (complaint = append(complaint, text)));
    child.once('error', (error) => fail(error.message));
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else fail(complaint.trim() === '' ? `ended with ${code ?? 'a signal'}` : complaint.trim());
    });
    // It may end without reading everything; then it says why by its code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
};
