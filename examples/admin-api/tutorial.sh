#!/bin/sh
# Steps 11 to 16 of the tutorial "Docker Authorization" of the Open Policy Agent, over Portcullis' admin API. README.md tells the tale.
#
#   ADMIN   the admin socket (/run/portcullis/admin.sock)
#   WASM    the folder with the built policies (target/wasm32-unknown-unknown/guest)
#
# The daemon is the one that `docker` speaks to. No policy may be there but those that this puts, and it removes them at the end.
set -eu

ADMIN=${ADMIN:-/run/portcullis/admin.sock}
WASM=${WASM:-target/wasm32-unknown-unknown/guest}
HOME_OF=$(mktemp -d)

api() {
    method=$1 path=$2
    shift 2
    curl --silent --show-error --unix-socket "$ADMIN" --request "$method" "http://portcullis$path" "$@"
}

# expect TEXT COMMAND…: runs the command, shows what it says, and ends the script unless TEXT is in it.
expect() {
    text=$1
    shift
    printf '\n$ %s\n' "$*"
    said=$("$@" 2>&1) || true
    printf '%s\n' "$said"
    case $said in
    *"$text"*) ;;
    *)
        printf 'expected: %s\n' "$text" >&2
        exit 1
        ;;
    esac
}

step() { printf '\n== %s\n' "$1"; }

# docker, as somebody who says who they are in a header: `docker` reads it from its configuration.
docker_as() {
    user=$1
    shift
    mkdir -p "$HOME_OF/$user"
    printf '{ "HttpHeaders": { "Authz-User": "%s" } }\n' "$user" > "$HOME_OF/$user/config.json"
    docker --config "$HOME_OF/$user" "$@"
}

clean_up() {
    for policy in 10-seccomp 20-user-roles; do
        api DELETE "/v1/policies/$policy" > /dev/null 2>&1 || true
    done
    api DELETE /v1/data/users > /dev/null 2>&1 || true
    rm -rf "$HOME_OF"
}
trap clean_up EXIT

step "10. Put the policy. Sending it again changes nothing"
expect '"generation"' api PUT /v1/policies/10-seccomp --data-binary "@$WASM/seccomp.wasm"
expect '"generation"' api PUT /v1/policies/10-seccomp --data-binary "@$WASM/seccomp.wasm"

step "11. A simple container runs, and one without seccomp does not"
expect 'Hello from Docker!' docker run --rm hello-world
expect 'seccomp: a container without a seccomp profile is not allowed' \
    docker run --rm --security-opt seccomp:unconfined hello-world

step "11. The same question, asked directly"
create='{"method": "POST", "path": "/v1.44/containers/create", "body": {"Image": "hello-world", "HostConfig": {"SecurityOpt": ["seccomp:unconfined"]}}}'
expect '"answer":"deny"' api POST /v1/decide --data "$create"
create='{"method": "POST", "path": "/v1.44/containers/create", "body": {"Image": "hello-world"}}'
expect '"answer":"allow"' api POST /v1/decide --data "$create"

step "13. Add user data"
expect '"generation"' api PATCH /v1/data/users --header 'Content-Type: application/json' --data '[
    {"op": "add", "path": "", "value": {"alice": {"readOnly": false}, "bob": {"readOnly": true}}}
]'
expect '"readOnly":false' api GET /v1/data/users/alice
expect '404' api GET /v1/data/users/nobody --output /dev/null --write-out '%{http_code}'

step "14. Put the policy that knows users, and tell it where their names are"
expect '"active":false' api PUT /v1/policies/20-user-roles/config --data '{"settings": {"user_header": "Authz-User"}}'
expect '"generation"' api PUT /v1/policies/20-user-roles --data-binary "@$WASM/user_roles.wasm"

step "15. Bob may look, and may not run a container"
expect 'CONTAINER ID' docker_as bob ps
expect 'user-roles: `bob` may only read' docker_as bob run --rm hello-world

step "16. Alice may"
expect 'Hello from Docker!' docker_as alice run --rm hello-world
expect 'seccomp: a container without a seccomp profile is not allowed' \
    docker_as alice run --rm --security-opt seccomp=unconfined hello-world

step "Bob is promoted: one member of one document changes"
expect '"generation"' api PATCH /v1/data/users/bob --header 'Content-Type: application/merge-patch+json' --data '{"readOnly": false}'
expect 'Hello from Docker!' docker_as bob run --rm hello-world

printf '\nEverything was as expected, and nothing was restarted.\n'
