#!/bin/sh
# A job array that makes one output together:
#
#     sbatch --array=0-15 --cpus-per-task=8 pipelines/slurm.sh corpus.toml [OPTION…]
#
# All nodes see the input files, the model and the output folder at the same paths, and the file system's locks hold between them.
# A task whose node dies is queued again and goes on from the parts that are there. Whatever else ended a task, a time limit or too
# little memory: submit a whole array again, of any size, and it makes what is missing.

#SBATCH --job-name=strata
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60

place=$(((SLURM_ARRAY_TASK_ID - ${SLURM_ARRAY_TASK_MIN:-0}) / ${SLURM_ARRAY_TASK_STEP:-1}))
exec "${STRATA:-strata}" run "$@" --shard "$place/$SLURM_ARRAY_TASK_COUNT" --threads "${SLURM_CPUS_PER_TASK:-1}"
