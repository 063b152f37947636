#!/bin/sh
# A job array that makes one output together:
#
#     sbatch --array=0-15 --cpus-per-task=8 pipelines/slurm.sh corpus.toml [OPTION…]
#
# All nodes see the input files, the model and the output folder at the same paths, and the file system's locks hold between them.
# A task that dies, or whose node does, is queued again and goes on from the parts that are there. At the time limit SLURM
# sends SIGTERM, which ends a run in order: submit the array again, of any size, and it makes what is missing.

#SBATCH --job-name=strata
#SBATCH --requeue
#SBATCH --open-mode=append

first=${SLURM_ARRAY_TASK_MIN:-0}
exec "${STRATA:-strata}" run "$@" \
  --shard "$((SLURM_ARRAY_TASK_ID - first))/$SLURM_ARRAY_TASK_COUNT" --threads "${SLURM_CPUS_PER_TASK:-1}"
