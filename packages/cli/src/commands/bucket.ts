import { Argument, Command } from 'commander';
import { StoreError } from '@azimuth/common';
import type { OutagePolicy } from '@azimuth/placement';
import { OUTAGE_POLICY_CONFIGURATION } from '@azimuth/proto';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterLocation } from '../cluster-access';
import type { CliContext } from '../cli-context';

/** `azimuth bucket`: what S3 has no operation for. */
export function bucketCommand(context: CliContext): Command {
  const command = new Command('bucket').summary('settings of a bucket that S3 does not know');
  command
    .command('outage-policy')
    .summary('what writes do while a zone or node is out')
    .description(
      '`reduced`: writes go on with the declared reduced profile, at full redundancy over what is ' +
        'left. `strict`: writes answer 503 SlowDown until a whole normal placement group is there.',
    )
    .argument('<bucket>')
    .addArgument(new Argument('<policy>').choices(['strict', 'reduced']))
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data')
    .action((name: string, policy: OutagePolicy, flags: ClusterLocation) =>
      runAgainstCluster(flags, context, async ({ metadata }) => {
        const bucket = await metadata.queryRoot('GetBucket', { name });
        if (bucket === null) throw new StoreError('BUCKET_NOT_FOUND', { name });
        await metadata.root('SetBucketConfiguration', {
          name,
          bucketId: bucket.bucketId,
          configuration: OUTAGE_POLICY_CONFIGURATION,
          // The default needs no document.
          document: policy === 'strict' ? JSON.stringify(policy) : null,
        });
        context.print(`bucket ${name}: ${policy}`);
      }),
    );
  return command;
}
