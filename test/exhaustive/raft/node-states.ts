import { assert } from '@azimuth/common';

import type { Entry, Message } from '../../../packages/metadata-raft/src/core/message';
import type { Role } from '../../../packages/metadata-raft/src/core/raft-state';
import type { ReadState } from '../../../packages/metadata-raft/src/core/ready';

import { AS_IS, ModelNode, nameOf, textsOf } from './model-node';
import type { AfterDelivery, ModelSettings, NodeInput, Renaming } from './model-node';
import { fingerprintOf } from './symmetry';

/** One state that a node can be in, made once; immutable but for what is remembered of it. */
export interface NodeState {
  readonly id: string;
  readonly role: Role;
  readonly term: number;
  readonly durableTerm: number;
  readonly isWriting: boolean;
  /** The durable log, and its name. */
  readonly log: readonly Entry[];
  readonly logName: string;
  readonly hash: Int32Array;
  /** How it came to be; null in the beginning. */
  readonly origin: { readonly from: NodeState; readonly input: NodeInput } | null;
  /** A node in this state that nobody uses; the next who needs one may have it. */
  spare: ModelNode | null;
  readonly steps: Map<number, NodeStep>;
}

/** A message, made once. */
export interface SentMessage {
  readonly message: Message;
  readonly hash: Int32Array;
  readonly deliveries: Readonly<Record<AfterDelivery, NumberedInput>>;
}

export interface NumberedInput {
  readonly input: NodeInput;
  readonly number: number;
}

/** What one input makes of a node in one state. */
export interface NodeStep {
  readonly to: NodeState;
  readonly sent: readonly SentMessage[];
  readonly applied: readonly Entry[];
  readonly reads: readonly ReadState[];
  readonly readContext: number | null;
  /** What the core said cannot be. */
  readonly failure: Error | null;
}

/**
 * All states that nodes were seen in, and what each input makes of them. A node cannot be copied,
 * so one in a given state is made by what happened to it; a step is taken once and then known, for
 * whatever the other nodes do at the time.
 */
export class NodeStates {
  readonly #settings: ModelSettings;
  readonly #renamings: readonly Renaming[];
  readonly #states = new Map<string, NodeState>();
  readonly #messages = new Map<string, SentMessage>();
  #inputs = 0;
  replayed = 0;

  constructor(settings: ModelSettings, renamings: readonly Renaming[]) {
    this.#settings = settings;
    this.#renamings = renamings;
  }

  get count(): number {
    return this.#states.size;
  }

  start(id: string): NodeState {
    return this.#stateOf(new ModelNode(id, this.#settings), null);
  }

  numbered(input: NodeInput): NumberedInput {
    this.#inputs += 1;
    return { input, number: this.#inputs };
  }

  step(from: NodeState, { input, number }: NumberedInput): NodeStep {
    let step = from.steps.get(number);
    if (step === undefined) {
      step = this.#take(from, input);
      from.steps.set(number, step);
    }
    return step;
  }

  #take(from: NodeState, input: NodeInput): NodeStep {
    const node = this.#nodeIn(from);
    try {
      const { sent, applied, reads, readContext } = node.handle(input);
      const to = this.#stateOf(node, { from, input });
      const messages = sent.map((message) => this.#messageOf(message));
      return { to, sent: messages, applied, reads, readContext, failure: null };
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      return { to: from, sent: [], applied: [], reads: [], readContext: null, failure };
    }
  }

  #nodeIn(state: NodeState): ModelNode {
    const { spare } = state;
    state.spare = null;
    if (spare !== null) return spare;
    const inputs: NodeInput[] = [];
    let at: NodeState = state;
    for (; at.origin !== null && at.spare === null; at = at.origin.from)
      inputs.push(at.origin.input);
    const node = at.spare ?? new ModelNode(state.id, this.#settings);
    at.spare = null;
    for (const input of inputs.reverse()) node.handle(input);
    this.replayed += inputs.length;
    return node;
  }

  #stateOf(node: ModelNode, origin: NodeState['origin']): NodeState {
    const name = node.fingerprint(AS_IS);
    const known = this.#states.get(name);
    if (known !== undefined) {
      known.spare ??= node;
      return known;
    }
    const log = node.entries;
    const state: NodeState = {
      ...{ id: node.id, role: node.core.role, term: node.core.term },
      durableTerm: node.durableTerm,
      isWriting: node.isWriting,
      ...{ log, logName: textsOf(log, AS_IS), origin, spare: node, steps: new Map() },
      hash: fingerprintOf(this.#renamings, (rename) => node.fingerprint(rename)),
    };
    this.#states.set(name, state);
    return state;
  }

  #messageOf(message: Message): SentMessage {
    const name = nameOf(message, AS_IS);
    let known = this.#messages.get(name);
    if (known === undefined) {
      assert(message.type !== 'InstallSnapshot', 'nothing is compacted here');
      known = {
        message,
        hash: fingerprintOf(this.#renamings, (rename) => nameOf(message, rename)),
        deliveries: {
          durable: this.numbered({ kind: 'deliver', message, then: 'durable' }),
          writing: this.numbered({ kind: 'deliver', message, then: 'writing' }),
          dead: this.numbered({ kind: 'deliver', message, then: 'dead' }),
        },
      };
      this.#messages.set(name, known);
    }
    return known;
  }
}
