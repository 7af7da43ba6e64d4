import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { get } from 'node:http';
import type { Agent } from 'node:http';

import type { Clock } from '@azimuth/common';

import type { DevNode } from './dev-layout';

const PROBE_TIMEOUT_MS = 1_000;
const READY_POLL_MS = 100;

export interface DevProcessOptions {
  readonly node: DevNode;
  readonly configFile: string;
  readonly logFile: string;
  readonly host: string;
  readonly adminPort: number;
  /** The program and arguments before the role: `[nsenter …] node [flags] main.js`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Called when the process ends without having been told to. */
  readonly onCrash: (process: DevProcess, how: string) => void;
  readonly onChange: () => void;
}

type State =
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'running' | 'frozen';
      readonly child: ChildProcess;
      readonly pid: number;
      readonly ended: Promise<void>;
      isEndExpected: boolean;
    };

/**
 * One process of the cluster. Its standard input is a pipe that we never write to: when the
 * launcher is gone, however it went, the pipe ends and the process closes.
 */
export class DevProcess {
  readonly node: DevNode;
  readonly #options: DevProcessOptions;
  #state: State = { kind: 'stopped' };

  constructor(options: DevProcessOptions) {
    this.node = options.node;
    this.#options = options;
  }

  get state(): 'stopped' | 'running' | 'frozen' {
    return this.#state.kind;
  }

  get pid(): number | null {
    return this.#state.kind === 'stopped' ? null : this.#state.pid;
  }

  get adminUrl(): string {
    return `http://${this.#options.host}:${this.#options.adminPort}`;
  }

  get logFile(): string {
    return this.#options.logFile;
  }

  /** Starts the process if it does not run. */
  start(): void {
    if (this.#state.kind !== 'stopped') return;
    const { command, node, configFile, env, logFile } = this.#options;
    const [program = process.execPath, ...args] = command;
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(
      program,
      [...args, node.role, '--config', configFile, '--exit-with-parent'],
      { stdio: ['pipe', log, log], env: { ...env } },
    );
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        this.#onExit(child, signal ?? `code ${code ?? '?'}`);
        resolve();
      });
      child.once('error', (error) => {
        this.#onExit(child, error.message);
        resolve();
      });
    });
    child.stdin?.on('error', () => undefined);
    if (child.pid === undefined) return;
    this.#state = { kind: 'running', child, pid: child.pid, ended, isEndExpected: false };
    this.#options.onChange();
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks it to close; kills it when it has not after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.thaw();
    const cancel = this.#options.clock.schedule(timeoutMs, () => {
      if (this.#state.kind !== 'stopped') this.#state.child.kill('SIGKILL');
    });
    await this.#end('SIGTERM');
    cancel();
  }

  /** SIGHUP: it reads its files again. */
  reload(): void {
    if (this.#state.kind === 'running') this.#state.child.kill('SIGHUP');
  }

  /** SIGSTOP: alive, holds its connections, answers nothing. */
  freeze(): void {
    if (this.#state.kind !== 'running') return;
    this.#state.child.kill('SIGSTOP');
    this.#state = { ...this.#state, kind: 'frozen' };
    this.#options.onChange();
  }

  thaw(): void {
    if (this.#state.kind !== 'frozen') return;
    this.#state.child.kill('SIGCONT');
    this.#state = { ...this.#state, kind: 'running' };
    this.#options.onChange();
  }

  /** Resolves true once /readyz says yes, false when the process ended or `timeoutMs` passed. */
  waitReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#waitFor('readyz', timeoutMs, signal);
  }

  /** The same of /livez: it runs, but may wait for others to let it take part. */
  waitLive(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#waitFor('livez', timeoutMs, signal);
  }

  async #waitFor(probed: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (this.#state.kind !== 'stopped' && clock.monotonicMs() < deadlineMs) {
      if (signal?.aborted === true) return false;
      if (await probe(`${this.adminUrl}/${probed}`)) return true;
      await clock.sleep(READY_POLL_MS);
    }
    return false;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#state.kind === 'stopped') return;
    this.#state.isEndExpected = true;
    this.#state.child.kill(signal);
    await this.#state.ended;
  }

  #onExit(child: ChildProcess, how: string): void {
    const state = this.#state;
    // A failed spawn ends before it has a state.
    const isExpected = state.kind !== 'stopped' && state.child === child && state.isEndExpected;
    this.#state = { kind: 'stopped' };
    if (!isExpected) this.#options.onCrash(this, how);
    this.#options.onChange();
  }
}

/** True when the URL answers 200 in time. */
async function probe(url: string): Promise<boolean> {
  return (await probeStatus(url)) === 200;
}

/**
 * The status with which the URL answers; null when it does not, or not in time.
 *
 * @param agent keeps connections for the next probe; without one each probe makes its own.
 */
export function probeStatus(url: string, agent?: Agent): Promise<number | null> {
  return new Promise((resolve) => {
    const options = { timeout: PROBE_TIMEOUT_MS, agent: agent ?? false };
    const request = get(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(null));
  });
}
