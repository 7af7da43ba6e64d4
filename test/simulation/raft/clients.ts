import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { decodeRecord } from '@azimuth/proto';
import type { SimNetwork, VirtualClock } from '@azimuth/testkit';

import { checkLinearizable } from './history';
import type { Operation } from './history';
import type { Question } from './question';
import { checkAnswer } from './safety-checker';
import type { SafetyChecker } from './safety-checker';
import type { SimNode, SimRead } from './sim-node';
import type { Swarm } from './swarm';
import { Workload } from './workload';

export interface ClientsOptions {
  readonly swarm: Swarm;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: SimNetwork;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly checker: SafetyChecker;
  readonly onFailure: (error: unknown) => void;
}

interface UnknownWrite {
  readonly commandId: string;
  readonly group: string;
  readonly startMs: number;
}

const THINK_MS_MAX = 250;
const ANSWER_TIMEOUT_MS = 900;
const ATTEMPTS_MAX = 4;
/** A client on the same machine as the node. */
const LOCAL = 'local';
const RIVALS_MS = 40;
const PROBE_MS = 100;

/**
 * Clients that change and read versions, uploads, buckets and identities through the service's own
 * entry points, and send a command again, as it was, when they do not know what became of it.
 * Requests and answers cross the faulty network, but no partition: a leader that lost touch with
 * its peers is still asked.
 */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #operations: Operation[] = [];
  readonly #unknown: UnknownWrite[] = [];
  readonly #workload: Workload;
  #isActive = true;
  retries = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#workload = new Workload({ ...options, keys: options.swarm.keys });
    for (let client = 1; client <= options.swarm.clients; client += 1) this.#think(`c${client}`);
    this.#useRivals();
  }

  get unknownCount(): number {
    return this.#unknown.length;
  }

  count(kind: Operation['kind']): number {
    return this.#operations.filter((operation) => operation.kind === kind).length;
  }

  stop(): void {
    this.#isActive = false;
  }

  /** From now on writes also at whoever of `nodes` leads, as soon as one does. */
  probe(nodes: readonly SimNode[]): void {
    const { clock, swarm } = this.#options;
    clock.schedule(PROBE_MS, () => {
      if (!this.#isActive) return;
      for (const group of swarm.groups) {
        const leader = nodes.find((node) => node.isLeaderOf(group));
        if (leader !== undefined) this.#watch(this.#write(LOCAL, group, leader));
      }
      this.probe(nodes);
    });
  }

  /** When the first write ended that began after `fromMs`; Infinity when none did. */
  firstWriteMs(group: string, fromMs: number): number {
    const isLater = (operation: Operation): boolean =>
      operation.kind === 'write' && operation.group === group && operation.startMs >= fromMs;
    return Math.min(...this.#operations.filter(isLater).map(({ endMs }) => endMs));
  }

  /** A new leader is asked before it can have committed anything (pitfall 2). */
  onLeader(node: SimNode, group: string): void {
    if (this.#isActive) this.#watch(this.#readAt(LOCAL, node, group));
  }

  /** Throws unless everything that clients saw is linearizable; answers when the last began. */
  check(): number {
    const operations = [...this.#operations];
    for (const { commandId, group, startMs } of this.#unknown) {
      const index = this.#options.checker.history(group).indexOf(commandId);
      if (index === null) continue;
      operations.push({ kind: 'write', group, startMs, endMs: Infinity, index });
    }
    checkLinearizable(operations);
    return Math.max(0, ...this.#operations.map(({ startMs }) => startMs));
  }

  #think(client: string): void {
    const { clock, random } = this.#options;
    clock.schedule(random.next() * THINK_MS_MAX, () => {
      if (!this.#isActive) return;
      this.#watch(this.#operate(client).then(() => this.#think(client)));
    });
  }

  #watch(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.onFailure(error));
  }

  async #operate(client: string): Promise<void> {
    const { random, swarm } = this.#options;
    const group = swarm.groups[random.below(swarm.groups.length)] as string;
    if (random.below(2) === 0) await this.#write(client, group);
    else await this.#readAt(client, this.#choose(group), group);
  }

  /**
   * While two nodes believe to lead, writes go to the new leader and reads to the old one: only
   * what is done in this short time can tell a linearizable read from one that is not.
   */
  #useRivals(): void {
    const { clock, swarm, nodes } = this.#options;
    clock.schedule(RIVALS_MS, () => {
      if (!this.#isActive) return;
      for (const group of swarm.groups) {
        const termOf = (node: SimNode): number => node.group(group)?.status().term ?? 0;
        const leaders = [...nodes.values()].filter((node) => node.isLeaderOf(group));
        const [newest, ...stale] = leaders.sort((a, b) => termOf(b) - termOf(a));
        if (newest === undefined || stale.length === 0) continue;
        this.#watch(this.#write(LOCAL, group, newest));
        for (const node of stale) this.#watch(this.#readAt(LOCAL, node, group));
      }
      this.#useRivals();
    });
  }

  /** Mostly who believes to lead, sometimes anybody. */
  #choose(group: string): SimNode {
    const { nodes, random } = this.#options;
    const all = [...nodes.values()];
    const leaders = all.filter((node) => node.isLeaderOf(group));
    const from = leaders.length > 0 && random.below(10) > 0 ? leaders : all;
    return from[random.below(from.length)] as SimNode;
  }

  /** Writes at `only`, once; or where the leader seems to be, until there is an answer. */
  async #write(client: string, group: string, only?: SimNode): Promise<void> {
    const { clock, checker } = this.#options;
    const command = this.#workload.command(client, group);
    const { commandId } = command;
    const startMs = clock.monotonicMs();
    const attemptsMax = only === undefined ? ATTEMPTS_MAX : 1;
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      if (attempt > 0) this.retries += 1;
      const answer = await this.#call(client, only ?? this.#choose(group), (node) =>
        node.submit(group, command),
      );
      if (answer === null) continue;
      const endMs = clock.monotonicMs();
      const history = checker.history(group);
      checkAnswer(`command ${commandId}`, history.answerTo(commandId), decodeRecord(answer));
      const index = history.indexOf(commandId);
      if (index === null) throw new Error(`${commandId} was answered and never committed`);
      this.#operations.push({ kind: 'write', group, startMs, endMs, index });
      return;
    }
    this.#unknown.push({ commandId, group, startMs });
  }

  async #readAt(
    client: string,
    node: SimNode,
    group: string,
    question: Question = this.#workload.question(group),
  ): Promise<void> {
    const { clock, checker } = this.#options;
    const startMs = clock.monotonicMs();
    const read = await this.#call(client, node, (asked) => asked.read(group, question));
    if (read === null) return;
    const endMs = clock.monotonicMs();
    const history = checker.history(group);
    const index = placeOf(read, (at) => history.expect(question, at));
    if (index === null) {
      const expected = history.expect(question, read.toIndex);
      const what = `${node.id} answered ${JSON.stringify(question)} with ${JSON.stringify(read)}`;
      throw new Error(`${what}, not ${JSON.stringify(expected)}`);
    }
    this.#operations.push({ kind: 'read', group, startMs, endMs, index });
  }

  /**
   * One request and its answer; either may be lost, doubled or late, except those of {@link LOCAL}.
   * Null when it was refused, failed, or there was no answer in time.
   */
  #call<T>(
    client: string,
    node: SimNode,
    request: (node: SimNode) => Promise<T>,
  ): Promise<T | null> {
    const { clock, network, onFailure } = this.#options;
    const send = (from: string, to: string, deliver: () => void): void => {
      if (client === LOCAL) clock.schedule(0, deliver);
      else network.send(from, to, deliver);
    };
    return new Promise((resolve) => {
      const cancel = clock.schedule(ANSWER_TIMEOUT_MS, () => resolve(null));
      const settle = (value: T | null): void => {
        cancel();
        resolve(value);
      };
      send(client, node.id, () => {
        node.run(() => {
          request(node).then(
            (value) => send(node.id, client, () => settle(value)),
            (error: unknown) => {
              if (error instanceof StoreError) send(node.id, client, () => settle(null));
              else onFailure(error);
            },
          );
        });
      });
    });
  }
}

/** The first index at which the answer is the one of the model. */
function placeOf(
  { fromIndex, toIndex, content }: SimRead,
  expectedAt: (index: number) => unknown,
): number | null {
  for (let index = fromIndex; index <= toIndex; index += 1) {
    if (isDeepStrictEqual(content, expectedAt(index))) return index;
  }
  return null;
}
