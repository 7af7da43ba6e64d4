import type { AccessTarget, Conditions, RequestAccess } from '../../src/auth/authorize';
import { S3Error } from '../../src/s3/s3-error';

export interface AskedAccess {
  readonly action: string;
  /** `bucket/key?version`, as far as they are given. */
  readonly target: string;
  readonly conditions: Conditions;
}

/** Allows everything but the actions named, and remembers what was asked for. */
export class RecordedAccess implements RequestAccess {
  readonly asked: AskedAccess[] = [];
  readonly #denies: (action: string, target: AccessTarget) => boolean;

  constructor(denies: (action: string, target: AccessTarget) => boolean = () => false) {
    this.#denies = denies;
  }

  static without(...actions: readonly string[]): RecordedAccess {
    return new RecordedAccess((action) => actions.includes(action));
  }

  get actions(): string[] {
    return this.asked.map(({ action, target }) => `${action} ${target}`);
  }

  isAllowed(action: string, target: AccessTarget, conditions?: Conditions): Promise<boolean> {
    const { bucketName, key, versionId } = target;
    const version = versionId === null ? '' : `?${versionId}`;
    const shown = `${bucketName ?? ''}${key === null ? '' : `/${key}`}${version}`;
    this.asked.push({ action, target: shown, conditions: conditions ?? {} });
    return Promise.resolve(!this.#denies(action, target));
  }

  async require(action: string, target: AccessTarget, conditions?: Conditions): Promise<void> {
    if (!(await this.isAllowed(action, target, conditions))) throw new S3Error('AccessDenied');
  }
}
