#!/usr/bin/env bash
# Builds an image and pushes it to Amazon ECR.
#
#     docker/build_and_push.sh --account 123456789012 --region us-east-1
#     docker/build_and_push.sh --account 123456789012 --region us-east-1 --yes
#
# The first command only prints the steps; the second runs them. --image is ngc
# (for GPUs, the default) or cpu; --repository NAME is albert-keras by default.
set -euo pipefail
cd "$(dirname "$0")/.."

image=ngc repository=albert-keras account="" region="" really=""
fail() {
    echo "build_and_push.sh: $*" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
        --yes) really=yes && shift && continue ;;
        --help)
            sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
            exit
            ;;
        --image | --repository | --account | --region) ;;
        *) fail "unknown option $1. See --help." ;;
    esac
    [ $# -gt 1 ] || fail "$1 needs a value."
    declare "${1#--}=$2"
    shift 2
done

[[ $account =~ ^[0-9]{12}$ ]] || fail "--account must be 12 digits." \
    "Received: '$account'. 'aws sts get-caller-identity' shows yours."
[[ $region =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] ||
    fail "--region must be like us-east-1. Received: '$region'."
case $image in
    ngc) file=docker/ngc_sagemaker.Dockerfile tag=ngc-25.02 target=() ;;
    cpu) file=docker/cpu.Dockerfile tag=cpu target=(--target sagemaker) ;;
    *) fail "--image must be ngc or cpu. Received: '$image'." ;;
esac
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' albert_keras/version.py)
registry=$account.dkr.ecr.$region.amazonaws.com
name=$registry/$repository:$tag-$version

run() {
    printf '    %s\n' "$*"
    [ -z "$really" ] || "$@"
}
login() {
    echo "    aws ecr get-login-password --region $region |" \
        "docker login --username AWS --password-stdin $registry"
    [ -z "$really" ] ||
        aws ecr get-login-password --region "$region" |
        docker login --username AWS --password-stdin "$registry"
}
make_repository() {
    local command=(aws ecr create-repository --region "$region"
        --repository-name "$repository"
        --image-scanning-configuration scanOnPush=true)
    echo "    ${command[*]}    # unless it exists"
    [ -z "$really" ] ||
        aws ecr describe-repositories --region "$region" \
            --repository-names "$repository" >/dev/null 2>&1 ||
        "${command[@]}" >/dev/null
}

[ -n "$really" ] || echo "This would be done; --yes does it:"
run docker build --platform linux/amd64 --file "$file" "${target[@]}" \
    --tag "$name" .
login
make_repository
run docker push "$name"
echo "export SAGEMAKER_IMAGE_NAME=$name"
