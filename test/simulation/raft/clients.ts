import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { COMMAND_VERSION, decodeRecord } from '@azimuth/proto';
import type { Command, WritePrecondition } from '@azimuth/proto';
import type { SimNetwork, VirtualClock } from '@azimuth/testkit';

import { checkLinearizable } from './history';
import type { Operation } from './history';
import { checkAnswer } from './safety-checker';
import type { SafetyChecker } from './safety-checker';
import { BUCKET_ID } from './sim-node';
import type { SimNode, SimRead } from './sim-node';
import type { Swarm } from './swarm';

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

/**
 * Clients that write, delete and read versions through the service's own entry points, and send a
 * command again, as it was, when they do not know what became of it. Requests and answers cross the
 * faulty network, but no partition: a leader that lost touch with its peers is still asked.
 */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #operations: Operation[] = [];
  readonly #unknown: UnknownWrite[] = [];
  #commands = 0;
  #isActive = true;
  retries = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
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

  /** A new leader is asked before it can have committed anything (pitfall 2). */
  onLeader(node: SimNode, group: string): void {
    if (this.#isActive) this.#watch(this.#readAt(LOCAL, node, group, this.#anyKey()));
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
    else await this.#readAt(client, this.#choose(group), group, this.#anyKey());
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
        for (const node of stale) this.#watch(this.#readAt(LOCAL, node, group, this.#anyKey()));
      }
      this.#useRivals();
    });
  }

  #anyKey(): string {
    const { random, swarm } = this.#options;
    return `k${String(random.below(swarm.keys))}`;
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
    const command = this.#makeCommand(client);
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

  #makeCommand(client: string): Command {
    const { random, clock } = this.#options;
    this.#commands += 1;
    const key = this.#anyKey();
    // Half of the keys keep their versions.
    const versioning = Number(key.slice(1)) % 2 === 0 ? 'unversioned' : 'enabled';
    const base = { bucketId: BUCKET_ID, key, versioning, precondition: this.#precondition() };
    const text = `${client}-${String(this.#commands)}${'x'.repeat(random.below(200))}`;
    const draft = {
      ...{ key, sizeBytes: text.length, etag: String(random.below(3)), owner: 'me' },
      ...{ storageClass: 'STANDARD', headers: {}, userMetadata: {}, checksum: null },
      ...{ tags: {}, acl: null },
    };
    const data = { inline: Buffer.from(text), blobs: [], missing: [] };
    const isDelete = random.below(5) === 0;
    return {
      version: COMMAND_VERSION,
      name: isDelete ? 'DeleteVersion' : 'CommitVersion',
      commandId: this.#commands.toString(16).padStart(32, '0'),
      issuedMs: Math.floor(clock.wallMs()),
      args: isDelete ? { ...base, versionId: null, owner: 'me' } : { ...base, draft, data },
    };
  }

  #precondition(): WritePrecondition | null {
    const { random } = this.#options;
    if (random.below(4) > 0) return null;
    const etag = String(random.below(3));
    return { ifMatch: [etag], ifNoneMatch: null };
  }

  async #readAt(client: string, node: SimNode, group: string, key: string): Promise<void> {
    const { clock, checker } = this.#options;
    const startMs = clock.monotonicMs();
    const read = await this.#call(client, node, (asked) => asked.read(group, key));
    if (read === null) return;
    const { visibleIndex, head, inline }: SimRead = read;
    const expected = checker.history(group).currentAt(key, visibleIndex);
    const expectedInline = expected.head?.isDeleteMarker === true ? null : expected.inline;
    if (!isDeepStrictEqual({ head, inline }, { head: expected.head, inline: expectedInline })) {
      throw new Error(`${node.id} read ${JSON.stringify(read)}, not ${JSON.stringify(expected)}`);
    }
    const endMs = clock.monotonicMs();
    this.#operations.push({ kind: 'read', group, startMs, endMs, index: visibleIndex });
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
