#!/bin/sh
# A long run as a job array: every task runs one shard, in a directory that all nodes share. Then, for the verdict:
#
#   id=$(sbatch --parsable slurm-array.sh diskfull)
#   sbatch --dependency=afterany:"$id" --wrap 'npx --yes lightning-chaos@0.1.0 merge'
#
#SBATCH --job-name=chaos
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --time=02:00:00
#SBATCH --output=chaos-%A-%a.log

# exit code 1 is a verdict on a part; that on the whole is merge's
npx --yes lightning-chaos@0.1.0 run "$@" || [ $? -eq 1 ]
