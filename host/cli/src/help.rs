//! What `--help` shows below the options: examples that can be copied.

pub(crate) const SERVE: &str = "\
Examples:
  portcullis serve                                # with /etc/portcullis
  portcullis serve --config ./try --log-format text
  kill -HUP $(pidof portcullis)                   # reads everything again, as `portcullis reload`
  portcullis serve --take-over                    # takes the place of the host that runs; no call is lost

Under systemd, use Type=notify: the host says when its sockets are there.";

pub(crate) const CHECK: &str = "\
Examples:
  portcullis check target/wasm32-unknown-unknown/release/my_policy.wasm
  portcullis check seccomp.wasm --grant log       # what it imports beyond that is named, and the exit code is 1";

pub(crate) const CONFIG: &str = "\
Examples:
  portcullis config check
  portcullis config check /tmp/next --json
  portcullis config check && systemctl restart portcullis

Each mistake is told with its file and line, what was expected, and how to mend it; all at once. `--json` has the same.

Exit codes: 0 no mistake (warnings do not count), 2 at least one mistake.";

pub(crate) const RELOAD: &str = "\
Examples:
  portcullis reload
  portcullis reload --json | jq '.refused[]'

What is refused leaves active what was there before. `ready` and `status` show it, and keys of portcullis.toml that take
a restart, until a reload takes everything or the host is restarted.

Exit codes: 0 everything was taken, 1 something was refused or no host answers.";

pub(crate) const DECIDE: &str = "\
Examples:
  portcullis decide GET /v1.44/containers/json --user alice
  portcullis decide POST /v1.44/containers/create --body create.json --live   # asks the running host
  portcullis decide --request call.json && echo allowed                       # as dockerd posts it

Exit codes: 0 allowed, 3 denied, 1 no answer (no host, no such tenant or listener), 2 wrong command line or configuration.";

pub(crate) const EXPLAIN: &str = "\
Examples:
  portcullis explain --request call.json          # operation, mounts, image, … as a policy is shown them
  portcullis explain --request call.json --json | jq .request.mounts";

pub(crate) const STATUS: &str = "\
Examples:
  portcullis status
  portcullis status --tenant ci
  portcullis status --json | jq '.tenants[] | {name, decisions, denials}'

The exit code is 0 whatever is wrong, as long as a host answers; `portcullis ready` has one for scripts.";

pub(crate) const READY: &str = "\
Examples:
  portcullis ready || portcullis status           # why not
  portcullis ready --wait 30                      # in a script, after the host was started
  portcullis ready --json | jq '.warnings[]'      # what is wrong and denies nothing
  HEALTHCHECK CMD [\"portcullis\", \"ready\"]         # in a Dockerfile

A host is not ready if something broken has no last good version: it then denies calls that no policy denies. Anything else
that is wrong is a warning, and the exit code is 0.

`--wait 30` asks again and again until the host is ready, for 30 seconds in all; a host that does not run yet is waited for,
too. `--timeout 5` bounds each single question: a host that accepts it and says nothing for 5 seconds is taken for one that
is not ready. Whichever ends first, ends the command.

Exit codes: 0 ready, 1 not ready or no host answers, 2 wrong command line.";

pub(crate) const POLICY: &str = "\
Examples:
  portcullis policy put 10-seccomp.wasm           # host-wide; compiled, probed, written, and active when this ends
  portcullis policy put own.wasm --tenant ci
  portcullis policy ls --tenant ci
  portcullis policy get own --tenant ci --output own.wasm
  portcullis policy rm own --tenant ci --if-match sha256:…   # only if it is still that
  portcullis policy mode own observe --tenant ci
  portcullis policy settings 10-seccomp settings.json";

pub(crate) const DATA: &str = "\
Examples:
  portcullis data ls
  portcullis data get /users/alice                # a place in data/users.json
  portcullis data put /users users.json --tenant ci
  echo '{\"bob\": null}' | portcullis data patch /users - --merge   # bob goes, the others stay";

pub(crate) const TOKEN: &str = "\
Examples:
  portcullis token --name ci-deployer --scope read,policies --tenant ci
  portcullis token --name dashboard --scope read --output dashboard.token";

pub(crate) const STATE: &str = "\
Examples:
  portcullis state ls                             # by tenant and policy
  portcullis state ls --policy say-hello          # under which keys
  portcullis state get said-hello --policy say-hello
  portcullis state clear --tenant ci --policy say-hello --key said-hello
  portcullis state backup /var/backups/portcullis/state.redb   # while the host runs
  portcullis state reset                          # only after a damaged store was set aside";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  portcullis completions bash > /etc/bash_completion.d/portcullis
  portcullis completions zsh > \"${fpath[1]}/_portcullis\"
  portcullis completions fish > ~/.config/fish/completions/portcullis.fish";

pub(crate) const REPLAY: &str = "\
Before a policy, its settings, data, a tenant or a host rule is changed, ask what the change would have done to the calls of \
the last days. Nothing is asked of a running host, and nothing is changed.

Examples:
  portcullis replay /var/log/portcullis/decisions.log* --config /tmp/next
  journalctl -u portcullis -o cat --since -7d | portcullis replay - --config /tmp/next --tenant ci
  portcullis replay decisions.log --config /tmp/next --json | jq '.changes[] | select(.kind == \"now-denied\")'

What policies keep begins empty and is changed by the calls of the log, in their order; `--state copy` begins with a copy of \
what the store has now.

Exit codes: 0 nothing would change, 3 something would, 1 and 2 as always.";

pub(crate) const LOGS: &str = "\
Examples:
  portcullis logs                                          # follow, from the last 20 on
  portcullis logs --answer deny --tenant ci
  portcullis logs --answer would-deny --policy seccomp     # of policies and tenants that are observed
  portcullis logs --last 100 --no-follow --json
  portcullis logs --file /var/log/portcullis/decisions.log --user bob --since 2h";

pub(crate) const WHY: &str = "\
The ID stands at the end of what a caller is told: `POLICY: REASON [7Q2M9X4KPD]`. The running host knows its last decisions, \
and those in its own log file; `--file` looks into a log that lies here.

Examples:
  portcullis why 7Q2M9X4KPD
  portcullis why 7Q2M9X4KPD --file /var/log/portcullis/decisions.log.1";
