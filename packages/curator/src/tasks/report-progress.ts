import type { CuratorContext } from '../curator-context';

/** Tells the root group how far repair is, when that has changed. */
export class ProgressReporter {
  #last = '';

  async report(context: CuratorContext): Promise<void> {
    const { progress, metadata, metrics, clock, holder, signal } = context;
    if (!progress.isRestored) return;
    const report = progress.report(holder, clock.monotonicMs());
    metrics.repairShardsToDo.set(report.shardsToDo);
    metrics.repairBytesToDo.set(report.bytesToDo);
    metrics.groupsUnproven.set(report.groupsUnproven);
    metrics.blobsAtRisk.reset();
    report.blobsAtRisk.forEach((blobs, lossesLeft) => {
      metrics.blobsAtRisk.set({ losses_left: String(lossesLeft) }, blobs);
    });
    const text = JSON.stringify(report);
    if (text === this.#last) return;
    await metadata.root('ReportRepair', { report }, { signal });
    this.#last = text;
  }
}
