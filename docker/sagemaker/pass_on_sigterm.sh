# Bash sources this file when it starts (BASH_ENV). SageMaker starts a job as
# process 1 of the container, `bash -c ...`, and stops it with SIGTERM to that
# process, which process 1 ignores by default. Here process 1 runs its command
# as a child and forwards SIGTERM to the ranks on this host: they finish the
# update, save a checkpoint and exit, which ends the job.
if [ $$ -eq 1 ] && [ -f /opt/ml/input/config/resourceconfig.json ]; then
    unset BASH_ENV

    pass_on() {
        echo "SIGTERM: telling the ranks on this host to save and end."
        local ranks=0
        for process in /proc/[0-9]*; do
            if grep -qz '^OMPI_COMM_WORLD_RANK=' "$process/environ" &&
                grep -qz '^mpi4py$' "$process/cmdline"; then
                kill -TERM "${process#/proc/}"
                ranks=$((ranks + 1))
            fi
        done 2>/dev/null
        # Before the ranks start there is nothing to save.
        [ "$ranks" -gt 0 ] || kill -TERM "$job"
    }
    trap pass_on TERM

    /bin/bash -c "$BASH_EXECUTION_STRING" &
    job=$!
    wait "$job"
    status=$?
    # A signal interrupts `wait`, not the job.
    while kill -0 "$job" 2>/dev/null; do
        wait "$job"
        status=$?
    done
    exit "$status"
fi
