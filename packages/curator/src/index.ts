export { runCurator } from './main';
export type { CuratorService } from './curator-service';
