import type { NodeHeartbeat } from '@azimuth/proto';

/** What the root leader remembers of a storage node's heartbeats. Never replicated. */
export interface NodeSighting {
  readonly heartbeat: NodeHeartbeat;
  readonly lastSeenMs: number;
  /** Start of the present run of heartbeats without a gap. */
  readonly steadySinceMs: number;
}

/** More nodes than this are not remembered; a node must have a certificate to be heard at all. */
const SIGHTINGS_MAX = 10_000;

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
    const isSteady =
      previous !== undefined &&
      previous.heartbeat.incarnation === heartbeat.incarnation &&
      nowMs - previous.lastSeenMs <= this.#gapMs;
    this.#sightings.set(heartbeat.nodeId, {
      heartbeat,
      lastSeenMs: nowMs,
      steadySinceMs: isSteady ? previous.steadySinceMs : nowMs,
    });
  }

  /** Forgets what was heard in an earlier leadership. */
  clear(): void {
    this.#sightings.clear();
  }
}
