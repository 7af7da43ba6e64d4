import type { NodeHeartbeat } from '@azimuth/proto';

/** What the root leader remembers of a storage node's heartbeats. Never replicated. */
export interface NodeSighting {
  readonly heartbeat: NodeHeartbeat;
  readonly lastSeenMs: number;
  /** Start of the present run of heartbeats without a gap. */
  readonly steadySinceMs: number;
  /** How often it was marked down lately, or started anew before that. */
  readonly downs: number;
  readonly lastDownMs: number;
}

/** More nodes than this are not remembered; a node must have a certificate to be heard at all. */
const SIGHTINGS_MAX = 10_000;

/** A node that was not marked down for this long starts anew. */
const DOWNS_FORGIVEN_MS = 10 * 60_000;

/** Last heartbeats by node, by the monotonic clock. */
export class NodeMonitor {
  readonly #gapMs: number;
  readonly #sightings = new Map<string, NodeSighting>();

  constructor(gapMs: number) {
    this.#gapMs = gapMs;
  }

  get sightings(): ReadonlyMap<string, NodeSighting> {
    return this.#sightings;
  }

  hear(heartbeat: NodeHeartbeat, nowMs: number): void {
    const previous = this.#sightings.get(heartbeat.nodeId);
    if (previous === undefined && this.#sightings.size >= SIGHTINGS_MAX) return;
    const isRestart =
      previous !== undefined && previous.heartbeat.incarnation !== heartbeat.incarnation;
    // What was marked down since it was last heard is counted already.
    const isCounted = previous !== undefined && previous.lastDownMs > previous.lastSeenMs;
    const flaps = isRestart && !isCounted ? countDown(previous, nowMs) : previous;
    const isSteady =
      previous !== undefined &&
      previous.heartbeat.incarnation === heartbeat.incarnation &&
      nowMs - previous.lastSeenMs <= this.#gapMs;
    this.#sightings.set(heartbeat.nodeId, {
      heartbeat,
      lastSeenMs: nowMs,
      steadySinceMs: isSteady ? previous.steadySinceMs : nowMs,
      downs: flaps?.downs ?? 0,
      lastDownMs: flaps?.lastDownMs ?? -Infinity,
    });
  }

  /** The node was marked down: the more often, the longer it must be steady to come back. */
  noteDown(nodeId: string, nowMs: number): void {
    const sighting = this.#sightings.get(nodeId);
    // It was marked because it started anew, which counted then.
    if (sighting === undefined || sighting.lastDownMs >= sighting.steadySinceMs) return;
    this.#sightings.set(nodeId, { ...sighting, ...countDown(sighting, nowMs) });
  }

  /** Forgets what was heard in an earlier leadership. */
  clear(): void {
    this.#sightings.clear();
  }
}

function countDown(
  sighting: NodeSighting,
  nowMs: number,
): Pick<NodeSighting, 'downs' | 'lastDownMs'> {
  const isForgiven = nowMs - sighting.lastDownMs > DOWNS_FORGIVEN_MS;
  return { downs: isForgiven ? 1 : sighting.downs + 1, lastDownMs: nowMs };
}
