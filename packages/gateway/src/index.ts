export { gatewayConfigSchema } from './gateway-config';
export type { GatewayConfig } from './gateway-config';
export type { GatewayService } from './gateway-service';
export { runGateway } from './main';
export { OPERATIONS, isRefused } from './s3/operations';
export type { RefusedOperation } from './s3/operations';
