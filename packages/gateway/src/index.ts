export { gatewayConfigSchema } from './gateway-config';
export type { GatewayConfig } from './gateway-config';
export { startGateway } from './gateway-service';
export type { GatewayParts, GatewayService } from './gateway-service';
