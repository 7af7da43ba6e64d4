import { hasCode } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';
import type { MetadataAdministration } from '@azimuth/clients';
import type { RootCommands } from '@azimuth/proto';

const RETRY_MS = 1_000;

type Identity = Omit<RootCommands['RegisterMetadataNode']['args'], 'isRejoining'>;

export interface NodeRegistrationOptions {
  readonly client: MetadataAdministration;
  readonly clock: Clock;
  readonly logger: Logger;
  /** An operator says that this is the node of that name although its log was lost. */
  readonly isRejoining: boolean;
  /** The cluster knows this name with another log: the node must not run. */
  readonly onRefused: (error: unknown) => void;
}

/** Tells `root` where this node is and over which log, again until it is written. */
export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  #isClosed = false;
  #isWaitingTold = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
  }

  start(identity: Identity): void {
    void this.#register(identity);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  /** Never rejects. */
  async #register(identity: Identity): Promise<void> {
    const { client, clock, logger, isRejoining, onRefused } = this.#options;
    try {
      await client.root('RegisterMetadataNode', { ...identity, isRejoining });
      return;
    } catch (error) {
      if (this.#isClosed) return;
      if (hasCode(error, 'ALREADY_EXISTS')) {
        const hint = `azimuth metadata replace ${identity.nodeId} --with NAME …`;
        logger.error({ error, hint }, 'this node had another log; it is to be replaced');
        onRefused(error);
        return;
      }
      if (hasCode(error, 'NOT_FOUND') && !this.#isWaitingTold) {
        this.#isWaitingTold = true;
        logger.info({ nodeId: identity.nodeId }, 'waiting for `azimuth metadata add` or `replace`');
      }
    }
    this.#cancelTimer = clock.schedule(RETRY_MS, () => void this.#register(identity));
  }
}
