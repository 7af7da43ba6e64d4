import { isStoreErrorCode, StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';
import { COMMAND_VERSION, decodeRecord } from '@azimuth/proto';
import type { Command, SessionResponse } from '@azimuth/proto';

import type { RaftGroup } from '../driver/state-machine';
import { checkCommand } from '../state-machine/command-schema';
import { CommandFinder, encodeEntry, encodeEntryOf } from '../state-machine/entry-codec';
import type { CommandSet, GroupStateMachine } from '../state-machine/group-state-machine';
import { HybridClock } from '../state-machine/hybrid-clock';

export interface GroupEndpointOptions<T extends CommandSet> {
  readonly name: string;
  readonly group: RaftGroup;
  readonly machine: GroupStateMachine<T>;
  readonly clock: Clock;
  readonly random: Random;
}

/** A group of this node as the service uses it: commands in, linearizable reads out. */
export class GroupEndpoint<T extends CommandSet> {
  readonly name: string;
  readonly group: RaftGroup;
  readonly machine: GroupStateMachine<T>;
  readonly #kind: 'root' | 'index';
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hybridClock: HybridClock;
  readonly #finder: CommandFinder;
  /** Commands proposed here, and the time their answers took. */
  proposals = 0;
  proposalMs = 0;

  constructor(options: GroupEndpointOptions<T>) {
    this.name = options.name;
    this.group = options.group;
    this.machine = options.machine;
    this.#kind = options.name === 'root' ? 'root' : 'index';
    this.#clock = options.clock;
    this.#random = options.random;
    this.#hybridClock = new HybridClock(options.clock);
    this.#finder = new CommandFinder(options.name);
  }

  get isLeader(): boolean {
    return this.group.status().role === 'leader';
  }

  get commands(): T {
    return this.machine.commands;
  }

  /** The time of an entry that is proposed now: what times in the state are to be compared with. */
  nowMs(): number {
    this.#hybridClock.observe(this.machine.nowMs);
    return this.#hybridClock.now();
  }

  /**
   * Replicates a command and answers with the encoded `SessionResponse` that apply gave.
   *
   * @throws StoreError INVALID_ARGUMENT; NOT_LEADER, OVERLOADED: nothing was proposed;
   *   OUTCOME_UNKNOWN
   * @param onApplied told the index of the command's entry before the answer.
   * @param body the request that `command` was decoded from
   */
  async submit(
    command: Command,
    onApplied?: (index: number) => void,
    body?: Buffer,
  ): Promise<Buffer> {
    if (!this.isLeader) throw this.notLeader();
    checkCommand(this.#kind, command);
    const nowMs = this.nowMs();
    this.proposals += 1;
    const startedMs = this.#clock.monotonicMs();
    const bytes = body === undefined ? null : this.#finder.find(body);
    const entry = bytes === null ? encodeEntry(nowMs, command) : encodeEntryOf(nowMs, bytes);
    const answer = await this.group.propose(entry, onApplied);
    this.proposalMs += this.#clock.monotonicMs() - startedMs;
    return answer as Buffer;
  }

  /** A command of this node's own. @throws StoreError as {@link submit}, and the refusal itself */
  async propose(name: string, args: unknown): Promise<unknown> {
    const answer = await this.submit({
      version: COMMAND_VERSION,
      name,
      commandId: this.#random.bytes(16).toString('hex'),
      // Ours may be behind the cluster's time, and then the command would be refused as too old.
      issuedMs: this.nowMs(),
      args,
    });
    const response = decodeRecord(answer) as SessionResponse;
    if (response.ok) return response.result;
    const code = isStoreErrorCode(response.code) ? response.code : 'INTERNAL';
    throw new StoreError(code, response.detail);
  }

  /**
   * Resolves when reads of the local state are linearizable.
   *
   * @throws StoreError NOT_LEADER, UNAVAILABLE
   */
  confirm(): Promise<void> {
    return this.group.readIndex();
  }

  notLeader(): StoreError {
    const leader = this.group.leader();
    return new StoreError('NOT_LEADER', leader === null ? {} : { leader });
  }
}
