import { S3Error } from '../s3/s3-error';
import type { Principal } from './credentials';

/** One thing that somebody wants to do. */
export interface AccessRequest {
  readonly principal: Principal;
  /** `s3:PutObject` */
  readonly action: string;
  readonly bucket: string | null;
  readonly key: string | null;
}

/** Decides who may do what; policies are evaluated behind this interface. */
export interface Authorizer {
  /** @throws S3Error AccessDenied */
  authorize(request: AccessRequest): void | Promise<void>;
}

/** The root account may do everything, nobody else anything. */
export const rootAuthorizer: Authorizer = {
  authorize({ principal }) {
    if (!principal.isRoot) throw new S3Error('AccessDenied');
  },
};
